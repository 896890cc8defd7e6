package slack

import (
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
