package slack_test

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
)

var userScopes = []string{"chat:write", "channels:read", "channels:write", "channels:history", "pins:write", "users:read"}

// behalf is a workspace where people log in for having things done on their behalf.
func newBehalf(t *testing.T, opts ...rigOption) *town {
	t.Helper()
	r := oauthRig(t, append(opts, func(a *slack.App, _ *fakeslack.Options, o *gateway.Options) { a.UserScopes = userScopes })...)
	w := r.workspace("T1")
	w.AddUser("UEVE", "eve", fakeslack.RealName("Eve E"))
	got, _ := r.browse(gateway.AuthRequest{}, "T1", "UADMIN")
	require.Equal(t, gateway.Install, got.Type)
	c, err := r.Community(t.Context(), got.Community)
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), got.Instance)
	require.NoError(t, err)
	return &town{r, w, c, inst}
}

// login has somebody log in, and gives who they are.
func (w *town) login(user string) string {
	w.t.Helper()
	got, _ := w.browse(gateway.AuthRequest{Type: gateway.Login, Community: w.c.Slug()}, "T1", user)
	require.Equal(w.t, user, got.Account.UserID)
	return got.Account.Person
}

func (w *town) ref(user string) gateway.AccountRef {
	return gateway.AccountRef{Plugin: "slack", PlatformID: "T1", UserID: user}
}

func (w *town) as(person string, action, in string, policy ...gateway.Identity) error {
	_, err := w.inst.Do(w.t.Context(), action, json.RawMessage(in), gateway.OnBehalfOf(person, policy...))
	return err
}

// said is the last call of a method, and as whom it was.
func (w *town) said(method string) (as string, c fakeslack.Call) {
	w.t.Helper()
	calls := w.fake.CallsTo(method)
	require.NotEmpty(w.t, calls, method)
	c = calls[len(calls)-1]
	return c.Token + " " + c.User, c
}

func TestActionsOnBehalfOfPeople(t *testing.T) {
	w := newBehalf(t)
	ctx := t.Context()
	ann, adm := w.login("UANN"), w.login("UADMIN")
	account, err := w.c.Account(ctx, "slack", "T1", "UANN")
	require.NoError(t, err)
	require.NotEmpty(t, account.Name, "with users:read their name is known")
	info, err := w.c.Token(ctx, w.ref("UANN"))
	require.NoError(t, err)
	require.Equal(t, userScopes, info.Scopes)
	require.Empty(t, w.fake.CallsTo("openid.connect.token"))

	posted, err := gateway.Do[slack.Posted](ctx, w.inst, "post-message", slack.Message{Channel: "CHALL", Text: "by me"}, gateway.OnBehalfOf(ann))
	require.NoError(t, err)
	as, _ := w.said("chat.postMessage")
	require.Equal(t, "user UANN", as)
	m, ok := w.w.Message("CHALL", posted.TS)
	require.True(t, ok)
	require.Equal(t, "UANN", m.User)
	require.NoError(t, w.as(ann, "pin-message", `{"channel":"CHALL","ts":"`+posted.TS+`"}`))
	as, _ = w.said("pins.add")
	require.Equal(t, "user UANN", as)
	require.NoError(t, w.as(ann, "unpin-message", `{"channel":"CHALL","ts":"`+posted.TS+`"}`))
	require.NoError(t, w.as(ann, "kick-from-conversation", `{"channel":"CHALL","user":"UBOB"}`))
	as, _ = w.said("conversations.kick")
	require.Equal(t, "user UANN", as)
	require.NoError(t, w.as(ann, "invite-to-conversation", `{"channel":"CHALL","users":["UBOB"]}`))
	as, _ = w.said("conversations.invite")
	require.Equal(t, "user UANN", as)
	require.NoError(t, w.as(ann, "method", `{"method_name":"pins.add","channel":"CHALL","timestamp":"`+posted.TS+`"}`))
	as, _ = w.said("pins.add")
	require.Equal(t, "user UANN", as)
	require.ErrorIs(t, w.as(ann, "method", `{"method_name":"auth.revoke"}`), gateway.Denied)
	require.ErrorIs(t, w.as(ann, "set-topic", `{"channel":"CHALL","topic":"x"}`), gateway.Invalid, "it acts as the bot alone")

	// What she may not do she may not have done; an admin who has delegated it may.
	rename := `{"channel":"CHALL","name":"lawn"}`
	require.ErrorIs(t, w.as(ann, "rename-conversation", rename, gateway.AsPerson, gateway.AsAdmin(adm), gateway.AsBot), gateway.Denied)
	as, c := w.said("conversations.rename")
	require.Equal(t, "user UANN", as, "a refusal is no reason for another identity")
	require.False(t, c.Answer.OK())
	require.ErrorIs(t, w.as(ann, "rename-conversation", rename, gateway.AsAdmin(adm)), gateway.Denied)
	require.NoError(t, w.c.Consent(ctx, adm, gateway.Delegation("slack", "rename-conversation")))
	require.NoError(t, w.as(ann, "rename-conversation", rename, gateway.AsAdmin(adm)))
	as, _ = w.said("conversations.rename")
	require.Equal(t, "user UADMIN", as)

	// People are not made to join anything.
	cid := w.login("UCID")
	require.ErrorIs(t, w.as(cid, "post-message", `{"channel":"CPARK","text":"x"}`), gateway.Conflict)
	require.ErrorIs(t, w.as(cid, "kick-from-conversation", `{"channel":"CPARK","user":"UBOB"}`), gateway.Conflict)
	require.Empty(t, w.fake.CallsTo("conversations.join"))

	// What was done on somebody's behalf is ours in the log, and what they do themselves is theirs.
	ours := map[string]int{}
	for _, e := range w.events("") {
		if e.Plugin == "slack" && e.Cause != "" {
			ours[e.Type]++
		}
	}
	for _, typ := range []string{"message", "pin_added", "pin_removed", "member_joined_channel", "member_left_channel", "channel_rename"} {
		require.NotZero(t, ours[typ], typ)
	}
	before := len(w.events("pin_added"))
	hers, err := w.w.Post(ctx, "UANN", "CHALL", "by hand")
	require.NoError(t, err)
	require.NoError(t, w.w.Pin(ctx, "UANN", "CHALL", hers))
	pins := w.events("pin_added")
	require.Len(t, pins, before+1)
	require.Empty(t, pins[before].Cause)

	// The bot goes on as it was.
	_, err = w.inst.Do(ctx, "post-message", slack.Message{Channel: "CHALL", Text: "as ever"})
	require.NoError(t, err)
	as, _ = w.said("chat.postMessage")
	require.True(t, strings.HasPrefix(as, "bot "), as)
}

func TestALostAnswerOfAMessageOnBehalf(t *testing.T) {
	w := newBehalf(t)
	ann := w.login("UANN")
	w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
	out, err := gateway.Do[slack.Posted](t.Context(), w.inst, "post-message", slack.Message{Channel: "CPARK", Text: "once"}, gateway.OnBehalfOf(ann), gateway.Once("it"))
	require.NoError(t, err)
	require.NotEmpty(t, out.TS)
	as, _ := w.said("conversations.history")
	require.Equal(t, "user UANN", as, "it is looked for as her")
	require.Len(t, w.fake.CallsTo("chat.postMessage"), 1)
}

func TestPeoplesTokensRotate(t *testing.T) {
	w := newBehalf(t, func(_ *slack.App, f *fakeslack.Options, _ *gateway.Options) { f.TokenRotation = true })
	ctx := t.Context()
	ann := w.login("UANN")
	refreshes := func() (n int) {
		for _, c := range w.fake.CallsTo("oauth.v2.access") {
			if c.Args.Get("grant_type") == "refresh_token" && strings.Contains(string(c.Answer.Body), `"user_id":"UANN"`) {
				n++
			}
		}
		return n
	}
	speak := func() error {
		return w.as(ann, "post-message", `{"channel":"CPARK","text":"x"}`)
	}
	require.NoError(t, speak())
	w.clock.advance(12*time.Hour - time.Minute)
	var wg sync.WaitGroup
	failed := make(chan error, 8)
	for range 8 {
		wg.Go(func() { failed <- speak() })
	}
	wg.Wait()
	for range 8 {
		require.NoError(t, <-failed)
	}
	require.Equal(t, 1, refreshes(), "once for all")
	w.clock.advance(2 * time.Minute)
	require.NoError(t, speak())
	as, _ := w.said("chat.postMessage")
	require.Equal(t, "user UANN", as)

	// Expired unexpectedly, and with a lost answer.
	w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", Error: "token_expired"})
	w.fake.Fail(fakeslack.Fault{Method: "oauth.v2.access", LoseAnswer: true})
	require.NoError(t, speak())
	// Our own credentials are wrong for a while: that says nothing of hers.
	w.clock.advance(13 * time.Hour)
	wrong := w.fake.Fail(fakeslack.Fault{Method: "oauth.v2.access", Error: "bad_client_secret", Times: -1})
	require.ErrorIs(t, speak(), gateway.Unavailable)
	wrong.Remove()
	require.NoError(t, speak())
	// The end.
	w.clock.advance(13 * time.Hour)
	w.fake.Fail(fakeslack.Fault{Method: "oauth.v2.access", Error: "invalid_refresh_token", Times: -1})
	require.ErrorIs(t, speak(), gateway.Denied)
	info, err := w.c.Token(ctx, w.ref("UANN"))
	require.NoError(t, err)
	require.True(t, info.Refused)
}

func TestPeoplesTokensAreRevoked(t *testing.T) {
	w := newBehalf(t)
	ctx := t.Context()
	ann, bob := w.login("UANN"), w.login("UBOB")
	post := `{"channel":"CPARK","text":"x"}`

	// By themselves, in Slack.
	w.clock.advance(time.Minute)
	w.w.RevokeTokens("UANN")
	w.due()
	info, err := w.c.Token(ctx, w.ref("UANN"))
	require.NoError(t, err)
	require.True(t, info.Refused)
	require.ErrorContains(t, w.as(ann, "post-message", post), "log in again")
	require.Empty(t, w.fake.CallsTo("chat.postMessage"))
	status, _, err := w.inst.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, "active", status)
	require.Equal(t, ann, w.login("UANN"), "a login brings it back")
	require.NoError(t, w.as(ann, "post-message", post))

	// Before we hear of it.
	silent := w.fake.Fail(fakeslack.Fault{Delivery: "tokens_revoked", Late: time.Hour, Times: -1})
	w.w.RevokeTokens("UANN")
	require.ErrorIs(t, w.as(ann, "post-message", post), gateway.Denied)
	w.clock.advance(time.Second)
	require.Equal(t, ann, w.login("UANN"))
	w.clock.advance(2 * time.Hour)
	silent.Remove()
	w.fake.RetryDue(ctx)
	w.due()
	require.NoError(t, w.as(ann, "post-message", post), "what comes late means the token before")

	// By us, when the account is unlinked.
	require.Empty(t, w.fake.CallsTo("auth.revoke"))
	require.NoError(t, w.c.Unlink(ctx, w.ref("UBOB")))
	w.due()
	as, c := w.said("auth.revoke")
	require.Equal(t, "user UBOB", as)
	require.True(t, c.Answer.OK())
	require.ErrorIs(t, w.as(bob, "post-message", post), gateway.Denied)
	w.due()
	require.Len(t, w.fake.CallsTo("auth.revoke"), 1)
	status, _, err = w.inst.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, "active", status)
}

// Two Slack accounts in one session, and what Slack says of e-mail addresses.
func TestLinkingByLogins(t *testing.T) {
	r := oauthRig(t, func(_ *slack.App, _ *fakeslack.Options, o *gateway.Options) {})
	w := r.fake.AddWorkspace("T1", "Town")
	for user, address := range map[string]string{"UANN": "ann@example.org", "UAN2": "ann@Example.org", "UEVE": "eve@example.org", "UNEW": "new@example.org"} {
		w.AddUser(user, strings.ToLower(user), fakeslack.Email(address))
	}
	w.AddUser("UFAKE", "fake", fakeslack.Email("eve@example.org"), fakeslack.Unconfirmed())
	w.AddChannel("CHALL", "town-hall", "UANN")
	w.Install()
	town := r.enable(w, "t1")
	require.NoError(t, town.c.SetSettings(t.Context(), gateway.Settings{Linking: map[string]bool{gateway.ByEmail: true}}))
	ann := town.login("UANN")
	require.Equal(t, ann, town.login("UAN2"), "the same verified address")
	eve := town.login("UEVE")
	require.NotEqual(t, eve, town.login("UFAKE"), "an address that Slack has not made sure of")
	for _, c := range r.fake.CallsTo("openid.connect.userInfo") {
		require.Contains(t, string(c.Answer.Body), `"email"`)
	}
	require.NoError(t, town.c.SetSettings(t.Context(), gateway.Settings{Linking: map[string]bool{gateway.ByEmail: false, gateway.ByEmailConsent: false}}))
	town.login("UNEW")
	calls := r.fake.CallsTo("openid.connect.userInfo")
	require.NotContains(t, string(calls[len(calls)-1].Answer.Body), `"email"`, "what nobody needs is not asked for")
}

// A person's token is in nothing that comes out.
func TestPeoplesTokensAreNotShown(t *testing.T) {
	var out strings.Builder
	w := newBehalf(t)
	ann := w.login("UANN")
	r := w.rig
	token := w.w.UserToken("UANN")
	require.NotEmpty(t, token)
	require.NoError(t, w.as(ann, "post-message", `{"channel":"CPARK","text":"x"}`))
	require.Error(t, w.as(ann, "post-message", `{"channel":"CNONE","text":"x"}`))
	for _, e := range r.events("") {
		raw, err := json.Marshal(e)
		require.NoError(t, err)
		out.Write(raw)
	}
	require.NoError(t, w.c.ExportAudit(t.Context(), &out))
	raw, err := w.inst.Config(t.Context())
	require.NoError(t, err)
	out.Write(raw)
	require.NotContains(t, out.String(), token)
	require.True(t, slices.ContainsFunc(r.fake.Calls(), func(c fakeslack.Call) bool { return c.Token == "user" && c.User == "UANN" }))
}
