package slack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
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

// sample is one payload, with the values that the Java SDK blanks filled in: what kind it is, and names of its own for what happened.
type sample struct {
	name, typ string
	event     bool
	body      string
}

var word = regexp.MustCompile(`[A-Z][a-z]*`)

func (s *sample) fill(t *testing.T, n int, body string) {
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &fields), s.name)
	base := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(s.name), ".json"), "Payload")
	snake := strings.ToLower(strings.Join(word.FindAllString(base, -1), "_"))
	e, isEvent := fields["event"].(map[string]any)
	if isEvent || strings.Contains(s.name, "/events/") {
		s.event = true
		if fields["type"] == "" || fields["type"] == nil {
			fields["type"] = "event_callback"
		}
		if isEvent && e["type"] == "" {
			e["type"] = snake
			if strings.HasPrefix(snake, "message") {
				e["type"] = "message"
			}
		}
		if !isEvent {
			fields["type"] = snake // app_rate_limited
		}
		fields["event_id"] = fmt.Sprint("Ev", n)
		if isEvent && e["type"] == "message" && e["ts"] != nil {
			e["ts"] = fmt.Sprintf("1793620800.%06d", n) // samples share theirs, and messages do not
		}
		s.typ, _ = fields["type"].(string)
		if isEvent {
			s.typ, _ = e["type"].(string)
		}
	} else {
		if fields["type"] == "" {
			fields["type"] = snake
		}
		if _, ok := fields["command"]; ok {
			fields["command"] = "/sample"
		}
		if _, ok := fields["trigger_id"]; ok {
			fields["trigger_id"] = fmt.Sprint("t", n)
		}
		s.typ, _ = fields["type"].(string)
	}
	raw, err := json.Marshal(fields)
	require.NoError(t, err)
	s.body = string(raw)
	switch {
	case s.event:
	case fields["command"] != nil:
		s.typ = "slash_command"
		f := url.Values{}
		for k, v := range fields {
			f.Set(k, fmt.Sprint(v))
		}
		s.body = f.Encode()
	default:
		s.body = form(s.body)
	}
}

// Every sample is taken, signed and through the real handler; those of workspaces that are installed become events under Slack's own names.
func TestContractEverySampleOfSlacksSDKsIsTaken(t *testing.T) {
	r := newRig(t)
	for _, id := range []string{"T111", "T_INSTALLED", "T-auth", "T-installed-workspace"} {
		r.town(id)
	}
	n, heard := 0, 0
	for name, body := range samples(t) {
		n++
		s := &sample{name: name}
		s.fill(t, n, body)
		before := len(r.events(s.typ))
		require.Equal(t, http.StatusOK, r.post(s.body).StatusCode, "%s as %s: %s", name, s.typ, s.body)
		got := r.events(s.typ)
		if len(got) > before {
			heard++
		} else if strings.Contains(name, "bolt-python") && s.typ != "url_verification" && !strings.Contains(name, "org_apps") && !strings.Contains(name, "events__body__L503") && !strings.Contains(name, "token_revocations") {
			require.Fail(t, "no event", "%s: %s", name, s.typ)
		}
	}
	require.Greater(t, heard, 25)
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
