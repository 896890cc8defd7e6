package discourse

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

func signed(key, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestVerify(t *testing.T) {
	const forum, body = "https://forum.example", `{"ping":"OK"}`
	for name, c := range map[string]struct {
		secret                       gateway.Secret
		forum, signature, from, body string
		want                         string
	}{
		"good":            {"fake", forum, signed("fake", body), forum, body, ""},
		"slash":           {"fake", forum + "/", signed("fake", body), forum, body, ""},
		"empty secret":    {"", forum, signed("", body), forum, body, "no webhook secret"},
		"no forum":        {"fake", "", signed("fake", body), "", body, "no webhook secret"},
		"absent":          {"fake", forum, "", forum, body, "no signature"},
		"no prefix":       {"fake", forum, strings.TrimPrefix(signed("fake", body), "sha256="), forum, body, "no signature"},
		"not hex":         {"fake", forum, "sha256=zz", forum, body, "no signature"},
		"empty signature": {"fake", forum, "sha256=", forum, body, "is wrong"},
		"other secret":    {"fake", forum, signed("other", body), forum, body, "is wrong"},
		"changed body":    {"fake", forum, signed("fake", body), forum, body + " ", "is wrong"},
		"other forum":     {"fake", forum, signed("fake", body), "https://evil.example", body, "another forum"},
		"http behind":     {"fake", forum, signed("fake", body), "http://forum.example", body, ""}, // a proxy takes https, and force_https is off
		"usual port":      {"fake", forum, signed("fake", body), "https://Forum.example:443", body, ""},
		"folder":          {"fake", forum + "/talk", signed("fake", body), forum + "/talk", body, ""},
		"other folder":    {"fake", forum + "/talk", signed("fake", body), forum, body, "another forum"},
		"other port":      {"fake", forum, signed("fake", body), forum + ":8443", body, "another forum"},
		"not an address":  {"fake", forum, signed("fake", body), "forum.example", body, "another forum"},
		"no instance":     {"fake", forum, signed("fake", body), "", body, "another forum"},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			h.Set("X-Discourse-Event-Signature", c.signature)
			h.Set("X-Discourse-Instance", c.from)
			err := verify(c.secret, c.forum, &gateway.Delivery{Header: h, Body: []byte(c.body)})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Yes, 10 % more":     "Yes&#44; 10 &#37; more",
		"a\n[/poll]\n* b":    "a &#91;&#47;poll&#93; &#42; b",
		" tab\tand\u2028ls ": "tab and ls",
		"größer 例":           "größer 例",
		"&#91;":              "&#38;&#35;91&#59;",
		"~":                  "&#126;",
	} {
		require.Equal(t, want, plain(in))
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("a\n[/poll]")
	f.Add("<script>\x00\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := plain(s)
		require.False(t, strings.ContainsAny(got, "[]<>*`\"'\\@\n\r\u2028\u2029\u0085"), got)
		require.NotContains(t, html.UnescapeString(got), "\n")
	})
}

func TestInitiator(t *testing.T) {
	for _, c := range []struct{ event, body, want string }{
		{"post_created", `{"post":{"user_id":42}}`, "42"},
		{"post_created", `{"post":{"user_id":-1}}`, "-1"}, // the forum's own system user
		{"post_created", `{"post":{}}`, ""},
		{"post_created", `{"post":7}`, ""},
		{"post_destroyed", `{"post":{"user_id":42}}`, ""},
		{"post_edited", `{"post":{"user_id":42}}`, ""},
		{"topic_created", `{"topic":{"user_id":42}}`, "42"},
		{"post_liked", `{"like":{"user":{"id":43},"post":{"user_id":42}}}`, "43"},
		{"user_logged_in", `{"user":{"id":42}}`, "42"},
		{"user_created", `{"user":{"id":42}}`, ""},
		{"notification_created", `{"notification":{"user_id":42}}`, ""},
		{"reviewable_created", `{"reviewable":{"id":3,"created_by_id":43,"target_created_by_id":42}}`, "43"},
		{"user_badge_granted", `{"user_badge":{"id":3,"user_id":42,"granted_by_id":43}}`, "43"},
		{"user_suspended", `{"user":{"id":42}}`, ""},
		{"user_suspended", `{"user":{"id":42},"suspension":{"by":{"id":90}}}`, "90"},
		{"post_created", `{"post":{"user_id":42},"other":{}}`, ""},
	} {
		h := http.Header{}
		h.Set("X-Discourse-Event", c.event)
		m, err := parse(&gateway.Delivery{Header: h, Body: []byte(c.body)})
		require.NoError(t, err)
		require.Equal(t, c.want, m.initiator(), c)
	}
}

// Plugins of forums may add fields beside what a delivery is about.
func TestWhatADeliveryIsAbout(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		id         int64
	}{
		{"post", `{"post":{"id":7},"forum":{"id":8}}`, 7},
		{"post", `{"forum":8,"post":{"id":7}}`, 7},
		{"", `{"post":{"id":7}}`, 7},
		{"group_user", `{"post":{"id":7}}`, 7},
		{"", `{"post":{"id":7},"forum":{"id":8}}`, 0},
		{"", `{}`, 0},
	} {
		h := http.Header{"X-Discourse-Event": {"post_created"}, "X-Discourse-Event-Type": {c.kind}}
		m, err := parse(&gateway.Delivery{Header: h, Body: []byte(c.body)})
		require.NoError(t, err)
		require.Equal(t, c.id, m.about.ID.v, c)
	}
}

// Whose flag it is, is told by an ID alone.
func TestWhoseFlagItIs(t *testing.T) {
	m, err := parse(&gateway.Delivery{Header: http.Header{"X-Discourse-Event": {"reviewable_created"}}, Body: []byte(`{"reviewable":{"id":3,"created_by_id":43,"post_id":7}}`)})
	require.NoError(t, err)
	require.Equal(t, []string{"flagged:7"}, m.echoes("carla", "43"))
	require.Empty(t, m.echoes("carla", ""))
	require.Empty(t, m.echoes("system", "-1"))
}

// A suspension by somebody else is not the gateway's, even where it waits for one.
func TestWhoseSuspensionItIs(t *testing.T) {
	for body, want := range map[string][]string{
		`{"user":{"id":42}}`: nil,
		`{"user":{"id":42},"suspension":{"by":{"id":90,"username":"ann"}}}`:    nil,
		`{"user":{"id":42},"suspension":{"by":{"id":-1,"username":"System"}}}`: {"user_suspended:42"},
		`{"user":{"id":42},"suspension":{"by":null}}`:                          {"user_suspended:42"},
	} {
		m, err := parse(&gateway.Delivery{Header: http.Header{"X-Discourse-Event": {"user_suspended"}}, Body: []byte(body)})
		require.NoError(t, err)
		require.Equal(t, want, m.echoes("system", "-1"), body)
	}
}

func TestParse(t *testing.T) {
	read := func(event, body string) (*message, error) {
		h := http.Header{}
		h.Set("X-Discourse-Event", event)
		return parse(&gateway.Delivery{Header: h, Body: []byte(body)})
	}
	for _, body := range []string{"", "null", "[]", "<html>", "payload=%7B%7D"} {
		_, err := read("post_created", body)
		require.Equal(t, gateway.Invalid, gateway.CodeOf(err), body)
	}
	_, err := read("", "{}")
	require.Equal(t, gateway.Invalid, gateway.CodeOf(err))

	a, err := read("post_created", "{}")
	require.NoError(t, err)
	b, err := read("post_edited", "{}")
	require.NoError(t, err)
	require.NotEqual(t, a.id, b.id)

	h := http.Header{}
	h.Set("X-Discourse-Event-Type", "ping") // as older versions say it
	m, err := parse(&gateway.Delivery{Header: h, Body: []byte(`{"ping":"OK"}`)})
	require.NoError(t, err)
	require.Equal(t, "ping", m.event)
}

func FuzzParse(f *testing.F) {
	for _, body := range []string{`{"post":{"id":7,"topic_id":3,"user_id":42,"created_at":"2026-11-02T12:00:00Z"}}`, `{"user":{"id":42,"user_fields":{"1":"x","2":["y"]}},"suspension":{"by":{"id":1}}}`, `{"like":{"post":{"id":1}}}`, `[]`, `{"a":1e999}`} {
		f.Add("user_suspended", []byte(body))
		f.Add("post_liked", []byte(body))
	}
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		h := http.Header{"X-Discourse-Event": {event}}
		m, err := parse(&gateway.Delivery{Header: h, Body: body})
		if err != nil {
			require.Equal(t, gateway.Invalid, gateway.CodeOf(err))
			return
		}
		_, _, _, _ = m.initiator(), m.refs(), m.echoes("system", "-1"), changes(nil, m.about.Fields.v)
	})
}

// The fields that differ, whatever way of writing them.
func TestChanges(t *testing.T) {
	raw := func(v string) (f fields) {
		require.NoError(t, json.Unmarshal([]byte(v), &f))
		return f
	}
	e := changes(raw(`{"1":"a","2":"","3":["x"],"4":"gone"}`), raw(`{"1":"b","2":null,"3":[ "x" ]}`))
	require.True(t, e.Known)
	got, err := json.Marshal(e)
	require.NoError(t, err)
	require.JSONEq(t, `{"user_id":0,"username":"","known":true,"old_values":{"1":"a","4":"gone"},"new_values":{"1":"b","4":null}}`, string(got))
	require.Empty(t, changes(raw(`{}`), raw(`{"1":null}`)).New)
	require.False(t, changes(nil, raw(`{"1":"a"}`)).Known)
}

func TestForumURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://forum.example":            "https://forum.example",
		" https://Forum.Example/ ":         "https://forum.example",
		"https://forum.example:8443/talk/": "https://forum.example:8443/talk",
		"https://forum.example:443/talk":   "https://forum.example/talk",
		"http://localhost:80":              "http://localhost",
		"http://127.0.0.1:3000":            "http://127.0.0.1:3000",
		"http://localhost":                 "http://localhost",
		"http://[::1]:3000":                "http://[::1]:3000",
		"http://forum.example":             "",
		"http://127.0.0.1.evil.example":    "",
		"https://a:b@forum.example":        "",
		"https://forum.example?x":          "",
		"https://forum.example#x":          "",
		"https://forum.example//evil":      "",
		"https:forum.example":              "",
		"//forum.example":                  "",
		"file:///etc/passwd":               "",
		"":                                 "",
	} {
		got, err := forumURL(in)
		require.Equal(t, want, got, in)
		if want == "" {
			require.Equal(t, gateway.Invalid, gateway.CodeOf(err), in)
		}
	}
}

// The key goes to the forum alone: not to another host, nor to another program beside it.
func TestWithin(t *testing.T) {
	c := client{base: "https://forum.example/talk"}
	for to, want := range map[string]bool{
		"https://forum.example/talk/t/x/1.json": true,
		"https://forum.example/other":           false,
		"https://forum.example/talker/x":        false,
		"https://forum.example.evil.example/x":  false,
		"http://forum.example/talk/x":           false,
		"https://evil.example/talk/x":           false,
	} {
		from, err := http.NewRequest(http.MethodGet, c.base+"/t/1.json", nil)
		require.NoError(t, err)
		next, err := http.NewRequest(http.MethodGet, to, nil)
		require.NoError(t, err)
		require.Equal(t, want, c.within(from)(next, nil) == nil, to)
		from.Method = http.MethodPost
		require.Error(t, c.within(from)(next, nil), to)
	}
}

// In no minute are there more requests than the forum lets a key make.
func TestPace(t *testing.T) {
	for _, n := range []int{0, 3, 10, 60, 61, 1_000, 100_000} {
		d := &Discourse{Instance: new(gateway.Instance), config: Config{PerMinute: n}}
		p := d.pace(nil)
		if n == 0 {
			n = 60
		}
		require.Positive(t, p.Burst)
		require.LessOrEqual(t, p.Burst+int(time.Minute/p.Every), n)
	}
	own := (&Discourse{Instance: new(gateway.Instance), config: Config{PerMinute: 60, UserAPIKey: "k"}}).pace(nil)
	require.LessOrEqual(t, own.Burst+int(time.Minute/own.Every), 20)
	require.LessOrEqual(t, own.Burst+int(24*time.Hour/own.Every), 2880)
}
