package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	gateway "github.com/metagov/gateway-go"
)

// FuzzVerifySigned: what is signed is taken, and nothing else with the same signature is.
func FuzzVerifySigned(f *testing.F) {
	f.Add("secret", int64(0), []byte("{}"), 3, byte(1))
	f.Add("s", int64(-299), []byte("payload=%7B%7D"), 0, byte(128))
	f.Add("s", int64(301), []byte(""), 70, byte(255))
	f.Fuzz(func(t *testing.T, secret string, age int64, body []byte, at int, flip byte) {
		if secret == "" || flip == 0 {
			return
		}
		now := time.Unix(1531431954, 0)
		stamp := fmt.Sprint(now.Unix() + age)
		mac := hmac.New(sha256.New, []byte(secret))
		_, _ = fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
		d := &gateway.Delivery{Body: body, Received: now, Header: http.Header{}}
		d.Header.Set("X-Slack-Request-Timestamp", stamp)
		d.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
		fresh := age >= -int64(window/time.Second) && age <= int64(window/time.Second)
		if err := verify(gateway.Secret(secret), d); (err == nil) != fresh {
			t.Fatalf("%d seconds: %v", age, err)
		}
		if len(body) > 0 {
			other := append([]byte(nil), body...)
			other[uint(at)%uint(len(body))] ^= flip
			d.Body = other
			if verify(gateway.Secret(secret), d) == nil {
				t.Fatal("another body")
			}
			d.Body = body
		}
		d.Header.Set("X-Slack-Request-Timestamp", fmt.Sprint(now.Unix()+age+1))
		if verify(gateway.Secret(secret), d) == nil {
			t.Fatal("another time")
		}
	})
}

// FuzzForm: an interaction is the same whether it comes as a form's payload or alone, and a command's fields are the form's.
func FuzzForm(f *testing.F) {
	for _, s := range []string{
		`{"type":"block_actions","team":{"id":"T"},"user":{"id":"U"},"actions":[{"block_id":"gw:p1:x","action_id":"a","value":"0","action_ts":"1.1"}]}`,
		`{"type":"view_submission","team":{"id":"T"},"view":{"id":"V","callback_id":"gw:p1:x","state":{"values":{}}}}`,
		`{"type":"shortcut","team":null,"enterprise":{"id":"E"},"is_enterprise_install":true,"trigger_id":"1.2"}`, `{"type":"message_action","message":{"ts":"1.2"},"channel":{"id":"C"}}`,
		`{"type":"x","actions":[null]}`, `{}`,
	} {
		f.Add(s, "/vote", "T")
	}
	f.Fuzz(func(t *testing.T, payload, command, team string) {
		alone, err1 := parse(&gateway.Delivery{Body: []byte(payload)})
		inForm, err2 := parse(&gateway.Delivery{Body: []byte(url.Values{"payload": {payload}}.Encode())})
		if err1 == nil && err2 == nil && strings.HasPrefix(strings.TrimSpace(payload), "{") {
			if alone.typ != inForm.typ || alone.user != inForm.user || alone.process != inForm.process || !alone.at.Equal(inForm.at) {
				t.Fatalf("%+v, in a form %+v", alone, inForm)
			}
		}
		if inForm != nil && inForm.process != "" && !strings.Contains(payload, "gw:") && !strings.Contains(payload, `\u`) {
			t.Fatalf("%q reaches process %q", payload, inForm.process)
		}
		m, err := parse(&gateway.Delivery{Body: []byte(url.Values{"command": {command}, "team_id": {team}, "user_id": {"U1"}}.Encode())})
		if err != nil || m.typ == "" || team == "" || !utf8.ValidString(team) { // nobody's: JSON has no other strings
			return
		}
		if m.process != "" || m.user != "U1" || len(m.teams) != 1 || m.teams[0] != team || !json.Valid(m.data) {
			t.Fatalf("%+v", m)
		}
	})
}

// FuzzAnswer: whatever Slack answers, a call succeeded only where the answer says so, every failure has a code, and no pause is longer
// than we can bear.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"ok":true,"channel":"C","ts":"1.2"}`, `{"ok":false,"error":"channel_not_found"}`, `{"ok":false}`, `{"ok":"true"}`, `{}`, ``, `[]`, `null`, `{"ok":true,"ts":5}`,
		`{"ok":false,"error":"ratelimited"}`, `{"ok":false,"error":"x","errors":[{"code":"a"}],"response_metadata":{"messages":["m"]}}`, `{"ok":true}garbage`, `<html>`,
	} {
		for _, status := range []int{200, 429, 500, 302, 404} {
			f.Add(status, []byte(s), "30")
		}
	}
	f.Add(429, []byte(""), "99999999999999")
	f.Add(429, []byte(""), "-1")
	f.Add(429, []byte(""), "Wed, 21 Oct 2026 07:28:00 GMT")
	f.Fuzz(func(t *testing.T, status int, body []byte, again string) {
		if status < 200 || status > 599 {
			return
		}
		h := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			w.Header()["Retry-After"] = []string{again}
			w.WriteHeader(status)
			_, _ = w.Write(body)
			return w.Result(), nil
		})}
		c := &client{http: h, token: "t", team: "T"}
		var out struct {
			TS string `json:"ts"`
		}
		err := c.call(t.Context(), "chat.postMessage", args{"text": "x"}, &out)
		var head struct {
			OK bool `json:"ok"`
		}
		if err == nil && (json.Unmarshal(body, &head) != nil || !head.OK) {
			t.Fatalf("%d %q was taken for a success", status, body)
		}
		var e *gateway.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%v has no code", err)
		}
		if wait := gateway.RetryAfter(err); wait < 0 || wait > maxRetryAfter*time.Second || status == 429 && wait == 0 {
			t.Fatalf("Retry-After %q: %v", again, wait)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzNonce: no ID token but one with our own nonce passes, and it passes with the organisation that it names.
func FuzzNonce(f *testing.F) {
	f.Add("a.b.c", "verifier", "")
	f.Add("a."+base64.RawURLEncoding.EncodeToString([]byte(`{"nonce":"x"}`))+".c", "verifier", "E1")
	f.Add("..", "", "E")
	f.Add("a.!.c", "v", "E1.x")
	f.Fuzz(func(t *testing.T, token, verifier, org string) {
		if !utf8.ValidString(org) {
			return
		}
		sum := sha256.Sum256([]byte(verifier))
		want := base64.RawURLEncoding.EncodeToString(sum[:])
		if _, err := checkNonce(token, verifier); err == nil {
			raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
			if err != nil || !strings.Contains(string(raw), want) && !strings.Contains(string(raw), `\u`) {
				t.Fatalf("%q passed", token)
			}
		}
		claims, err := json.Marshal(map[string]string{"nonce": nonce(want, org)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := checkNonce("h."+base64.RawURLEncoding.EncodeToString(claims)+".s", verifier)
		if err != nil || strings.HasPrefix(org, "E") && got != org {
			t.Fatalf("%q: %q, %v", org, got, err)
		}
		if _, err := checkNonce("h."+base64.RawURLEncoding.EncodeToString(claims)+".s", verifier+"x"); err == nil {
			t.Fatal("another browser's")
		}
	})
}

// FuzzBlockID: the process that a block names is read back, and a timestamp is never in the far past or future.
func FuzzBlockID(f *testing.F) {
	f.Add("p1", "option3", "1700000000.123456")
	f.Add("", ":", "-1")
	f.Add("a:b", "x", "9999999999999999999.1")
	f.Fuzz(func(t *testing.T, process, what, ts string) {
		got := processOf(blockID(process, what))
		if got != "" && got != process && !strings.HasPrefix(process, got+":") {
			t.Fatalf("%q became %q", process, got)
		}
		if at := timestamp(ts); !at.IsZero() && (at.Unix() <= 0 || at.Unix() > 1<<40) {
			t.Fatalf("%q: %v", ts, at)
		}
	})
}
