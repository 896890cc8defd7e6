package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// hookTimeout is so short that the claim of a dead child has run out when the next begins, see downFor.
const hookTimeout = 2 * time.Second

const (
	ordered = "ordered"
	loose   = "loose"
)

// endpoints makes the endpoints, or tells those that are there where the parent is now, and that it is well.
func endpoints(ctx context.Context, g *gateway.Gateway, base string) error {
	have, err := g.Endpoints().List(ctx, "", 0)
	if err != nil {
		return err
	}
	ids := map[string]string{}
	for _, e := range have {
		ids[e.Description] = e.ID
	}
	for _, name := range []string{ordered, loose} {
		spec := gateway.EndpointSpec{URL: base + "/hook/" + name, Description: name, Ordered: name == ordered}
		if ids[name] == "" {
			_, _, err = g.Endpoints().Create(ctx, spec)
		} else if _, err = g.Endpoints().Update(ctx, ids[name], spec); err == nil {
			err = g.Endpoints().Enable(ctx, ids[name])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hooks are what came to the endpoints, by name.
type hooks map[string]*posts

type posts struct {
	got   []posted
	known map[string]bool // facts and statuses of processes
}

type posted struct {
	id, community string
	seq           int64
}

// serveHook is an endpoint. It loses answers, and is not always well.
func (w *world) serveHook(name string, out http.ResponseWriter, r *http.Request) {
	var m struct {
		Data struct {
			Community, ID, Status string
			Seq                   int64
			Data                  happened
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		panic(http.ErrAbortHandler) // it died while it wrote
	}
	w.mu.Lock()
	if w.hooks[name] == nil {
		w.hooks[name] = &posts{known: map[string]bool{}}
	}
	p, d := w.hooks[name], m.Data
	ill := w.faults && w.chance(100)
	abort := w.faults && w.chance(100)
	if !ill {
		p.got = append(p.got, posted{r.Header.Get("webhook-id"), d.Community, d.Seq})
		if d.Data.Fact != "" {
			p.known[d.Data.Fact] = true
		} else {
			p.known[d.ID+" "+d.Status] = true
		}
		w.changed.Broadcast()
	}
	w.mu.Unlock()
	switch {
	case ill:
		http.Error(out, "not now", http.StatusServiceUnavailable)
	case abort:
		panic(http.ErrAbortHandler)
	}
}

// know says whether every endpoint was told of something.
func (h hooks) know(what string) bool {
	return h[ordered] != nil && h[ordered].known[what] && h[loose] != nil && h[loose].known[what]
}

// reckon looks for events that did not reach an endpoint, came out of order where they must not, or had more than one ID.
func (h hooks) reckon(events []store.Event) (wrong []string) {
	for name, p := range h {
		ids, seqs := map[int64]string{}, map[string]int64{}
		last := map[string]int64{} // by community
		for _, m := range p.got {
			if id, ok := ids[m.seq]; ok && id != m.id {
				wrong = append(wrong, fmt.Sprintf("%s got event %d as %s and as %s", name, m.seq, id, m.id))
			}
			if seq, ok := seqs[m.id]; ok && seq != m.seq {
				wrong = append(wrong, fmt.Sprintf("%s got %s as event %d and as %d", name, m.id, seq, m.seq))
			}
			again := ids[m.seq] != ""
			ids[m.seq], seqs[m.id] = m.id, m.seq
			if again {
				continue
			}
			if name == ordered && m.seq <= last[m.community] {
				wrong = append(wrong, fmt.Sprintf("%s got event %d of %s after %d", name, m.seq, m.community, last[m.community]))
			}
			last[m.community] = m.seq
		}
		for _, e := range events {
			if e.Process == "" && ids[e.Seq] == "" { // of processes, what is history is passed over
				wrong = append(wrong, fmt.Sprintf("%s never got event %d of %s", name, e.Seq, e.Community))
			}
		}
	}
	if len(h) != 2 {
		wrong = append(wrong, fmt.Sprintf("%d endpoints were told something, and there are 2", len(h)))
	}
	return wrong
}
