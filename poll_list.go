package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Item is one thing that a lister found. Its Meta must have an ID: it is by (instance, type, ID) that what is listed twice is kept once.
type Item[D any] struct {
	Meta
	Data D
}

// ListFunc makes a poll that lists what is new on the platform, and has it become events. It is all that an author writes: list
// returns some of the items after cursor, oldest first, and where to go on the next time. next is the same as cursor, or "", when there
// is nothing more for now; otherwise list is called again at once, or soon where much is to be fetched, so that nobody else waits. cursor
// is "" the first time: begin with what there is, or return no items and where things stand, to begin with what comes.
//
// Platforms whose cursor names a page are asked for the last one again and again, until it is full: what is on it and known is passed over. A
// platform that has more to tell, and does not move its cursor, cannot be listed: make a cursor of the last item then.
//
// Items and cursor are kept in one transaction (in several, where a page is large, the cursor with the last). So whatever dies
// when, each item becomes one event, as long as events are kept (Options.Retain); list may see the same cursor again. What happened longer ago,
// by its Meta.At, is passed over: give At wherever the platform may list an item for that long. What processes or
// the webhook's Receive are to see too is handed over in list with [Instance.Accept]: the cursor moves after that, and the webhook's ID sees to it
// that it counts once.
//
// Refused, with the cursor left where it is: an item without an ID, or larger than Options.MaxBody. What list should never do is
// reported, and tried again with a growing pause, like any error of its own: it comes back to a cursor, or goes on for a
// hundred pages without anything new. list runs on a goroutine of [Gateway.Run], and ends when
// its ctx does, after [Options.Timeout].
//
// [Version] numbers the cursor, and [Least] allows to poll more often. list must understand the cursors of earlier versions; one
// of a later version waits for a program that has it.
func ListFunc[T Owner, D any](name string, every time.Duration, event *EventType[T, D], list func(t T, ctx context.Context, cursor string) (items []Item[D], next string, err error), opts ...Option) Feature[T] {
	return featureFunc[T](func(b *builder) {
		o := collect(opts)
		b.pace("list "+name, every, o.least)
		if event == nil {
			b.fail("list %s: it has no event", name)
			return
		}
		b.m.Polls = append(b.m.Polls, PollDef{Name: name, Every: every, Least: o.least, Version: o.version, Event: event.typ,
			List: func(ctx context.Context, self any, cursor string) ([]Item[json.RawMessage], string, error) {
				items, next, err := list(self.(T), ctx, cursor)
				if err != nil {
					return nil, "", err
				}
				out := make([]Item[json.RawMessage], len(items))
				for i, it := range items {
					raw, err := json.Marshal(it.Data)
					if err != nil {
						return nil, "", Errorf(Internal, "encoding item %q of list %s: %w", it.ID, name, err)
					}
					out[i] = Item[json.RawMessage]{it.Meta, raw}
				}
				return out, next, nil
			}})
	})
}

const (
	listPages  = 100     // in one run of a lister
	pieceItems = 500     // in one transaction
	pieceBytes = 1 << 20 // likewise
)

// place is where a lister has come to, as it is kept.
type place struct {
	Version int    `json:"version"`
	Cursor  string `json:"cursor"`
	rev     int64
}

// placeKey is where a lister's place stands among an instance's state.
func placeKey(poll string) string { return "gateway/cursor/" + poll }

// list runs a lister until it has nothing more, or for long enough. more says that others should go first.
func (g *Gateway) list(ctx context.Context, inst *opened, d PollDef) (more bool, err error) {
	at, err := g.placeOf(ctx, inst, d)
	if err != nil {
		return false, err
	}
	began := time.Now() // real time is what others wait
	seen := map[string]bool{at.Cursor: true}
	news, old := 0, 0
	for page := 1; ; page++ {
		items, next, err := d.List(ctx, inst.self, at.Cursor)
		if err != nil {
			return false, err
		}
		listed := len(items)
		items = g.recent(items)
		old += listed - len(items)
		end := next == "" || next == at.Cursor
		if end {
			next = at.Cursor
		}
		n, err := g.keepPage(ctx, inst, d, &at, items, next)
		news += n
		switch {
		case err != nil:
			return false, err
		case end:
			return false, nil
		case seen[next]:
			return false, Errorf(Internal, "list %s goes round in a circle: after %s it came back to cursor %.100q", d.Name, plural(page, "page"), next)
		case page == listPages && news == 0 && old == 0:
			return false, Errorf(Internal, "list %s found nothing new on %s", d.Name, plural(page, "page"))
		case page == listPages, time.Since(began) > g.o.Timeout/2:
			return news > 0, nil
		}
		seen[next] = true
	}
}

// recent leaves out the items that happened before what is remembered. As events they would be deleted at once, and each time that the
// platform lists them again nobody could tell that they are known.
func (g *Gateway) recent(items []Item[json.RawMessage]) []Item[json.RawMessage] {
	before := g.now().Add(-g.o.Retain)
	return slices.DeleteFunc(items, func(it Item[json.RawMessage]) bool { return it.ID != "" && !it.At.IsZero() && it.At.Before(before) })
}

// placeOf reads where a lister has come to.
func (g *Gateway) placeOf(ctx context.Context, inst *opened, d PollDef) (at place, err error) {
	err = g.view(ctx, func(tx store.Tx) error {
		raw, rev, err := tx.State(inst.row.ID, placeKey(d.Name))
		at = place{rev: rev}
		if err != nil || raw == nil {
			return err
		}
		if err := json.Unmarshal(raw, &at); err != nil || at.Version > d.Version {
			return errMissing{inst.row.Plugin, Errorf(NotFound, "the cursor of list %s is of a later version of plugin %s than this program's", d.Name, inst.row.Plugin)}
		}
		return nil
	})
	if _, missing := waitsFor(err); missing {
		return at, err
	}
	return at, storeError(err, "reading the cursor of list %s", d.Name)
}

// keepPage appends what is new, and the cursor with the last of it.
func (g *Gateway) keepPage(ctx context.Context, inst *opened, d PollDef, at *place, items []Item[json.RawMessage], next string) (news int, err error) {
	known := make(map[string]bool, len(items))
	for i, it := range items {
		switch {
		case it.ID == "":
			return 0, Errorf(Internal, "list %s: item %d has no ID, so nobody could tell whether it is known", d.Name, i+1)
		case int64(len(it.Data)) > g.o.MaxBody:
			return 0, Errorf(Internal, "list %s: item %.100q has %d bytes, more than Options.MaxBody", d.Name, it.ID, len(it.Data))
		case known[it.ID]:
			inst.Log.Warn("a page has an item twice; the first is kept", "list", d.Name, "id", it.ID)
		}
		known[it.ID] = true
	}
	for {
		piece, rest := cut(items)
		last := len(rest) == 0
		if len(piece) == 0 && next == at.Cursor {
			return news, nil
		}
		n, rev := 0, at.rev
		err := g.store.Update(ctx, func(tx store.Tx) error {
			n = 0
			inside := withScope(ctx, scope{tx: tx})
			for _, it := range piece {
				fresh, err := inst.emit(inside, d.Event, it.Meta, it.Data)
				if err != nil {
					return err
				}
				if fresh {
					n++
				}
			}
			if !last || next == at.Cursor {
				return nil
			}
			if _, err := tx.Instance(inst.row.ID); err != nil {
				return err // removed meanwhile: what it leaves behind would stay for ever
			}
			raw, err := json.Marshal(place{Version: d.Version, Cursor: next})
			if err != nil {
				return err
			}
			if err := tx.PutState(inst.row.ID, placeKey(d.Name), raw, at.rev); err != nil {
				return err
			}
			_, rev, err = tx.State(inst.row.ID, placeKey(d.Name))
			return err
		})
		if err != nil {
			return news, outrun(storeError(err, "keeping a page of list %s", d.Name))
		}
		news += n
		if items = rest; last {
			at.Version, at.Cursor, at.rev = d.Version, next, rev
			return news, nil
		}
	}
}

// cut takes as many items as go into one transaction.
func cut(items []Item[json.RawMessage]) (piece, rest []Item[json.RawMessage]) {
	size := 0
	for i, it := range items {
		if size += len(it.Data); i > 0 && (i == pieceItems || size > pieceBytes) {
			return items[:i], items[i:]
		}
	}
	return items, nil
}
