package fakediscord_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

// buttons is a message with so many buttons, five in a row.
func buttons(n int) string {
	var rows []string
	for i := 0; i < n; i += 5 {
		var row []string
		for j := i; j < min(n, i+5); j++ {
			row = append(row, fmt.Sprintf(`{"type":2,"style":1,"label":"%d","custom_id":"b%d"}`, j, j))
		}
		rows = append(rows, `{"type":1,"components":[`+strings.Join(row, ",")+`]}`)
	}
	return `{"content":"Vote","components":[` + strings.Join(rows, ",") + `]}`
}

func options(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`{"label":"%d","value":"%d"}`, i, i))
	}
	return strings.Join(out, ",")
}

func answers(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`{"poll_media":{"text":"%d"}}`, i))
	}
	return strings.Join(out, ",")
}

func TestMessageLimits(t *testing.T) {
	const path = "/channels/" + hall + "/messages"
	w := newWorld(t, fakediscord.Options{})
	x := func(n int) string { return strings.Repeat("ü", n) }
	row := func(c string) string { return `{"content":"x","components":[{"type":1,"components":[` + c + `]}]}` }
	for what, c := range map[string]struct {
		body string
		code int
	}{
		"2000 letters":           {`{"content":"` + x(2000) + `"}`, 0},
		"2001 letters":           {`{"content":"` + x(2001) + `"}`, 50035},
		"nothing":                {`{}`, 50006},
		"blanks":                 {`{"content":" \n"}`, 50006},
		"no JSON":                {`{"content":`, 50109},
		"a list":                 {`[]`, 50035},
		"a number":               {`{"content":1}`, 50035},
		"25 buttons":             {buttons(25), 0},
		"30 buttons":             {buttons(30), 50035},
		"6 in a row":             {row(`{"type":2,"style":1,"label":"a","custom_id":"1"},{"type":2,"style":1,"label":"a","custom_id":"2"},{"type":2,"style":1,"label":"a","custom_id":"3"},{"type":2,"style":1,"label":"a","custom_id":"4"},{"type":2,"style":1,"label":"a","custom_id":"5"},{"type":2,"style":1,"label":"a","custom_id":"6"}`), 50035},
		"the same ID twice":      {row(`{"type":2,"style":1,"label":"a","custom_id":"1"},{"type":2,"style":1,"label":"b","custom_id":"1"}`), 50035},
		"no label":               {row(`{"type":2,"style":1,"custom_id":"1"}`), 50035},
		"no ID":                  {row(`{"type":2,"style":1,"label":"a"}`), 50035},
		"a long label":           {row(`{"type":2,"style":1,"label":"` + x(81) + `","custom_id":"1"}`), 50035},
		"a long ID":              {row(`{"type":2,"style":1,"label":"a","custom_id":"` + x(101) + `"}`), 50035},
		"a link":                 {row(`{"type":2,"style":5,"label":"a","url":"https://example.org"}`), 0},
		"a link with ID":         {row(`{"type":2,"style":5,"label":"a","url":"https://example.org","custom_id":"1"}`), 50035},
		"no style":               {row(`{"type":2,"label":"a","custom_id":"1"}`), 50035},
		"a button without a row": {`{"content":"x","components":[{"type":2,"style":1,"label":"a","custom_id":"1"}]}`, 50035},
		"an empty row":           {row(""), 50035},
		"25 options":             {row(`{"type":3,"custom_id":"s","options":[` + options(25) + `]}`), 0},
		"26 options":             {row(`{"type":3,"custom_id":"s","options":[` + options(26) + `]}`), 50035},
		"more than options":      {row(`{"type":3,"custom_id":"s","max_values":3,"options":[` + options(2) + `]}`), 50035},
		"the same value":         {row(`{"type":3,"custom_id":"s","options":[` + options(1) + `,` + options(1) + `]}`), 50035},
		"a select and a button":  {row(`{"type":3,"custom_id":"s","options":[` + options(2) + `]},{"type":2,"style":1,"label":"a","custom_id":"1"}`), 50035},
		"text in a container":    {`{"flags":32768,"components":[{"type":17,"components":[{"type":10,"content":"hi"},{"type":1,"components":[{"type":2,"style":1,"label":"a","custom_id":"1"}]}]}]}`, 0},
		"a container without v2": {`{"components":[{"type":17,"components":[{"type":10,"content":"hi"}]}]}`, 50035},
		"v2 with content":        {`{"flags":32768,"content":"x","components":[{"type":10,"content":"hi"}]}`, 50035},
		"11 embeds":              {`{"embeds":[` + strings.TrimSuffix(strings.Repeat(`{"title":"a"},`, 11), ",") + `]}`, 50035},
		"a long embed":           {`{"embeds":[{"description":"` + x(4097) + `"}]}`, 50035},
		"long embeds":            {`{"embeds":[{"description":"` + x(4000) + `"},{"description":"` + x(2001) + `"}]}`, 50035},
		"a long nonce":           {`{"content":"x","nonce":"` + x(26) + `"}`, 50035},
		"mentions both ways":     {`{"content":"x","allowed_mentions":{"parse":["users"],"users":["101"]}}`, 50035},
		"mentions of what":       {`{"content":"x","allowed_mentions":{"parse":["all"]}}`, 50035},
		"a reply to nothing":     {`{"content":"x","message_reference":{"message_id":"5"}}`, 50035},
		"10 answers":             {`{"poll":{"question":{"text":"q"},"answers":[` + answers(10) + `]}}`, 0},
		"11 answers":             {`{"poll":{"question":{"text":"q"},"answers":[` + answers(11) + `]}}`, 50035},
		"no answer":              {`{"poll":{"question":{"text":"q"},"answers":[]}}`, 50035},
		"a long question":        {`{"poll":{"question":{"text":"` + x(301) + `"},"answers":[` + answers(2) + `]}}`, 50035},
		"a long answer":          {`{"poll":{"question":{"text":"q"},"answers":[{"poll_media":{"text":"` + x(56) + `"}}]}}`, 50035},
		"32 days":                {`{"poll":{"question":{"text":"q"},"answers":[` + answers(2) + `],"duration":768}}`, 0},
		"longer":                 {`{"poll":{"question":{"text":"q"},"answers":[` + answers(2) + `],"duration":769}}`, 50035},
	} {
		a := w.bot("POST", path, c.body)
		if c.code == 0 {
			require.Equal(t, 200, a.status, "%s: %s", what, a.raw)
			continue
		}
		require.Equal(t, 400, a.status, what)
		require.Equal(t, c.code, a.code(t), "%s: %s", what, a.raw)
	}
	w.no(400, 50035, "POST", path, "content=x", "Content-Type", "application/x-www-form-urlencoded")
}

func TestNonce(t *testing.T) {
	const path = "/channels/" + hall + "/messages"
	w := newWorld(t, fakediscord.Options{})
	one := w.post(`{"content":"a","nonce":"n","enforce_nonce":true}`)
	again := w.ok("POST", path, `{"content":"b","nonce":"n","enforce_nonce":true}`).object(t)
	require.Equal(t, one, again["id"])
	require.Equal(t, "a", again["content"])
	require.NotEqual(t, one, w.post(`{"content":"a","nonce":"n"}`), "not enforced")
	require.NotEqual(t, one, w.post(`{"content":"a","nonce":"m","enforce_nonce":true}`))
	w.clock.Add(10 * time.Minute)
	require.NotEqual(t, one, w.post(`{"content":"a","nonce":"n","enforce_nonce":true}`), "a few minutes later")
}

func TestMentions(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	get := func(body string) map[string]any {
		return w.ok("POST", "/channels/"+hall+"/messages", body).object(t)
	}
	require.Len(t, get(`{"content":"<@102> <@!103>"}`)["mentions"], 2)
	require.Empty(t, get(`{"content":"<@102>","allowed_mentions":{"parse":[]}}`)["mentions"])
	require.Len(t, get(`{"content":"<@102> <@103>","allowed_mentions":{"users":["102"]}}`)["mentions"], 1)
	require.Equal(t, false, get(`{"content":"@everyone"}`)["mention_everyone"], "the bot may not")
	w.g.SetBotPermissions(botPerms | fakediscord.PermMentionEveryone)
	require.Equal(t, true, get(`{"content":"@everyone"}`)["mention_everyone"])
	require.Equal(t, false, get(`{"content":"@everyone","allowed_mentions":{"parse":["users"]}}`)["mention_everyone"])
	require.Equal(t, []any{modRole}, get(`{"content":"<@&301>"}`)["mention_roles"])
}

func TestEditAndDelete(t *testing.T) {
	const path = "/channels/" + hall + "/messages/"
	w := newWorld(t, fakediscord.Options{})
	id := w.post(buttons(2))
	w.ok("PATCH", path+id, `{"content":"Closed"}`)
	m, _ := w.g.Message(hall, id)
	require.Equal(t, "Closed", m.Content)
	require.Len(t, m.Components, 1, "what is not named stays")
	w.ok("PATCH", path+id, `{"components":[]}`)
	m, _ = w.g.Message(hall, id)
	require.Empty(t, m.Components)
	require.True(t, m.Edited)
	w.no(400, 50006, "PATCH", path+id, `{"content":""}`)
	theirs, err := w.g.Post(hall, alice, "hello")
	require.NoError(t, err)
	w.no(403, 50005, "PATCH", path+theirs, `{"content":"x"}`)
	w.ok("DELETE", path+theirs, "", "X-Audit-Log-Reason", "rude")
	audit := w.g.Audit()
	require.Equal(t, fakediscord.AuditMessageDelete, audit[len(audit)-1].Action)
	require.Equal(t, "rude", audit[len(audit)-1].Reason)
	n := len(audit)
	w.ok("DELETE", path+id, "")
	require.Len(t, w.g.Audit(), n, "its own are not logged")
	w.no(404, 10008, "PATCH", path+id, `{"content":"x"}`)
	w.no(404, 10008, "DELETE", path+id, "")
	poll := w.post(`{"poll":{"question":{"text":"q"},"answers":[` + answers(2) + `]}}`)
	w.no(403, 520003, "PATCH", path+poll, `{"content":"x"}`)
	w.no(403, 50003, "PATCH", "/channels/"+w.dmWith(alice), `{"name":"x"}`)
	require.ErrorIs(t, w.g.Edit(hall, poll, alice, "x"), fakediscord.ErrRefused)

	w.no(400, 50016, "POST", "/channels/"+hall+"/messages/bulk-delete", `{"messages":["1"]}`)
	w.no(400, 50034, "POST", "/channels/"+hall+"/messages/bulk-delete", `{"messages":["1","2"]}`)
}

func (w *world) dmWith(user string) string {
	w.t.Helper()
	id, _ := w.ok("POST", "/users/@me/channels", `{"recipient_id":"`+user+`"}`).object(w.t)["id"].(string)
	return id
}

func TestDirectMessages(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	dm := w.dmWith(alice)
	require.Equal(t, dm, w.dmWith(alice))
	w.ok("POST", "/channels/"+dm+"/messages", `{"content":"psst"}`)
	require.Equal(t, "psst", w.DirectMessages(alice)[0].Content)
	w.no(403, 50007, "POST", "/channels/"+w.dmWith(bob)+"/messages", `{"content":"x"}`)
	w.no(403, 50007, "POST", "/channels/"+w.dmWith(w.noMember())+"/messages", `{"content":"x"}`)
	w.no(400, 50033, "POST", "/users/@me/channels", `{"recipient_id":"4444"}`)
}

func TestPagesOfMessages(t *testing.T) {
	const path = "/channels/" + hall + "/messages"
	w := newWorld(t, fakediscord.Options{})
	var ids []string
	for i := range 7 {
		ids = append(ids, w.post(fmt.Sprintf(`{"content":"%d"}`, i)))
	}
	texts := func(query string) string {
		var out []string
		for _, m := range w.ok("GET", path+query, "").list(t) {
			out = append(out, m["content"].(string))
		}
		return strings.Join(out, "")
	}
	require.Equal(t, "6543210", texts(""))
	require.Equal(t, "65", texts("?limit=2"))
	require.Equal(t, "43", texts("?limit=2&before="+ids[5]))
	require.Equal(t, "32", texts("?limit=2&after="+ids[1]), "the two next, newest first")
	require.Equal(t, "10", texts("?limit=2&after=0"))
	require.Equal(t, "432", texts("?limit=3&around="+ids[3]))
	w.no(400, 50035, "GET", path+"?limit=101", "")
	w.no(400, 50035, "GET", path+"?before=x", "")
	w.g.SetOverwrite(hall, guildID, false, 0, fakediscord.PermReadMessageHistory)
	w.g.SetBotPermissions(botPerms &^ fakediscord.PermReadMessageHistory)
	require.Empty(t, texts(""), "without READ_MESSAGE_HISTORY there is nothing, and no error")
}

func TestReactions(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	id := w.post(`{"content":"x"}`)
	path := "/channels/" + hall + "/messages/" + id + "/reactions/" + url.PathEscape("👍")
	require.NoError(t, w.g.ReactMany(hall, id, "👍", 70000, 10000))
	seen, after := 0, "0"
	for {
		page := w.ok("GET", path+"?limit=100&after="+after, "").list(t)
		if len(page) == 0 {
			break
		}
		seen += len(page)
		after = page[len(page)-1]["id"].(string)
	}
	require.Equal(t, 10000, seen)
	require.Len(t, w.ok("GET", path, "").list(t), 25)
	w.no(400, 50035, "GET", path+"?limit=101", "")
	w.no(400, 10014, "PUT", "/channels/"+hall+"/messages/"+id+"/reactions/yes/@me", "")
	require.NoError(t, w.g.React(hall, id, alice, "partyblob:1234567890"))
	for i := range 18 {
		w.ok("PUT", "/channels/"+hall+"/messages/"+id+"/reactions/"+url.PathEscape(string(rune(0x1F600+i)))+"/@me", "")
	}
	w.no(400, 30010, "PUT", "/channels/"+hall+"/messages/"+id+"/reactions/"+url.PathEscape("🍎")+"/@me", "")
}

func TestPins(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	e := w.listen(everything)
	one := w.post(`{"content":"1"}`)
	w.clock.Add(time.Second)
	two := w.post(`{"content":"2"}`)
	w.ok("PUT", "/channels/"+hall+"/messages/pins/"+one, "")
	w.clock.Add(time.Second)
	w.ok("PUT", "/channels/"+hall+"/messages/pins/"+two, "")
	w.ok("PUT", "/channels/"+hall+"/messages/pins/"+two, "")
	page := w.ok("GET", "/channels/"+hall+"/messages/pins?limit=1", "").object(t)
	require.Equal(t, true, page["has_more"])
	item := page["items"].([]any)[0].(map[string]any)
	require.Equal(t, two, item["message"].(map[string]any)["id"])
	page = w.ok("GET", "/channels/"+hall+"/messages/pins?limit=1&before="+url.QueryEscape(item["pinned_at"].(string)), "").object(t)
	require.Equal(t, false, page["has_more"])
	require.NoError(t, w.Flush(w.ctx))
	require.Contains(t, e.names(), "CHANNEL_PINS_UPDATE")
	w.ok("DELETE", "/channels/"+hall+"/messages/pins/"+two, "")
	m, _ := w.g.Message(hall, two)
	require.False(t, m.Pinned)
	require.Equal(t, 404, w.bot("PUT", "/channels/"+hall+"/pins/"+one, "").status, "the deprecated route is not there")
}

func TestPolls(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	e := w.listen(everything)
	id := w.post(`{"poll":{"question":{"text":"q"},"answers":[` + answers(3) + `],"duration":1}}`)
	path := "/channels/" + hall + "/polls/" + id
	require.NoError(t, w.g.VoteInPoll(hall, id, alice, 1))
	require.NoError(t, w.g.VoteInPoll(hall, id, alice, 2))
	m, _ := w.g.Message(hall, id)
	require.Equal(t, [][]string{{}, {alice}, nil}, m.Votes, "one choice takes the other's place")
	require.EqualValues(t, 1, e.last(t, "MESSAGE_POLL_VOTE_REMOVE")["answer_id"])
	require.NoError(t, w.g.VoteMany(hall, id, 3, 70000, 250))
	seen, after := 0, "0"
	for {
		page := w.ok("GET", path+"/answers/3?limit=100&after="+after, "").object(t)["users"].([]any)
		if len(page) == 0 {
			break
		}
		seen += len(page)
		after = page[len(page)-1].(map[string]any)["id"].(string)
	}
	require.Equal(t, 250, seen)
	w.no(404, 10008, "GET", path+"/answers/4", "")
	results := func() map[string]any {
		p := w.ok("GET", "/channels/"+hall+"/messages/"+id, "").object(t)["poll"].(map[string]any)
		return p["results"].(map[string]any)
	}
	require.Equal(t, false, results()["is_finalized"])
	require.Len(t, results()["answer_counts"], 2, "answers without votes are left out")

	w.clock.Add(time.Hour)
	require.ErrorIs(t, w.g.VoteInPoll(hall, id, bob, 1), fakediscord.ErrRefused)
	require.Equal(t, false, results()["is_finalized"], "it is over, and not counted yet")
	w.no(400, 520001, "POST", path+"/expire", "")
	e.reset()
	require.Equal(t, 1, w.FinishPolls())
	require.Equal(t, true, results()["is_finalized"])
	require.Equal(t, []string{"MESSAGE_UPDATE", "MESSAGE_CREATE"}, e.names())
	require.EqualValues(t, 46, e.last(t, "MESSAGE_CREATE")["type"])

	theirs, err := w.g.PostPoll(hall, alice, "Tea?", "Yes", "No")
	require.NoError(t, err)
	w.no(403, 50013, "POST", "/channels/"+hall+"/polls/"+theirs+"/expire", "")
	w.no(400, 520006, "POST", "/channels/"+hall+"/polls/"+w.post(`{"content":"x"}`)+"/expire", "")
	require.ErrorIs(t, w.g.EndPoll(hall, theirs, bob), fakediscord.ErrRefused)
	require.NoError(t, w.g.EndPoll(hall, theirs, alice))
}

func TestPollResultsMayBeUnknown(t *testing.T) {
	w := newWorld(t, fakediscord.Options{HidePollResults: true})
	id := w.post(`{"poll":{"question":{"text":"q"},"answers":[` + answers(2) + `]}}`)
	poll := func() map[string]any {
		return w.ok("GET", "/channels/"+hall+"/messages/"+id, "").object(t)["poll"].(map[string]any)
	}
	require.NotContains(t, poll(), "results")
	w.ok("POST", "/channels/"+hall+"/polls/"+id+"/expire", "")
	require.Contains(t, poll(), "results")
}

// lastDropped says why the last event of a type was not told.
func (w *world) lastDropped(typ string) string {
	d := w.DeliveriesOf(typ)
	require.NotEmpty(w.t, d)
	return d[len(d)-1].Dropped
}

func TestThreads(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	w.listen(everything)
	id := w.post(`{"content":"x"}`)
	thread, _ := w.ok("POST", "/channels/"+hall+"/messages/"+id+"/threads", `{"name":"About"}`).object(t)["id"].(string)
	require.Equal(t, id, thread, "it has the message's ID")
	w.no(400, 160004, "POST", "/channels/"+hall+"/messages/"+id+"/threads", `{"name":"Again"}`)
	w.no(403, 50024, "POST", "/channels/"+thread+"/threads", `{"name":"Deep","type":11}`)
	w.no(400, 50035, "POST", "/channels/"+hall+"/threads", `{"name":""}`)
	w.ok("POST", "/channels/"+thread+"/messages", `{"content":"in it"}`)
	w.ok("PATCH", "/channels/"+thread, `{"archived":true}`)
	_, err := w.g.Post(thread, alice, "opens it again")
	require.NoError(t, err)
	c, _ := w.g.Channel(thread)
	require.False(t, c.Archived)
	w.ok("PATCH", "/channels/"+thread, `{"archived":true,"locked":true}`)
	_, err = w.g.Post(thread, alice, "no more")
	require.ErrorIs(t, err, fakediscord.ErrRefused)
	w.no(400, 50083, "PATCH", "/channels/"+thread, `{"name":"x"}`)
	w.no(400, 50083, "PATCH", "/channels/"+thread, `{"locked":false}`)
	own, _ := w.ok("POST", "/channels/"+hall+"/threads", `{"name":"Ours","type":11}`).object(t)["id"].(string)
	said, _ := w.ok("POST", "/channels/"+own+"/messages", `{"content":"a"}`).object(t)["id"].(string)
	w.ok("PATCH", "/channels/"+own, `{"locked":true}`)
	w.ok("PATCH", "/channels/"+own+"/messages/"+said, `{"content":"b"}`)
	w.g.SetBotPermissions(botPerms &^ fakediscord.PermManageThreads)
	w.no(403, 160005, "PATCH", "/channels/"+own+"/messages/"+said, `{"content":"c"}`)
	w.g.SetBotPermissions(botPerms)
	private, _ := w.ok("POST", "/channels/"+hall+"/threads", `{"name":"Us"}`).object(t)["id"].(string)
	_, err = w.g.Post(private, alice, "let me in")
	require.ErrorIs(t, err, fakediscord.ErrRefused)
	w.ok("PUT", "/channels/"+private+"/thread-members/"+alice, "")
	_, err = w.g.Post(private, alice, "thanks")
	require.NoError(t, err)
	require.Empty(t, w.lastDropped("MESSAGE_CREATE"))
	w.ok("DELETE", "/channels/"+private+"/thread-members/@me", "")
	_, err = w.g.Post(private, alice, "it manages threads")
	require.NoError(t, err)
	require.Empty(t, w.lastDropped("MESSAGE_CREATE"))
	w.g.SetBotPermissions(botPerms &^ fakediscord.PermManageThreads)
	_, err = w.g.Post(private, alice, "psst")
	require.NoError(t, err)
	require.Equal(t, "missing permission VIEW_CHANNEL", w.lastDropped("MESSAGE_CREATE"))
	w.no(403, 50001, "GET", "/channels/"+private, "")
	w.g.SetBotPermissions(botPerms)
	w.no(400, 50035, "POST", "/channels/"+board+"/threads", `{"name":"no message"}`)
	w.no(400, 50008, "POST", "/channels/"+board+"/messages", `{"content":"x"}`)
	w.ok("DELETE", "/channels/"+hall, "")
	w.no(404, 10003, "GET", "/channels/"+thread, "")
}

func TestChannels(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	e := w.listen(everything)
	id, _ := w.ok("POST", "/guilds/"+guildID+"/channels", `{"name":"Proposal  One","topic":"t"}`).object(t)["id"].(string)
	c, _ := w.g.Channel(id)
	require.Equal(t, "proposal-one", c.Name)
	w.ok("PATCH", "/channels/"+id, `{"name":"two"}`)
	c, _ = w.g.Channel(id)
	require.Equal(t, "t", c.Topic)
	w.ok("DELETE", "/channels/"+id, "")
	require.NoError(t, w.Flush(w.ctx))
	audit := "GUILD_AUDIT_LOG_ENTRY_CREATE"
	require.Equal(t, []string{audit, "CHANNEL_CREATE", audit, "CHANNEL_UPDATE", audit, "CHANNEL_DELETE"}, e.names())
	w.no(400, 50035, "POST", "/guilds/"+guildID+"/channels", `{}`)
	group, _ := w.ok("POST", "/guilds/"+guildID+"/channels", `{"name":"Group","type":4}`).object(t)["id"].(string)
	inner, _ := w.ok("POST", "/guilds/"+guildID+"/channels", `{"name":"inner","parent_id":"`+group+`"}`).object(t)["id"].(string)
	w.ok("DELETE", "/channels/"+group, "")
	c, _ = w.g.Channel(inner)
	require.Empty(t, c.Parent, "a category's channels stay")
	w.no(403, 50013, "POST", "/guilds/"+guildID+"/channels", `{"name":"x","permission_overwrites":[{"id":"301","type":0,"allow":"268435456"}]}`)
	w.no(400, 50035, "PATCH", "/channels/"+hall, `{"rate_limit_per_user":21601}`)
	w.ok("PATCH", "/channels/"+hall, `{"rate_limit_per_user":60}`)
	_, err := w.g.Post(hall, bob, "one")
	require.NoError(t, err)
	_, err = w.g.Post(hall, bob, "two")
	require.ErrorIs(t, err, fakediscord.ErrRefused, "slowmode")
	w.post(`{"content":"bots"}`)
	w.post(`{"content":"are fast"}`)
	w.clock.Add(time.Minute)
	_, err = w.g.Post(hall, bob, "two")
	require.NoError(t, err)
	w.no(400, 50035, "PATCH", "/channels/"+hall, `{"parent_id":"`+board+`"}`)
	w.no(404, 10009, "DELETE", "/channels/"+hall+"/permissions/"+modRole, "")
	w.no(403, 50013, "PUT", "/channels/"+hall+"/permissions/"+modRole, `{"type":0,"allow":8,"deny":0}`)
	w.no(404, 10011, "PUT", "/channels/"+hall+"/permissions/4444", `{"type":0,"allow":0,"deny":0}`)
	w.no(400, 50035, "PUT", "/channels/"+hall+"/permissions/"+modRole, `{"allow":0,"deny":0}`)
	w.ok("PUT", "/channels/"+hall+"/permissions/"+guildID, `{"type":0,"allow":0,"deny":2048}`)
	w.no(403, 50013, "POST", "/channels/"+hall+"/messages", `{"content":"x"}`)
	w.ok("PUT", "/channels/"+hall+"/permissions/"+guildID, `{"type":0,"allow":2048,"deny":0}`)
	w.post(`{"content":"what it has in the guild, it may give back in the channel"}`)
	w.g.SetOverwrite(hall, w.App().BotUser, true, fakediscord.PermManageRoles, 0)
	w.ok("PUT", "/channels/"+hall+"/permissions/"+modRole, `{"type":0,"allow":8,"deny":0}`)
}
