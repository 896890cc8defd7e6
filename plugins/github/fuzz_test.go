package github

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/vote"
)

// Whatever is delivered is read or refused, and what is read is written in one way only.
func FuzzParse(f *testing.F) {
	f.Add("issues", []byte(`{"action":"opened","issue":{"number":1},"installation":{"id":1}}`))
	f.Add("push", []byte(`payload=%7B%7D`))
	if os.Getenv("GATEWAY_SPECS") != "" {
		files, _ := filepath.Glob(filepath.Join(specs.Dir(f), "github", "webhook-examples", "*.json"))
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			event, _, _ := strings.Cut(filepath.Base(file), ".")
			f.Add(event, raw)
		}
	}
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		for _, kind := range []string{"application/json", "application/x-www-form-urlencoded"} {
			h := http.Header{}
			h.Set("Content-Type", kind)
			h.Set("X-GitHub-Event", event)
			h.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
			m, err := parse(&gateway.Delivery{Header: h, Body: body})
			if err != nil {
				continue
			}
			m.echoes() // must not panic, whatever is missing
			again, err := compacted(m.data)
			if err != nil || string(again) != string(m.data) {
				t.Fatalf("%q is written again as %q (%v)", m.data, again, err)
			}
		}
	})
}

// A comment is a vote for choices that were asked, or none.
func FuzzSpoken(f *testing.F) {
	for _, s := range []string{"/vote yes", "/vote  2\n/unvote", "```\n/vote yes\n```", "~~~\n```\n/vote no\n~~~\n/vote no", "/VOTE YES\r\n", "> /vote yes", "/vote\tyes"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	single, several := ask(f, vote.Ask{Title: "x"}), ask(f, vote.Ask{Title: "x", PollType: vote.Multiple, Options: []string{"yes", "no", "Perhaps so"}})
	f.Fuzz(func(t *testing.T, body string, many bool) {
		a := single
		if many {
			a = several
		}
		choices, ok := spoken(a, body)
		if !ok && len(choices) > 0 || !many && len(choices) > 1 {
			t.Fatalf("%q: %v %v", body, choices, ok)
		}
		if utf8.ValidString(body) && !strings.Contains(strings.ToLower(body), "vote") && ok {
			t.Fatalf("%q is no vote", body)
		}
		if _, err := a.Pick("", choices...); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
	})
}
