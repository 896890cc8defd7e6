package discord_test

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
	"github.com/metagov/gateway-go/vote"
)

func TestMistake4BadSignaturesAreAnsweredWith401(t *testing.T) {
	r := newRig(t)
	r.town(0)
	for name, change := range map[string]func(*http.Request){
		"no signature":       func(q *http.Request) { q.Header.Del("X-Signature-Ed25519") },
		"no time":            func(q *http.Request) { q.Header.Del("X-Signature-Timestamp") },
		"a wrong signature":  func(q *http.Request) { q.Header.Set("X-Signature-Ed25519", strings.Repeat("ab", 64)) },
		"a short one":        func(q *http.Request) { q.Header.Set("X-Signature-Ed25519", "abcd") },
		"no hexadecimal":     func(q *http.Request) { q.Header.Set("X-Signature-Ed25519", strings.Repeat("zz", 64)) },
		"another time":       func(q *http.Request) { q.Header.Set("X-Signature-Timestamp", "1793620801") },
		"signed long ago":    func(q *http.Request) { r.fake.SignAt(q, []byte(command), r.clock.now().Add(-6*time.Minute)) },
		"signed in a future": func(q *http.Request) { r.fake.SignAt(q, []byte(command), r.clock.now().Add(6*time.Minute)) },
	} {
		status, _ := r.post(command, change)
		require.Equal(t, http.StatusUnauthorized, status, name)
	}
	require.Empty(t, r.events("APPLICATION_COMMAND"))
	require.NoError(t, r.fake.Probe(t.Context()), "what Discord does when somebody enters the URL")

	r = newRig(t, func(a *discord.App, _ *fakeOptions, _ *gateway.Options) { a.PublicKey, a.Gateway = "", true })
	r.town(0)
	status, _ := r.post(command)
	require.Equal(t, http.StatusUnauthorized, status, "an empty key refuses all")
}

func TestEveryInteractionIsAnsweredInDiscordsOwnWay(t *testing.T) {
	r := newRig(t)
	r.town(0)
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
		event  string
	}{
		"ping":                  {`{"type":1,"id":"1","application_id":"2","token":"t","version":1}`, 200, `{"type":1}`, ""},
		"webhook ping":          {`{"version":1,"application_id":"2","type":0}`, 204, "", ""},
		"command":               {command, 200, `{"type":5}`, "APPLICATION_COMMAND"},
		"a button of others":    {click, 200, `{"type":6}`, "MESSAGE_COMPONENT"},
		"autocomplete":          {`{"id":"11","type":4,"token":"t","guild_id":"1000","member":{"user":{"id":"2001"}},"data":{}}`, 200, `{"type":8,"data":{"choices":[]}}`, "APPLICATION_COMMAND_AUTOCOMPLETE"},
		"a form":                {`{"id":"12","type":5,"token":"t","guild_id":"1000","member":{"user":{"id":"2001"}},"data":{"custom_id":"f"}}`, 200, `{"type":5}`, "MODAL_SUBMIT"},
		"a form of a button":    {`{"id":"13","type":5,"token":"t","guild_id":"1000","message":{"id":"5"},"member":{"user":{"id":"2001"}},"data":{"custom_id":"f"}}`, 200, `{"type":6}`, "MODAL_SUBMIT"},
		"one that nobody knew":  {`{"id":"14","type":99,"token":"t","guild_id":"1000","member":{"user":{"id":"2001"}}}`, 200, `{"type":5}`, "INTERACTION_99"},
		"in a direct message":   {`{"id":"15","type":2,"token":"t","user":{"id":"2001"},"data":{"name":"x"}}`, 200, "This works only in a server that has added the app.", ""},
		"in an unknown guild":   {`{"id":"16","type":2,"token":"t","guild_id":"77","member":{"user":{"id":"2001"}},"data":{"name":"x"}}`, 200, `{"type":5}`, ""},
		"IDs as numbers":        {`{"id":9007199254740993,"type":2,"token":"t","guild_id":1000,"member":{"user":{"id":2001}}}`, 200, `{"type":5}`, "APPLICATION_COMMAND"},
		"for server and person": {`{"id":"17","type":2,"token":"t","guild_id":"1000","authorizing_integration_owners":{"0":"1000","1":"2001"},"member":{"user":{"id":"2001"}}}`, 200, `{"type":5}`, "APPLICATION_COMMAND"},
		"owners of a new kind":  {`{"id":"18","type":2,"token":"t","guild_id":"1000","authorizing_integration_owners":["x"],"member":{"user":{"id":"2001"}}}`, 200, `{"type":5}`, "APPLICATION_COMMAND"},
		"authorized":            {welcome, 204, "", "APPLICATION_AUTHORIZED"},
		"for an account":        {`{"version":1,"type":1,"event":{"type":"APPLICATION_AUTHORIZED","timestamp":"2026-11-02T12:00:00","data":{"user":{"id":"2001"}}}}`, 204, "", ""},
		"bought for a server":   {`{"version":1,"type":1,"event":{"type":"ENTITLEMENT_CREATE","data":{"id":"1","guild_id":"1000","user_id":"2001"}}}`, 204, "", "ENTITLEMENT_CREATE"},
		"bought by somebody":    {`{"version":1,"type":1,"event":{"type":"ENTITLEMENT_CREATE","data":{"id":"2","guild_id":null,"user_id":"2001"}}}`, 204, "", ""},
		"a list as data":        {`{"version":"2","type":1,"event":{"type":"QUEST_USER_ENROLLMENT","data":[]}}`, 204, "", ""},
		"no data":               {`{"version":1,"type":1,"event":{"type":"SOMETHING_NEW","data":null}}`, 204, "", ""},
		"is it there":           {`{"version":1,"application_id":"1","type":0,"event":null}`, 204, "", ""},
		"an unknown event":      {`{"version":1,"type":1,"event":{"type":"SOMETHING_NEW","data":{"guild":{"id":"1000"}}}}`, 204, "", "SOMETHING_NEW"},
	} {
		before := 0
		if c.event != "" {
			before = len(r.events(c.event))
		}
		status, body := r.post(c.body)
		require.Equal(t, c.status, status, name)
		require.Contains(t, body, c.says, name)
		if c.event != "" {
			require.Len(t, r.events(c.event), before+1, name)
			status, _ = r.post(c.body)
			require.Equal(t, c.status, status, "%s again", name)
			require.Len(t, r.events(c.event), before+1, "%s again", name)
		}
	}
}

// What somebody has added to their own account comes with the server that they are in, which has nothing to do with it
// (https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-authorizing-integration-owners-object).
func TestWhatIsInstalledForAPersonIsNotTheServers(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	for _, guild := range []string{guildID, "77"} {
		status, body := r.post(`{"id":"9` + guild + `","type":2,"token":"t","context":0,"guild_id":"` + guild + `","authorizing_integration_owners":{"1":"2001"},"member":{"user":{"id":"2001"}},"data":{"name":"x"}}`)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, "has added the app")
	}
	require.Empty(t, r.events("APPLICATION_COMMAND"))

	p, m := w.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Yes?"}, Channel: hall})
	click := strings.Replace(interaction(r.clock.now(), 1, guildID, m, ann, "gw:"+p.ID+":option0"), `{`, `{"authorizing_integration_owners":{"1":"2001"},`, 1)
	status, _ := r.post(click)
	require.Equal(t, http.StatusOK, status)
	p, _ = w.again(p, m)
	require.Equal(t, map[string]int64{"yes": 1}, counts(p), "a vote's message is the server's, whatever it says")
}

// https://docs.discord.com/developers/events/webhook-events#setting-up-an-endpoint-acknowledging-ping-requests
func TestAPingOfWebhookEventsIsAnsweredWithNothingOfAKind(t *testing.T) {
	r := newRig(t)
	body := `{"version":1,"application_id":"1","type":0}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.hooks.URL+"/api/hooks/discord", strings.NewReader(body))
	require.NoError(t, err)
	r.fake.Sign(req, []byte(body))
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusNoContent, res.StatusCode)
	require.Equal(t, "application/json", res.Header.Get("Content-Type"))
}

func TestBadBodiesAreTheSendersFault(t *testing.T) {
	r := newRig(t)
	r.town(0)
	for name, body := range map[string]string{
		"no JSON": `{"type":`, "a list": `[]`, "no type": `{"id":"1"}`, "not UTF-8": "{\"type\":2,\"id\":\"\xff\"}", "no ID": `{"type":2}`,
		"an event without a type": `{"type":1,"event":{}}`, "a dispatch without one": `{"op":0,"d":{}}`, "an entry without an ID": `{"op":0,"t":"GUILD_AUDIT_LOG_ENTRY_CREATE","d":{}}`,
	} {
		status, _ := r.post(body)
		require.Equal(t, http.StatusBadRequest, status, name)
	}
	status, _ := r.post(`{"type":2,"id":"` + strings.Repeat("9", 2<<20) + `"}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Empty(t, r.events(""))
}

// Every JSON sample of an interaction or webhook event in Discord's documentation is taken, signed as Discord signs.
func TestContractEverySampleOfDiscordsDocumentationIsTaken(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(specs.Dir(t), "discord", "doc-examples", "*.json"))
	require.NoError(t, err)
	require.Greater(t, len(files), 100)
	r := newRig(t)
	for _, id := range []string{"290926798626357999", "772904309264089089"} {
		g := r.fake.AddGuild(id, "sample", owner)
		g.Install(perms)
		r.enable(g, "g"+id)
	}
	interactions, events := 0, 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var head struct {
			ID    string
			Type  json.RawMessage
			Token string
			Event json.RawMessage
			T     string          `json:"t"`
			D     json.RawMessage `json:"d"`
		}
		if json.Unmarshal(raw, &head) != nil {
			continue
		}
		status, body := r.post(string(raw))
		require.Less(t, status, 500, file)
		switch {
		case head.Token != "" && head.ID != "" && strings.Contains(file, "interaction"):
			require.Equal(t, http.StatusOK, status, "%s: %s", file, body)
			require.Equal(t, `{"type":5}`, body)
			interactions++
		case len(head.Event) > 0:
			require.Equal(t, http.StatusNoContent, status, "%s: %s", file, body)
			events++
		}
	}
	require.Equal(t, 3, interactions)
	require.Len(t, r.events("APPLICATION_COMMAND"), 3)
	require.Greater(t, events, 1)
}

func TestOneCommunityDoesNotSeeAnother(t *testing.T) {
	r := newRig(t)
	one, two := r.town(0), r.town(5)
	p1, m1 := one.vote("vote", discord.Vote{Ask: vote.Ask{Title: "One?"}, Channel: hall})
	p2, m2 := two.vote("vote", discord.Vote{Ask: vote.Ask{Title: "Two?"}, Channel: in(5, hall)})
	one.click(ann, p1, m1, "option0")
	two.click(bob, p2, m2, "option1")
	p1, _ = one.again(p1, m1)
	p2, _ = two.again(p2, m2)
	require.Equal(t, map[string]int64{"yes": 1}, counts(p1))
	require.Equal(t, map[string]int64{"no": 1}, counts(p2))

	// A click in guild two that names the vote of guild one, and its very message, changes nothing.
	status, _ := r.post(`{"id":"91","type":3,"token":"t","guild_id":"51000","channel_id":"1101","message":{"id":"` + m1.ID + `"},"member":{"user":{"id":"2003"}},"data":{"custom_id":"gw:` + p1.ID + `:option0"}}`)
	require.Equal(t, 200, status)
	r.due()
	p1, _ = one.again(p1, m1)
	require.Equal(t, map[string]int64{"yes": 1}, counts(p1))

	// The one bot could act in either guild: whoever names the other's channel or guild is refused.
	other, before := in(5, hall), len(r.fake.Calls())
	for action, input := range map[string]any{
		"post-message":           discord.Message{Channel: other, Content: "x"},
		"edit-message":           discord.EditMessage{MessageRef: discord.MessageRef{Channel: other, Message: m2.ID}, Content: new("x")},
		"delete-message":         discord.DeleteMessage{MessageRef: discord.MessageRef{Channel: other, Message: m2.ID}},
		"get-message":            discord.MessageRef{Channel: other, Message: m2.ID},
		"list-messages":          discord.ListMessages{Channel: other},
		"get-channel":            discord.ChannelRef{Channel: other},
		"rename-channel":         discord.RenameChannel{ChannelRef: discord.ChannelRef{Channel: other}, Name: "x"},
		"delete-channel":         discord.DeleteChannel{ChannelRef: discord.ChannelRef{Channel: other}},
		"set-channel-permission": discord.SetPermission{ChannelRef: discord.ChannelRef{Channel: other}, Role: modRole, Deny: []string{"STREAM"}},
		"create-thread":          discord.CreateThread{ChannelRef: discord.ChannelRef{Channel: other}, Name: "x"},
		"create-poll":            discord.NewPoll{Channel: other, Question: "x", Answers: []string{"y"}},
		"list-pins":              discord.ListPins{Channel: other},
		"add-reaction":           discord.Reaction{MessageRef: discord.MessageRef{Channel: other, Message: m2.ID}, Emoji: "👍"},
	} {
		_, err := one.inst.Do(t.Context(), action, input)
		require.ErrorIs(t, err, gateway.NotFound, action)
	}
	_, err := one.inst.Start(t.Context(), "vote", discord.Vote{Ask: vote.Ask{Title: "Three?"}, Channel: other})
	require.ErrorIs(t, err, gateway.NotFound)
	for _, route := range []string{"guilds/51000/bans/2003", "channels/" + other, "applications/900000000000000001/commands", "users/@me", "webhooks/1/2", "guilds/1000/../51000", "oauth2/token", "channels/%2e%2e/guilds/51000"} {
		_, err := one.inst.Do(t.Context(), "method", discord.Method{HTTPMethod: "DELETE", Route: route})
		require.Error(t, err, route)
		require.NotEqual(t, gateway.Internal, gateway.CodeOf(err))
	}
	const token = "fakeFAKE-token_of_a_webhook-0123456789"
	for _, verb := range []string{"GET", "POST"} {
		_, err = one.inst.Do(t.Context(), "method", discord.Method{HTTPMethod: verb, Route: "webhooks/1/" + token})
		require.ErrorIs(t, err, gateway.Denied)
		require.NotContains(t, err.Error(), token, "it is a capability")
	}

	// Nor is there a way through what is sent.
	for name, body := range map[string]string{
		"in a list":                `{"http_method":"PATCH","route":"guilds/1000/channels","array_body":[{"id":"1101"},{"id":"1102","x":{"channel_id":"` + other + `"}}]}`,
		"a webhook of the other's": `{"http_method":"POST","route":"channels/1101/followers","webhook_channel_id":"` + other + `"}`,
		"a list":                   `{"http_method":"PUT","route":"guilds/1000/onboarding","prompts":[{"options":[{"channel_ids":["` + other + `"]}]}]}`,
		"its number":               `{"http_method":"POST","route":"channels/1101/followers","webhook_channel_id":` + other + `}`,
		"a stage in the other's":   `{"http_method":"POST","route":"stage-instances","channel_id":"` + other + `","topic":"x"}`,
		"the other's guild":        `{"http_method":"POST","route":"channels/1101/messages","message_reference":{"guild_id":"51000","message_id":"1"}}`,
		"a forwarded message":      `{"http_method":"POST","route":"channels/1101/messages","message_reference":{"type":1,"channel_id":"` + other + `","message_id":"` + m2.ID + `"}}`,
		"a message of the other's": `{"http_method":"POST","route":"channels/1101/messages","content":"x","message_reference":{"channel_id":"` + other + `","message_id":"` + m2.ID + `"}}`,
	} {
		_, err := one.inst.Do(t.Context(), "method", json.RawMessage(body))
		require.Contains(t, []gateway.Code{gateway.NotFound, gateway.Invalid}, gateway.CodeOf(err), name)
		if strings.Contains(name, "message") {
			_, err = one.inst.Do(t.Context(), "post-message", json.RawMessage(`{"channel":"1101",`+body[strings.Index(body, `"message_reference"`):]))
			require.Contains(t, []gateway.Code{gateway.NotFound, gateway.Invalid}, gateway.CodeOf(err), name)
		}
	}
	r.fake.AddUser("3001", "a person of the other guild's")
	two.w.AddMember("3001")
	_, err = one.inst.Do(t.Context(), "post-message", discord.Message{User: "3001", Content: "x"})
	require.ErrorIs(t, err, gateway.NotFound)
	for _, call := range r.fake.Calls()[before:] {
		require.Equal(t, http.MethodGet, call.Method, "%s %s", call.Method, call.Path)
		require.NotContains(t, call.Path, "..")
	}
}

func TestARemovedBotPausesTheInstanceAndAnInstallationResumesIt(t *testing.T) {
	for name, leave := range map[string]func(*town){
		"an action fails": func(w *town) {
			_, err := w.inst.Do(t.Context(), "ban-member", discord.BanUser{User: cid})
			require.Error(t, err)
		},
		"Discord says so": func(w *town) {
			status, _ := w.post(`{"op":0,"t":"GUILD_DELETE","s":9,"session":"x","d":{"id":"1000"}}`)
			require.Equal(t, 204, status)
			w.due()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			w := r.town(0)
			require.NoError(t, w.w.RemoveBot(owner))
			leave(w)
			status, reason, err := w.inst.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, "paused "+gateway.BadCredentials, status+" "+reason)
			_, err = w.inst.Do(t.Context(), "ban-member", discord.BanUser{User: cid})
			require.ErrorIs(t, err, gateway.Conflict)
		})
	}
	for name, c := range map[string]struct {
		says string
		come func(*town)
	}{
		"it is late, and the bot is there": {`{"id":"1000"}`, nil},
		"an outage":                        {`{"id":"1000","unavailable":true}`, func(w *town) { require.NoError(t, w.w.RemoveBot(owner)) }}, // as its routes may say for so long
		"a proxy knows no such route": {`{"id":"1000"}`, func(w *town) {
			w.fake.Fail(fakediscord.Fault{Route: "GET /guilds/{guild_id}", Status: 404, Body: `{"message":"no Route matched"}`, Times: -1})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			w := r.town(0)
			if c.come != nil {
				c.come(w)
			}
			status, _ := r.post(`{"op":0,"t":"GUILD_DELETE","s":9,"session":"x","d":` + c.says + `}`)
			require.Equal(t, 204, status)
			require.Len(t, r.events("GUILD_DELETE"), 1)
			is, _, err := w.inst.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, "active", is)
		})
	}
	t.Run("the token was reset", func(t *testing.T) {
		r := newRig(t)
		w := r.town(0)
		r.fake.ResetBotToken()
		_, err := w.inst.Do(t.Context(), "list-channels", nil)
		require.ErrorIs(t, err, gateway.Denied)
		_, reason, err := w.inst.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, gateway.BadCredentials, reason)
	})
}

// What Discord's own kind of signature is, its best known library says: both take and refuse the same.
// Discord tells of every guild with each session.
func TestTheBotIsAddedOnce(t *testing.T) {
	r := newRig(t)
	w := r.town(0)
	come := func(session, fields string) {
		body := `{"op":0,"t":"GUILD_CREATE","s":1,"session":"` + session + `","d":{"id":"1000"` + fields + `}}`
		require.NoError(t, w.inst.Accept(t.Context(), nil, []byte(body)))
	}
	come("a", `,"unavailable":true`)
	require.Empty(t, r.events("GUILD_CREATE"), "it is out of reach, and comes when it is back")
	come("a", `,"joined_at":"2026-11-02T11:00:00Z"`)
	require.Len(t, r.events("GUILD_CREATE"), 1)
	w.later(40 * 24 * time.Hour) // what came is forgotten
	come("b", `,"joined_at":"2026-11-02T11:00:00Z"`)
	require.Len(t, r.events("GUILD_CREATE"), 1)
	come("b", `,"joined_at":"2026-12-02T11:00:00Z"`)
	require.Len(t, r.events("GUILD_CREATE"), 2, "it was removed, and added again")
}

func TestSignaturesAreAsDiscordgoHasThem(t *testing.T) {
	r := newRig(t)
	r.town(0)
	key, err := hex.DecodeString(r.fake.App().PublicKey)
	require.NoError(t, err)
	for name, change := range map[string]func(*http.Request){
		"good":              func(*http.Request) {},
		"a wrong signature": func(q *http.Request) { q.Header.Set("X-Signature-Ed25519", strings.Repeat("ab", 64)) },
		"another time":      func(q *http.Request) { q.Header.Set("X-Signature-Timestamp", "1793620801") },
	} {
		theirs := false
		status, _ := r.post(command, change, func(q *http.Request) {
			probe := q.Clone(t.Context())
			probe.Body = io.NopCloser(strings.NewReader(command))
			theirs = discordgo.VerifyInteraction(probe, key)
		})
		require.Equal(t, theirs, status == http.StatusOK, name)
	}
	i := discordgo.InteractionCreate{Interaction: &discordgo.Interaction{
		ID: "1300000000000000077", AppID: r.fake.App().AppID, Type: discordgo.InteractionMessageComponent, Token: "t", GuildID: guildID, ChannelID: hall,
		Member: &discordgo.Member{User: &discordgo.User{ID: ann}}, Data: discordgo.MessageComponentInteractionData{CustomID: "theirs", ComponentType: discordgo.ButtonComponent},
	}}
	body, err := json.Marshal(i.Interaction)
	require.NoError(t, err)
	status, says := r.post(string(body))
	require.Equal(t, 200, status, says)
	require.Len(t, r.events("MESSAGE_COMPONENT"), 1)
}
