package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// tampered is a store in which somebody has changed audit records behind the gateway's back.
type tampered struct {
	store.Store
	change func([]store.Audit) []store.Audit // nil: nothing
}

func (s *tampered) View(ctx context.Context, fn func(store.Tx) error) error {
	return s.Store.View(ctx, func(tx store.Tx) error { return fn(tamperedTx{tx, s.change}) })
}

type tamperedTx struct {
	store.Tx
	change func([]store.Audit) []store.Audit
}

func (t tamperedTx) Audits(q store.AuditQuery, limit int) ([]store.Audit, error) {
	if t.change == nil {
		return t.Tx.Audits(q, limit)
	}
	all, err := t.Tx.Audits(store.AuditQuery{Community: q.Community}, 1<<20)
	all = slices.DeleteFunc(t.change(all), func(a store.Audit) bool { return a.Seq <= q.After })
	return all[:min(len(all), limit)], err
}

// filled makes a community with some entries of many kinds.
func filled(t testing.TB, r *rig, slug string, n int) *gateway.Community {
	c, err := r.CreateCommunity(t.Context(), slug, "")
	require.NoError(t, err)
	for i := range n {
		ctx := gateway.WithReason(t.Context(), gateway.Reason{By: fmt.Sprint("u", i), Rule: "<r & \u2028>", Process: "p", Event: 3, Text: "why\xff"})
		require.NoError(t, c.SetSettings(ctx, gateway.Settings{Forget: []gateway.Forget{{Type: fmt.Sprint("t", i)}}}))
	}
	return c
}

// Every change, removal, change of order, insertion or copy is found.
func TestTamperingIsFound(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		bad := &tampered{Store: s}
		r := newRig(t, gateway.Options{Store: bad})
		const n = 12
		c := filled(t, r, "town", n-1)
		filled(t, r, "village", n-1)
		clean, err := c.VerifyAudit(t.Context())
		require.NoError(t, err)
		require.Equal(t, gateway.AuditCheck{Entries: n, First: 1, Last: n, Head: clean.Head}, clean)
		rapid.Check(t, func(rt *rapid.T) {
			i, j := rapid.IntRange(0, n-1).Draw(rt, "i"), rapid.IntRange(0, n-2).Draw(rt, "j")
			if j >= i {
				j++
			}
			what := rapid.IntRange(0, 20).Draw(rt, "what")
			bad.change = func(as []store.Audit) []store.Audit {
				a := &as[i]
				switch what {
				case 0:
					return slices.Delete(as, i, i+1)
				case 1:
					as[i], as[j] = as[j], as[i]
				case 2:
					as[i].Seq, as[j].Seq = as[j].Seq, as[i].Seq
					as[i], as[j] = as[j], as[i]
				case 3:
					return slices.Insert(as, i, as[j])
				case 4:
					return as[:i]
				case 5:
					a.Community += "x"
				case 6:
					a.At = a.At.Add(1000)
				case 7:
					a.Kind += "x"
				case 8:
					a.Instance += "x"
				case 9:
					a.Process += "x"
				case 10:
					a.Call += "x"
				case 11:
					a.Correlation += "x"
				case 12:
					a.By += "x"
				case 13:
					a.By, a.Rule = a.By+"x", "x"
				case 14:
					a.Decision += "x"
				case 15:
					a.Event++
				case 16:
					a.Text += "x"
				case 17:
					a.Data = append(bytes.Clone(a.Data), ' ')
				case 18:
					a.Prev = append(bytes.Clone(a.Prev), 1)
				case 19:
					a.Hash = append(bytes.Clone(a.Hash), 1)
				case 20: // moved from one field to the next
					if i == 0 {
						a.Kind, a.Instance = a.Kind[:3], a.Kind[3:]
					} else {
						a.By, a.Rule = a.By+a.Rule[:1], a.Rule[1:]
					}
				}
				return as
			}
			check, err := c.VerifyAudit(t.Context())
			require.NoError(rt, err)
			require.False(rt, check.Holds(), "%d of %d and %d", what, i, j)
			require.LessOrEqual(rt, check.Broken, int64(max(i, j)+2))
			require.NotEmpty(rt, check.Why)
		})
		bad.change = nil
		// Somebody who writes all of it anew is found by who has seen the old.
		check, err := c.VerifyAudit(t.Context(), gateway.AuditMark{Seq: 3, Hash: "another"})
		require.NoError(t, err)
		require.EqualValues(t, 3, check.Broken)
		check, err = c.VerifyAudit(t.Context(), gateway.AuditMark{Seq: n + 1, Hash: "more"})
		require.NoError(t, err)
		require.EqualValues(t, n+1, check.Broken)
	})
}

// Every byte of an export is covered.
func TestTamperedExportIsFound(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c := filled(t, r, "town", 700) // more than a page
	var b bytes.Buffer
	require.NoError(t, c.ExportAudit(t.Context(), &b))
	want, err := c.VerifyAudit(t.Context())
	require.NoError(t, err)
	check, err := gateway.CheckAudit(bytes.NewReader(b.Bytes()), gateway.AuditMark{Seq: want.Last, Hash: want.Head})
	require.NoError(t, err)
	require.Equal(t, want, check)
	lines := strings.SplitAfter(strings.TrimSuffix(b.String(), "\n"), "\n")
	mark := gateway.AuditMark{Seq: want.Last, Hash: want.Head}
	rapid.Check(t, func(rt *rapid.T) {
		// Of a few lines from the middle, as after a retention that deleted what was before.
		from := rapid.IntRange(0, len(lines)-6).Draw(rt, "from")
		ls := slices.Clone(lines[from:])
		last := len(ls) == len(lines)
		check, err := gateway.CheckAudit(strings.NewReader(strings.Join(ls, "")), mark)
		require.NoError(rt, err)
		require.True(rt, check.Holds(), "%v %v", check, last)
		i := rapid.IntRange(0, min(len(ls), 600)-2).Draw(rt, "line")
		switch rapid.IntRange(0, 4).Draw(rt, "what") {
		case 0:
			at := rapid.IntRange(0, len(ls[i])-2).Draw(rt, "byte")
			line := []byte(ls[i])
			line[at] ^= byte(rapid.IntRange(1, 127).Draw(rt, "flip"))
			if line[at] == '\n' || line[at] == '\r' || line[at] == ' ' || line[at] == '\t' {
				return // at the ends blanks may stand; between, other checks see it
			}
			ls[i] = string(line)
		case 1:
			ls = slices.Delete(ls, i+1, i+2)
		case 2:
			ls[i], ls[i+1] = ls[i+1], ls[i]
		case 3:
			ls = ls[:i+1]
		case 4:
			ls[i] = strings.Replace(ls[i], `"kind":`, `"kind":"other","kind":`, 1)
		}
		check, err = gateway.CheckAudit(strings.NewReader(strings.Join(ls, "")), mark)
		require.True(rt, err != nil || !check.Holds(), "%v", check)
	})
	_, err = gateway.CheckAudit(strings.NewReader("no JSON"))
	require.ErrorIs(t, err, gateway.Invalid)
	check, err = gateway.CheckAudit(strings.NewReader(""))
	require.NoError(t, err)
	require.Equal(t, gateway.AuditCheck{}, check)
}

func FuzzCheckAudit(f *testing.F) {
	f.Add([]byte("{}\n{}"))
	f.Add([]byte(`{"seq":1,"community":"c","at":"2026-01-02T03:04:05Z","kind":"k","hash":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		check, err := gateway.CheckAudit(bytes.NewReader(b))
		if err == nil && check.Holds() && check.Entries > 0 && !bytes.Contains(b, []byte(check.Head)) {
			t.Fatal("an entry without its hash")
		}
	})
}

// striding is a store that notes how much of the audit record one transaction was asked to look at.
type striding struct {
	store.Store
	most, views int64
}

func (s *striding) View(ctx context.Context, fn func(store.Tx) error) error {
	return s.Store.View(ctx, func(tx store.Tx) error { s.views++; return fn(strideTx{tx, s}) })
}

type strideTx struct {
	store.Tx
	s *striding
}

func (t strideTx) Audits(q store.AuditQuery, limit int) ([]store.Audit, error) {
	if q.To == 0 {
		q.To = math.MaxInt64
	}
	t.s.most = max(t.s.most, q.To-q.After)
	return t.Tx.Audits(q, limit)
}

// A query that finds nothing, or little, holds nobody up.
func TestAuditQueriesAreShort(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		const long = 25_000
		w := &striding{Store: s}
		r := newRig(t, gateway.Options{Store: w})
		c, err := r.CreateCommunity(t.Context(), "town", "")
		require.NoError(t, err)
		require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
			for seq := int64(2); seq <= long; seq++ {
				a := store.Audit{Community: "town", Seq: seq, Kind: "x", Hash: []byte("h")}
				if seq%12_000 == 0 {
					a.By = "ann"
				}
				if err := tx.AppendAudit(a); err != nil {
					return err
				}
			}
			return nil
		}))
		for _, q := range []struct {
			by    string
			after int64
			limit int
			want  []int64
		}{{"ann", 0, 0, []int64{12_000, 24_000}}, {"ann", 0, 1, []int64{12_000}}, {"ann", 12_000, 9, []int64{24_000}}, {"bob", 0, 9, nil}, {"ann", 2 * long, 9, nil}, {"ann", math.MaxInt64, 9, nil}} {
			w.views = 0
			got, err := c.Audit(t.Context(), gateway.AuditQuery{By: q.by}, q.after, q.limit)
			require.NoError(t, err)
			var seqs []int64
			for _, e := range got {
				seqs = append(seqs, e.Seq)
			}
			require.Equal(t, q.want, seqs)
			require.LessOrEqual(t, w.most, int64(10_000))
			require.LessOrEqual(t, w.views, int64(3))
		}
	})
}

// pruner prunes the record while it is written out.
type pruner struct {
	bytes.Buffer
	then func()
}

func (p *pruner) Write(b []byte) (int, error) {
	if p.then != nil {
		then := p.then
		p.then = nil
		then()
	}
	return p.Buffer.Write(b)
}

// What is pruned while it is exported is not left out in silence: the export would look as if somebody had tampered with it.
func TestExportWhilePruned(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("town", "S1")
		for i := range 800 {
			require.NoError(t, inst.Pause(t.Context(), strconv.Itoa(i)))
		}
		require.NoError(t, c.ExportAudit(t.Context(), io.Discard))
		out := &pruner{then: func() {
			require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
				_, err := tx.PruneAudits("town", r.clock.now().Add(time.Hour), 700)
				return err
			}))
		}}
		require.ErrorIs(t, c.ExportAudit(t.Context(), out), gateway.Conflict)
		var again bytes.Buffer
		require.NoError(t, c.ExportAudit(t.Context(), &again))
		check, err := gateway.CheckAudit(&again)
		require.NoError(t, err)
		require.True(t, check.Holds(), check)
	})
}
