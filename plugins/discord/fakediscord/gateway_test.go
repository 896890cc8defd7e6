package fakediscord_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

// socket is a client of the Gateway that does only what a test says.
type socket struct {
	w  *world
	ws *websocket.Conn
}

func (w *world) dial(query string) *socket {
	w.t.Helper()
	ws, _, err := w.Dialer().DialContext(w.ctx, "wss://gateway.discord.gg/"+query, nil)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { ws.Close() })
	return &socket{w, ws}
}

type payload struct {
	Op int             `json:"op"`
	D  json.RawMessage `json:"d"`
	S  *int64          `json:"s"`
	T  *string         `json:"t"`
}

func (s *socket) read() payload {
	s.w.t.Helper()
	var p payload
	require.NoError(s.w.t, s.ws.ReadJSON(&p))
	return p
}

// event reads until a dispatch of the name.
func (s *socket) event(name string) payload {
	s.w.t.Helper()
	for {
		if p := s.read(); p.Op == 0 && p.T != nil && *p.T == name {
			return p
		}
	}
}

func (s *socket) send(op int, d any) {
	s.w.t.Helper()
	require.NoError(s.w.t, s.ws.WriteJSON(map[string]any{"op": op, "d": d}))
}

// closed reads until the end, and returns the close code.
func (s *socket) closed() int {
	s.w.t.Helper()
	for {
		if _, _, err := s.ws.ReadMessage(); err != nil {
			var c *websocket.CloseError
			require.ErrorAs(s.w.t, err, &c)
			return c.Code
		}
	}
}

func (s *socket) identify(token string, intents int, more ...any) {
	s.w.t.Helper()
	d := map[string]any{"token": token, "intents": intents, "properties": map[string]any{"os": "linux", "browser": "t", "device": "t"}}
	for i := 0; i+1 < len(more); i += 2 {
		d[more[i].(string)] = more[i+1]
	}
	s.send(2, d)
}

const good = "?v=10&encoding=json"

func TestHello(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	s := w.dial(good)
	p := s.read()
	require.Equal(t, 10, p.Op)
	require.JSONEq(t, `{"heartbeat_interval":41250,"_trace":["fake"]}`, string(p.D))
	s.send(1, nil)
	require.Equal(t, 11, s.read().Op)
	s.identify(w.App().BotToken, fakediscord.IntentGuilds)
	p = s.event("READY")
	require.EqualValues(t, 1, *p.S)
	var ready struct {
		SessionID string `json:"session_id"`
		Resume    string `json:"resume_gateway_url"`
		Guilds    []struct {
			ID          string
			Unavailable bool
		}
		User        struct{ ID string }
		Application struct{ ID string }
	}
	require.NoError(t, json.Unmarshal(p.D, &ready))
	require.NotEmpty(t, ready.SessionID)
	require.NotEmpty(t, ready.Resume)
	require.Equal(t, w.App().BotUser, ready.User.ID)
	require.Equal(t, w.App().AppID, ready.Application.ID)
	require.Len(t, ready.Guilds, 1)
	require.True(t, ready.Guilds[0].Unavailable)
	p = s.event("GUILD_CREATE")
	require.EqualValues(t, 2, *p.S)
	require.Equal(t, 1, w.Sockets())
}

func TestCloseCodes(t *testing.T) {
	const members = fakediscord.IntentGuildMembers
	w := newWorld(t, fakediscord.Options{DisallowedIntents: members})
	token := w.App().BotToken
	for what, c := range map[string]struct {
		query string
		do    func(*socket)
		code  int
	}{
		"an old version":        {query: "?v=6&encoding=json", code: 4012},
		"another encoding":      {query: "?v=10&encoding=etf", code: 4002},
		"not identified":        {do: func(s *socket) { s.send(8, map[string]any{"guild_id": guildID}) }, code: 4003},
		"no JSON":               {do: func(s *socket) { _ = s.ws.WriteMessage(websocket.TextMessage, []byte("{")) }, code: 4002},
		"too much":              {do: func(s *socket) { s.send(1, string(make([]byte, 5000))) }, code: 4002},
		"an unknown op":         {do: func(s *socket) { s.send(99, nil) }, code: 4001},
		"a wrong token":         {do: func(s *socket) { s.identify("wrong", 0) }, code: 4004},
		"no token":              {do: func(s *socket) { s.identify("", 0) }, code: 4004},
		"an unknown intent":     {do: func(s *socket) { s.identify(token, 1<<30) }, code: 4013},
		"a disallowed intent":   {do: func(s *socket) { s.identify(token, members) }, code: 4014},
		"a shard out of range":  {do: func(s *socket) { s.identify(token, 0, "shard", []int{2, 2}) }, code: 4010},
		"no properties":         {do: func(s *socket) { s.send(2, map[string]any{"token": token, "intents": 0}) }, code: 4002},
		"identified twice":      {do: func(s *socket) { s.identify(token, 0); s.identify(token, 0) }, code: 4005},
		"resumed with no token": {do: func(s *socket) { s.send(6, map[string]any{"token": "", "session_id": "x", "seq": 1}) }, code: 4004},
	} {
		t.Run(what, func(t *testing.T) {
			query := c.query
			if query == "" {
				query = good
			}
			s := w.dial(query)
			if c.do != nil {
				c.do(s)
			}
			require.Equal(t, c.code, s.closed())
		})
	}
}

// session identifies with a raw socket and returns the session's ID and its last sequence number.
func (w *world) session(intents int) (s *socket, id string, seq int64) {
	w.t.Helper()
	s = w.dial(good)
	s.identify(w.App().BotToken, intents|fakediscord.IntentGuilds)
	p := s.event("READY")
	var ready struct {
		SessionID string `json:"session_id"`
	}
	require.NoError(w.t, json.Unmarshal(p.D, &ready))
	return s, ready.SessionID, *s.event("GUILD_CREATE").S
}

func TestResume(t *testing.T) {
	w := newWorld(t, fakediscord.Options{AckTimeout: 20 * time.Millisecond})
	s, id, seq := w.session(fakediscord.IntentGuildMessages | fakediscord.IntentMessageContent)
	w.Disconnect(0)
	_, _, err := s.ws.ReadMessage()
	require.Error(t, err)
	require.NoError(t, w.WaitSockets(w.ctx, 0))
	for _, text := range []string{"one", "two"} {
		_, err := w.g.Post(hall, alice, text)
		require.NoError(t, err)
	}

	resume := func(id string, seq int64) *socket {
		s := w.dial(good)
		require.Equal(t, 10, s.read().Op)
		s.send(6, map[string]any{"token": w.App().BotToken, "session_id": id, "seq": seq})
		return s
	}
	s = resume(id, seq)
	for _, text := range []string{"one", "two"} {
		p := s.event("MESSAGE_CREATE")
		require.Contains(t, string(p.D), `"content":"`+text+`"`)
		seq++
		require.Equal(t, seq, *p.S)
	}
	s.event("RESUMED")
	require.Equal(t, 1, w.Sockets())

	require.Equal(t, 4007, resume(id, seq+100).closed(), "a sequence number that was never sent")
	p := resume("nobody's", 1).read()
	require.Equal(t, 9, p.Op)
	require.Equal(t, "false", string(p.D))

	w.ForgetSessions()
	require.Equal(t, 9, resume(id, seq).read().Op)
}

func TestGoodbyeEndsTheSession(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	s, id, seq := w.session(0)
	require.NoError(t, s.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second)))
	require.NoError(t, w.WaitSockets(w.ctx, 0))
	s = w.dial(good)
	s.read()
	s.send(6, map[string]any{"token": w.App().BotToken, "session_id": id, "seq": seq})
	require.Equal(t, 9, s.read().Op)
	s.identify(w.App().BotToken, 0)
	s.event("READY")
}

func TestDisturbances(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	s, _, _ := w.session(0)
	w.Reconnect()
	require.Equal(t, 7, s.read().Op)
	w.InvalidateSession(true)
	p := s.read()
	require.Equal(t, 9, p.Op)
	require.Equal(t, "true", string(p.D))
	require.Equal(t, 1, w.Sockets())
	w.InvalidateSession(false)
	require.Equal(t, "false", string(s.read().D))
	require.Zero(t, w.Sockets())
	s.identify(w.App().BotToken, 0)
	s.event("READY")
	w.Disconnect(4009)
	require.Equal(t, 4009, s.closed())
	s, _, _ = w.session(0)
	old := w.App().BotToken
	require.NotEqual(t, old, w.ResetBotToken())
	require.Equal(t, 4004, s.closed())
	require.Equal(t, http.StatusUnauthorized, w.as("Bot "+old, "GET", "/users/@me", "").status)
	w.ok("GET", "/users/@me", "")
}

// TestIntents has the same things happen before clients with one intent each: they hear what the intent is for, and no more.
func TestIntents(t *testing.T) {
	happen := func(t *testing.T, w *world) {
		t.Helper()
		g := w.g
		id, err := g.Post(hall, alice, "hello")
		require.NoError(t, err)
		require.NoError(t, g.Edit(hall, id, alice, "hello!"))
		require.NoError(t, g.React(hall, id, bob, "👍"))
		require.NoError(t, g.Unreact(hall, id, bob, "👍"))
		poll, err := g.PostPoll(hall, alice, "Tea?", "Yes", "No")
		require.NoError(t, err)
		require.NoError(t, g.VoteInPoll(hall, poll, bob, 1))
		require.NoError(t, g.UnvoteInPoll(hall, poll, bob, 1))
		require.NoError(t, g.Delete(hall, id, alice))
		require.NoError(t, g.JoinVoice(alice, lounge))
		require.NoError(t, g.GiveRole(owner, bob, member_))
		require.NoError(t, g.Ban(mod, bob, "spam", 0))
		require.NoError(t, g.Unban(mod, bob, ""))
		require.NoError(t, g.Join(bob))
		require.NoError(t, g.RenameChannel(owner, hall, "square"))
		thread, err := g.StartThread(hall, "", alice, "talk")
		require.NoError(t, err)
		require.NoError(t, g.ArchiveThread(thread, owner, true, true))
		_, err = w.Write(alice, "hi bot")
		require.NoError(t, err)
	}
	for what, c := range map[string]struct {
		intents int
		want    []string
	}{
		"none":       {0, nil},
		"guilds":     {fakediscord.IntentGuilds, []string{"CHANNEL_UPDATE", "THREAD_CREATE", "THREAD_UPDATE"}},
		"members":    {fakediscord.IntentGuildMembers, []string{"GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "GUILD_MEMBER_ADD"}},
		"messages":   {fakediscord.IntentGuildMessages, []string{"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_CREATE", "MESSAGE_DELETE"}},
		"reactions":  {fakediscord.IntentReactions, []string{"MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE"}},
		"polls":      {fakediscord.IntentGuildPolls, []string{"MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE"}},
		"voice":      {fakediscord.IntentVoiceStates, []string{"VOICE_STATE_UPDATE"}},
		"direct":     {fakediscord.IntentDirectMessages, []string{"MESSAGE_CREATE"}},
		"moderation": {fakediscord.IntentGuildModeration, []string{"GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_REMOVE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_AUDIT_LOG_ENTRY_CREATE"}},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, fakediscord.Options{})
			e := w.listen(c.intents)
			happen(t, w)
			require.NoError(t, w.Flush(w.ctx))
			require.Equal(t, c.want, e.names())
		})
	}
}

func TestMessageContentIsWithheld(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	e := w.listen(fakediscord.IntentGuildMessages | fakediscord.IntentDirectMessages)
	_, err := w.g.Post(hall, alice, "hello")
	require.NoError(t, err)
	require.Empty(t, e.last(t, "MESSAGE_CREATE")["content"])
	_, err = w.g.Post(hall, alice, "hello <@"+w.App().BotUser+">")
	require.NoError(t, err)
	require.NotEmpty(t, e.last(t, "MESSAGE_CREATE")["content"], "the bot is mentioned")
	_, err = w.Write(alice, "hi")
	require.NoError(t, err)
	require.Equal(t, "hi", e.last(t, "MESSAGE_CREATE")["content"], "direct messages")
	w.post(`{"content":"mine"}`)
	require.NoError(t, w.Flush(w.ctx))
	require.Equal(t, "mine", e.last(t, "MESSAGE_CREATE")["content"], "the bot's own")
}

func TestWhatTheBotCannotSee(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	e := w.listen(everything)
	w.g.SetOverwrite(secret, modRole, false, fakediscord.PermViewChannel, 0)
	_, err := w.g.Post(secret, mod, "psst")
	require.NoError(t, err)
	w.g.SetBotPermissions(botPerms &^ fakediscord.PermViewAuditLog)
	require.NoError(t, w.g.Ban(mod, bob, "spam", 0))
	require.Equal(t, []string{"GUILD_ROLE_UPDATE", "GUILD_MEMBER_REMOVE", "GUILD_BAN_ADD"}, e.names())
	d := w.DeliveriesOf("GUILD_AUDIT_LOG_ENTRY_CREATE")
	require.Equal(t, "missing permission VIEW_AUDIT_LOG", d[len(d)-1].Dropped)
	d = w.DeliveriesOf("MESSAGE_CREATE")
	require.Equal(t, "missing permission VIEW_CHANNEL", d[len(d)-1].Dropped)
}

func TestDeliveryFaults(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	e := w.listen(fakediscord.IntentGuildMessages | fakediscord.IntentMessageContent)
	texts := func() []string {
		require.NoError(t, w.Flush(w.ctx))
		e.mu.Lock()
		defer e.mu.Unlock()
		var out []string
		for _, x := range e.got {
			var m struct{ Content string }
			require.NoError(t, json.Unmarshal(x.RawData, &m))
			out = append(out, m.Content)
		}
		e.got = nil
		return out
	}
	post := func(text string) {
		_, err := w.g.Post(hall, alice, text)
		require.NoError(t, err)
	}
	w.Fail(fakediscord.Fault{Delivery: "MESSAGE_CREATE", Duplicate: 2})
	post("thrice")
	require.Equal(t, []string{"thrice", "thrice", "thrice"}, texts())
	w.Fail(fakediscord.Fault{Delivery: "MESSAGE_CREATE", Drop: true})
	post("lost")
	require.Empty(t, texts())
	w.Fail(fakediscord.Fault{Delivery: "MESSAGE_CREATE", Reorder: true})
	post("first")
	post("second")
	require.Equal(t, []string{"second", "first"}, texts())
	w.Fail(fakediscord.Fault{Delivery: "*", Late: time.Minute})
	post("late")
	require.Empty(t, texts())
	require.Zero(t, w.SendLate(w.ctx))
	w.clock.Add(time.Minute)
	require.Equal(t, 1, w.SendLate(w.ctx))
	require.Equal(t, []string{"late"}, texts())
}

func TestRequestMembers(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	w.g.AddMembers(5000, 1500)
	s, _, _ := w.session(fakediscord.IntentGuildMembers)
	s.send(8, map[string]any{"guild_id": guildID, "query": "", "limit": 0, "nonce": "n"})
	var n int
	for i := range 2 {
		var chunk struct {
			Members []struct{}
			Index   int    `json:"chunk_index"`
			Count   int    `json:"chunk_count"`
			Nonce   string `json:"nonce"`
		}
		require.NoError(t, json.Unmarshal(s.event("GUILD_MEMBERS_CHUNK").D, &chunk))
		require.Equal(t, i, chunk.Index)
		require.Equal(t, 2, chunk.Count)
		require.Equal(t, "n", chunk.Nonce)
		n += len(chunk.Members)
	}
	require.Equal(t, 1505, n)
	s.send(8, map[string]any{"guild_id": guildID, "user_ids": []string{alice}})
	require.Contains(t, string(s.event("GUILD_MEMBERS_CHUNK").D), `"username":"alice"`)
}

func TestTheGatewayMayBeDown(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	w.Fail(fakediscord.Fault{Route: "GATEWAY", Status: 503, Body: "<html>"})
	w.Fail(fakediscord.Fault{Route: "GATEWAY", CloseBefore: true})
	_, res, err := w.Dialer().DialContext(w.ctx, "wss://gateway.discord.gg/"+good, nil)
	require.ErrorIs(t, err, websocket.ErrBadHandshake)
	require.Equal(t, 503, res.StatusCode)
	_, _, err = w.Dialer().DialContext(w.ctx, "wss://gateway.discord.gg/"+good, nil)
	require.Error(t, err)
	w.ok("GET", "/gateway/bot", "")
	w.dial(good).read()
}

func TestDispatchOfAnything(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	require.Error(t, w.Dispatch("X", []byte("{")))
	e := w.listen(0)
	require.NoError(t, w.Dispatch("SOMETHING_NEW", []byte(`{"a":1}`)))
	require.EqualValues(t, 1, e.last(t, "SOMETHING_NEW")["a"])
}

func TestShards(t *testing.T) {
	w := newWorld(t, fakediscord.Options{AckTimeout: 20 * time.Millisecond})
	far := w.AddGuild("4194304", "Far", owner).Install(botPerms) // of shard 1 of 2
	near, other := w.dial(good), w.dial(good)
	near.identify(w.App().BotToken, fakediscord.IntentGuilds, "shard", []int{0, 2})
	other.identify(w.App().BotToken, fakediscord.IntentGuilds, "shard", []int{1, 2})
	require.Contains(t, string(near.event("GUILD_CREATE").D), `"id":"`+guildID+`"`)
	require.Contains(t, string(other.event("GUILD_CREATE").D), `"id":"4194304"`)
	_, err := far.CreateChannel(owner, "far away", fakediscord.TextChannel)
	require.NoError(t, err)
	require.Contains(t, string(other.event("CHANNEL_CREATE").D), `"name":"far-away"`)
}

// TestDiscordgoResumes has discordgo itself lose its connection and take it up again.
func TestDiscordgoResumes(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	d, e := w.discordgo(fakediscord.IntentGuilds | fakediscord.IntentGuildMessages)
	resumed := make(chan struct{}, 1)
	d.AddHandler(func(*discordgo.Session, *discordgo.Resumed) { resumed <- struct{}{} })
	require.NoError(t, d.Open())
	t.Cleanup(func() { _ = d.Close() })
	require.NoError(t, w.WaitSockets(w.ctx, 1))
	require.NoError(t, w.Flush(w.ctx))
	e.reset()
	w.Disconnect(4000)
	require.NoError(t, w.WaitSockets(w.ctx, 0))
	_, err := w.g.Post(hall, alice, "while it was away")
	require.NoError(t, err)
	select {
	case <-resumed:
	case <-w.ctx.Done():
		require.Fail(t, "discordgo did not resume")
	}
	require.NoError(t, w.Flush(w.ctx))
	require.ElementsMatch(t, []string{"MESSAGE_CREATE", "RESUMED"}, e.names(), "nothing is missed, and nothing comes twice")
}
