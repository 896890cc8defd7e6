package fakeslack_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
)

// spec reads a file of the specs that are kept beside the repository.
func spec(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(specs.Dir(t), "slack", name))
	require.NoError(t, err)
	return b
}

// notAlways are fields of the samples that are gone today, belong to an organisation, or depend on the message.
var notAlways = []string{
	"authed_users", "enterprise_id", "enterprise_name", // replaced by authorizations; organisations only
	"event.item.channel_type", "response_urls", "container.is_app_unfurl", "channel_type_",
	"event.message.blocks", "event.previous_message.blocks", "message.blocks", "view.blocks", "view.state", "view.title", "view.close", "view.submit",
}

// covers checks that ours has every field of a real payload, of the same JSON type.
func covers(t *testing.T, path string, real, ours map[string]any) {
	for k, want := range real {
		p := strings.TrimPrefix(path+"."+k, ".")
		if slices.Contains(notAlways, p) || slices.Contains(notAlways, k) {
			continue
		}
		got, ok := ours[k]
		if !ok {
			t.Errorf("%s is missing", p)
			continue
		}
		if got == nil || want == nil {
			continue
		}
		require.Equal(t, fmt.Sprintf("%T", want), fmt.Sprintf("%T", got), p)
		switch w := want.(type) {
		case map[string]any:
			covers(t, p, w, got.(map[string]any))
		case []any:
			g := got.([]any)
			if len(w) == 0 || len(g) == 0 {
				continue
			}
			if o, ok := w[0].(map[string]any); ok {
				covers(t, p, o, g[0].(map[string]any))
			}
		}
	}
}

func TestPayloadsHaveTheShapeOfRealOnes(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ts, err := w.w.Post(w.ctx, "UBOB", "C1", "hi <@"+w.w.BotUserID()+">")
	require.NoError(t, err)
	ballot := w.ballot()
	_, err = w.w.Click(w.ctx, "UBOB", "C1", ballot, "yes", "y")
	require.NoError(t, err)
	_, err = w.w.MessageShortcut(w.ctx, "UBOB", "C1", ts, "test-shortcut")
	require.NoError(t, err)
	open := func() string {
		_, err := w.w.Shortcut(w.ctx, "UBOB", "start")
		require.NoError(t, err)
		got := w.app.all()
		v, err := w.bot.OpenViewContext(w.ctx, got[len(got)-1].json["trigger_id"].(string), modal("x"))
		require.NoError(t, err)
		return v.ID
	}
	_, err = w.w.Submit(w.ctx, "UBOB", open(), nil)
	require.NoError(t, err)
	_, err = w.w.CloseView(w.ctx, "UBOB", open())
	require.NoError(t, err)
	require.NoError(t, w.w.React(w.ctx, "UALICE", "C1", ts, "tada"))
	require.NoError(t, w.w.Edit(w.ctx, "UBOB", "C1", ts, "hello"))
	require.NoError(t, w.w.Delete(w.ctx, "UBOB", "C1", ts))
	require.NoError(t, w.w.Invite(w.ctx, "UALICE", "C1", "UCAROL"))
	require.NoError(t, w.w.Leave(w.ctx, "UCAROL", "C1"))
	w.w.Uninstall()
	w.flush()

	samples := map[string]string{
		"message": "message__message_body2__L294", "app_mention": "app_bot_only__app_mention_request_body__L119",
		"message/message_changed": "message_changed__event_payload__L68", "message/message_deleted": "message_deleted__event_payload__L68",
		"member_joined_channel": "events__join_event_body__L167", "member_left_channel": "events__body__L503",
		"reaction_added": "events_ignore_self__event_body__L91", "tokens_revoked": "events_socket_mode__tokens_revoked_body__L325",
		"app_uninstalled": "events_token_revocations__event_payload__L143", "block_actions": "block_actions__body__L161",
		"message_action": "app_using_methods_in_class__payload__L61", "view_submission": "view_submission__connect_channel_payload__L142",
		"view_closed": "view_closed__body__L140",
	}
	types := w.app.types()
	for typ, file := range samples {
		t.Run(typ, func(t *testing.T) {
			i := slices.Index(types, typ)
			require.GreaterOrEqual(t, i, 0, "it was sent")
			var real map[string]any
			require.NoError(t, json.Unmarshal(spec(t, "bolt-python-payloads/"+file+".json"), &real))
			covers(t, "", real, w.app.all()[i].json)
		})
	}
}

// Commands and events that have no sample of bolt are compared with the (blanked) ones of the Java SDK.
func TestCommandHasTheShapeOfARealOne(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	_, err := w.w.Command(w.ctx, "UBOB", "C1", "/vote", "x")
	require.NoError(t, err)
	var real map[string]any
	require.NoError(t, json.Unmarshal(spec(t, "java-slack-sdk/json-logs/samples/app-backend/slash-commands/SlashCommandPayload.json"), &real))
	for k := range real {
		if !slices.Contains(notAlways, k) {
			require.True(t, w.app.all()[0].form.Has(k), k)
		}
	}
}

func TestEventsHaveTheShapeOfTheJavaSamples(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ts := w.ballot()
	require.NoError(t, w.w.Pin(w.ctx, "UALICE", "C1", ts))
	require.NoError(t, w.w.Rename(w.ctx, "UALICE", "C1", "agora"))
	w.w.AddUserGroup("S1", "stewards", "UALICE")
	require.Equal(t, true, w.call("usergroups.users.update", "usergroup", "S1", "users", "UBOB")["ok"])
	w.flush()
	types := w.app.types()
	for typ, file := range map[string]string{"pin_added": "PinAdded", "channel_rename": "ChannelRename", "message/channel_name": "MessageChannelName", "subteam_members_changed": "SubteamMembersChanged"} {
		t.Run(typ, func(t *testing.T) {
			var real map[string]any
			require.NoError(t, json.Unmarshal(spec(t, "java-slack-sdk/json-logs/samples/events/"+file+"Payload.json"), &real))
			delete(real, "authed_teams")
			if typ == "pin_added" {
				// Icons are the app's own business, and a pin event comes before the pin is in the message.
				delete(real["event"].(map[string]any)["item"].(map[string]any)["message"].(map[string]any)["bot_profile"].(map[string]any), "icons")
			}
			if typ == "message/channel_name" {
				delete(real["event"].(map[string]any), "team")
			}
			i := slices.Index(types, typ)
			require.GreaterOrEqual(t, i, 0)
			covers(t, "", real, w.app.all()[i].json)
		})
	}
}

// The arguments that the fake knows are those of Slack's own SDK, neither fewer nor more.
func TestArgumentsAreThoseOfTheSDK(t *testing.T) {
	var doc struct {
		Methods     map[string]json.RawMessage
		Definitions map[string]map[string]any
	}
	require.NoError(t, json.Unmarshal(spec(t, "sdk-derived/requests.schema.json"), &doc))
	var properties func(s map[string]any, into map[string]bool)
	properties = func(s map[string]any, into map[string]bool) {
		if ref, ok := s["$ref"].(string); ok {
			name := ref[strings.LastIndex(ref, "/")+1:]
			d := doc.Definitions[name]
			if d == nil {
				name, _ = url.PathUnescape(name)
				d = doc.Definitions[name]
			}
			require.NotNil(t, d, ref)
			properties(d, into)
			return
		}
		if p, ok := s["properties"].(map[string]any); ok {
			for k, v := range p {
				if _, never := v.(map[string]any)["not"]; !never {
					into[k] = true
				}
			}
		}
		for _, key := range []string{"anyOf", "allOf", "oneOf"} {
			list, _ := s[key].([]any)
			for _, x := range list {
				properties(x.(map[string]any), into)
			}
		}
	}
	checked := 0
	for method, have := range fakeslack.MethodArguments() {
		raw, ok := doc.Methods[method]
		if !ok {
			continue
		}
		var name string
		var s map[string]any
		if json.Unmarshal(raw, &name) == nil {
			s = doc.Definitions[name]
		} else {
			require.NoError(t, json.Unmarshal(raw, &s))
		}
		want := map[string]bool{}
		properties(s, want)
		delete(want, "token")
		var names []string
		for k := range want {
			names = append(names, k)
		}
		slices.Sort(names)
		require.Equal(t, names, have, method)
		checked++
	}
	require.Greater(t, checked, 35)
}
