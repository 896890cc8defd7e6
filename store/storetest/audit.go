package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func auditTests() []test {
	return []test{
		within("append", testAppendAudit),
		within("queries", testAuditQueries),
		within("pruning leaves no gap and keeps the head", testPruneAudits),
	}
}

func testAppendAudit(t *testing.T, tx store.Tx) {
	require.Equal(t, store.AuditHead{}, must(tx.AuditHead("c"))(t))
	full := store.Audit{
		Community: "c", Seq: 1, At: finer(1), Kind: "k", Instance: "i", Process: "p", Call: "a", Correlation: "d", By: "u", Rule: "r",
		Decision: "q", Event: 7, Text: "t", Data: json(), Prev: odd(), Hash: odd(),
	}
	require.NoError(t, tx.AppendAudit(full))
	full.Data[0], full.Prev[0], full.Hash[0] = 'X', 'X', 'X'
	want := full
	want.At, want.Data, want.Prev, want.Hash = kept(1), json(), odd(), odd()
	got := must(tx.Audits(store.AuditQuery{Community: "c"}, 0))(t)
	require.Equal(t, []store.Audit{want}, got)
	got[0].Data[0], got[0].Prev[0], got[0].Hash[0] = 'X', 'X', 'X'
	require.Equal(t, []store.Audit{want}, must(tx.Audits(store.AuditQuery{Community: "c"}, 0))(t))
	head := must(tx.AuditHead("c"))(t)
	require.Equal(t, store.AuditHead{Seq: 1, Hash: odd()}, head)
	head.Hash[0] = 'X'
	require.Equal(t, store.AuditHead{Seq: 1, Hash: odd()}, must(tx.AuditHead("c"))(t))

	for _, seq := range []int64{-1, 0, 1, 3} {
		require.ErrorIs(t, tx.AppendAudit(store.Audit{Community: "c", Seq: seq}), store.ErrConflict)
	}
	for _, seq := range []int64{-1, 0, 2} {
		require.ErrorIs(t, tx.AppendAudit(store.Audit{Community: "d", Seq: seq}), store.ErrConflict)
	}
	require.Equal(t, store.AuditHead{}, must(tx.AuditHead("d"))(t))
	require.Len(t, must(tx.Audits(store.AuditQuery{Community: "c"}, 0))(t), 1)
	require.NoError(t, tx.AppendAudit(store.Audit{Community: "c", Seq: 2, Hash: []byte{}}))
	require.Equal(t, store.AuditHead{Seq: 2}, must(tx.AuditHead("c"))(t))
}

func testAuditQueries(t *testing.T, tx store.Tx) {
	for i, a := range []store.Audit{
		{Kind: "a", Instance: "i", Process: "p", Call: "x", Correlation: "d", By: "u"},
		{Kind: "b", Instance: "i", Process: "p"},
		{Kind: "c", Instance: "j", Decision: "p"},
		{Kind: "a", Instance: "j", Process: "q"},
	} {
		a.Community, a.Seq = "c", int64(i+1)
		require.NoError(t, tx.AppendAudit(a))
	}
	require.NoError(t, tx.AppendAudit(store.Audit{Community: "d", Seq: 1, Kind: "a", Process: "p"}))
	require.NoError(t, tx.AppendAudit(store.Audit{Community: "", Seq: 1, Kind: "a"}))
	for _, tt := range []struct {
		q    store.AuditQuery
		want []int64
	}{
		{store.AuditQuery{}, []int64{1, 2, 3, 4}},
		{store.AuditQuery{After: 2}, []int64{3, 4}},
		{store.AuditQuery{After: 1, To: 3}, []int64{2, 3}},
		{store.AuditQuery{After: 2, To: 2}, nil},
		{store.AuditQuery{To: 3, Kinds: []string{"a"}}, []int64{1}},
		{store.AuditQuery{After: -5, Kinds: []string{"b", "a"}}, []int64{1, 2, 4}},
		{store.AuditQuery{Instance: "j"}, []int64{3, 4}},
		{store.AuditQuery{Process: "p"}, []int64{1, 2, 3}},
		{store.AuditQuery{Call: "x"}, []int64{1}},
		{store.AuditQuery{Correlation: "d"}, []int64{1}},
		{store.AuditQuery{By: "u", Process: "p", Kinds: []string{"a"}}, []int64{1}},
		{store.AuditQuery{By: "u", Process: "q"}, nil},
	} {
		tt.q.Community = "c"
		require.Equal(t, tt.want, entries(must(tx.Audits(tt.q, 0))(t)), tt.q)
	}
	require.Equal(t, []int64{2, 3}, entries(must(tx.Audits(store.AuditQuery{Community: "c", After: 1}, 2))(t)))
	require.Equal(t, []int64{1}, entries(must(tx.Audits(store.AuditQuery{}, 0))(t)), "of the community without a name, not of all")
	require.Empty(t, must(tx.Audits(store.AuditQuery{Community: "e"}, 0))(t))
}

func entries(as []store.Audit) (out []int64) {
	for _, a := range as {
		out = append(out, a.Seq)
	}
	return out
}

func testPruneAudits(t *testing.T, tx store.Tx) {
	for i, at := range []int{1, 2, 9, 3, 4} { // the clock was set back
		require.NoError(t, tx.AppendAudit(store.Audit{Community: "c", Seq: int64(i + 1), At: sec(at), Hash: []byte{byte(i + 1)}}))
	}
	require.NoError(t, tx.AppendAudit(store.Audit{Community: "d", Seq: 1, At: sec(1), Hash: []byte{1}}))
	require.Zero(t, must(tx.PruneAudits("c", sec(1), 0))(t), "before, not at")
	require.Zero(t, must(tx.PruneAudits("e", sec(9), 0))(t))
	require.Equal(t, 1, must(tx.PruneAudits("c", sec(5), 1))(t))
	require.Equal(t, store.AuditHead{Seq: 5, Hash: []byte{5}, Pruned: 1, PrunedHash: []byte{1}}, must(tx.AuditHead("c"))(t))
	require.Equal(t, 1, must(tx.PruneAudits("c", sec(5), 0))(t), "up to the first that is young: no gaps")
	require.Equal(t, []int64{3, 4, 5}, entries(must(tx.Audits(store.AuditQuery{Community: "c"}, 0))(t)))
	require.Equal(t, 3, must(tx.PruneAudits("c", sec(99), 0))(t))
	require.Equal(t, store.AuditHead{Seq: 5, Hash: []byte{5}, Pruned: 5, PrunedHash: []byte{5}}, must(tx.AuditHead("c"))(t))
	require.ErrorIs(t, tx.AppendAudit(store.Audit{Community: "c", Seq: 1}), store.ErrConflict, "numbers go on")
	require.NoError(t, tx.AppendAudit(store.Audit{Community: "c", Seq: 6, Hash: []byte{6}}))
	require.Equal(t, store.AuditHead{Seq: 6, Hash: []byte{6}, Pruned: 5, PrunedHash: []byte{5}}, must(tx.AuditHead("c"))(t))
	require.Len(t, must(tx.Audits(store.AuditQuery{Community: "d"}, 0))(t), 1)
}

// testBlankDelivery: what was said is gone, that it was said is not.
func testBlankDelivery(t *testing.T, tx store.Tx) {
	require.NoError(t, tx.BlankDelivery("d"))
	require.True(t, must(tx.Accept(store.Delivery{ID: "d", Plugin: "p", Fact: "f", Door: "http", Header: json(), Body: odd(), At: finer(1)}))(t))
	require.True(t, must(tx.Accept(store.Delivery{ID: "e", Plugin: "p", Body: odd()}))(t))
	require.NoError(t, tx.BlankDelivery("d"))
	require.Equal(t, store.Delivery{ID: "d", Plugin: "p", Fact: "f", Door: "http", At: kept(1)}, must(tx.Delivery("d"))(t))
	require.Equal(t, odd(), must(tx.Delivery("e"))(t).Body)
	require.False(t, must(tx.Accept(store.Delivery{ID: "g", Plugin: "p", Fact: "f"}))(t), "the fact stays known")
}
