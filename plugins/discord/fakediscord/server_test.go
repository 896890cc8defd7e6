package fakediscord_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

func TestClientStaysInDiscord(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	_, err := w.Client().Get("https://example.org/api/v10/gateway")
	require.ErrorIs(t, err, fakediscord.ErrHost)
	_, err = w.Client().Get("https://discord.com.example.org/")
	require.ErrorIs(t, err, fakediscord.ErrHost)
	_, _, err = w.Dialer().DialContext(w.ctx, "wss://example.org/", nil)
	require.ErrorIs(t, err, fakediscord.ErrHost)
	require.Equal(t, []string{"https://example.org/api/v10/gateway", "https://discord.com.example.org/", "wss://example.org:443"}, w.Refused())
}

func TestWhoAsks(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	a := w.as("", "GET", "/users/@me", "")
	require.Equal(t, 401, a.status)
	require.JSONEq(t, `{"message":"401: Unauthorized","code":0}`, string(a.raw))
	require.Equal(t, 401, w.as("Bot wrong", "GET", "/users/@me", "").status)
	require.Equal(t, 401, w.as(w.App().BotToken, "GET", "/users/@me", "").status)
	require.Equal(t, 401, w.as("Bearer "+w.App().BotToken, "GET", "/users/@me", "").status)
	w.no(403, 40333, "GET", "/users/@me", "", "User-Agent", "curl/8")
	w.ok("GET", "/users/@me", "")
	calls := w.CallsTo("GET /users/@me")
	last := calls[len(calls)-1]
	require.Equal(t, "bot", last.Token)
	require.Equal(t, w.App().BotUser, last.User)
	require.Equal(t, 200, last.Answer.Status)
	require.Equal(t, 403, calls[len(calls)-2].Answer.Status)
}

func TestRoutesAndVersions(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	a := w.bot("GET", "/nowhere", "")
	require.Equal(t, 404, a.status)
	require.JSONEq(t, `{"message":"404: Not Found","code":0}`, string(a.raw))
	require.Equal(t, 405, w.bot("PUT", "/users/@me", "").status)
	for path, status := range map[string]int{"/api/v10/gateway": 200, "/api/v9/gateway": 200, "/api/v8/gateway": 400, "/api/v6/gateway": 400, "/api/gateway": 400,
		"/oauth2/authorize": 200, "/elsewhere": 404} {
		res, err := w.Client().Get("https://discord.com" + path)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, status, res.StatusCode, path)
	}
	w.no(400, 50035, "GET", "/guilds/x/members", "")
	w.no(404, 10003, "GET", "/channels/5", "")
}

func TestRequestFaults(t *testing.T) {
	const route = "POST /channels/{channel_id}/messages"
	const path = "/channels/" + hall + "/messages"
	w := newWorld(t, fakediscord.Options{})
	w.Fail(fakediscord.Fault{Route: route, Code: 50013})
	w.no(403, 50013, "POST", path, `{"content":"x"}`)
	w.Fail(fakediscord.Fault{Route: route, Status: 502, Body: "<html>Bad gateway</html>"})
	a := w.bot("POST", path, `{"content":"x"}`)
	require.Equal(t, 502, a.status)
	require.Contains(t, a.header.Get("Content-Type"), "text/html")
	w.Fail(fakediscord.Fault{Route: route, Status: 503})
	require.Equal(t, 503, w.bot("POST", path, `{"content":"x"}`).status)
	w.Fail(fakediscord.Fault{Route: route, RetryAfter: 1500 * time.Millisecond, Scope: "shared"})
	a = w.bot("POST", path, `{"content":"x"}`)
	require.Equal(t, 429, a.status)
	require.Equal(t, "2", a.header.Get("Retry-After"))
	require.Equal(t, "shared", a.header.Get("X-RateLimit-Scope"))
	require.Equal(t, 1.5, a.object(t)["retry_after"])
	require.Empty(t, w.g.Messages(hall))

	send := func() error {
		r, err := http.NewRequestWithContext(w.ctx, http.MethodPost, "https://discord.com/api/v10"+path, strings.NewReader(`{"content":"x"}`))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bot "+w.App().BotToken)
		r.Header.Set("User-Agent", "DiscordBot (https://example.org, 1)")
		r.Header.Set("Content-Type", "application/json")
		res, err := w.Client().Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		return err
	}
	w.Fail(fakediscord.Fault{Route: route, CloseBefore: true})
	require.Error(t, send())
	require.Empty(t, w.g.Messages(hall))
	w.Fail(fakediscord.Fault{Route: route, LoseAnswer: true, Skip: 1})
	require.NoError(t, send())
	require.Error(t, send())
	require.Len(t, w.g.Messages(hall), 2)

	for _, f := range []fakediscord.Fault{{Route: route, Hold: true}, {Route: route, HoldAnswer: true}} {
		before := len(w.g.Messages(hall))
		in := w.Fail(f)
		done := make(chan error, 1)
		go func() { done <- send() }()
		require.NoError(t, in.Wait(w.ctx))
		if f.Hold {
			require.Len(t, w.g.Messages(hall), before)
		}
		in.Release()
		require.NoError(t, <-done)
		require.Len(t, w.g.Messages(hall), before+1)
		require.Equal(t, 1, in.Hits())
	}
	always := w.Fail(fakediscord.Fault{Times: -1, Status: 500})
	require.Equal(t, 500, w.bot("GET", "/users/@me", "").status)
	require.Equal(t, 500, w.bot("GET", "/users/@me", "").status)
	always.Remove()
	w.ok("GET", "/users/@me", "")
}

func TestJudge(t *testing.T) {
	bad := 0
	w := newWorld(t, fakediscord.Options{Judge: func(r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		if strings.Contains(string(body), "bad") {
			bad++
			return io.ErrUnexpectedEOF
		}
		return err
	}})
	w.no(400, 50035, "POST", "/channels/"+hall+"/messages", `{"content":"bad"}`)
	w.ok("POST", "/channels/"+hall+"/messages", `{"content":"good"}`)
	require.Equal(t, 1, bad)
	require.ErrorIs(t, w.Judged()[0], io.ErrUnexpectedEOF)
	require.Len(t, w.g.Messages(hall), 1)
}

func TestRateLimits(t *testing.T) {
	const path = "/channels/" + hall + "/messages"
	w := newWorld(t, fakediscord.Options{RateLimits: true})
	for i := range 5 {
		a := w.ok("POST", path, `{"content":"x"}`)
		require.Equal(t, "5", a.header.Get("X-RateLimit-Limit"))
		require.Equal(t, string(rune('4'-i)), a.header.Get("X-RateLimit-Remaining"))
		require.NotEmpty(t, a.header.Get("X-RateLimit-Bucket"))
	}
	a := w.bot("POST", path, `{"content":"x"}`)
	require.Equal(t, 429, a.status)
	require.Equal(t, "user", a.header.Get("X-RateLimit-Scope"))
	require.Equal(t, "5", a.header.Get("Retry-After"))
	require.Equal(t, false, a.object(t)["global"])
	w.ok("GET", path, "")
	w.clock.Add(5 * time.Second)
	w.ok("POST", path, `{"content":"x"}`)
	for range 49 {
		w.bot("GET", "/users/@me", "")
	}
	a = w.bot("GET", "/channels/"+hall, "")
	require.Equal(t, 429, a.status)
	require.Equal(t, "global", a.header.Get("X-RateLimit-Scope"))
	require.Equal(t, "true", a.header.Get("X-RateLimit-Global"))
	require.Equal(t, true, a.object(t)["global"])
	require.Equal(t, 200, w.as("", "GET", "/gateway", "").status, "what needs no bot is not limited with it")
	off := newWorld(t, fakediscord.Options{})
	for range 7 {
		off.ok("POST", path, `{"content":"x"}`)
	}
}

func TestWebhookEventsAreRetried(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	w.app.reply(http.StatusInternalServerError, "")
	w.Deauthorize(alice)
	require.Len(t, w.app.all(), 1)
	require.Zero(t, w.SendLate(w.ctx))
	w.app.reply(http.StatusNoContent, "")
	w.clock.Add(time.Second)
	require.Equal(t, 1, w.SendLate(w.ctx))
	require.Len(t, w.app.all(), 2)
	d := w.DeliveriesOf("APPLICATION_DEAUTHORIZED")
	require.Len(t, d, 1)
	require.Len(t, d[0].Attempts, 2)
	require.Zero(t, w.SendLate(w.ctx))

	w.app.reply(http.StatusInternalServerError, "")
	w.Deauthorize(bob)
	for range 5 {
		w.clock.Add(10 * time.Minute)
		require.Equal(t, 1, w.SendLate(w.ctx))
	}
	d = w.DeliveriesOf("APPLICATION_DEAUTHORIZED")
	require.True(t, d[1].GivenUp)
	require.Zero(t, w.SendLate(w.ctx))

	w.app.reply(http.StatusNoContent, "")
	before := len(w.app.all())
	w.Fail(fakediscord.Fault{Delivery: "APPLICATION_DEAUTHORIZED", Duplicate: 1})
	w.Deauthorize(mod)
	require.Len(t, w.app.all(), before+2)
	w.Fail(fakediscord.Fault{Delivery: "APPLICATION_DEAUTHORIZED", Drop: true})
	w.Deauthorize(mod)
	require.Len(t, w.app.all(), before+2)
}

// TestDiscordgo uses the client library for what it has calls for.
func TestDiscordgo(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	d, _ := w.discordgo(0)
	m, err := d.ChannelMessageSendComplex(hall, &discordgo.MessageSend{Content: "Vote", Components: []discordgo.MessageComponent{
		discordgo.ActionsRow{Components: []discordgo.MessageComponent{discordgo.Button{Label: "Yes", CustomID: "yes", Style: discordgo.PrimaryButton}}}}})
	require.NoError(t, err)
	require.Len(t, m.Components, 1)
	_, err = d.ChannelMessageEdit(hall, m.ID, "Voted")
	require.NoError(t, err)
	require.NoError(t, d.MessageReactionAdd(hall, m.ID, "✅"))
	users, err := d.MessageReactions(hall, m.ID, "✅", 10, "", "")
	require.NoError(t, err)
	require.Len(t, users, 1)
	require.NoError(t, d.GuildBanCreateWithReason(guildID, bob, "spam", 1))
	bans, err := d.GuildBans(guildID, 10, "", "")
	require.NoError(t, err)
	require.Empty(t, bans[0].Reason, "by the query, as discordgo does, no reason has been read since v10")
	require.Equal(t, bob, bans[0].User.ID)
	require.NoError(t, d.GuildBanDelete(guildID, bob))
	members, err := d.GuildMembers(guildID, "", 100)
	require.NoError(t, err)
	require.Len(t, members, 4)
	until := w.clock.Now().Add(time.Hour)
	require.NoError(t, d.GuildMemberTimeout(guildID, alice, &until))
	require.NoError(t, d.GuildMemberRoleAdd(guildID, alice, modRole))
	thread, err := d.MessageThreadStart(hall, m.ID, "talk", 60)
	require.NoError(t, err)
	require.Equal(t, m.ID, thread.ID)
	log, err := d.GuildAuditLog(guildID, "", "", int(discordgo.AuditLogActionMemberBanAdd), 5)
	require.NoError(t, err)
	require.Len(t, log.AuditLogEntries, 1)
	_, err = d.ApplicationCommandCreate(w.App().AppID, guildID, &discordgo.ApplicationCommand{Name: "hello", Description: "Says it"})
	require.NoError(t, err)
	poll, err := d.ChannelMessageSendComplex(hall, &discordgo.MessageSend{Poll: &discordgo.Poll{Question: discordgo.PollMedia{Text: "Tea?"},
		Answers: []discordgo.PollAnswer{{Media: &discordgo.PollMedia{Text: "Yes"}}}, Duration: 1}})
	require.NoError(t, err)
	voters, err := d.PollAnswerVoters(hall, poll.ID, 1)
	require.NoError(t, err)
	require.Empty(t, voters)
	_, err = d.PollExpire(hall, poll.ID)
	require.NoError(t, err)
	var rest *discordgo.RESTError
	require.ErrorAs(t, d.GuildBanDelete(guildID, bob), &rest)
	require.Equal(t, 10026, rest.Message.Code)
}

func TestCloseReleasesEverything(t *testing.T) {
	s := fakediscord.New(fakediscord.Options{})
	s.AddGuild("1", "G", "2").Install(0)
	in := s.Fail(fakediscord.Fault{Route: "GET /gateway", Hold: true})
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := s.Client().Get("https://discord.com/api/v10/gateway"); err == nil {
			res.Body.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, in.Wait(ctx))
	s.Close()
	<-done
}
