package fakediscord_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

// TestContract asks for every route once, and holds requests and answers against Discord's own description of its API.
func TestContract(t *testing.T) {
	api := specs.OpenAPI(t, "discord", "specs", "openapi.json")
	undescribed := map[string]bool{"/api/v10/oauth2/token": true, "/api/v10/oauth2/token/revoke": true}
	w := newWorld(t, fakediscord.Options{Judge: func(r *http.Request) error {
		err := api.Request(r)
		switch {
		case errors.Is(err, specs.ErrNoRoute) && undescribed[r.URL.Path]:
		case err != nil && strings.Contains(err.Error(), `parameter "action_type" in query has an error: empty value`):
			// The library reads no query parameter that is described as one of several constants.
		default:
			return err
		}
		return nil
	}})
	w.judge = func(r *http.Request, status int, header http.Header, body []byte) {
		t.Helper()
		// Details of invalid forms have words for codes by the documentation, and numbers by the description.
		if details := strings.Contains(string(body), `"_errors"`); !undescribed[r.URL.Path] && !details {
			if err := api.Answer(r, status, header, body); err != nil {
				t.Errorf("%v\n%.2000s", err, body)
			}
		}
	}
	g, ch := "/guilds/"+guildID, "/channels/"+hall
	str := func(a answer, field string) string { s, _ := a.object(t)[field].(string); return s }

	w.as("", "GET", "/gateway", "")
	w.ok("GET", "/gateway/bot", "")
	w.ok("GET", g+"?with_counts=true", "")
	w.ok("GET", g+"/members?limit=2&after=101", "")
	w.ok("GET", g+"/members/search?query=al&limit=5", "")
	w.ok("GET", g+"/members/"+alice, "")
	w.ok("PATCH", g+"/members/"+alice, `{"nick":"Al","communication_disabled_until":"2026-03-02T12:00:00Z"}`)
	w.ok("PATCH", g+"/members/"+alice, `{"nick":null,"communication_disabled_until":null}`)
	w.ok("PUT", g+"/members/"+bob+"/roles/"+member_, "", "X-Audit-Log-Reason", "he%20asked")
	w.ok("DELETE", g+"/members/"+bob+"/roles/"+member_, "")
	require.NoError(t, w.g.JoinVoice(alice, lounge))
	w.ok("GET", g+"/voice-states/"+alice, "")
	w.ok("PATCH", g+"/members/"+alice, `{"mute":true,"deaf":true,"channel_id":"`+stage+`"}`)

	role := str(w.ok("POST", g+"/roles", `{"name":"Jury","permissions":2048}`), "id")
	w.ok("GET", g+"/roles", "")
	w.ok("GET", g+"/roles/"+role, "")
	w.ok("PATCH", g+"/roles/"+role, `{"name":"Grand jury","mentionable":true}`)
	w.ok("PUT", ch+"/permissions/"+role, `{"type":0,"allow":2048,"deny":512}`)
	w.ok("DELETE", ch+"/permissions/"+role, "")
	w.ok("DELETE", g+"/roles/"+role, "")

	made := str(w.ok("POST", g+"/channels", `{"name":"New place","type":0,"topic":"new","permission_overwrites":[{"id":"`+member_+`","type":0,"allow":2048,"deny":0}]}`), "id")
	w.ok("GET", g+"/channels", "")
	w.ok("GET", "/channels/"+made, "")
	w.ok("PATCH", "/channels/"+made, `{"name":"old","rate_limit_per_user":5}`)
	w.ok("DELETE", "/channels/"+made, "")

	ask := w.ok("POST", ch+"/messages", `{"content":"Shall we?","nonce":"n1","enforce_nonce":true,"allowed_mentions":{"parse":[]},`+
		`"embeds":[{"title":"t","description":"d","fields":[{"name":"a","value":"b"}]}],"components":[{"type":1,"components":[{"type":2,"style":1,"label":"Yes","custom_id":"yes"}]},`+
		`{"type":1,"components":[{"type":3,"custom_id":"pick","options":[{"label":"A","value":"a"},{"label":"B","value":"b"}]}]}]}`)
	id := str(ask, "id")
	msg := ch + "/messages/" + id
	w.ok("GET", msg, "")
	w.ok("GET", ch+"/messages?limit=10", "")
	w.ok("PATCH", msg, `{"content":"We shall.","components":[]}`)
	w.ok("POST", ch+"/messages", `{"content":"a reply","message_reference":{"message_id":"`+id+`"}}`)
	check := url.PathEscape("✅")
	w.ok("PUT", msg+"/reactions/"+check+"/@me", "")
	require.NoError(t, w.g.React(hall, id, alice, "✅"))
	w.ok("GET", msg+"/reactions/"+check+"?limit=100&after=1", "")
	w.ok("GET", msg, "")
	w.ok("DELETE", msg+"/reactions/"+check+"/"+alice, "")
	w.ok("DELETE", msg+"/reactions/"+check+"/@me", "")
	w.ok("DELETE", msg+"/reactions/"+check, "")
	w.ok("DELETE", msg+"/reactions", "")
	w.ok("PUT", ch+"/messages/pins/"+id, "")
	w.ok("GET", ch+"/messages/pins?limit=5", "")
	w.ok("DELETE", ch+"/messages/pins/"+id, "")
	w.ok("POST", ch+"/typing", "")

	poll := str(w.ok("POST", ch+"/messages", `{"poll":{"question":{"text":"Which?"},"answers":[{"poll_media":{"text":"A"}},{"poll_media":{"text":"B","emoji":{"name":"🍎"}}}],"duration":48,"allow_multiselect":true,"layout_type":1}}`), "id")
	require.NoError(t, w.g.VoteInPoll(hall, poll, alice, 2))
	w.ok("GET", ch+"/polls/"+poll+"/answers/2?limit=10", "")
	w.ok("POST", ch+"/polls/"+poll+"/expire", "")
	w.ok("GET", ch+"/messages?limit=100", "")

	thread := str(w.ok("POST", msg+"/threads", `{"name":"About it","auto_archive_duration":1440}`), "id")
	w.ok("POST", ch+"/threads", `{"name":"Private","type":12,"invitable":false}`)
	w.ok("POST", "/channels/"+board+"/threads", `{"name":"Idea","message":{"content":"An idea"}}`)
	w.ok("POST", "/channels/"+thread+"/messages", `{"content":"in the thread"}`)
	w.ok("PUT", "/channels/"+thread+"/thread-members/"+alice, "")
	w.ok("GET", "/channels/"+thread+"/thread-members", "")
	w.ok("DELETE", "/channels/"+thread+"/thread-members/"+alice, "")
	w.ok("GET", g+"/threads/active", "")
	w.ok("PATCH", "/channels/"+thread, `{"archived":true,"locked":true}`)
	w.ok("GET", ch+"/threads/archived/public?limit=10", "")
	w.ok("GET", "/channels/"+thread, "")

	one, two := w.post(`{"content":"1"}`), w.post(`{"content":"2"}`)
	w.ok("POST", ch+"/messages/bulk-delete", `{"messages":["`+one+`","`+two+`"]}`)
	w.ok("DELETE", msg, "")

	w.ok("PUT", g+"/bans/"+bob, `{"delete_message_seconds":3600}`, "X-Audit-Log-Reason", url.PathEscape("spam – again"))
	w.ok("GET", g+"/bans?limit=10", "")
	w.ok("GET", g+"/bans/"+bob, "")
	w.ok("DELETE", g+"/bans/"+bob, "{}") // the description wants a body, if an empty one
	w.ok("POST", g+"/bulk-ban", `{"user_ids":["`+bob+`","`+owner+`"]}`)
	w.ok("DELETE", g+"/members/"+mod, "")
	w.ok("GET", g+"/audit-logs?action_type=22&limit=5", "")
	w.ok("GET", g+"/audit-logs", "")

	w.ok("GET", "/users/@me", "")
	w.ok("GET", "/users/@me/guilds?limit=5", "")
	w.ok("GET", "/users/"+alice, "")
	w.ok("GET", "/applications/@me", "")
	w.ok("GET", "/oauth2/applications/@me", "")
	dm := str(w.ok("POST", "/users/@me/channels", `{"recipient_id":"`+alice+`"}`), "id")
	w.ok("POST", "/channels/"+dm+"/messages", `{"content":"psst"}`)
	w.ok("GET", "/channels/"+dm, "")

	contractOfCommands(t, w)
	contractOfOAuth(t, w)
	w.no(404, 10003, "GET", "/channels/999", "")
	w.no(400, 50035, "GET", "/guilds/no-number", "")
	require.Len(t, w.Judged(), 1, "%v", w.Judged())
	require.Empty(t, w.Refused())
	w.ok("DELETE", "/users/@me/guilds/"+guildID, "")
}

func contractOfCommands(t *testing.T, w *world) {
	base := "/applications/" + w.App().AppID
	const command = `{"name":"vote","description":"Votes","type":1,"options":[{"type":1,"name":"open","description":"Opens one","options":[` +
		`{"type":3,"name":"title","description":"What about","required":true},{"type":6,"name":"who","description":"Who asks"}]}]}`
	for _, scope := range []string{base + "/commands", base + "/guilds/" + guildID + "/commands"} {
		id, _ := w.ok("POST", scope, command).object(t)["id"].(string)
		w.ok("POST", scope, command)
		w.ok("GET", scope, "")
		w.ok("GET", scope+"/"+id, "")
		w.ok("PATCH", scope+"/"+id, `{"description":"All votes"}`)
		w.ok("PUT", scope, "["+command+"]")
		if strings.Contains(scope, "/guilds/") {
			w.ok("DELETE", scope+"/"+id, "")
		}
	}

	w.app.reply(http.StatusOK, `{"type":4,"data":{"content":"Opened.","components":[{"type":1,"components":[{"type":2,"style":2,"label":"Me","custom_id":"me"}]}]}}`)
	r, err := w.g.Command(hall, alice, "vote open", map[string]any{"title": "Tea", "who": owner})
	require.NoError(t, err)
	require.Empty(t, r.Failed)
	hook := fmt.Sprintf("/webhooks/%s/%s", w.App().AppID, r.Token)
	w.ok("GET", hook+"/messages/@original", "")
	w.ok("PATCH", hook+"/messages/@original", `{"content":"Opened!"}`)
	more, _ := w.ok("POST", hook+"?wait=true", `{"content":"More","flags":64}`).object(t)["id"].(string)
	w.ok("PATCH", hook+"/messages/"+more, `{"content":"Even more"}`)
	w.ok("DELETE", hook+"/messages/"+more, "")

	w.app.reply(http.StatusAccepted, "")
	r, err = w.g.Click(hall, r.Message.ID, alice, "me")
	require.NoError(t, err)
	w.ok("POST", "/interactions/"+r.ID+"/"+r.Token+"/callback?with_response=true", `{"type":4,"data":{"content":"Counted","flags":64}}`)
	require.Equal(t, "Counted", w.Reply(r.Token).Message.Content)
}

func contractOfOAuth(t *testing.T, w *world) {
	back := login(t, w, "identify guilds email guilds.members.read", alice)
	tok := w.token(url.Values{"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {redirect}}).object(t)
	auth := "Bearer " + tok["access_token"].(string)
	for _, path := range []string{"/users/@me", "/users/@me/guilds", "/oauth2/@me", "/users/@me/guilds/" + guildID + "/member"} {
		a := w.as(auth, "GET", path, "")
		require.Equal(t, 200, a.status, "%s: %s", path, a.raw)
	}
}

const redirect = "https://gateway.example.org/oauth"

// login plays somebody who agrees, and returns what the redirect carries.
func login(t *testing.T, w *world, scope, user string, o ...fakediscord.AuthorizeOption) url.Values {
	t.Helper()
	u, err := w.Authorize(w.ctx, authorizeURL(w, scope), user, o...)
	require.NoError(t, err)
	return u.Query()
}

func authorizeURL(w *world, scope string) string {
	return "https://discord.com/oauth2/authorize?" + url.Values{"client_id": {w.App().ClientID}, "response_type": {"code"}, "scope": {scope},
		"redirect_uri": {redirect}, "state": {"s"}, "permissions": {"1099511627782"}}.Encode()
}

// token asks the token endpoint, with the app's credentials.
func (w *world) token(form url.Values) answer {
	w.t.Helper()
	form.Set("client_id", w.App().ClientID)
	form.Set("client_secret", w.App().ClientSecret)
	return w.as("", "POST", "/oauth2/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}
