package slack

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	gateway "github.com/metagov/gateway-go"
)

func read(t *testing.T, body string) *message {
	t.Helper()
	m, err := parse(&gateway.Delivery{Body: []byte(body)})
	require.NoError(t, err, body)
	return m
}

func TestParseEvents(t *testing.T) {
	around := func(event, more string) string {
		return `{"type":"event_callback","token":"canary","team_id":"T1","event_id":"Ev1","event_time":1700000000,"event":` + event + more + `}`
	}
	for name, c := range map[string]struct {
		body string
		want message
		data string
	}{
		"message": {
			around(`{"type":"message","channel":"C1","user":"U1","text":"hi","ts":"1700000000.000100","event_ts":"1700000000.000100"}`, ""),
			message{typ: "message", id: "Ev1", teams: []string{"T1"}, user: "U1", at: time.Unix(1700000000, 100_000).UTC(), channel: "C1", ts: "1700000000.000100", posted: true},
			`{"channel":"C1","event_ts":"1700000000.000100","text":"hi","ts":"1700000000.000100"}`,
		},
		"a user as a whole stays in the data": {
			around(`{"type":"user_change","user":{"id":"U2","name":"bo"}}`, ""),
			message{typ: "user_change", id: "Ev1", teams: []string{"T1"}, user: "U2", at: time.Unix(1700000000, 0).UTC()},
			`{"user":{"id":"U2","name":"bo"}}`,
		},
		"a change is its editor's": {
			around(`{"type":"message","subtype":"message_changed","channel":"C1","ts":"2.0","message":{"ts":"1.0","user":"U1","edited":{"user":"U9"}}}`, ""),
			message{typ: "message", id: "Ev1", teams: []string{"T1"}, user: "U9", at: time.Unix(1700000000, 0).UTC(), channel: "C1", ts: "1.0"}, "",
		},
		"a deletion is nobody's": {
			around(`{"type":"message","subtype":"message_deleted","channel":"C1","ts":"2.0","deleted_ts":"1.0","previous_message":{"ts":"1.0","user":"U1"}}`, ""),
			message{typ: "message", id: "Ev1", teams: []string{"T1"}, at: time.Unix(1700000000, 0).UTC(), channel: "C1", ts: "1.0", deleted: true}, "",
		},
		"a message with replies leaves a tombstone": {
			around(`{"type":"message","subtype":"message_changed","channel":"C1","ts":"2.0","message":{"subtype":"tombstone","ts":"1.0","user":"USLACKBOT"}}`, ""),
			message{typ: "message", id: "Ev1", teams: []string{"T1"}, at: time.Unix(1700000000, 0).UTC(), channel: "C1", ts: "1.0", deleted: true}, "",
		},
		"a reaction is about its message": {
			around(`{"type":"reaction_added","user":"U1","reaction":"+1","item":{"type":"message","channel":"C1","ts":"1.0"}}`, ""),
			message{typ: "reaction_added", id: "Ev1", teams: []string{"T1"}, user: "U1", at: time.Unix(1700000000, 0).UTC(), channel: "C1", ts: "1.0"}, "",
		},
		"a type that nobody knew": {
			around(`{"type":"brand_new","what":[1,2.50,{"x":null}]}`, ""),
			message{typ: "brand_new", id: "Ev1", teams: []string{"T1"}, at: time.Unix(1700000000, 0).UTC()}, `{"what":[1,2.50,{"x":null}]}`,
		},
		"an organisation's authorization alone decides": {
			around(`{"type":"x"}`, `,"enterprise_id":"E1","context_team_id":"T9","authorizations":[{"enterprise_id":"E1","team_id":"T1","is_enterprise_install":true}]`),
			message{typ: "x", id: "Ev1", teams: []string{"E1"}, at: time.Unix(1700000000, 0).UTC()}, `{}`,
		},
		"an organisation without a team": {
			`{"type":"event_callback","enterprise_id":"E1","event_id":"Ev1","event":{"type":"x"}}`,
			message{typ: "x", id: "Ev1", teams: []string{"E1"}}, `{}`,
		},
		"a channel shared between organisations": {
			around(`{"type":"x"}`, `,"is_ext_shared_channel":true,"context_team_id":"T2","authorizations":[{"team_id":"T2","enterprise_id":null,"is_enterprise_install":false}]`),
			message{typ: "x", id: "Ev1", teams: []string{"T2", "T1"}, at: time.Unix(1700000000, 0).UTC()}, `{}`,
		},
		"not shared: only who authorized it": {
			around(`{"type":"x"}`, `,"authorizations":[{"team_id":"T2"}]`),
			message{typ: "x", id: "Ev1", teams: []string{"T2"}, at: time.Unix(1700000000, 0).UTC()}, `{}`,
		},
		"workspaces of an organisation": {
			around(`{"type":"team_access_granted","team_ids":["T5","T6","T1"]}`, ""),
			message{typ: "team_access_granted", id: "Ev1", teams: []string{"T1", "T5", "T6"}, at: time.Unix(1700000000, 0).UTC()}, "",
		},
		"too much at once": {
			`{"type":"app_rate_limited","token":"canary","team_id":"T1","minute_rate_limited":1700000000,"api_app_id":"A1"}`,
			message{typ: "app_rate_limited", id: "app_rate_limited:T1:1700000000", teams: []string{"T1"}, at: time.Unix(1700000000, 0).UTC()},
			`{"api_app_id":"A1","minute_rate_limited":1700000000,"team_id":"T1"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := read(t, c.body)
			require.NotContains(t, string(m.data), "canary", "the verification token is a secret")
			if c.data != "" {
				require.Equal(t, c.data, string(m.data))
			}
			m.data, m.echo, m.by = nil, "", "" // see TestEchoes
			require.Equal(t, c.want, *m)
		})
	}
}

func TestParseInteractions(t *testing.T) {
	click := `{"type":"block_actions","token":"canary","team":{"id":"T1"},"user":{"id":"U1"},"trigger_id":"1.2.x","response_url":"https://hooks.slack.com/actions/T1/1/x",
		"container":{"type":"message","message_ts":"1.0","channel_id":"C1","thread_ts":"0.5"},"channel":{"id":"C1"},"message":{"ts":"1.0"},
		"actions":[{"action_id":"cast_vote","block_id":"gw:pabc123:option0","value":"0","action_ts":"1700000000.123456"}]}`
	m := read(t, url.Values{"payload": {click}}.Encode())
	require.NotContains(t, string(m.data), "canary")
	m.data = nil
	require.Equal(t, message{
		typ: "block_actions", id: "block_actions:T1:U1:1.2.x", teams: []string{"T1"}, user: "U1", at: time.Unix(1700000000, 123_456_000).UTC(),
		channel: "C1", ts: "1.0", thread: "0.5", process: "pabc123", responseURL: "https://hooks.slack.com/actions/T1/1/x",
		actions: []action{{ActionID: "cast_vote", BlockID: "gw:pabc123:option0", Value: "0", ActionTS: "1700000000.123456"}},
	}, *m)
	require.Equal(t, m.id, read(t, click).id, "by socket it comes without the form")

	org := read(t, `{"type":"shortcut","team":null,"enterprise":{"id":"E1"},"is_enterprise_install":true,"user":{"id":"U1"},"trigger_id":"t"}`)
	require.Equal(t, []string{"E1"}, org.teams)
	view := read(t, `{"type":"view_submission","team":{"id":"T9"},"user":{"id":"U1","team_id":"T9"},"trigger_id":"t","view":{"id":"V1","app_installed_team_id":"T1"}}`)
	require.Equal(t, []string{"T1"}, view.teams, "a view of ours that somebody of another workspace submitted")
	closed := read(t, `{"type":"view_closed","team":{"id":"T1"},"user":{"id":"U1"},"view":{"id":"V1"}}`)
	require.True(t, strings.HasPrefix(closed.id, "body:"), "it has no trigger: the same again is the same")

	command := read(t, "token=canary&team_id=T1&user_id=U1&channel_id=C1&command=%2Fvote&text=a%26b&trigger_id=1.2&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F1")
	require.Equal(t, "slash_command", command.typ)
	require.Equal(t, "command:T1:U1:1.2", command.id)
	require.Contains(t, string(command.data), `"text":"a\u0026b"`)
	require.NotContains(t, string(command.data), "canary")
	require.Equal(t, command.id, read(t, `{"token":"canary","team_id":"T1","user_id":"U1","channel_id":"C1","command":"/vote","trigger_id":"1.2"}`).id)

	require.True(t, read(t, "ssl_check=1&token=x").check)
	require.Equal(t, "c", read(t, `{"type":"url_verification","challenge":"c"}`).challenge)
}

// bad is what is signed and still cannot be read.
var bad = map[string]string{
	"empty":               "",
	"blank":               "  \n",
	"not JSON":            `{"type":`,
	"trailing":            `{"type":"x"} {}`,
	"a list":              `[{"type":"event_callback"}]`,
	"text":                `"event_callback"`,
	"null":                `null`,
	"no type":             `{}`,
	"type of wrong type":  `{"type":7}`,
	"team of wrong type":  `{"type":"event_callback","team_id":7,"event":{"type":"x"}}`,
	"no event":            `{"type":"event_callback","team_id":"T1"}`,
	"event is null":       `{"type":"event_callback","team_id":"T1","event":null}`,
	"event is text":       `{"type":"event_callback","team_id":"T1","event":"x"}`,
	"event without type":  `{"type":"event_callback","team_id":"T1","event":{}}`,
	"ts of wrong type":    `{"type":"event_callback","team_id":"T1","event":{"type":"message","ts":5}}`,
	"actions of texts":    `{"type":"block_actions","actions":["x"]}`,
	"deep":                `{"type":"event_callback","event":{"type":"x","a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`,
	"very deep":           strings.Repeat(`{"a":`, 100_000),
	"not UTF-8":           "{\"type\":\"x\xff\"}",
	"form":                "a=b",
	"bad form":            "payload=%zz",
	"payload is a list":   "payload=%5B%5D",
	"payload is empty":    "payload=",
	"payload not UTF-8":   "payload=%7B%22type%22%3A%22%FF%22%7D",
	"challenge of number": `{"type":"url_verification","challenge":5}`,
}

func TestParseRefuses(t *testing.T) {
	for name, body := range bad {
		_, err := parse(&gateway.Delivery{Body: []byte(body)})
		require.Error(t, err, name)
	}
}

func FuzzParse(f *testing.F) {
	for _, body := range bad {
		if len(body) < 1000 {
			f.Add([]byte(body))
		}
	}
	f.Add([]byte(`{"type":"event_callback","team_id":"T1","event_id":"Ev","event":{"type":"message","user":{"id":"U"},"item":{"channel":"C"},"ts":"1.2"}}`))
	f.Add([]byte(`{"type":"block_actions","team":{"id":"T"},"actions":[{"block_id":"gw:p1:x","value":"0","action_ts":"1.1"}]}`))
	f.Add([]byte("command=%2Fx&team_id=T&is_enterprise_install=true"))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := parse(&gateway.Delivery{Body: body})
		if err != nil {
			return
		}
		if m.typ == "" {
			if _, ok := greet(m); !ok {
				t.Fatal("what is for nobody is not greeted")
			}
			return
		}
		if m.id == "" || m.process == "" && !json.Valid(m.data) || slices.Contains(m.teams, "") {
			t.Fatalf("%+v", m)
		}
		again, err := parse(&gateway.Delivery{Body: body})
		if err != nil || again.id != m.id || again.process != m.process {
			t.Fatal("the same delivery is another fact")
		}
	})
}

func TestTimestamp(t *testing.T) {
	for in, want := range map[string]time.Time{
		"1700000000.123456": time.Unix(1700000000, 123_456_000).UTC(), "1700000000": time.Unix(1700000000, 0).UTC(), "1700000000.5": time.Unix(1700000000, 500_000_000).UTC(),
		"": {}, "x": {}, "-5.1": {}, "1.-5": {}, "0.1": {}, "99999999999999999.0": {}, "1.12345678901234567890": {},
	} {
		require.True(t, want.Equal(timestamp(in)), "%q: %v", in, timestamp(in))
	}
}

func TestProcessOfABlock(t *testing.T) {
	require.Equal(t, "p1", processOf(blockID("p1", "option3")))
	for _, id := range []string{"", "gw:", "gw::x", "p1", "gw:p1", "xgw:p1:y", "gw:P1:y", "gw:" + strings.Repeat("a", 65) + ":x", "gw:p1\n:x"} {
		require.Empty(t, processOf(id), id)
	}
}

// Whatever is cut stays within its limit, keeps all of the text, and never splits an entity.
func TestChunksKeepEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := escape(rapid.StringOf(rapid.RuneFrom([]rune("ab &<>ü\n🌷"))).Draw(t, "text"))
		n := rapid.IntRange(6, 40).Draw(t, "n")
		joined := ""
		for _, c := range chunks(text, n) {
			if len([]rune(c)) > n {
				t.Fatalf("%q is longer than %d", c, n)
			}
			for _, part := range strings.Split(c, "&")[1:] {
				if !strings.HasPrefix(part, "amp;") && !strings.HasPrefix(part, "lt;") && !strings.HasPrefix(part, "gt;") {
					t.Fatalf("%q splits an entity", c)
				}
			}
			joined += c
		}
		strip := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if strip(joined) != strip(text) {
			t.Fatalf("%q became %q", text, joined)
		}
		if c := clip(text, n); len([]rune(c)) > n {
			t.Fatalf("%q is longer than %d", c, n)
		}
	})
}
