package fakediscord_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

// types are descriptions of what Discord sends, made from the types that JavaScript's client libraries share. Discord itself describes
// only its API.
type types struct {
	t    *testing.T
	c    *jsonschema.Compiler
	file string
}

func typesOf(t *testing.T, name string) *types {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(specs.Dir(t), "discord", "types-derived", name+".schema.json"))
	require.NoError(t, err)
	raw = bytes.ReplaceAll(raw, []byte(`"enum":[]`), []byte(`"enum":[null]`)) // an empty enum is no valid schema
	var whole map[string]any
	require.NoError(t, json.Unmarshal(raw, &whole))
	for definition := range whole["definitions"].(map[string]any) {
		if strings.HasSuffix(definition, "Flags") { // sets of bits, of which the types name only the single ones
			whole["definitions"].(map[string]any)[definition] = map[string]any{"type": "integer"}
		}
	}
	raw, err = json.Marshal(whole)
	require.NoError(t, err)
	x := &types{t, jsonschema.NewCompiler(), "https://types.test/" + name + ".json"}
	require.NoError(t, x.c.AddResource(x.file, bytes.NewReader(raw)))
	return x
}

// check holds a payload against a definition; the innermost objections are told.
func (x *types) check(definition, what string, body []byte) {
	x.t.Helper()
	schema, err := x.c.Compile(x.file + "#/definitions/" + definition)
	require.NoError(x.t, err, what)
	var v any
	require.NoError(x.t, json.Unmarshal(body, &v), what)
	err = schema.Validate(v)
	if err == nil {
		return
	}
	invalid, ok := err.(*jsonschema.ValidationError)
	require.True(x.t, ok)
	var told []string
	for _, e := range invalid.BasicOutput().Errors {
		if e.Error != "" && !strings.HasPrefix(e.Error, "doesn't validate") {
			told = append(told, e.InstanceLocation+": "+e.Error)
		}
	}
	x.t.Errorf("%s: %s\n%.1500s", what, strings.Join(told, "\n  "), body)
}

// TestEveryEventIsDescribed has everything happen once, and holds what is told on the Gateway, by interactions and by webhook
// events against the types that client libraries expect.
func TestEveryEventIsDescribed(t *testing.T) {
	gateway, interactions, webhooks := typesOf(t, "GatewayDispatch"), typesOf(t, "Interaction"), typesOf(t, "WebhookEvent")
	w := newWorld(t, fakediscord.Options{})
	w.listen(everything)
	everythingHappens(t, w)
	seen := map[string]bool{}
	for _, d := range w.Deliveries() {
		seen[d.Type] = true
		switch d.Kind {
		case "interaction":
			interactions.check("Interaction", d.Type, d.Body)
		case "webhook_event":
			webhooks.check("WebhookEvent", d.Type, d.Body)
		default:
			if d.Dropped == "" && d.Type != "INTERACTION_CREATE" {
				gateway.check(definitionOf(d.Type), d.Type, d.Body)
			}
		}
	}
	for _, name := range []string{"APPLICATION_AUTHORIZED", "APPLICATION_DEAUTHORIZED", "APPLICATION_COMMAND", "MESSAGE_COMPONENT", "MODAL_SUBMIT",
		"GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE", "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE",
		"GUILD_MEMBER_REMOVE", "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE", "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE",
		"CHANNEL_PINS_UPDATE", "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE", "THREAD_MEMBERS_UPDATE", "MESSAGE_CREATE", "MESSAGE_UPDATE",
		"MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "MESSAGE_REACTION_REMOVE_ALL",
		"MESSAGE_REACTION_REMOVE_EMOJI", "MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE", "VOICE_STATE_UPDATE"} {
		require.True(t, seen[name], "%s did not happen", name)
	}
}

func definitionOf(event string) string {
	var camel strings.Builder
	for word := range strings.SplitSeq(event, "_") {
		camel.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	switch name := camel.String(); name {
	case "MessagePollVoteAdd", "MessagePollVoteRemove":
		return "GatewayMessagePollVoteDispatchData"
	case "GuildUpdate":
		return "GatewayGuildModifyDispatchData"
	default:
		return "Gateway" + name + "DispatchData"
	}
}

func everythingHappens(t *testing.T, w *world) {
	g := w.g
	ok := func(err error) {
		t.Helper()
		require.NoError(t, err)
	}
	text := func(id string, err error) string {
		t.Helper()
		require.NoError(t, err)
		return id
	}
	ok(g.Rename(owner, "Commonwealth"))
	id := text(g.Post(hall, alice, "hello <@103>"))
	ok(g.Edit(hall, id, alice, "hello!"))
	ok(g.React(hall, id, bob, "👍"))
	ok(g.React(hall, id, alice, "blob:1234567890"))
	ok(g.Unreact(hall, id, bob, "👍"))
	w.ok("DELETE", "/channels/"+hall+"/messages/"+id+"/reactions/blob:1234567890", "")
	w.ok("DELETE", "/channels/"+hall+"/messages/"+id+"/reactions", "")
	text(g.Reply(hall, id, bob, "hi"))
	ok(g.Pin(hall, id, owner, true))
	poll := text(g.PostPoll(hall, alice, "Tea?", "Yes", "No"))
	ok(g.VoteInPoll(hall, poll, bob, 1))
	ok(g.UnvoteInPoll(hall, poll, bob, 1))
	ok(g.VoteInPoll(hall, poll, bob, 2))
	ok(g.EndPoll(hall, poll, alice))
	ok(g.Delete(hall, id, owner))
	a, b := text(g.Post(hall, bob, "1")), text(g.Post(hall, bob, "2"))
	w.ok("POST", "/channels/"+hall+"/messages/bulk-delete", `{"messages":["`+a+`","`+b+`"]}`)
	w.post(`{"content":"n","nonce":"1","embeds":[{"title":"t"}]}`)
	text(w.Write(alice, "hi bot"))

	ok(g.JoinVoice(alice, lounge))
	ok(g.SetVoice(alice, fakediscord.VoiceState{Video: true, Stream: true}))
	ok(g.Mute(owner, alice, true))
	ok(g.Move(owner, alice, stage))
	ok(g.LeaveVoice(alice))
	ok(g.GiveRole(owner, bob, member_))
	ok(g.Timeout(mod, alice, "loud", time.Minute))
	ok(g.Timeout(mod, alice, "", 0))
	ok(g.Nick(alice, alice, "Al"))
	role, _ := w.ok("POST", "/guilds/"+guildID+"/roles", `{"name":"x"}`).object(t)["id"].(string)
	w.ok("PATCH", "/guilds/"+guildID+"/roles/"+role, `{"name":"y"}`)
	ok(g.DeleteRole(owner, role))
	ok(g.Ban(mod, bob, "spam", 60))
	ok(g.Unban(mod, bob, ""))
	ok(g.Join(bob))
	ok(g.Kick(mod, bob, ""))
	ok(g.Join(bob))

	place := text(g.CreateChannel(owner, "new", fakediscord.TextChannel))
	ok(g.RenameChannel(owner, place, "newer"))
	thread := text(g.StartThread(place, "", alice, "talk"))
	text(g.Post(thread, bob, "in it"))
	ok(g.ArchiveThread(thread, owner, true, true))
	ok(g.DeleteChannel(owner, thread))
	ok(g.DeleteChannel(owner, place))

	w.ok("POST", "/applications/"+w.App().AppID+"/commands", `{"name":"vote","description":"d","options":[{"type":6,"name":"who","description":"d"}]}`)
	w.app.reply(http.StatusOK, `{"type":9,"data":{"custom_id":"m","title":"Why?","components":[{"type":1,"components":[{"type":4,"custom_id":"why","style":1,"label":"Why"}]}]}}`)
	r, err := g.Command(hall, alice, "vote", map[string]any{"who": bob})
	ok(err)
	w.app.reply(http.StatusOK, `{"type":4,"data":{"content":"ok"}}`)
	_, err = w.CommandDirect(alice, "vote", map[string]any{"who": bob})
	ok(err)
	_, err = g.Submit(r, alice, map[string]string{"why": "so"})
	ok(err)
	_, err = g.Click(hall, w.post(buttons(1)), alice, "b0")
	ok(err)
	_, err = g.Click(hall, w.post(selects), alice, "pick", "a")
	ok(err)
	w.ok("POST", "/channels/"+w.dmWith(alice)+"/messages", buttons(1))
	direct := w.DirectMessages(alice)
	_, err = w.ClickDirect(direct[len(direct)-1].ID, alice, "b0")
	ok(err)

	w.AddGuild("2001", "Elsewhere", alice)
	login(t, w, "bot applications.commands identify", alice, fakediscord.InGuild("2001"))
	w.Deauthorize(alice)
	ok(w.Guild("2001").Outage(true))
	ok(w.Guild("2001").RemoveBot(alice))
	ok(w.Flush(w.ctx))
}
