package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/store/storetest"
	"github.com/metagov/gateway-go/vote"
)

// knownByMany makes a person about whom everything is known that can be, by names that all begin with canary.
type knownByMany struct {
	person, merged, other gateway.Person
	closed, open          gateway.Process
}

func (r *rig) knowMuch(c *gateway.Community, i *gateway.Instance) (k knownByMany) {
	t, ctx := r.t, r.t.Context()
	var err error
	k.other = person(t, c, ref("bob"), ref("canary-was-bobs"))
	require.NoError(t, c.Unlink(ctx, ref("canary-was-bobs")))
	k.person, err = c.CreatePerson(ctx, gateway.NewPerson{Name: "canary name", Data: json.RawMessage(`{"mail":"canary@x.example"}`)})
	require.NoError(t, err)
	_, err = c.Grant(ctx, gateway.Claim{Subject: gateway.AccountKey("forum", "S1", "canary1"), Kind: gateway.ClaimIdentifier, Name: "canary before anybody was linked"})
	require.NoError(t, err)
	for _, user := range []string{"canary1", "canary-was-bobs"} {
		_, err := c.Link(ctx, k.person.ID, gateway.NewAccount{AccountRef: ref(user), Name: "canary nick", Data: json.RawMessage(`{"x":"canary"}`)}, gateway.Ground{Issuer: "canary admin", Data: json.RawMessage(`"canary"`)})
		require.NoError(t, err)
	}
	k.merged = person(t, c, hub("canary2"))
	_, err = c.Merge(ctx, k.person.ID, k.merged.ID, gateway.Ground{})
	require.NoError(t, err)
	_, err = c.AddEvidence(ctx, ref("canary1"), hub("canary2"), gateway.Ground{Kind: gateway.BothLogins})
	require.NoError(t, err)
	_, err = c.Suggest(ctx, gateway.Suggestion{A: ref("canary1"), B: ref("bob"), Score: 0.5, Why: json.RawMessage(`"canary and bob"`)}, "names")
	require.NoError(t, err)
	for _, subject := range []string{gateway.PersonKey(k.merged.ID), gateway.AccountKey("github", "acme", "canary2")} {
		_, err = c.Grant(ctx, gateway.Claim{Subject: subject, Kind: gateway.ClaimIdentifier, Name: "canary@mail.example"})
		require.NoError(t, err)
	}
	require.NoError(t, c.Consent(ctx, k.person.ID, "news"))
	require.NoError(t, r.store.Update(ctx, func(tx store.Tx) error {
		return tx.PutToken(store.Token{Community: "town", Plugin: "forum", PlatformID: "S1", UserID: "canary1", Sealed: []byte("canary token"), Scopes: []byte(`["read"]`), Status: "active"})
	}))
	for range 2 {
		k.closed, k.open = k.open, r.poll(i, vote.Ask{EligibleVoters: []string{"canary1", gateway.AccountKey("github", "acme", "canary2"), "bob"}, IneligibleVoters: []string{"eve"}})
		at := r.clock.now()
		for n, v := range []string{"canary1", gateway.AccountKey("github", "acme", "canary2"), gateway.PersonKey(k.person.ID), "bob"} {
			require.NoError(t, cast(t, c, k.open.ID, v, vote.Yes, at.Add(time.Duration(n))))
		}
		require.Equal(t, [3]int64{2, 0, 2}, tallied(t, c, k.open.ID))
	}
	_, err = c.Close(ctx, k.closed.ID)
	require.NoError(t, err)
	for n, user := range []string{"canary1", "bob"} {
		w := r.deliver(forumMessage{ID: "m" + string(rune('1'+n)), Site: "S1", Kind: "message", User: user, Text: "this is " + user, At: r.clock.now()})
		require.Equal(t, http.StatusOK, w.Code)
	}
	r.due()
	return k
}

func TestErasePerson(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: storetest.Twice(s)})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		village, _ := r.town("village", "S2")
		elsewhere := person(t, village, ref("canary1"))
		k := r.knowMuch(c, inst)
		before, err := c.Events(ctx, 0, 1000)
		require.NoError(t, err)

		require.ErrorIs(t, village.ErasePerson(ctx, k.person.ID), gateway.NotFound, "another community knows nobody of ours")
		require.NoError(t, c.ErasePerson(ctx, k.merged.ID), "whoever stands for them is meant")
		for _, id := range []string{k.person.ID, k.merged.ID} {
			_, err := c.Person(ctx, id)
			require.ErrorIs(t, err, gateway.NotFound)
			_, err = c.History(ctx, id, 0, 0)
			require.ErrorIs(t, err, gateway.NotFound)
			require.ErrorIs(t, c.ErasePerson(ctx, id), gateway.NotFound)
			_, err = c.Link(ctx, id, gateway.NewAccount{AccountRef: ref("new")}, gateway.Ground{})
			require.ErrorIs(t, err, gateway.NotFound, "an ID is never used again")
			_, err = c.Claims(ctx, gateway.PersonKey(id))
			require.ErrorIs(t, err, gateway.NotFound)
			require.NoError(t, s.View(ctx, func(tx store.Tx) error {
				p, err := tx.Person("town", id)
				require.NoError(t, err)
				require.False(t, p.Erased.IsZero())
				require.Empty(t, p.Name)
				require.Empty(t, p.Data)
				return nil
			}))
		}
		_, err = c.WhoIs(ctx, ref("canary1"))
		require.ErrorIs(t, err, gateway.NotFound)
		people, err := c.People(ctx, gateway.PersonFilter{}, "", 0)
		require.NoError(t, err)
		require.Len(t, people, 1)
		who, err := village.WhoIs(ctx, ref("canary1"))
		require.NoError(t, err)
		require.Equal(t, elsewhere.ID, who.ID, "what another community knows is its own")

		r.wait(2 * time.Hour)
		require.Equal(t, [3]int64{2, 0, 2}, tallied(t, c, k.closed.ID), "counts stay")
		out := r.outcome(r.process(c, k.closed.ID))
		users := out.Questions[0].Options[0].Users
		require.Len(t, users, 2)
		require.Contains(t, users, "bob")
		require.Contains(t, strings.Join(users, " "), "erased:")
		p := r.process(c, k.closed.ID)
		require.NotContains(t, string(p.Input)+string(p.Outcome), "canary")
		require.Contains(t, string(p.Input), `"bob"`)
		require.Contains(t, string(p.Input), `"eve"`)
		require.Contains(t, string(r.process(c, k.open.ID).Input), "canary", "as long as a vote is open it has to be known who may and did vote")
		require.NoError(t, cast(t, c, k.open.ID, "canary1", vote.No, r.clock.now()))
		require.Equal(t, [3]int64{1, 1, 2}, tallied(t, c, k.open.ID), "who is erased in between does not vote twice")
		_, err = c.Link(ctx, k.other.ID, gateway.NewAccount{AccountRef: ref("canary1")}, gateway.Ground{})
		require.ErrorIs(t, err, gateway.Conflict, "not by way of somebody else either")
		_, err = c.Account(ctx, "forum", "S1", "canary1")
		require.ErrorIs(t, err, gateway.NotFound)
		next := r.poll(inst, vote.Ask{EligibleVoters: []string{"canary1", "bob"}})
		require.NoError(t, cast(t, c, next.ID, "canary1", vote.No, r.clock.now()))
		_, err = c.Close(ctx, k.open.ID)
		require.NoError(t, err)
		r.wait(2 * time.Hour)
		p = r.process(c, k.open.ID)
		require.NotContains(t, string(p.Input)+string(p.Outcome), "canary")
		require.NotContains(t, string(p.Outcome), k.person.ID)
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "erase"}), "nothing is left to be done")
		require.NoError(t, cast(t, c, next.ID, "canary1", vote.Yes, r.clock.now()))
		require.Equal(t, [3]int64{1, 0, 1}, tallied(t, c, next.ID), "where it has begun since the account votes by itself")
		require.NoError(t, s.View(ctx, func(tx store.Tx) error {
			held, err := tx.BallotsOf(next.ID, "canary1")
			require.Len(t, held, 1)
			return err
		}))

		after, err := c.Events(ctx, 0, 1000)
		require.NoError(t, err)
		require.Len(t, after, len(before)+2, "the log has no gaps")
		for i, e := range before {
			require.Equal(t, e.Seq, after[i].Seq)
			switch {
			case e.Initiator == "canary1":
				require.Empty(t, after[i].Initiator)
				require.JSONEq(t, `{}`, string(after[i].Data))
			case strings.Contains(string(e.Data), "canary") || strings.Contains(string(e.Data), k.person.ID) || strings.Contains(string(e.Data), k.merged.ID):
				require.NotContains(t, string(after[i].Data), "canary")
			default:
				require.Equal(t, e, after[i], "the others' stay")
			}
		}
		history, err := c.History(ctx, k.other.ID, 0, 0)
		require.NoError(t, err)
		require.Len(t, history, 5, "bob's is as long as before")
		for i, h := range history {
			require.EqualValues(t, i+1, h.Seq)
			require.NotContains(t, h.Subject+string(h.Data), "canary")
		}
		require.Equal(t, gateway.AccountKey("forum", "S1", "bob"), history[1].Subject)
		check, err := c.VerifyAudit(ctx)
		require.NoError(t, err)
		require.True(t, check.Holds())
		_, err = c.Link(ctx, k.other.ID, gateway.NewAccount{AccountRef: ref("canary1")}, gateway.Ground{})
		require.NoError(t, err, "it can be linked again, like any other")
	})
}

// What was known about somebody who was erased is nowhere: not in the file, not in the exports.
func TestErasedIsNowhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gateway.db")
	s, err := sqlite.Open(file)
	require.NoError(t, err)
	r := newRig(t, gateway.Options{Store: s})
	c, inst := r.town("town", "S1")
	k := r.knowMuch(c, inst)
	_, err = c.Close(t.Context(), k.open.ID)
	require.NoError(t, err)
	// The rest of the test looks for "canary"; the forum's token is called so as well, and is sealed.
	require.NoError(t, c.ErasePerson(t.Context(), k.person.ID))
	for range 4 {
		r.wait(time.Hour)
	}
	var export bytes.Buffer
	require.NoError(t, c.ExportAudit(t.Context(), &export))
	require.NotContains(t, strings.ReplaceAll(export.String(), `"issuer":"canary admin"`, ""), "canary", "but for what drivers say of who asks")
	require.NoError(t, s.Close())
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	raw = bytes.ReplaceAll(raw, []byte(`"issuer":"canary admin"`), nil)
	at := max(bytes.Index(raw, []byte("canary")), 0)
	require.NotContains(t, string(raw), "canary", string(raw[max(at-200, 0):min(at+200, len(raw))]))
	for _, more := range []string{"-wal", "-shm"} {
		_, err := os.Stat(file + more)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

func TestExportPerson(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		ctx := t.Context()
		c, inst := r.town("town", "S1")
		other, _ := r.town("other", "S2")
		k := r.knowMuch(c, inst)
		voted := r.poll(inst, vote.Ask{})
		require.NoError(t, cast(t, c, voted.ID, "canary-was-bobs", vote.Yes, r.clock.now()))
		_, err := c.Close(ctx, voted.ID)
		require.NoError(t, err)
		require.NoError(t, c.Unlink(ctx, ref("canary-was-bobs")), "its ballot is not the person's any more, whoever held it then")
		var raw bytes.Buffer
		require.ErrorIs(t, other.ExportPerson(ctx, k.person.ID, &raw), gateway.NotFound)
		require.Zero(t, raw.Len())
		require.NoError(t, c.ExportPerson(ctx, k.merged.ID, &raw))
		require.NotContains(t, raw.String(), "canary token")
		var e gateway.PersonExport
		require.NoError(t, json.Unmarshal(raw.Bytes(), &e))
		require.Equal(t, k.person.ID, e.Person.ID)
		require.Equal(t, "canary name", e.Person.Name)
		require.Equal(t, []string{"canary1", "canary2"}, names(e.Person))
		require.Len(t, e.Merged, 1)
		require.Len(t, e.Claims, 4)
		require.Len(t, e.Tokens, 1)
		require.JSONEq(t, `["read"]`, string(e.Tokens[0].Scopes))
		require.Len(t, e.Ballots, 6, "two votes, each by two accounts and by ID")
		counting := 0
		for _, b := range e.Ballots {
			require.NotEqual(t, "bob", b.Voter)
			if b.Counts {
				counting++
			}
		}
		require.Equal(t, 2, counting, "of each vote one counts")
		kinds := map[string]int{}
		for _, ev := range e.Evidence {
			kinds[ev.Kind]++
		}
		require.Equal(t, map[string]int{gateway.AdminAsserted: 4, gateway.BothLogins: 1, gateway.Inferred: 1}, kinds, "each once")
		require.NotEmpty(t, e.History)
		require.NotContains(t, raw.String(), "bob\"", "whose account looks alike is not theirs to know")
		require.NotContains(t, raw.String(), "and bob")
	})
}

// A vote that is being shown while the name is taken out of it does not write it back.
func TestErasedWhileItIsShown(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("town", "S1")
	p := r.poll(inst, vote.Ask{EligibleVoters: []string{"canary"}})
	require.NoError(t, cast(t, c, p.ID, "canary", vote.Yes, r.clock.now()))
	shown := false
	r.api.on("show", func(ctx context.Context) error {
		shown = true
		return r.store.Update(ctx, func(tx store.Tx) error {
			row, err := tx.Process(p.ID)
			if err != nil {
				return err
			}
			row.Input = bytes.ReplaceAll(row.Input, []byte("canary"), []byte("erased"))
			return tx.PutProcess(row)
		})
	})
	r.wait(time.Minute)
	require.True(t, shown)
	require.Contains(t, string(r.process(c, p.ID).Input), `"erased"`)
}
