package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
)

// fuzzed is the plugin of the fuzz targets here: one process with a state, and a webhook.
type fuzzed struct{ *Instance }

type fuzzedState struct {
	Name  string         `json:"name"`
	Count int            `json:"count,omitempty"`
	Inner map[string]int `json:"inner,omitempty"`
	List  []fuzzedState  `json:"list,omitempty"`
}

type fuzzedOut struct {
	Name string `json:"name" jsonschema_description:"The name."`
}

func (s *fuzzedState) Start(context.Context, *Run[*fuzzed, fuzzedOut], fuzzedOut) error { return nil }

type fuzzedMessage struct{ Kind string }

func fuzzedGateway(f testing.TB, log io.Writer) *Gateway {
	g, err := New(Options{
		Store: memory.New(), Log: slog.New(slog.NewTextHandler(log, nil)), PublicURL: "https://gateway.example/prefix",
		OAuth: OAuthOptions{Redirects: []string{"https://driver.example/"}},
		Plugins: []Plugin{Define("fuzzed", "For fuzzing.",
			func(_ context.Context, i *Instance, _ struct{}) (*fuzzed, error) { return &fuzzed{i}, nil },
			ProcessFunc("thing", "A process.", (*fuzzedState).Start),
			Webhook[*fuzzed, fuzzedMessage]{
				Verify: func(_ *fuzzed, d *Delivery) error {
					if d.Header.Get("X-Signature") != "right" {
						return errors.New("wrong")
					}
					return nil
				},
				Parse: func(d *Delivery) (m fuzzedMessage, err error) { return m, json.Unmarshal(d.Body, &m) },
				Route: func(m fuzzedMessage) Target { return Target{Platform: []string{"P"}} },
			},
		)},
	})
	if err != nil {
		f.Fatal(err)
	}
	return g
}

// FuzzState: a process's state is read whole or not at all: what is read says, written again, the same; what is not waits for a program that
// can read it.
func FuzzState(f *testing.F) {
	for _, s := range []string{
		`{"name":"a","count":1,"inner":{"a":1},"list":[{"name":"b"}]}`, `{}`, `null`, ``, `{"name":1}`, `{"name":"a","new":1}`, `{"name":"a"}{"name":"b"}`,
		`{"name":"a"} x`, `[`, `{"count":1e400}`, `{"NAME":"a"}`, "{\"name\":\"\xff\"}", strings.Repeat(`{"list":[`, 40),
	} {
		f.Add([]byte(s), 1)
	}
	f.Add([]byte(`{"name":"a"}`), 7)
	g := fuzzedGateway(f, io.Discard)
	inst := &opened{Instance: &Instance{g: g, p: g.plugins["fuzzed"], Log: g.log}}
	def := g.plugins["fuzzed"].processes["thing"]
	f.Fuzz(func(t *testing.T, raw []byte, version int) {
		row := store.Process{ID: "p", Plugin: "fuzzed", Name: "thing", Version: version, State: raw}
		s, err := g.stepOf(row, inst)
		var missing errMissing
		if err != nil {
			if !errors.As(err, &missing) {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if version != def.Version || !json.Valid(raw) {
			t.Fatalf("version %d, %q was read", version, raw)
		}
		once, err := json.Marshal(s.state)
		if err != nil {
			t.Fatal(err)
		}
		row.State = once
		if s, err = g.stepOf(row, inst); err != nil {
			t.Fatalf("%q became %q: %v", raw, once, err)
		}
		if twice, err := json.Marshal(s.state); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q, then %q: %v", once, twice, err)
		}
	})
}

// FuzzErrorFrom: an error that was kept has a code, and is the same when it is kept again.
func FuzzErrorFrom(f *testing.F) {
	for _, s := range []string{`{"code":"invalid","text":"x","fields":[{"path":"/a","message":"b"}]}`, `{"code":"","text":"x"}`, `{"code":"strange"}`, `{}`, `null`, `[]`, ``, `{"code":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		err := errorFrom(raw)
		if CodeOf(err) == "" || err.Error() == "" {
			t.Fatalf("%q: %v", raw, err)
		}
		again := errorFrom(errorJSON(err))
		if CodeOf(again) != CodeOf(err) || again.Error() != err.Error() {
			t.Fatalf("%v became %v", err, again)
		}
	})
}

// FuzzWork: whatever an inbox task says, it ends: done, or put aside with a reason. It does not panic, and other work goes on.
func FuzzWork(f *testing.F) {
	for _, s := range []string{`{"stage":"receive"}`, `{"stage":"handle"}`, `{"stage":"answer","then":"x"}`, `{"stage":"receive","platform":"P"}`, `{"stage":"x"}`, `{}`, `null`, ``, `[1]`, `{"stage":1}`} {
		f.Add([]byte(s), "d/i/receive", []byte(`{"Kind":"x"}`))
	}
	f.Add([]byte(`{"stage":"receive"}`), "", []byte(`no json`))
	f.Fuzz(func(t *testing.T, payload []byte, key string, body []byte) {
		var log bytes.Buffer
		g := fuzzedGateway(t, &log)
		ctx := t.Context()
		c, err := g.CreateCommunity(ctx, "c", "C")
		if err != nil {
			t.Fatal(err)
		}
		inst, err := c.Enable(ctx, "fuzzed", struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		task := store.Task{Kind: taskInbox, Key: key, Community: "c", Instance: inst.ID(), Ref: "d", Due: g.now(), Payload: payload, Created: g.now()}
		err = g.store.Update(ctx, func(tx store.Tx) error {
			if _, err := tx.Accept(store.Delivery{ID: "d", Plugin: "fuzzed", Header: []byte(`{}`), Body: body, At: g.now()}); err != nil {
				return err
			}
			return tx.Schedule(task)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.RunDue(ctx); err != nil {
			t.Fatal(err)
		}
		err = g.store.View(ctx, func(tx store.Tx) error {
			task, err = tx.Task(taskInbox, key)
			return err
		})
		switch {
		case strings.Contains(log.String(), "panic"):
			t.Fatal(log.String())
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			t.Fatal(err)
		case task.Error == "" && task.Group == "":
			t.Fatalf("%+v is neither done nor put aside", task)
		}
	})
}

// FuzzPublicURL: an address that is taken is one, and what is made of it stays on it.
func FuzzPublicURL(f *testing.F) {
	for _, s := range []string{
		"https://a.example", "https://a.example/", "http://a.example:80/x/y/", "https://a.example?x", "https://a.example#x", "//a.example", "ftp://a.example", "https:", "https:///x", "a.example",
		"https://user@a.example", "https://a.example/%2e%2e", "https://a.example?", "https://[::1]:5/x",
	} {
		f.Add(s)
	}
	st := memory.New()
	f.Fuzz(func(t *testing.T, s string) {
		g, err := New(Options{PublicURL: s, Store: st})
		if err != nil {
			if CodeOf(err) != Invalid {
				t.Fatal(err)
			}
			return
		}
		if s == "" {
			return
		}
		full, err := g.publicURL("/api/hooks/x")
		if err != nil {
			t.Fatal(err)
		}
		was, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(full)
		if err != nil || u.Host != was.Host || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || !strings.HasSuffix(u.Path, "/api/hooks/x") {
			t.Fatalf("%q became %q: %v", s, full, err)
		}
	})
}

// FuzzHandler: nothing that is not signed is taken, nothing that is asked for is a fault of ours, and no browser is sent where nobody
// allowed it.
func FuzzHandler(f *testing.F) {
	for _, s := range []string{
		"/api/hooks/fuzzed", "/api/hooks/c/fuzzed", "/api/hooks/c/fuzzed/token", "/auth/fuzzed/authorize?type=install&redirect_uri=https://evil.example",
		"/auth/fuzzed/callback?state=x&code=y", "/auth/fuzzed/callback?error=access_denied", "/", "/api/hooks//", "/api/hooks/%2e%2e/fuzzed", "/auth/nope/callback",
	} {
		f.Add("POST", s, "wrong", []byte(`{"Kind":"x"}`))
		f.Add("GET", s, "right", []byte(nil))
	}
	f.Add("POST", "/api/hooks/fuzzed", "right", []byte(`{"Kind":"x"}`))
	f.Add("POST", "/api/hooks/fuzzed", "right", []byte(`no json`))
	h := fuzzedGateway(f, io.Discard).Handler()
	f.Fuzz(func(t *testing.T, method, target, signature string, body []byte) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || !strings.HasPrefix(target, "/") {
			return // not what a server hands on
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{"X-Signature": {signature}}, Body: io.NopCloser(bytes.NewReader(body)), Host: "gateway.example"}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(t.Context()))
		if w.Code >= 500 {
			t.Fatalf("%s %s: %d", method, target, w.Code)
		}
		if w.Code < 300 && (method != "POST" || signature != "right" || !json.Valid(body)) {
			t.Fatalf("%s %s with signature %q, body %q: %d", method, target, signature, body, w.Code)
		}
		if to := w.Header().Get("Location"); strings.Contains(to, "//") && !strings.HasPrefix(to, "https://driver.example/") {
			t.Fatalf("sent to %s", to)
		}
	})
}
