package slack_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/vote"
)

// samples are the payloads that Slack's own SDKs are tested with, and all fields that Slack was ever seen to send.
func samples(t *testing.T) map[string]string {
	t.Helper()
	dir := filepath.Join(specs.Dir(t), "slack")
	out := map[string]string{}
	for _, part := range []string{"bolt-python-payloads", filepath.Join("java-slack-sdk", "json-logs", "samples")} {
		err := filepath.WalkDir(filepath.Join(dir, part), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
				return err
			}
			raw, err := os.ReadFile(path)
			out[strings.TrimPrefix(path, dir)] = string(raw)
			return err
		})
		require.NoError(t, err)
	}
	require.Greater(t, len(out), 100)
	return out
}

func TestContractEverySampleOfSlacksSDKsIsTaken(t *testing.T) {
	r := newRig(t)
	for name, body := range samples(t) {
		var head struct {
			Type, Command, Challenge string
			Event                    struct{ Type string }
			TeamID                   string `json:"team_id"`
		}
		require.NoError(t, json.Unmarshal([]byte(body), &head), name)
		kind := "interaction"
		sent := url.Values{"payload": {body}}.Encode()
		switch {
		case head.Type == "event_callback" || head.Type == "app_rate_limited" || head.Type == "url_verification":
			kind, sent = "event", body
		case head.Type == "" && strings.Contains(body, `"command"`):
			kind = "command"
			var fields map[string]any
			require.NoError(t, json.Unmarshal([]byte(body), &fields))
			f := url.Values{}
			for k, v := range fields {
				if s, ok := v.(string); ok {
					f.Set(k, s)
				}
			}
			f.Set("command", "/sample") // blanked in the sample
			sent = f.Encode()
		}
		if kind == "event" && head.Event.Type == "" && head.Type == "event_callback" {
			t.Logf("%s has no event type (blanked): refused", name)
			require.Equal(t, http.StatusBadRequest, r.post(sent).StatusCode, name)
			continue
		}
		if head.Type == "" && kind == "interaction" {
			t.Logf("%s has no type: refused", name)
			require.Equal(t, http.StatusBadRequest, r.post(sent).StatusCode, name)
			continue
		}
		require.Equal(t, http.StatusOK, r.post(sent).StatusCode, "%s as %s", name, kind)
	}
}

// The samples of a real workspace reach the community that stands for it, under Slack's own names.
func TestContractSamplesBecomeEvents(t *testing.T) {
	r := newRig(t)
	for _, id := range []string{"T111", "T_INSTALLED", "T-auth", "T-other-side"} {
		r.town(id)
	}
	heard := 0
	for name, body := range samples(t) {
		if !strings.Contains(name, "bolt-python") {
			continue
		}
		var head struct {
			Type  string
			Event struct{ Type string }
		}
		require.NoError(t, json.Unmarshal([]byte(body), &head))
		typ, sent := head.Type, url.Values{"payload": {body}}.Encode()
		if typ == "event_callback" {
			typ, sent = head.Event.Type, body
		}
		if typ == "url_verification" || typ == "" {
			continue
		}
		before := len(r.events(typ))
		require.Equal(t, http.StatusOK, r.post(sent).StatusCode, name)
		if len(r.events(typ)) > before {
			heard++
		}
	}
	require.Greater(t, heard, 15, "some are for organisations, or share an event_id")
	for _, e := range r.events("") {
		require.NotContains(t, string(e.Data), `"token":`, e.Type)
	}
}

// judge validates the plugin's requests against the schemas that were derived from Slack's own SDK.
type judge struct {
	methods map[string]string
	file    string
	c       *jsonschema.Compiler
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	file := filepath.Join(specs.Dir(t), "slack", "sdk-derived", "requests.schema.json")
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var doc struct {
		Methods map[string]string `json:"methods"`
	}
	require.NoError(t, json.Unmarshal(raw, &doc))
	j := &judge{methods: doc.Methods, file: "https://slack.test/requests.json", c: jsonschema.NewCompiler()}
	require.NoError(t, j.c.AddResource(j.file, bytes.NewReader(raw)))
	return j
}

// values gives a form's values the types that they stand for.
func values(form url.Values) map[string]any {
	out := map[string]any{}
	for k, list := range form {
		var v any
		d := json.NewDecoder(strings.NewReader(list[0]))
		d.UseNumber()
		isText := k == "ts" || k == "thread_ts" || k == "text" || strings.HasSuffix(k, "_ts") || k == "oldest" || k == "timestamp" || k == "cursor"
		if isText || d.Decode(&v) != nil || d.More() {
			v = list[0]
		}
		out[k] = v
	}
	return out
}

func TestContractRequestsAreAsSlacksSDKMakesThem(t *testing.T) {
	j := newJudge(t)
	r := newRig(t, func(_ *slack.App, _ *fakeslack.Options, o *gateway.Options) {
		o.OAuth.Redirects = []string{"https://driver.example/done"}
	})
	w := r.town("T1")
	// Everything that the plugin ever asks of Slack.
	post, err := w.say(slack.Message{
		Channel: "CPARK", Text: "x", UnfurlLinks: new(false), Blocks: []map[string]any{{"type": "divider"}}, Metadata: &slack.Metadata{EventType: "e", EventPayload: map[string]any{}},
	})
	require.NoError(t, err)
	_, err = w.say(slack.Message{Channel: "CPARK", MarkdownText: "# x", ThreadTS: post.TS, ReplyBroadcast: true})
	require.NoError(t, err)
	_, err = w.say(slack.Message{Users: []string{"UANN", "UBOB"}, Text: "x"})
	require.NoError(t, err)
	for _, in := range []string{post.TS, ""} {
		r.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
		_, err = w.say(slack.Message{Channel: "CHALL", Text: "x"})
		require.NoError(t, err, in)
	}
	root, err := w.say(slack.Message{Channel: "CHALL", Text: "x"})
	require.NoError(t, err)
	r.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
	_, err = w.say(slack.Message{Channel: "CHALL", Text: "x", ThreadTS: root.TS})
	require.NoError(t, err)
	for _, list := range []string{"channels", "users", "user-groups"} {
		_, err := w.inst.Choices(t.Context(), list, "")
		require.NoError(t, err)
	}
	closing := r.clock.now().Add(time.Hour)
	for _, v := range []slack.Vote{
		{Ask: vote.Ask{Title: "a", ClosingAt: &closing, MayClose: []string{"UANN"}, EligibleVoters: []string{"UANN"}}, Channel: "CHALL"},
		{Ask: vote.Ask{Title: "b", Details: "d", PollType: vote.Multiple, Options: []string{"x", "y"}, Secrecy: vote.Hidden}, Channel: "CHALL"},
	} {
		p, m := w.vote(v)
		w.click("UANN", m, "0")
		w.click("UBOB", m, "1")
		body := `{"type":"block_actions","team":{"id":"T1"},"user":{"id":"UCID"},"trigger_id":"` + p.ID + `","container":{"message_ts":"` + m.TS + `","channel_id":"CHALL","thread_ts":"` + m.TS + `"},
			"actions":[{"action_id":"cast_vote","block_id":"gw:` + p.ID + `:option0","value":"77","action_ts":"1793620800.1"}]}`
		require.Equal(t, http.StatusOK, r.post(form(body)).StatusCode)
		r.later(2 * time.Second)
		_, err := w.c.Close(t.Context(), p.ID)
		require.NoError(t, err)
		r.later(2 * time.Second)
	}
	r.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", Error: "not_in_channel"})
	_, err = w.say(slack.Message{Channel: "CPARK", Text: "x"})
	require.NoError(t, err)
	r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "t1"}, "T1", "UANN")
	r.fresh("T9")
	r.browse(gateway.AuthRequest{RequireAdmin: true}, "T9", "UANN")

	judged, unjudged := map[string]int{}, map[string]int{}
	for _, c := range r.fake.Calls() {
		require.Empty(t, c.Problems, c.Method)
		name, ok := j.methods[c.Method]
		if !ok {
			unjudged[c.Method]++
			continue
		}
		s, err := j.c.Compile(j.file + "#/definitions/" + name)
		require.NoError(t, err, name)
		require.NoError(t, s.Validate(values(c.Args)), "%s %s", c.Method, c.Args.Encode())
		judged[c.Method]++
	}
	t.Logf("judged: %v; there is no schema for: %v", judged, unjudged)
	for _, m := range []string{
		"chat.postMessage", "chat.update", "chat.postEphemeral", "chat.getPermalink", "conversations.open", "conversations.join", "conversations.history",
		"conversations.replies", "conversations.list", "users.list", "users.info", "usergroups.list", "auth.test", "oauth.v2.access", "openid.connect.token", "apps.uninstall",
	} {
		require.NotZero(t, judged[m]+unjudged[m], "%s was never asked", m)
	}
}
