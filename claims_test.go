package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
)

// source is a claim source that says what a test wants.
type source struct {
	name  string
	says  map[string][]gateway.Claim // by subject
	fails error
	asked []string
	then  func()
}

func (s *source) Name() string { return s.name }

func (s *source) Claims(ctx context.Context, c *gateway.Community, subject string) ([]gateway.Claim, error) {
	s.asked = append(s.asked, subject)
	if s.then != nil {
		s.then()
	}
	return s.says[subject], s.fails
}

// kinds are the types of events that were heard, each with the claim it is about.
func (e *ears) kinds() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []string{}
	for _, ev := range e.events {
		var d gateway.IdentityChange
		if err := json.Unmarshal(ev.Data, &d); err != nil {
			panic(err)
		}
		if d.About != "" {
			out = append(out, ev.Type+" "+d.About+" "+d.Subject)
		}
	}
	return out
}

func TestClaims(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, _ := r.town("town", "S1")
		other, _ := r.town("other", "S2")
		heard := r.listen("claims", gateway.Filter{Plugin: "gateway"})
		ann := person(t, c, ref("ann"), hub("ann"))
		subject, account := gateway.PersonKey(ann.ID), gateway.AccountKey("forum", "S1", "ann")
		young := gateway.ClaimQuery{Kind: "group", Name: "under-16"}

		err := c.RequireClaim(ctx, subject, young)
		require.ErrorIs(t, err, gateway.Denied)
		require.ErrorContains(t, err, "does not hold group under-16")
		claim, err := c.Grant(ctx, gateway.Claim{Subject: account, Kind: "group", Name: "under-16", Expires: r.clock.now().Add(24 * time.Hour)})
		require.NoError(t, err)
		require.Equal(t, "local", claim.Issuer)
		require.Equal(t, r.clock.now(), claim.At)
		require.NoError(t, c.RequireClaim(ctx, account, young))
		require.NoError(t, c.RequireClaim(ctx, subject, young), "a person holds it by any account")
		require.ErrorIs(t, c.RequireClaim(ctx, gateway.AccountKey("github", "acme", "ann"), young), gateway.Denied, "an account by itself")
		require.ErrorIs(t, other.RequireClaim(ctx, account, young), gateway.Denied, "what one community says is not another's affair")
		require.ErrorIs(t, other.RequireClaim(ctx, subject, young), gateway.NotFound)
		list, err := other.Claims(ctx, account)
		require.NoError(t, err)
		require.Empty(t, list)

		r.clock.advance(time.Hour)
		again, err := c.Grant(ctx, gateway.Claim{Subject: account, Kind: "group", Name: "under-16", Expires: r.clock.now().Add(24 * time.Hour)})
		require.NoError(t, err)
		require.Equal(t, claim.At, again.At, "renewed: it is the same claim")
		require.Equal(t, r.clock.now(), again.Checked)
		r.clock.advance(2 * time.Hour)
		err = c.RequireClaim(ctx, subject, gateway.ClaimQuery{Kind: "group", Name: "under-16", MaxAge: time.Hour})
		require.ErrorIs(t, err, gateway.Denied)
		require.ErrorContains(t, err, "2h0m0s old")
		err = c.RequireClaim(ctx, subject, gateway.ClaimQuery{Kind: "group", Name: "under-16", Least: gateway.Verified})
		require.ErrorContains(t, err, "counts as asserted, and verified is required")

		r.wait(22*time.Hour - time.Second)
		require.NoError(t, c.RequireClaim(ctx, subject, young))
		require.NotContains(t, heard.kinds(), "claim_expired "+account+" claim:group/under-16", "the renewed claim has its own end")
		r.clock.advance(time.Second)
		err = c.RequireClaim(ctx, subject, young)
		require.ErrorIs(t, err, gateway.Denied, "guards look at the clock")
		require.ErrorContains(t, err, "has expired")
		r.wait(2 * time.Second)

		_, err = c.Grant(ctx, gateway.Claim{Subject: account, Kind: "group", Name: "under-16"})
		require.NoError(t, err)
		require.NoError(t, c.RevokeClaim(ctx, account, "group", "under-16", ""))
		require.NoError(t, c.RevokeClaim(ctx, account, "group", "under-16", ""), "twice is once")
		err = c.RequireClaim(ctx, subject, young)
		require.ErrorContains(t, err, "was revoked")
		require.ErrorIs(t, c.RevokeClaim(ctx, account, "group", "none", ""), gateway.NotFound)
		list, err = c.Claims(ctx, subject)
		require.NoError(t, err)
		require.Len(t, list, 1, "it stays on record")
		require.NoError(t, c.DeleteClaim(ctx, account, "group", "under-16", ""))
		list, err = c.Claims(ctx, subject)
		require.NoError(t, err)
		require.Empty(t, list)

		r.wait(2 * time.Second)
		about := " " + account + " claim:group/under-16"
		require.Equal(t, []string{"claim_granted" + about, "claim_expired" + about, "claim_granted" + about, "claim_revoked" + about}, heard.kinds())
		history, err := c.History(ctx, ann.ID, 0, 100)
		require.NoError(t, err)
		require.Equal(t, gateway.ClaimRevoked, history[len(history)-1].Kind)
		entries, err := c.Audit(ctx, gateway.AuditQuery{Kinds: []string{gateway.AuditClaim, gateway.AuditClaimEnded}}, 0, 0)
		require.NoError(t, err)
		require.Len(t, entries, 3)
		for _, e := range entries {
			require.NotContains(t, string(e.Data), "under-16", "the record outlives people")
			require.NotContains(t, string(e.Data), account)
		}
	})
}

func TestClaimsThatCannotBeMeant(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, _ := r.town("town", "S1")
	ann := person(t, c, ref("ann"))
	good := gateway.Claim{Subject: gateway.PersonKey(ann.ID), Kind: "skill", Name: "go"}
	for what, change := range map[string]func(*gateway.Claim){
		"about everybody":        func(c *gateway.Claim) { c.Subject = "person:*" },
		"about a claim":          func(c *gateway.Claim) { c.Subject = "claim:a/b" },
		"about no subject":       func(c *gateway.Claim) { c.Subject = "ann" },
		"no kind":                func(c *gateway.Claim) { c.Kind = "" },
		"no name":                func(c *gateway.Claim) { c.Name = "" },
		"a long name":            func(c *gateway.Claim) { c.Name = strings.Repeat("x", 501) },
		"a name of two lines":    func(c *gateway.Claim) { c.Name = "a\nb" },
		"a name that is no text": func(c *gateway.Claim) { c.Name = "\xff" },
		"the gateway's kind":     func(c *gateway.Claim) { c.Kind = "gateway/reading" },
		"the gateway's word":     func(c *gateway.Claim) { c.Issuer = "gateway" },
		"a source's word":        func(c *gateway.Claim) { c.Issuer = "source:cred" },
		"no JSON":                func(c *gateway.Claim) { c.Data = json.RawMessage(`{`) },
		"much JSON":              func(c *gateway.Claim) { c.Data = json.RawMessage(`"` + strings.Repeat("x", 17<<10) + `"`) },
		"from the future":        func(c *gateway.Claim) { c.At = r.clock.now().Add(time.Hour) },
		"over":                   func(c *gateway.Claim) { c.Expires = r.clock.now() },
		"purposes of nothing":    func(c *gateway.Claim) { c.Purposes = []string{"tax"} },
		"a secret for anything":  func(c *gateway.Claim) { c.Secret = "s" },
		"a long secret": func(c *gateway.Claim) {
			c.Secret, c.Purposes = gateway.Secret(strings.Repeat("x", 17<<10)), []string{"tax"}
		},
	} {
		bad := good
		change(&bad)
		_, err := c.Grant(t.Context(), bad)
		require.ErrorIs(t, err, gateway.Invalid, what)
	}
	for what, change := range map[string]func(*gateway.Claim){
		"an unknown person":       func(c *gateway.Claim) { c.Subject = gateway.PersonKey("nobody") },
		"a person as a resource":  func(c *gateway.Claim) { c.Subject = gateway.ResourceKey(ann.ID) },
		"an unknown organization": func(c *gateway.Claim) { c.Kind, c.Name = gateway.ClaimMember, "o1" },
		"a person's members":      func(c *gateway.Claim) { c.Kind, c.Name = gateway.ClaimMember, ann.ID },
	} {
		bad := good
		change(&bad)
		_, err := c.Grant(t.Context(), bad)
		require.ErrorIs(t, err, gateway.NotFound, what)
	}
	list, err := c.Claims(t.Context(), good.Subject)
	require.NoError(t, err)
	require.Empty(t, list)
	for n := range 1000 {
		good.Name = fmt.Sprint(n)
		_, err := c.Grant(t.Context(), good)
		require.NoError(t, err)
	}
	good.Name = "one more"
	_, err = c.Grant(t.Context(), good)
	require.ErrorIs(t, err, gateway.Conflict)
}

func TestLimitsOfCapabilities(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, _ := r.town("town", "S1")
	subject := gateway.AccountKey("forum", "S1", "ann")
	for _, v := range []struct {
		data   string
		within map[string]string
		denied string
	}{
		{`{"up_to":"200.00","currency":"EUR"}`, map[string]string{"up_to": "200", "currency": "EUR"}, ""},
		{`{"up_to":"200.00","currency":"EUR"}`, map[string]string{"up_to": "199.999999999999999999", "currency": "EUR"}, ""},
		{`{"up_to":"200.00","currency":"EUR"}`, map[string]string{"up_to": "200.000000000000000001"}, "more than the 200.00"},
		{`{"up_to":"200.00","currency":"EUR"}`, map[string]string{"up_to": "20", "currency": "USD"}, "is not the"},
		{`{"up_to":"200.00"}`, map[string]string{"up_to": "20", "currency": "EUR"}, "says nothing of currency"},
		{`{"up_to":"200.00"}`, map[string]string{"upto": "2000000"}, "says nothing of upto"},
		{`{"up_to":200}`, map[string]string{"up_to": "200.0"}, ""},
		{`{"up_to":0.1}`, map[string]string{"up_to": "0.10000000000000001"}, "more than"},
		{`{"up_to":9007199254740992}`, map[string]string{"up_to": "9007199254740993"}, "more than"},
		{`{"up_to":"200"}`, map[string]string{"up_to": "1e1"}, "is not the"},
		{`{"up_to":"200"}`, map[string]string{"up_to": " 1"}, "is not the"},
		{`{"up_to":"200"}`, map[string]string{"up_to": ""}, "is not the"},
		{`{"up_to":"200"}`, map[string]string{"up_to": "NaN"}, "is not the"},
		{`{"up_to":1e3}`, map[string]string{"up_to": "1"}, "is not the"},
		{`{"up_to":null}`, map[string]string{"up_to": ""}, "is not the"},
		{`{"up_to":{}}`, map[string]string{"up_to": "1"}, "is not the"},
		{`["200"]`, map[string]string{"up_to": "1"}, "cannot be read"},
		{`{}`, map[string]string{"up_to": "1"}, "says nothing"},
		{``, map[string]string{"up_to": "1"}, ""},
		{`{"up_to":"200"}`, nil, ""},
	} {
		_, err := c.Grant(t.Context(), gateway.Claim{Subject: subject, Kind: gateway.ClaimCapability, Name: "order", Data: json.RawMessage(v.data)})
		require.NoError(t, err)
		err = c.RequireClaim(t.Context(), subject, gateway.ClaimQuery{Kind: gateway.ClaimCapability, Name: "order", Within: v.within})
		if v.denied == "" {
			require.NoError(t, err, "%s %v", v.data, v.within)
			continue
		}
		require.ErrorIs(t, err, gateway.Denied, "%s %v", v.data, v.within)
		require.ErrorContains(t, err, v.denied)
	}
}

func TestCapabilitiesOfRolesAndOrganizations(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, _ := r.town("town", "S1")
		ann := person(t, c, ref("ann"))
		org := func() gateway.Person {
			p, err := c.CreatePerson(ctx, gateway.NewPerson{Kind: gateway.AnOrganization})
			require.NoError(t, err)
			return p
		}
		acme, parent, merged := org(), org(), org()
		grant := func(subject, kind, name, issuer string) {
			t.Helper()
			_, err := c.Grant(ctx, gateway.Claim{Subject: subject, Kind: kind, Name: name, Issuer: issuer})
			require.NoError(t, err)
		}
		can := func(name string, q gateway.ClaimQuery) error {
			q.Kind, q.Name = gateway.ClaimCapability, name
			return c.RequireClaim(ctx, gateway.PersonKey(ann.ID), q)
		}
		grant(gateway.RoleKey("local", "treasurer"), gateway.ClaimCapability, "pay", "")
		grant(gateway.OrganizationKey(parent.ID), gateway.ClaimCapability, "sign", "")
		grant(gateway.OrganizationKey(merged.ID), gateway.ClaimCapability, "lend", "")
		grant(gateway.OrganizationKey(acme.ID), gateway.ClaimHoldsKey, "k", "")
		grant(gateway.OrganizationKey(acme.ID), gateway.ClaimConsent, "mail", "")
		for _, name := range []string{"pay", "sign", "lend"} {
			require.ErrorIs(t, can(name, gateway.ClaimQuery{}), gateway.Denied)
		}
		account := gateway.AccountKey("forum", "S1", "ann")
		grant(account, gateway.ClaimRole, "local/treasurer", "")
		require.NoError(t, can("pay", gateway.ClaimQuery{}))
		grant(gateway.PersonKey(ann.ID), gateway.ClaimMember, acme.ID, "")
		grant(gateway.OrganizationKey(acme.ID), gateway.ClaimMember, parent.ID, "")
		grant(gateway.OrganizationKey(parent.ID), gateway.ClaimMember, acme.ID, "")
		require.NoError(t, can("sign", gateway.ClaimQuery{}), "by what the organization belongs to, and rings have an end")
		_, err := c.Merge(ctx, acme.ID, merged.ID, gateway.Ground{})
		require.NoError(t, err)
		require.NoError(t, can("lend", gateway.ClaimQuery{}))
		for _, kind := range []string{gateway.ClaimHoldsKey, gateway.ClaimConsent} {
			name := map[string]string{gateway.ClaimHoldsKey: "k", gateway.ClaimConsent: "mail"}[kind]
			err := c.RequireClaim(ctx, gateway.PersonKey(ann.ID), gateway.ClaimQuery{Kind: kind, Name: name})
			require.ErrorIs(t, err, gateway.Denied, "an organization's %s is not its members'", kind)
			require.NoError(t, c.RequireClaim(ctx, gateway.OrganizationKey(acme.ID), gateway.ClaimQuery{Kind: kind, Name: name}))
		}
		list, err := c.Claims(ctx, gateway.PersonKey(ann.ID))
		require.NoError(t, err)
		require.Len(t, list, 5, "its role and membership, and three capabilities")

		r.clock.advance(time.Hour)
		grant(gateway.RoleKey("local", "treasurer"), gateway.ClaimCapability, "pay", "")
		require.ErrorIs(t, can("pay", gateway.ClaimQuery{MaxAge: time.Minute}), gateway.Denied, "the role is as old as it is")
		require.NoError(t, c.SetSettings(ctx, gateway.Settings{Trust: []gateway.Trust{
			{Kind: gateway.ClaimCapability, Strength: gateway.Verified}, {Kind: gateway.ClaimRole, Strength: gateway.Unverified},
		}}))
		require.NoError(t, can("pay", gateway.ClaimQuery{}))
		require.ErrorIs(t, can("pay", gateway.ClaimQuery{Least: gateway.Asserted}), gateway.Denied, "as strong as the weakest")
		require.NoError(t, c.SetSettings(ctx, gateway.Settings{}))
		require.NoError(t, c.RevokeClaim(ctx, account, gateway.ClaimRole, "local/treasurer", ""))
		require.ErrorIs(t, can("pay", gateway.ClaimQuery{}), gateway.Denied)
		grant(account, gateway.ClaimRole, "local/treasurer", "somebody")
		require.ErrorIs(t, can("pay", gateway.ClaimQuery{}), gateway.Denied, "who is that?")
	})
}

func TestTrustInIssuers(t *testing.T) {
	r := newRig(t, gateway.Options{ClaimSources: []gateway.ClaimSource{&source{name: "cred"}}})
	ctx := t.Context()
	c, inst := r.town("town", "S1")
	subject := gateway.AccountKey("forum", "S1", "ann")
	grant := func(issuer string) {
		t.Helper()
		_, err := c.Grant(ctx, gateway.Claim{Subject: subject, Kind: "skill", Name: "go", Issuer: issuer})
		require.NoError(t, err)
	}
	q := gateway.ClaimQuery{Kind: "skill", Name: "go"}
	for _, issuer := range []string{"somebody", "forum", inst.ID(), "Local", "local ", "source"} {
		grant(issuer)
		err := c.RequireClaim(ctx, subject, q)
		require.ErrorIs(t, err, gateway.Denied, "%q is nobody here", issuer)
		require.ErrorContains(t, err, "is not trusted")
	}
	require.NoError(t, c.SetSettings(ctx, gateway.Settings{Trust: []gateway.Trust{{Kind: "skill", Issuer: "somebody", Strength: gateway.Unverified}}}))
	require.NoError(t, c.RequireClaim(ctx, subject, q))
	q.Least = gateway.Asserted
	require.ErrorIs(t, c.RequireClaim(ctx, subject, q), gateway.Denied)
	require.NoError(t, c.SetSettings(ctx, gateway.Settings{Trust: []gateway.Trust{{Issuer: "local", Strength: gateway.None}}}))
	grant("local")
	require.ErrorIs(t, c.RequireClaim(ctx, subject, q), gateway.Denied, "also its own word")

	require.NoError(t, c.TellClaims(ctx, "cred", subject, []gateway.Claim{{Kind: "skill", Name: "go"}}))
	require.NoError(t, c.RequireClaim(ctx, subject, q))
	r.o.ClaimSources = nil
	r.again()
	c, err := r.Gateway.Community(ctx, "town")
	require.NoError(t, err)
	require.ErrorIs(t, c.RequireClaim(ctx, subject, q), gateway.Denied, "a source that is not configured any more")
	require.ErrorIs(t, c.TellClaims(ctx, "cred", subject, nil), gateway.NotFound)
	for _, names := range [][]string{{""}, {"a", "a"}, {"A"}, {"a:b"}} {
		var list []gateway.ClaimSource
		for _, n := range names {
			list = append(list, &source{name: n})
		}
		_, err := gateway.New(gateway.Options{Store: r.store, ClaimSources: list})
		require.ErrorIs(t, err, gateway.Invalid, "%v", names)
	}
}

func TestReadingClaims(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		cred, bad := &source{name: "cred", says: map[string][]gateway.Claim{}}, &source{name: "bad", fails: errors.ErrUnsupported}
		r := newRig(t, gateway.Options{Store: s, ClaimSources: []gateway.ClaimSource{bad, cred}})
		ctx := t.Context()
		c, _ := r.town("town", "S1")
		ann := person(t, c, ref("ann"))
		subject, account := gateway.PersonKey(ann.ID), gateway.AccountKey("forum", "S1", "ann")
		heard := r.listen("claims", gateway.Filter{Plugin: "gateway"})
		amount := func(text string) gateway.Claim {
			return gateway.Claim{Kind: "cred", Name: "total", Data: json.RawMessage(`{"amount":"` + text + `"}`)}
		}
		read := func(age time.Duration) ([]gateway.Claim, error) {
			t.Helper()
			cred.asked = nil
			return c.ReadClaims(ctx, subject, age)
		}
		cred.says[account] = []gateway.Claim{amount("10"), {Kind: "identifier", Name: "old"}}
		list, err := read(time.Hour)
		require.NoError(t, err)
		require.Equal(t, []string{subject, account}, cred.asked, "the person, and each account")
		require.Len(t, list, 2)
		require.Equal(t, "source:cred", list[0].Issuer)
		q := gateway.ClaimQuery{Kind: "cred", Name: "total", Within: map[string]string{"amount": "10"}}
		require.NoError(t, c.RequireClaim(ctx, subject, q))

		r.clock.advance(30 * time.Minute)
		_, err = read(time.Hour)
		require.NoError(t, err)
		require.Empty(t, cred.asked, "young enough")
		cred.says[account] = []gateway.Claim{amount("9.5")}
		_, err = read(time.Minute)
		require.NoError(t, err)
		require.ErrorIs(t, c.RequireClaim(ctx, subject, q), gateway.Denied)
		err = c.RequireClaim(ctx, subject, gateway.ClaimQuery{Kind: "identifier", Name: "old"})
		require.ErrorContains(t, err, "was revoked", "what it says no more")

		_, err = c.Grant(ctx, gateway.Claim{Subject: account, Kind: "skill", Name: "go"})
		require.NoError(t, err)
		fresh := r.clock.now()
		r.clock.advance(time.Hour)
		many := make([]gateway.Claim, 201)
		for n := range many {
			many[n] = gateway.Claim{Kind: "badge", Name: fmt.Sprint(n)}
		}
		for what, wrong := range map[string][]gateway.Claim{
			"of another subject": {{Subject: gateway.AccountKey("forum", "S1", "bob"), Kind: "a", Name: "b"}},
			"for another issuer": {{Issuer: "local", Kind: "a", Name: "b"}},
			"twice":              {amount("1"), amount("2")},
			"no name":            {{Kind: "a"}},
			"the gateway's kind": {{Kind: "gateway/reading", Name: "cred"}},
			"too many":           many,
			"no members":         {{Kind: gateway.ClaimMember, Name: "none"}},
		} {
			cred.says[account] = wrong
			list, err := read(0)
			require.Error(t, err, what)
			require.ErrorContains(t, err, "asking cred about")
			require.Len(t, list, 3, "%s: what there was stays", what)
			for _, l := range list {
				require.Equal(t, fresh, map[bool]time.Time{true: l.Checked, false: fresh}[l.Revoked.IsZero()], "with its age")
			}
		}
		cred.says[account] = []gateway.Claim{amount("11"), {Kind: "badge", Name: "old", Expires: r.clock.now()}}
		cred.fails = gateway.Errorf(gateway.Unavailable, "away")
		_, err = read(0)
		require.ErrorIs(t, err, gateway.Unavailable)
		cred.fails = nil
		cred.then = func() { panic("boom") }
		_, err = read(0)
		require.ErrorIs(t, err, gateway.Internal)
		cred.then = nil
		require.ErrorIs(t, c.RequireClaim(ctx, subject, q), gateway.Denied)
		list, err = read(0)
		require.NoError(t, err)
		require.NoError(t, c.RequireClaim(ctx, subject, q))
		for _, l := range list {
			require.NotEqual(t, "badge", l.Kind, "what is over says nothing")
		}
		require.NoError(t, c.RequireClaim(ctx, subject, gateway.ClaimQuery{Kind: "skill", Name: "go"}), "others' claims stay")
		_, err = c.ReadClaims(ctx, gateway.PersonKey("nobody"), 0)
		require.ErrorIs(t, err, gateway.NotFound)
		_, err = c.ReadClaims(ctx, "ann", 0)
		require.ErrorIs(t, err, gateway.Invalid)
		require.ErrorIs(t, c.TellClaims(ctx, "cred", gateway.PersonKey("nobody"), nil), gateway.NotFound)

		r.wait(2 * time.Second)
		about := " " + account + " claim:"
		require.Equal(t, []string{
			"claim_granted" + about + "cred/total", "claim_granted" + about + "identifier/old", "claim_revoked" + about + "identifier/old",
			"claim_changed" + about + "cred/total", "claim_granted" + about + "skill/go", "claim_changed" + about + "cred/total",
		}, heard.kinds())
	})
}

// A source is never asked while a transaction is open.
func TestReadingClaimsInATransaction(t *testing.T) {
	cred := &source{name: "cred"}
	r := newRig(t, gateway.Options{ClaimSources: []gateway.ClaimSource{cred}})
	c, _ := r.town("town", "S1")
	var errs [3]error
	r.api.on("receive message", func(ctx context.Context) error {
		_, errs[0] = c.ReadClaims(ctx, gateway.AccountKey("forum", "S1", "ann"), 0)
		_, errs[1] = c.AnswerChallenge(ctx, gateway.Answer{})
		_, errs[2] = c.Reveal(ctx, gateway.AccountKey("forum", "S1", "ann"), "a", "b", "", "p")
		return nil
	})
	r.says("S1", "m1", "hello")
	for _, err := range errs {
		require.Error(t, err)
		require.ErrorContains(t, err, "transaction")
	}
	require.Empty(t, cred.asked)
}

func TestSecretsOfClaims(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gateway.db")
	s, err := sqlite.Open(file)
	require.NoError(t, err)
	r := newRig(t, gateway.Options{Store: s})
	ctx := t.Context()
	c, _ := r.town("town", "S1")
	other, _ := r.town("other", "S2")
	ann := person(t, c, ref("ann"))
	subject := gateway.PersonKey(ann.ID)
	const canary = "1970-01-01-canary"
	born := gateway.Claim{Subject: subject, Kind: "born", Name: "date", Secret: canary, Purposes: []string{"age check"}, Expires: r.clock.now().Add(time.Hour)}
	heard := r.listen("claims", gateway.Filter{Plugin: "gateway"})
	claim, err := c.Grant(ctx, born)
	require.NoError(t, err)
	require.True(t, claim.Sealed)
	require.Empty(t, claim.Secret)
	reveal := func(c *gateway.Community, purpose string) (gateway.Secret, error) {
		return c.Reveal(ctx, subject, "born", "date", "", purpose)
	}
	secret, err := reveal(c, "age check")
	require.NoError(t, err)
	require.Equal(t, canary, string(secret))
	_, err = reveal(c, "marketing")
	require.ErrorIs(t, err, gateway.Denied)
	_, err = reveal(c, "")
	require.ErrorIs(t, err, gateway.Invalid)
	_, err = reveal(other, "age check")
	require.ErrorIs(t, err, gateway.NotFound)
	entries, err := c.Audit(ctx, gateway.AuditQuery{Kinds: []string{gateway.AuditRevealed}}, 0, 0)
	require.NoError(t, err)
	require.Len(t, entries, 1, "what was refused revealed nothing")
	require.Contains(t, string(entries[0].Data), "age check")

	// Sealed bytes that are moved to somebody else's claim do not open there.
	bob := gateway.AccountKey("forum", "S1", "bob")
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error {
		row, err := tx.ClaimOf("town", subject, "born", "date", "local")
		require.NoError(t, err)
		row.Subject = bob
		return tx.PutClaim(row)
	}))
	_, err = c.Reveal(ctx, bob, "born", "date", "", "age check")
	require.ErrorIs(t, err, gateway.Invalid)

	list, err := c.Claims(ctx, subject)
	require.NoError(t, err)
	held, err := c.Holds(ctx, subject, gateway.ClaimQuery{Kind: "born", Name: "date"})
	require.NoError(t, err)
	history, err := c.History(ctx, ann.ID, 0, 100)
	require.NoError(t, err)
	all, err := c.Audit(ctx, gateway.AuditQuery{}, 0, 0)
	require.NoError(t, err)
	r.wait(time.Second)
	seen, err := json.Marshal([]any{list, held, history, all, heard.events, born})
	require.NoError(t, err)
	require.NotContains(t, string(seen), canary)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", born, list, held), canary)
	require.NotContains(t, r.logs.String(), canary)

	renewed, err := c.Grant(ctx, gateway.Claim{Subject: subject, Kind: "born", Name: "date", Expires: r.clock.now().Add(time.Hour)})
	require.NoError(t, err)
	require.True(t, renewed.Sealed, "renewed without a secret it keeps the one it has")
	r.clock.advance(time.Hour)
	_, err = reveal(c, "age check")
	require.ErrorIs(t, err, gateway.Denied, "over is over")
	r.wait(time.Second)
	list, err = c.Claims(ctx, subject)
	require.NoError(t, err)
	require.False(t, list[0].Sealed, "what nobody may see any more is not kept")
	born.Expires = time.Time{}
	_, err = c.Grant(ctx, born)
	require.NoError(t, err)
	require.NoError(t, c.RevokeClaim(ctx, subject, "born", "date", ""))
	_, err = reveal(c, "age check")
	require.ErrorIs(t, err, gateway.NotFound)

	require.NoError(t, s.Close())
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(raw), canary)

	bare, err := gateway.New(gateway.Options{Now: r.clock.now, Store: newRig(t, gateway.Options{}).store})
	require.NoError(t, err)
	cb, err := bare.CreateCommunity(ctx, "bare", "B")
	require.NoError(t, err)
	_, err = cb.Grant(ctx, gateway.Claim{Subject: bob, Kind: "born", Name: "date", Secret: canary, Purposes: []string{"age check"}})
	require.ErrorIs(t, err, gateway.Invalid)
	require.ErrorContains(t, err, "Options.Seal")
}

// A consent that was given before two people turned out to be one is theirs, and theirs to withdraw.
func TestWithdrawnAfterAMerge(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, _ := r.town("town", "S1")
		ann, bob := person(t, c, ref("ann")), person(t, c, ref("bob"))
		require.NoError(t, c.Consent(ctx, bob.ID, "news"))
		_, err := c.Merge(ctx, ann.ID, bob.ID, gateway.Ground{})
		require.NoError(t, err)
		consents := func(id string) bool {
			ok, err := c.Consents(ctx, id, "news")
			require.NoError(t, err)
			return ok
		}
		require.True(t, consents(ann.ID))
		require.ErrorIs(t, c.WithdrawConsent(ctx, ann.ID, "letters"), gateway.NotFound)
		require.NoError(t, c.WithdrawConsent(ctx, ann.ID, "news"))
		require.False(t, consents(ann.ID))
		require.False(t, consents(bob.ID))
		require.NoError(t, c.Consent(ctx, ann.ID, "news"))
		require.NoError(t, c.WithdrawConsent(ctx, bob.ID, "news"), "whoever stands for them is meant")
		require.False(t, consents(ann.ID))
	})
}
