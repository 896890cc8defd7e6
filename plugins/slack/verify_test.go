package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/specs"
)

// The published vector of Slack's signature.
func TestVerifyKnownVector(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(specs.Dir(t), "VECTORS.json"))
	require.NoError(t, err)
	var all struct {
		Slack struct {
			Secret    gateway.Secret `json:"signing_secret"`
			Timestamp json.Number    `json:"timestamp"`
			Body      string         `json:"body"`
			Signature string         `json:"x_slack_signature"`
		} `json:"slack"`
	}
	require.NoError(t, json.Unmarshal(raw, &all))
	v := all.Slack
	sec, err := v.Timestamp.Int64()
	require.NoError(t, err)
	d := &gateway.Delivery{
		Body: []byte(v.Body), Received: time.Unix(sec, 0),
		Header: http.Header{"X-Slack-Signature": {v.Signature}, "X-Slack-Request-Timestamp": {string(v.Timestamp)}},
	}
	require.NoError(t, verify(v.Secret, d))
	for _, off := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		d.Received = time.Unix(sec, 0).Add(off)
		require.NoError(t, verify(v.Secret, d), "%v", off)
		d.Received = d.Received.Add(off / 300) // a second more
		require.Error(t, verify(v.Secret, d), "%v", off)
	}
	d.Received = time.Unix(sec, 0)
	d.Body = append(d.Body, ' ')
	require.Error(t, verify(v.Secret, d), "another body")
}

// Whoever signs with nothing has the right signature for an empty secret.
func TestVerifyRefusesAnEmptySecret(t *testing.T) {
	mac := hmac.New(sha256.New, nil)
	mac.Write([]byte("v0:1531431954:{}"))
	d := &gateway.Delivery{Body: []byte("{}"), Received: time.Unix(1531431954, 0), Header: http.Header{
		"X-Slack-Request-Timestamp": {"1531431954"}, "X-Slack-Signature": {"v0=" + hex.EncodeToString(mac.Sum(nil))},
	}}
	require.ErrorContains(t, verify("", d), "no signing secret")
}

// An ID token that was made for another browser's sign-in is of no use.
func TestNonce(t *testing.T) {
	token := func(nonce string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"U1","nonce":"`+nonce+`"}`)) + ".c2ln"
	}
	sum := sha256.Sum256([]byte("verifier"))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	check := func(idToken, verifier string) error {
		_, err := checkNonce(idToken, verifier)
		return err
	}
	require.NoError(t, check(token(challenge), "verifier"))
	org, err := checkNonce(token(nonce(challenge, "E1")), "verifier")
	require.NoError(t, err)
	require.Equal(t, "E1", org)
	require.Equal(t, challenge, nonce(challenge, "T1"))
	for _, bad := range []string{"", "a.b", "a.b.c", "e30.e30.e30", token(""), token("other"), token(challenge) + ".x", token(challenge[:10])} {
		require.ErrorIs(t, check(bad, "verifier"), gateway.Denied, bad)
	}
	require.ErrorIs(t, check(token(challenge), "another verifier"), gateway.Denied)
}

// The token goes to Slack and to nobody to whom Slack, or who stands between, redirects.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var asked []string
	h := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.Host)
		return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"https://evil.example/"}}, Body: http.NoBody, Request: r}, nil
	})}
	c := &client{http: h, token: "t"}
	require.ErrorIs(t, c.call(t.Context(), "chat.postMessage", args{"text": "x"}, nil), gateway.Unavailable)
	require.Equal(t, []string{"slack.com"}, asked)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func FuzzVerify(f *testing.F) {
	f.Add("secret", "v0=00", "1531431954", "{}")
	f.Add("", "", "", "")
	f.Add("s", "v0="+strings.Repeat("0", 64), "9223372036854775807", "x")
	f.Add("s", "v0=zz", "-9223372036854775808", "\xff")
	f.Fuzz(func(t *testing.T, secret, signature, stamp, body string) {
		d := &gateway.Delivery{Body: []byte(body), Received: time.Unix(1531431954, 0), Header: http.Header{}}
		d.Header.Set("X-Slack-Signature", signature)
		d.Header.Set("X-Slack-Request-Timestamp", stamp)
		if verify(gateway.Secret(secret), d) == nil {
			t.Fatal("a guessed signature was right")
		}
	})
}
