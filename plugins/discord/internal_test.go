package discord

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

func TestPathsLeadNowhereElse(t *testing.T) {
	require.Equal(t, "/guilds/1/bans/2", path("guilds", "1", "bans", "2"))
	require.Equal(t, "/channels/1/messages/2/reactions/%F0%9F%91%8D/@me", path("channels", "1", "messages", "2", "reactions", "👍", "@me"))
	for _, bad := range []string{"..", "../guilds", "a/b", "?x=1", "#", "%2e%2e", "\x00"} {
		p := path("guilds", bad)
		require.NotContains(t, strings.TrimPrefix(p, "/guilds/"), "/")
		require.False(t, strings.ContainsAny(p, "?#\x00"), p)
		require.NotContains(t, p, "..")
	}
}

func TestTokensOfInteractionsAreInNoError(t *testing.T) {
	q := call{method: http.MethodPost, path: path("webhooks", "1", "a-secret-token"), bare: true}
	require.NotContains(t, q.name(), "secret")
	require.NotContains(t, call{path: path("interactions", "1", "a-secret-token", "callback")}.name(), "secret")
	require.Equal(t, "GET /channels/…/messages/…/reactions/…/@me", call{path: path("channels", "1", "messages", "2", "reactions", "x", "@me")}.name())
	require.Equal(t, "bot GET /channels/…/messages 1", (&client{auth: "Bot x"}).bucket(call{path: path("channels", "1", "messages")}).key)
}

func TestRatesAreLearnedAndBounded(t *testing.T) {
	var l limits
	now := time.Now()
	h := http.Header{}
	h.Set("X-RateLimit-Limit", "5")
	h.Set("X-RateLimit-Reset-After", "5.0")
	l.learn("a", h, now)
	require.Equal(t, rate{5, 5 * time.Second}, l.rate("a"))
	h.Set("X-RateLimit-Reset-After", "1.5")
	l.learn("a", h, now)
	require.Equal(t, rate{5, 5 * time.Second}, l.rate("a"), "a later request of the same bucket")
	for _, bad := range []string{"", "NaN", "-1", "1e300", "x"} {
		h.Set("X-RateLimit-Reset-After", bad)
		l.learn("b", h, now)
		require.Zero(t, l.rate("b"), bad)
	}
	h.Set("X-RateLimit-Reset-After", "1")
	for i := range 2 * maxLearned {
		l.learn(itoa(i), h, now)
	}
	require.LessOrEqual(t, len(l.rates), maxLearned)
	var p places
	for i := range 2 * maxPlaces {
		p.put(itoa(i), place{guild: "1"})
	}
	require.LessOrEqual(t, len(p.of), maxPlaces)
}

func TestSnowflakes(t *testing.T) {
	require.Equal(t, "2016-04-30T11:18:25.796Z", snowflakeTime("175928847299117063").Format(time.RFC3339Nano), "Discord's own example")
	require.True(t, snowflakeTime("x").IsZero())
	at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	require.Equal(t, at, snowflakeTime(snowflakeAt(at)))
	require.Equal(t, "0", snowflakeAt(time.Time{}))
}

func TestWhatIsRememberedOfTheAuditLogIsBounded(t *testing.T) {
	now := time.Now()
	var list []joined
	for i := range 3 * maxJoins {
		list = append(fresh(list, now), joined{Target: itoa(i), At: now})
	}
	require.Len(t, list, maxJoins)
	require.Empty(t, fresh(list, now.Add(remembered+time.Second)))
}

// The message of a vote stays within Discord's limits, whatever is asked and whoever votes.
func TestAVotesMessageFits(t *testing.T) {
	texts := DefaultTexts()
	users := make([]string, 900)
	for i := range users {
		users[i] = "12345678901234567" + itoa(100+i)
	}
	for _, n := range []int{2, 5, 24, 25, 26, 60, 100} {
		options := make([]string, n)
		for i := range options {
			options[i] = strings.Repeat("ö_", 8-n/25) + itoa(i)
		}
		for _, typ := range []vote.PollType{vote.Choice, vote.Approval} {
			ask := vote.Ask{Title: strings.Repeat("*", 300), Details: strings.Repeat("x", 500), PollType: typ, Options: options, MayClose: []string{"1"}, MaxChoices: n}
			out := ask.Decide(vote.Tally{}, vote.Closing{})
			for i := range out.Questions[0].Options {
				out.Questions[0].Options[i].Users, out.Questions[0].Options[i].Ballots = users, 900
			}
			v := view{process: "p1", ask: &ask, texts: &texts, closes: time.Now(), outcome: &out, mayClose: true}
			require.NoError(t, v.check())
			for _, ended := range []bool{false, true} {
				v.ended, v.decided = ended, ended
				f := v.fields()
				require.LessOrEqual(t, runes(f["content"].(string)), maxContent)
				total := 0
				for _, e := range f["embeds"].([]map[string]any) {
					d := e["description"].(string)
					require.LessOrEqual(t, runes(d), maxDescription)
					total += runes(d)
				}
				require.LessOrEqual(t, total, maxEmbeds)
				rowsOf := f["components"].([]map[string]any)
				require.LessOrEqual(t, len(rowsOf), rows)
				require.Equal(t, ended, len(rowsOf) == 0)
				for _, r := range rowsOf {
					require.LessOrEqual(t, len(r["components"].([]map[string]any)), rowSize)
				}
			}
		}
	}
}

// FuzzParse holds the reader of deliveries to: no panic; what is taken has a type, a name, and data that is JSON; what names a process is well formed.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"type":1}`, `{"version":1,"type":0}`, `{"id":"1","type":2,"guild_id":"1","token":"t"}`, `{"id":"1","type":3,"guild_id":"1","data":{"custom_id":"gw:p1:option0","values":["1"]}}`,
		`{"op":0,"t":"MESSAGE_CREATE","s":1,"session":"s","d":{"id":"1","guild_id":"2","author":{"id":"3"}}}`, `{"op":0,"t":"GUILD_BAN_ADD","d":{"guild_id":"1","user":{"id":"2"}}}`,
		`{"op":0,"t":"GUILD_AUDIT_LOG_ENTRY_CREATE","d":{"guild_id":"1","id":"2","action_type":22,"target_id":"3","user_id":"4"}}`, `{"type":1,"event":{"type":"X","data":{"guild":{"id":"1"}}}}`,
		`{"op":0,"t":"MESSAGE_DELETE","d":{}}`, `{"op":0,"t":"THREAD_CREATE","d":null}`, `{"op":0,"t":"INTERACTION_CREATE","d":{"id":"1","type":2}}`,
	} {
		f.Add([]byte(s))
	}
	if files, err := filepath.Glob(filepath.Join(os.Getenv("GATEWAY_SPECS"), "discord", "doc-examples", "*.json")); err == nil {
		for _, file := range files {
			if raw, err := os.ReadFile(file); err == nil {
				f.Add(raw)
			}
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := parse(&gateway.Delivery{Body: body, Received: time.Unix(1793620800, 0)})
		if err != nil || m.greet != nil {
			return
		}
		if m.typ == "" || m.fact == "" || m.at.IsZero() {
			t.Fatalf("it has no type, name or time: %+v", m)
		}
		if len(m.data) > 0 && !json.Valid(m.data) {
			t.Fatalf("its data is no JSON: %s", m.data)
		}
		if process, _ := processOf(componentID(m.process, m.part)); m.process != "" && process != m.process {
			t.Fatalf("a process %q", m.process)
		}
		d := &Discord{app: &app{}, config: Config{BotUserID: m.user}}
		_ = d.echo(m)
		_ = refs(m)
		_ = ack(m)
		_ = m.mayHaveActor()
	})
}

// FuzzMarkdown holds escaped and shortened text to: valid, no longer than it may be, nothing in it that Discord reads as a mark.
func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{"", "plain", "**bold** _it_ ~~no~~ `c` ||s|| > q # h [a](b) <@1> @everyone", `\*`, "ö\n- a", strings.Repeat("*", 90)} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		if !utf8.ValidString(s) || n < 1 || n > 1000 {
			return
		}
		short := clip(line(s), n)
		if runes(short) > n || !utf8.ValidString(short) {
			t.Fatalf("%q is longer than %d", short, n)
		}
		for i := 0; i < len(short); i++ {
			switch short[i] {
			case '\\':
				if i++; i == len(short) || strings.HasPrefix(short[i:], "…") {
					t.Fatalf("a backslash ends %q", short)
				}
			case '*', '_', '~', '`', '|', '<', '@', '[':
				t.Fatalf("a mark in %q", short)
			}
		}
	})
}

func TestTheConsentPageIsAskedForWhatIsWanted(t *testing.T) {
	p, err := New(App{ApplicationID: "42", ClientSecret: "fake-client-secret", BotToken: "fake-bot-token", Gateway: true})
	require.NoError(t, err)
	ask := func(o gateway.OAuthParams) url.Values {
		to, err := p.Manifest().OAuth.Authorize(o)
		require.NoError(t, err)
		u, err := url.Parse(to)
		require.NoError(t, err)
		require.Equal(t, "https://discord.com/oauth2/authorize", u.Scheme+"://"+u.Host+u.Path)
		require.Equal(t, "S256", u.Query().Get("code_challenge_method"))
		require.NotContains(t, to, "secret")
		return u.Query()
	}
	q := ask(gateway.OAuthParams{Type: gateway.Install, State: "s", RedirectURI: "https://g.example/cb", Challenge: "c"})
	require.Equal(t, "bot applications.commands identify guilds", q.Get("scope"))
	set, err := bits(DefaultPermissions())
	require.NoError(t, err)
	require.Equal(t, strconv.FormatUint(set, 10), q.Get("permissions"), "mistake 21: a number, and not its name")
	require.Empty(t, q.Get("guild_id"))
	q = ask(gateway.OAuthParams{Type: gateway.Install, PlatformID: "7"})
	require.Equal(t, "7", q.Get("guild_id"))
	require.Equal(t, "true", q.Get("disable_guild_select"))
	require.Equal(t, "identify guilds", ask(gateway.OAuthParams{Type: gateway.Login}).Get("scope"))
	require.Equal(t, "identify guilds email", ask(gateway.OAuthParams{Type: gateway.Login, Email: true}).Get("scope"), "only where the community compares addresses")
}

func TestAnAdministratorMayEverything(t *testing.T) {
	require.Len(t, names(1<<3), len(permissionBits))
	require.Equal(t, []string{"BAN_MEMBERS", "KICK_MEMBERS"}, names(1<<1|1<<2|1<<63))
	require.Equal(t, uint64(6), permissionsOf([]string{"2"}, []Role{{ID: "1", Permissions: "2"}, {ID: "2", Permissions: "4"}, {ID: "3", Permissions: "8"}, {ID: "2", Permissions: "x"}}, "1"))
	_, err := bits([]string{"FLY"})
	require.ErrorIs(t, err, gateway.Invalid)
}

func TestAGuildIsTakenWithoutWhatMakesItLarge(t *testing.T) {
	large := json.RawMessage(`{"id":"1","name":"n","members":[` + strings.Repeat(`{"user":{"id":"1"}},`, 100_000) + `{}],"channels":[],"joined_at":"2026-11-02T12:00:00Z"}`)
	require.Greater(t, len(large), 1<<20)
	require.JSONEq(t, `{"id":"1","name":"n","joined_at":"2026-11-02T12:00:00Z"}`, string(slim("GUILD_CREATE", large)))
	require.Equal(t, large, slim("MESSAGE_CREATE", large))
	require.Equal(t, json.RawMessage(`[`), slim("GUILD_CREATE", json.RawMessage(`[`)))
}

// What is looked for after an answer was lost has been through Discord's hands.
func TestWhatDiscordMakesOfAMessageIsKnownAgain(t *testing.T) {
	t.Parallel()
	box := free{"type": "rich"}
	for name, c := range map[string]struct {
		in   Message
		out  Post
		same bool
	}{
		"trimmed":         {Message{Content: "\nhello \n"}, Post{Content: "hello"}, true},
		"with a link":     {Message{Content: "see https://a.example"}, Post{Content: "see https://a.example", Embeds: []free{{"type": "link"}}}, true},
		"without its box": {Message{Content: "hello", Embeds: []map[string]any{{"title": "x"}}}, Post{Content: "hello"}, false},
		"another text":    {Message{Content: "hello"}, Post{Content: "hello you", Embeds: []free{box}}, false},
		"a poll":          {Message{Content: "hello"}, Post{Content: "hello", Poll: free{}}, false},
		"its poll":        {Message{More: map[string]json.RawMessage{"poll": []byte("{}")}}, Post{Poll: free{}}, true},
	} {
		require.Equal(t, c.same, c.in.became(c.out), name)
	}
	for _, c := range []struct {
		asked, made string
		same        bool
	}{
		{"Budget: 2026!", "budget-2026", true}, {" Big  Plans ", "big-plans", true}, {"Größe", "größe", true}, {"🎉", "🎉", true},
		{"🎉", "🎈", false}, {"budget", "budget-2", false},
	} {
		require.Equal(t, c.same, sameName(c.asked, c.made), c.asked)
	}
}

// Nothing that people write to the bot alone is kept: it is no community's.
func TestWhatIsOfNoServerIsNotKept(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"op":0,"t":"MESSAGE_CREATE","d":{"id":"5","channel_id":"6","author":{"id":"7"},"content":"secret"}}`,
		`{"op":0,"t":"USER_UPDATE","d":{"id":"5"}}`, `{"op":0,"t":"RATE_LIMITED","d":{"opcode":8,"retry_after":1.5,"meta":{"guild_id":"1"}}}`,
	} {
		m, err := parse(&gateway.Delivery{Body: []byte(body)})
		require.NoError(t, err)
		require.NotNil(t, m.greet, body)
	}
	m, err := parse(&gateway.Delivery{Body: []byte(`{"op":0,"t":"GUILD_UPDATE","d":{"id":"5"}}`)})
	require.NoError(t, err)
	require.Nil(t, m.greet)
}

func TestEmojisMayStandAsInMessages(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"👍": "👍", "tree:123": "tree:123", "<:tree:123>": "tree:123", "<a:tree:123>": "tree:123", "<3": "<3"} {
		require.Equal(t, want, Reaction{Emoji: given}.emoji(), given)
	}
}
