package gateway_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
)

// member is somebody who has logged in with a token.
func (l *linkRig) member(user, token, scopes string) string {
	l.t.Helper()
	got, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: user, Token: token, Scopes: scopes})
	require.Empty(l.t, e)
	return got.Account.Person
}

func (l *linkRig) comment(text string, opts ...gateway.DoOption) error {
	_, err := l.inst.Do(l.t.Context(), "comment", post{Text: text}, opts...)
	return err
}

// last is what was done last on the platform.
func (l *linkRig) last() string {
	if len(l.done) == 0 {
		return ""
	}
	return l.done[len(l.done)-1]
}

func TestActingOnBehalfOfAPerson(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		ann := l.member("ann", "ann-canary", "repo user")
		adm := l.member("adm", "adm-canary", "repo")
		poor := l.member("poor", "poor-canary", "user")
		bare := l.member("bare", "", "")
		away := person(t, l.c, ref("away"))
		behalf := gateway.OnBehalfOf

		var as gateway.Identity
		require.NoError(t, l.comment("hello", behalf(ann), gateway.Acted(&as)))
		require.Equal(t, "ann with ann-canary: hello", l.last())
		require.Equal(t, gateway.AsPerson, as)
		_, err := l.c.Enable(ctx, "github", hubConfig{"elsewhere"}, "elsewhere")
		require.NoError(t, err)
		far, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "far", Place: "elsewhere", Token: "far-canary", Scopes: "repo"})
		require.Empty(t, e)
		require.ErrorContains(t, l.comment("x", behalf(far.Account.Person)), "has no account of github", "only of another organization")
		// By an account: that account's own credentials, whatever else the person has.
		require.NoError(t, l.comment("by account", behalf(gateway.AccountKey("github", "acme", "ann")), gateway.Once("by account")))
		require.NoError(t, l.comment("by account", behalf(gateway.PersonKey(ann)), gateway.Once("by account")))
		_, err = l.c.Link(ctx, ann, gateway.NewAccount{AccountRef: ref("eve")}, gateway.Ground{Kind: gateway.Unproven})
		require.NoError(t, err)
		require.ErrorIs(t, l.comment("x", behalf(gateway.AccountKey("forum", "S1", "eve"))), gateway.Denied, "who is taken for her uses nothing of hers")
		require.ErrorIs(t, l.comment("by account", behalf(gateway.AccountKey("forum", "S1", "eve")), gateway.Once("by account")), gateway.Conflict)
		require.ErrorIs(t, l.comment("x", behalf(gateway.AccountKey("forum", "S1", "nobody"))), gateway.NotFound)
		require.NoError(t, l.comment("usual", gateway.Acted(&as)))
		require.Equal(t, "the bot: usual", l.last())
		require.Empty(t, as)

		// What is missing is said, and nothing is done.
		for name, c := range map[string]struct {
			opt  gateway.DoOption
			code gateway.Code
			says string
		}{
			"no account":               {behalf(away.ID), gateway.Denied, "has no account of github"},
			"no token":                 {behalf(bare), gateway.Denied, "there is no token of account github/acme/bare"},
			"no scope":                 {behalf(poor), gateway.Denied, "lacks repo|public_repo"},
			"nobody":                   {behalf("nobody"), gateway.NotFound, ""},
			"another community's":      {behalf("other"), gateway.NotFound, ""},
			"not delegated":            {behalf(bare, gateway.AsPerson, gateway.AsAdmin(adm)), gateway.Denied, "has not delegated"},
			"an admin who is nobody":   {behalf(bare, gateway.AsAdmin("nobody")), gateway.Denied, "there is no person"},
			"no such identity":         {behalf(ann, "root"), gateway.Invalid, ""},
			"an admin without a name":  {behalf(ann, gateway.AsPerson, gateway.AsAdmin("")), gateway.Invalid, ""},
			"another's token, unnamed": {behalf(poor, gateway.AsPerson), gateway.Denied, ""},
		} {
			before := len(l.done)
			err := l.comment("x", c.opt, gateway.Acted(&as))
			require.ErrorIs(t, err, c.code, name)
			require.ErrorContains(t, err, c.says, name)
			require.NotContains(t, err.Error(), "canary", name)
			require.Len(t, l.done, before, name)
			require.Empty(t, as, name)
		}
		_, err = l.inst.Do(ctx, "plain", post{Text: "x"}, behalf(ann))
		require.ErrorIs(t, err, gateway.Invalid, "an action that does not know of identities acts for nobody")
		require.Error(t, l.comment("x", behalf(ann, "root", gateway.AsBot)))

		// Only by a policy that names it, in its order.
		require.NoError(t, l.comment("as bot", behalf(bare, gateway.AsPerson, gateway.AsBot), gateway.Acted(&as)))
		require.Equal(t, "the bot: as bot", l.last())
		require.Equal(t, gateway.AsBot, as)
		require.NoError(t, l.c.Consent(ctx, adm, gateway.Delegation("github", "plain")))
		require.ErrorIs(t, l.comment("x", behalf(bare, gateway.AsAdmin(adm))), gateway.Denied, "another action was delegated")
		_, err = l.c.Grant(ctx, gateway.Claim{Subject: gateway.PersonKey(adm), Kind: gateway.ClaimConsent, Name: gateway.Delegation("github", "comment"), Issuer: "somebody"})
		require.NoError(t, err)
		require.ErrorIs(t, l.comment("x", behalf(bare, gateway.AsAdmin(adm))), gateway.Denied, "somebody else says so")
		require.NoError(t, l.c.Consent(ctx, adm, gateway.Delegation("github", "comment")))
		policy := []gateway.Identity{gateway.AsPerson, gateway.AsAdmin(adm), gateway.AsBot}
		require.NoError(t, l.comment("for bare", behalf(bare, policy...), gateway.Acted(&as)))
		require.Equal(t, "adm with adm-canary: for bare", l.last())
		require.Equal(t, gateway.AsAdmin(adm), as)
		require.NoError(t, l.comment("for ann", behalf(ann, policy...), gateway.Acted(&as)))
		require.Equal(t, "ann with ann-canary: for ann", l.last(), "no stronger identity than is needed")
		require.NoError(t, l.c.WithdrawConsent(ctx, adm, gateway.Delegation("github", "comment")))
		require.ErrorIs(t, l.comment("x", behalf(bare, gateway.AsAdmin(adm))), gateway.Denied)

		// The record says who acted for whom.
		entries, err := l.c.Audit(ctx, gateway.AuditQuery{Kinds: []string{gateway.AuditAction}}, 0, 100)
		require.NoError(t, err)
		var said []string
		for _, e := range entries {
			var d struct{ As, For string }
			require.NoError(t, json.Unmarshal(e.Data, &d))
			said = append(said, d.As+" for "+d.For)
			require.NotContains(t, string(e.Data), "canary")
		}
		require.Equal(t, []string{"person for " + ann, "person for " + ann, " for ", "bot for " + bare, "admin:" + adm + " for " + bare, "person for " + ann}, said)
		require.NotContains(t, l.logs.String(), "canary")

		// Commands and processes act for nobody.
		forum, err := l.c.Instance(ctx, "forum")
		require.NoError(t, err)
		_, err = forum.Start(ctx, "poll", poll{voteAsk()}, behalf(ann))
		require.ErrorIs(t, err, gateway.Invalid)
		p := l.poll(forum, voteAsk())
		_, err = l.c.Command(ctx, p.ID, "extend", extension{Minutes: 5}, behalf(ann))
		require.ErrorIs(t, err, gateway.Invalid)
	})
}

// A platform that cannot be reached is no reason for another identity.
func TestNoOtherIdentityWhereAPlatformIsDown(t *testing.T) {
	l := newLinkRig(t, nil)
	got, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann", Token: "a", Refresh: "r", Lasts: 60})
	require.Empty(t, e)
	l.clock.advance(2 * time.Hour)
	l.tokens.fresh = func(gateway.TokenCall) (gateway.UserToken, error) {
		return gateway.UserToken{}, gateway.Errorf(gateway.Unavailable, "down")
	}
	require.ErrorIs(t, l.comment("x", gateway.OnBehalfOf(got.Account.Person, gateway.AsPerson, gateway.AsBot)), gateway.Unavailable)
	require.Empty(t, l.done)
}

func TestOnceIsAskedForAsTheSame(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		ann, bob := l.member("ann", "ann-token", "repo"), l.member("bob", "bob-token", "repo")
		for code, repeats := range map[gateway.Code]bool{"": false, gateway.Invalid: false, gateway.Unavailable: true, gateway.Unknown: true} {
			name := "call " + string(code)
			l.fails, l.found = nil, gateway.DidNot
			if code != "" {
				l.fails = gateway.Errorf(code, "no")
			}
			err := l.comment("one", gateway.Once(name), gateway.OnBehalfOf(ann))
			require.Equal(t, code, gateway.CodeOf(err))
			done := len(l.done)
			for _, other := range [][]gateway.DoOption{{}, {gateway.OnBehalfOf(bob)}, {gateway.OnBehalfOf(ann, gateway.AsBot)}, {gateway.OnBehalfOf(bob, gateway.AsPerson, gateway.AsBot)}} {
				require.ErrorIs(t, l.comment("one", append(other, gateway.Once(name))...), gateway.Conflict, name)
			}
			require.Len(t, l.done, done)
			l.fails = nil
			l.clock.advance(time.Hour)
			var as gateway.Identity
			err = l.comment("one", gateway.Once(name), gateway.OnBehalfOf(ann, gateway.AsBot, gateway.AsPerson), gateway.Acted(&as))
			require.Equal(t, gateway.AsPerson, as, "as it was begun, whatever would be possible now")
			if !repeats {
				require.Equal(t, code, gateway.CodeOf(err))
				require.Len(t, l.done, done)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, "ann with ann-token: one", l.last())
		}
		require.NoError(t, l.comment("two", gateway.Once("plain")))
		require.ErrorIs(t, l.comment("two", gateway.Once("plain"), gateway.OnBehalfOf(ann)), gateway.Conflict)

		// A look-up is made as the same, also by the gateway itself after the program was started again.
		l.fails, l.found = gateway.Errorf(gateway.Unknown, "lost"), gateway.CannotTell
		require.ErrorIs(t, l.comment("three", gateway.Once("lost"), gateway.OnBehalfOf(ann)), gateway.Unknown)
		require.Equal(t, "ann with ann-token looks", l.last())
		l.again(l.o.Plugins[0], newForum(l.api))
		l.done = nil
		l.wait(time.Hour)
		require.Contains(t, l.done, "ann with ann-token looks")
		require.NoError(t, l.c.ForgetToken(ctx, hub("ann")))
		l.done = nil
		l.found = gateway.DidNot
		l.wait(time.Hour)
		require.Empty(t, l.done, "who may not look as her any more looks as nobody")

		// Begun and not done: never as another, or with what is not theirs any more.
		l.fails = gateway.Errorf(gateway.Unavailable, "no")
		require.Error(t, l.comment("four", gateway.Once("moved"), gateway.OnBehalfOf(bob)))
		l.fails = nil
		done := len(l.done)
		_, err := l.c.Detach(ctx, hub("bob"))
		require.NoError(t, err)
		require.ErrorIs(t, l.comment("four", gateway.Once("moved"), gateway.OnBehalfOf(bob)), gateway.Denied)
		require.Len(t, l.done, done)
	})
}

func TestTokensAreRefreshedOnceForAll(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		got, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann", Token: "old", Refresh: "refresh", Scopes: "repo", Lasts: 60})
		require.Empty(t, e)
		asked := 0
		l.tokens.fresh = func(c gateway.TokenCall) (gateway.UserToken, error) {
			asked++
			require.Equal(t, "refresh", c.Refresh.Reveal())
			require.Equal(t, "old", c.Access.Reveal())
			require.Equal(t, []string{"acme", "ann"}, []string{c.PlatformID, c.UserID})
			return gateway.UserToken{Access: "new", Refresh: "refresh-2", Expires: c.Now.Add(time.Hour)}, nil
		}
		behalf := gateway.OnBehalfOf(got.Account.Person)
		require.NoError(t, l.comment("one", behalf))
		require.Equal(t, "ann with old: one", l.last())
		l.clock.advance(55 * time.Minute)
		var wg sync.WaitGroup
		failed := make(chan error, 8)
		for range 8 {
			wg.Go(func() {
				_, err := l.inst.Do(ctx, "comment", post{Text: "at once"}, behalf)
				failed <- err
			})
		}
		wg.Wait()
		for range 8 {
			require.NoError(t, <-failed)
		}
		require.NoError(t, l.comment("two", behalf))
		require.Equal(t, "ann with new: two", l.last())
		require.Equal(t, 1, asked)
		info, err := l.c.Token(ctx, hub("ann"))
		require.NoError(t, err)
		require.Equal(t, []string{"repo"}, info.Scopes, "what a refresh does not say stays")
		require.Equal(t, l.clock.now().Add(time.Hour), info.Expires)

		// Trouble while the old one works is no trouble.
		l.clock.advance(55 * time.Minute)
		l.tokens.fresh = func(gateway.TokenCall) (gateway.UserToken, error) {
			return gateway.UserToken{}, gateway.Errorf(gateway.Unavailable, "down")
		}
		require.NoError(t, l.comment("three", behalf))
		require.Equal(t, "ann with new: three", l.last())
		l.clock.advance(10 * time.Minute)
		require.ErrorIs(t, l.comment("four", behalf), gateway.Unavailable)
		info, err = l.c.Token(ctx, hub("ann"))
		require.NoError(t, err)
		require.False(t, info.Refused)

		// The platform takes neither.
		l.tokens.fresh = func(gateway.TokenCall) (gateway.UserToken, error) {
			return gateway.UserToken{}, gateway.Errorf(gateway.Denied, "no")
		}
		require.ErrorIs(t, l.comment("five", behalf), gateway.Denied)
		info, err = l.c.Token(ctx, hub("ann"))
		require.NoError(t, err)
		require.True(t, info.Refused)
		refused := changes(t, l.c, gateway.TokenRefused)
		require.Len(t, refused, 1)
		require.Equal(t, got.Account.Person, refused[0].Person)
		require.ErrorContains(t, l.comment("six", behalf), "log in again")
		require.Len(t, changes(t, l.c, gateway.TokenRefused), 1, "once")

		// A login brings it back.
		_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann", Token: "again", Scopes: "repo"})
		require.Empty(t, e)
		require.NoError(t, l.comment("seven", behalf))
		require.Equal(t, "ann with again: seven", l.last())
	})
}

// What the platform says of a token in the middle of an action: another is tried once, or it ends.
func TestATokenThatThePlatformRefuses(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	got, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann", Token: "old", Refresh: "refresh"})
	require.Empty(t, e)
	behalf := gateway.OnBehalfOf(got.Account.Person)
	l.renews = true
	l.tokens.fresh = func(gateway.TokenCall) (gateway.UserToken, error) {
		return gateway.UserToken{Access: "new"}, nil
	}
	require.NoError(t, l.comment("one", behalf))
	require.Equal(t, "ann with new: one", l.last())
	l.clock.advance(time.Minute)
	l.tokens.fresh = func(gateway.TokenCall) (gateway.UserToken, error) {
		return gateway.UserToken{}, gateway.Errorf(gateway.Denied, "no")
	}
	require.ErrorIs(t, l.comment("two", behalf), gateway.Denied)
	info, err := l.c.Token(ctx, hub("ann"))
	require.NoError(t, err)
	require.True(t, info.Refused)

	l.renews = false
	_, e = l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann", Token: "third"})
	require.Empty(t, e)
	require.NoError(t, l.inst.RefuseToken(ctx, "ann", l.clock.now().Add(-time.Second)))
	require.NoError(t, l.comment("that was an earlier one", behalf, gateway.Once("early")))
	require.NoError(t, l.inst.RefuseToken(ctx, "ann", l.clock.now()))
	require.NoError(t, l.inst.RefuseToken(ctx, "nobody", l.clock.now()))
	require.ErrorIs(t, l.comment("three", behalf), gateway.Denied)
	_, err = gateway.Acting{Token: "x"}.Renew(ctx)
	require.ErrorIs(t, err, gateway.Internal)
}

func TestTokensAreRevokedWhenNobodyMayUseThem(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		l := newLinkRig(t, s)
		ctx := t.Context()
		other, err := l.CreateCommunity(ctx, "other", "Other")
		require.NoError(t, err)
		_, err = other.Enable(ctx, "github", hubConfig{"acme"})
		require.NoError(t, err)
		for _, user := range []string{"ann", "bob"} {
			l.member(user, user+"-token", "repo")
		}
		_, e := l.login(gateway.AuthRequest{Plugin: "github", Community: "other"}, who{User: "bob", Token: "bob-token"})
		require.Empty(t, e)

		require.NoError(t, l.c.Unlink(ctx, hub("ann")))
		_, err = l.c.Token(ctx, hub("ann"))
		require.ErrorIs(t, err, gateway.NotFound)
		l.tokens.fails = gateway.Errorf(gateway.Unavailable, "down")
		l.due()
		require.Empty(t, l.tokens.gone())
		l.tokens.fails = nil
		l.wait(time.Minute)
		require.Equal(t, []string{"ann-token"}, l.tokens.gone(), "it is tried again")

		require.NoError(t, l.c.ForgetToken(ctx, hub("bob")))
		require.ErrorIs(t, l.c.ForgetToken(ctx, hub("bob")), gateway.NotFound)
		l.wait(time.Minute)
		require.Len(t, l.tokens.gone(), 1, "another community holds the same")
		require.NoError(t, other.ForgetToken(ctx, hub("bob")))
		l.wait(time.Minute)
		require.Equal(t, []string{"ann-token", "bob-token"}, l.tokens.gone())
		require.Empty(t, l.tasks(store.TaskQuery{Kind: "token"}))

		// One that the platform does not know any more is gone.
		l.member("cid", "cid-token", "repo")
		l.tokens.fails = gateway.Errorf(gateway.Denied, "what token?")
		require.NoError(t, l.c.ForgetToken(ctx, hub("cid")))
		l.due()
		require.Empty(t, l.tasks(store.TaskQuery{Kind: "token"}))

		// Erasing somebody gives their tokens back too.
		l.tokens.fails = nil
		gone := l.member("eva", "eva-token", "repo")
		require.NoError(t, l.c.ErasePerson(ctx, gone))
		l.wait(time.Minute)
		require.Contains(t, l.tokens.gone(), "eva-token")

		// A login that comes to nothing takes nothing away from an earlier one.
		l.tokens.fails = nil
		dan := l.member("dan", "dan-token", "repo")
		eve := person(t, l.c)
		_, e = l.login(gateway.AuthRequest{Plugin: "github", Person: eve.ID}, who{User: "dan", Token: "dan-token"})
		require.Equal(t, "conflict", e)
		l.wait(time.Hour)
		require.NotContains(t, l.tokens.gone(), "dan-token")
		require.NoError(t, l.comment("still", gateway.OnBehalfOf(dan)))
	})
}

// A person's token is nowhere to be read.
func TestAPersonsTokenIsNowhereToBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.db")
	s, err := sqlite.Open(path)
	require.NoError(t, err)
	defer s.Close()
	l := newLinkRig(t, s)
	ctx := t.Context()
	var heard strings.Builder
	ears := l.listen("all")
	got, e := l.login(gateway.AuthRequest{Plugin: "forum", Then: []string{"github"}}, who{User: "ann"},
		who{User: "ann-hub", Token: "access-canary", Refresh: "refresh-canary", Scopes: "repo", Mail: "canary@example.com", Verified: true, Lasts: 600})
	require.Empty(t, e)
	fmt.Fprintf(&heard, "%+v %#v", got, got)
	require.NoError(t, l.comment("x", gateway.OnBehalfOf(got.Account.Person), gateway.Once("x")))
	info, err := l.c.Token(ctx, hub("ann-hub"))
	require.NoError(t, err)
	fmt.Fprintf(&heard, "%+v", info)
	l.fails = gateway.Errorf(gateway.Unknown, "lost")
	require.Error(t, l.comment("y", gateway.OnBehalfOf(got.Account.Person), gateway.Once("y")))
	half, e := l.login(gateway.AuthRequest{Plugin: "github", Then: []string{"github"}}, who{User: "half", Token: "half-canary", Mail: "half-canary@example.com", Verified: true})
	require.NotEmpty(t, e)
	fmt.Fprintf(&heard, "%+v", half)
	read := func() {
		t.Helper()
		for _, name := range []string{path, path + "-wal"} {
			raw, err := os.ReadFile(name)
			require.NoError(t, err)
			require.NotContains(t, string(raw), "canary", "half-way logins, tokens and addresses are sealed or hashed")
		}
	}
	read()
	require.NoError(t, l.c.ForgetToken(ctx, hub("ann-hub")))
	read()
	l.wait(time.Hour)
	require.Contains(t, l.tokens.gone(), "access-canary")
	require.Contains(t, l.tokens.gone(), "half-canary")
	read()
	raw, err := json.Marshal(ears.events)
	require.NoError(t, err)
	heard.Write(raw)
	require.NoError(t, l.c.ExportAudit(ctx, &heard))
	people, err := l.c.People(ctx, gateway.PersonFilter{}, "", 0)
	require.NoError(t, err)
	fmt.Fprintf(&heard, "%+v", people)
	health, err := l.Health(ctx)
	require.NoError(t, err)
	fmt.Fprintf(&heard, "%+v", health)
	require.NotContains(t, heard.String(), "canary")
	require.NotContains(t, l.logs.String(), "canary")
	for _, v := range []any{gateway.UserToken{Access: "canary", Refresh: "canary"}, gateway.Acting{Token: "canary"}, gateway.TokenCall{UserToken: gateway.UserToken{Access: "canary"}}} {
		raw, err := json.Marshal(map[string]any{"v": fmt.Sprintf("%v %+v %#v %s", v, v, v, v)})
		require.NoError(t, err)
		require.NotContains(t, string(raw), "canary")
	}
}

// A token that was sealed for one account opens for no other, and without keys nothing is kept.
func TestTokensBelongToTheirRows(t *testing.T) {
	l := newLinkRig(t, nil)
	ctx := t.Context()
	ann, bob := l.member("ann", "ann-token", "repo"), l.member("bob", "bob-token", "repo")
	require.NoError(t, l.store.Update(ctx, func(tx store.Tx) error {
		a, err := tx.Token("town", "github", "acme", "ann")
		require.NoError(t, err)
		b, err := tx.Token("town", "github", "acme", "bob")
		require.NoError(t, err)
		b.Sealed = a.Sealed
		return tx.PutToken(b)
	}))
	require.NoError(t, l.comment("x", gateway.OnBehalfOf(ann)))
	require.Error(t, l.comment("x", gateway.OnBehalfOf(bob)))
	require.Equal(t, "ann with ann-token: x", l.last())
}

func TestWithoutKeysNoTokenIsKept(t *testing.T) {
	l := newLinkRig(t, nil)
	l.o.Seal = nil
	l.again()
	got, e := l.login(gateway.AuthRequest{Plugin: "github"}, who{User: "ann", Token: "ann-canary", Mail: "a@example.com", Verified: true})
	require.Empty(t, e)
	require.Equal(t, []string{"ann-canary"}, l.tokens.gone(), "it is given back at once")
	_, err := l.c.Token(t.Context(), hub("ann"))
	require.ErrorIs(t, err, gateway.NotFound)
	require.NoError(t, l.store.View(t.Context(), func(tx store.Tx) error {
		row, err := tx.Account("town", "github", "acme", "ann")
		require.NoError(t, err)
		require.Empty(t, row.Mail)
		return nil
	}))
	both, e := l.login(gateway.AuthRequest{Plugin: "github", Then: []string{"github"}}, who{User: "ann"}, who{User: "ann2", Token: "two-canary"})
	require.Empty(t, e)
	require.Equal(t, got.Account.Person, both.Account.Person)
}
