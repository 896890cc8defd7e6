package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
)

type note struct {
	Text string `json:"text"`
}

var noted = gateway.NewEvent[*forum, note]("note", "A note.")

// notes is what the platform of a lister holds, and what a test makes of asking for it.
type notes struct {
	mu    sync.Mutex
	lists func(ctx context.Context, cursor string) ([]gateway.Item[note], string, error)
	asked []string // with which cursors
}

func (n *notes) list(_ *forum, ctx context.Context, cursor string) ([]gateway.Item[note], string, error) {
	n.mu.Lock()
	n.asked = append(n.asked, cursor)
	fn := n.lists
	n.mu.Unlock()
	return fn(ctx, cursor)
}

func (n *notes) on(fn func(ctx context.Context, cursor string) ([]gateway.Item[note], string, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lists, n.asked = fn, nil
}

func (n *notes) cursors() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func item(id string) gateway.Item[note] {
	return gateway.Item[note]{Meta: gateway.Meta{ID: id}, Data: note{id}}
}

// numbered lists size of the notes up to have, by number.
func numbered(have, size int) func(context.Context, string) ([]gateway.Item[note], string, error) {
	return func(_ context.Context, cursor string) (out []gateway.Item[note], next string, err error) {
		at := 0
		if cursor != "" {
			if _, err := fmt.Sscan(cursor, &at); err != nil {
				return nil, "", err
			}
		}
		for i := at + 1; i <= min(at+size, have); i++ {
			out = append(out, item(fmt.Sprint(i)))
		}
		return out, fmt.Sprint(min(at+size, have)), nil
	}
}

func (n *notes) plugin(r *rig, opts ...gateway.Option) {
	r.again(newForum(r.api, noted, gateway.ListFunc("notes", time.Minute, noted, n.list, opts...)))
}

// events are the texts of the notes in the log.
func (r *rig) notes(c *gateway.Community) []string {
	r.t.Helper()
	out := []string{}
	for after := int64(0); ; {
		events, err := c.Events(r.t.Context(), after, 500, "note")
		require.NoError(r.t, err)
		for _, e := range events {
			out, after = append(out, textOf(e)), e.Seq
		}
		if len(events) < 500 {
			return out
		}
	}
}

func upTo(n int) []string {
	out := []string{}
	for i := range n {
		out = append(out, fmt.Sprint(i+1))
	}
	return out
}

// pollError is why the last run of the lister failed, as health shows it.
func (r *rig) pollError() string {
	r.t.Helper()
	for _, t := range r.tasks(store.TaskQuery{Kind: "poll"}) {
		if strings.HasSuffix(t.Key, "/notes") {
			return t.Error
		}
	}
	require.Fail(r.t, "the poll is gone")
	return ""
}

func TestListGoesOnWhereItWas(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r, n := newRig(t, gateway.Options{Store: s}), &notes{}
		n.on(numbered(7, 3))
		n.plugin(r)
		c, _ := r.town("a", "S1")
		r.due()
		require.Equal(t, []string{"", "3", "6", "7"}, n.cursors(), "at once as long as there is more")
		require.Equal(t, upTo(7), r.notes(c))

		n.on(numbered(8, 3))
		n.plugin(r) // a restart
		r.wait(2 * time.Minute)
		require.Equal(t, []string{"7", "8"}, n.cursors())
		require.Equal(t, upTo(8), r.notes(c))

		before := r.notes(c)
		n.on(func(context.Context, string) ([]gateway.Item[note], string, error) {
			return []gateway.Item[note]{item("8"), item("7")}, "", nil // the same page for ever
		})
		r.wait(2 * time.Minute)
		require.Equal(t, []string{"8"}, n.cursors(), `"" says that there is no more, and leaves the cursor`)
		require.Equal(t, before, r.notes(c))
		require.Empty(t, r.pollError())
	})
}

func TestListKeepsItemsAndCursorTogether(t *testing.T) {
	r, n := newRig(t, gateway.Options{Store: &tornStore{Store: memory.New()}}), &notes{}
	torn := r.store.(*tornStore)
	n.on(numbered(2000, 700))
	n.plugin(r)
	c, _ := r.town("a", "S1")
	for i := range 20 { // each run dies at another of its transactions
		torn.after(i % 4)
		_, _ = r.RunDue(t.Context())
		torn.after(-1)
		n.plugin(r)
		r.clock.advance(20 * time.Minute)
	}
	r.due()
	require.Equal(t, upTo(2000), r.notes(c))
}

// tornStore refuses all transactions after some that append events.
type tornStore struct {
	store.Store
	mu   sync.Mutex
	left int
	on   bool
}

func (s *tornStore) after(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.on = n, n >= 0
}

func (s *tornStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		w := &tornTx{Tx: tx}
		if err := fn(w); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if w.appends && s.on {
			if s.left == 0 {
				return errBoom
			}
			s.left--
		}
		return nil
	})
}

type tornTx struct {
	store.Tx
	appends bool
}

func (t *tornTx) Append(e store.Event) (int64, bool, error) {
	t.appends = true
	return t.Tx.Append(e)
}

func TestListBadInput(t *testing.T) {
	many := make([]gateway.Item[note], 1200)
	for i := range many {
		many[i] = item(fmt.Sprint(i + 1))
	}
	calls := 0
	for name, x := range map[string]struct {
		list  func(context.Context, string) ([]gateway.Item[note], string, error)
		kept  []string
		asked int // how often, up to
		fails string
	}{
		"no ID": {func(context.Context, string) ([]gateway.Item[note], string, error) {
			return []gateway.Item[note]{item("1"), {}}, "2", nil
		}, []string{}, 1, "item 2 has no ID"},
		"too large": {func(context.Context, string) ([]gateway.Item[note], string, error) {
			return []gateway.Item[note]{{Meta: gateway.Meta{ID: "1"}, Data: note{strings.Repeat("x", 2<<20)}}}, "2", nil
		}, []string{}, 1, "Options.MaxBody"},
		"twice in a page": {func(context.Context, string) ([]gateway.Item[note], string, error) {
			return []gateway.Item[note]{item("1"), item("1"), item("2")}, "", nil
		}, upTo(2), 1, ""},
		"in a circle": {func(_ context.Context, cursor string) ([]gateway.Item[note], string, error) {
			return []gateway.Item[note]{item("1")}, map[string]string{"": "a", "a": "b", "b": "a"}[cursor], nil
		}, upTo(1), 3, "in a circle"},
		"empty for ever": {func(_ context.Context, cursor string) ([]gateway.Item[note], string, error) {
			calls++
			return nil, fmt.Sprint(calls), nil
		}, []string{}, 100, "nothing new on 100 pages"},
		"full for ever": {func(_ context.Context, cursor string) ([]gateway.Item[note], string, error) {
			return []gateway.Item[note]{item("n" + cursor)}, cursor + "x", nil
		}, nil, 100, ""},
		"an enormous page": {func(context.Context, string) ([]gateway.Item[note], string, error) {
			return many, "", nil
		}, upTo(1200), 1, ""},
		"a panic":  {func(context.Context, string) ([]gateway.Item[note], string, error) { panic("boom") }, []string{}, 1, "panic"},
		"an error": {func(context.Context, string) ([]gateway.Item[note], string, error) { return nil, "", errBoom }, []string{}, 1, "boom"},
		"hanging": {func(ctx context.Context, _ string) ([]gateway.Item[note], string, error) {
			<-ctx.Done()
			return nil, "", ctx.Err()
		}, []string{}, 1, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			r, n := newRig(t, gateway.Options{Timeout: 200 * time.Millisecond}), &notes{}
			if name != "hanging" {
				r = newRig(t, gateway.Options{})
			}
			n.on(x.list)
			n.plugin(r)
			c, _ := r.town("a", "S1")
			r.due()
			require.Len(t, n.cursors(), x.asked)
			if x.kept != nil {
				require.Equal(t, x.kept, r.notes(c))
			}
			if x.fails == "" {
				require.Empty(t, r.pollError())
			} else {
				require.Contains(t, r.pollError(), x.fails)
				require.Contains(t, r.logs.String(), "a task failed")
			}
			n.on(numbered(0, 1))
			r.wait(15 * time.Minute)
			first := n.cursors()[0]
			switch name {
			case "no ID", "too large", "a panic", "an error", "hanging":
				require.Empty(t, first, "the cursor stays")
			}
		})
	}
}

// TestListPiece sees how much is in one transaction.
func TestListPiece(t *testing.T) {
	s := &countingStore{Store: memory.New()}
	r, n := newRig(t, gateway.Options{Store: s}), &notes{}
	n.on(func(_ context.Context, cursor string) ([]gateway.Item[note], string, error) {
		if cursor != "" {
			return nil, "", nil
		}
		var out []gateway.Item[note]
		for i := range 1200 {
			out = append(out, item(fmt.Sprint(i)))
		}
		for i := range 5 {
			out = append(out, gateway.Item[note]{Meta: gateway.Meta{ID: fmt.Sprint("big", i)}, Data: note{strings.Repeat("x", 900<<10)}})
		}
		return out, "end", nil
	})
	n.plugin(r)
	c, _ := r.town("a", "S1")
	r.due()
	require.Len(t, r.notes(c), 1205)
	s.mu.Lock()
	defer s.mu.Unlock()
	require.LessOrEqual(t, s.events, 500)
	require.LessOrEqual(t, s.bytes, 1<<20)
}

// countingStore remembers the largest transaction.
type countingStore struct {
	store.Store
	mu            sync.Mutex
	events, bytes int
}

func (s *countingStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		w := &countingTx{Tx: tx}
		err := fn(w)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events, s.bytes = max(s.events, w.events), max(s.bytes, w.bytes)
		return err
	})
}

type countingTx struct {
	store.Tx
	events, bytes int
}

func (t *countingTx) Append(e store.Event) (int64, bool, error) {
	t.events++
	t.bytes += len(e.Data)
	return t.Tx.Append(e)
}

func TestListOfManyLetsOthersGo(t *testing.T) {
	r, n := newRig(t, gateway.Options{}), &notes{}
	n.on(numbered(1000, 3))
	n.plugin(r)
	c, _ := r.town("a", "S1")
	next := r.due()
	require.Len(t, n.cursors(), 100)
	require.WithinDuration(t, r.clock.now().Add(time.Second), next, 0)
	for range 3 {
		r.wait(time.Second)
	}
	require.Equal(t, upTo(1000), r.notes(c))
}

func TestListCursorOfLaterVersion(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r, n := newRig(t, gateway.Options{Store: s}), &notes{}
		n.on(numbered(5, 10))
		n.plugin(r, gateway.Version(2))
		c, _ := r.town("a", "S1")
		r.due()
		n.on(numbered(6, 10))
		n.plugin(r, gateway.Version(1))
		r.wait(2 * time.Minute)
		require.Empty(t, n.cursors())
		require.Contains(t, r.pollError(), "later version")
		n.plugin(r, gateway.Version(3))
		r.wait(2 * time.Minute)
		require.Equal(t, []string{"5", "6"}, n.cursors(), "a later program goes on")
		require.Equal(t, upTo(6), r.notes(c))
	})
}

// TestListModel: whatever the size of pages, and whenever the list fails, every note becomes one event, in order.
func TestListModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r, n := newRig(t, gateway.Options{}), &notes{}
		n.on(numbered(0, 1))
		n.plugin(r)
		c, _ := r.town("a", "S1")
		have := 0
		for range rapid.IntRange(1, 12).Draw(rt, "runs") {
			have += rapid.IntRange(0, 40).Draw(rt, "new")
			size, fail := rapid.IntRange(1, 9).Draw(rt, "size"), rapid.IntRange(0, 9).Draw(rt, "fails at")
			again := rapid.IntRange(0, 5).Draw(rt, "overlap")
			n.on(func(ctx context.Context, cursor string) ([]gateway.Item[note], string, error) {
				if fail--; fail == 0 {
					return nil, "", errors.New("no")
				}
				items, next, err := numbered(have, size)(ctx, cursor)
				for i := range min(again, have) { // some that are known, or will be
					items = append(items, items[:min(i, len(items))]...)
				}
				return items, next, err
			})
			if rapid.Bool().Draw(rt, "restart") {
				n.plugin(r)
			}
			r.wait(15 * time.Minute)
		}
		n.on(numbered(have, 50))
		for range 5 {
			r.wait(15 * time.Minute)
		}
		require.Equal(rt, upTo(have), r.notes(c))
	})
}

func TestListMistakes(t *testing.T) {
	n := &notes{}
	for name, f := range map[string]gateway.Feature[*forum]{
		"shorter than a second": gateway.ListFunc("l", time.Millisecond, noted, n.list),
		"more often than":       gateway.ListFunc("l", time.Minute, noted, n.list, gateway.Least(time.Hour)),
		"no event":              gateway.ListFunc[*forum, note]("l", time.Minute, nil, n.list),
	} {
		require.Panics(t, func() { newForum(&forumAPI{}, f) }, name)
	}
}

// A page that is listed again and again, with items that happened longer ago than anything is remembered, or that come to that age.
func TestListOfOldItems(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r, n := newRig(t, gateway.Options{Store: s}), &notes{}
		at := func(id string, ago time.Duration) gateway.Item[note] {
			it := item(id)
			it.At = r.clock.now().Add(-ago)
			return it
		}
		page := []gateway.Item[note]{at("old", 40*24*time.Hour), at("1", 29*24*time.Hour), at("2", time.Hour)}
		n.on(func(context.Context, string) ([]gateway.Item[note], string, error) {
			return slices.Clone(page), "", nil
		})
		n.plugin(r)
		c, _ := r.town("a", "S1")
		heard := r.listen("driver")
		r.due()
		require.Equal(t, upTo(2), r.notes(c))
		for range 35 * 12 {
			r.wait(2 * time.Hour)
		}
		require.Equal(t, upTo(2), heard.texts())
		require.Empty(t, r.notes(c))
		require.Empty(t, r.pollError())
	})
}
