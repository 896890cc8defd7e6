package crash

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// fact is something that happened on the platform and has to reach the gateway.
type fact struct {
	m     message
	acked bool
	ackAt time.Time // by the world's clock
	sends int
	first int // the incarnation to which it was sent first
	by    int // the incarnation that acknowledged it
	early bool
}

func (f *fact) String() string {
	return fmt.Sprintf("%s (%s, sent %d times, first to child %d, acknowledged by child %d at %s)", f.m.Fact, f.m.Kind, f.sends, f.first, f.by, f.ackAt.Format("15:04:05.000"))
}

// election as the people on the platform see it.
type poll struct {
	id, title, community string
	closing              time.Time
	pending              bool // a callback has heard so
	ballots              []*fact
}

// world is the platform and the people on it, and what the driver's callbacks heard. It outlives every child.
type world struct {
	secret string
	seal   string
	hooks  hooks

	mu      sync.Mutex
	changed sync.Cond
	rng     *rand.Rand
	ahead   time.Duration
	faults  bool // the platform loses answers
	stop    bool // nobody says anything new
	url     string
	n       int // of the child

	facts    map[string]*fact
	order    []string // facts that are events, as they were made
	again    []*fact  // to be sent once more although they were acknowledged
	acked    int      // events
	late     int
	effects  map[string]int
	shows    map[string][]bool
	heard    map[string][]heard // by community, as they came
	known    map[string]bool    // facts that were heard
	polls    map[string]*poll
	posted   []*poll // the same, in the order in which they appeared
	outcomes map[string]string
	lost     int // answers
	lastAt   time.Time
	wrong    []string // found on the way

	killAfter int // effects until the child is to be killed in the middle of one; 0: not
	kill      chan struct{}
	dead      chan struct{}
}

func newWorld(seed uint64) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), faults: true, seal: gateway.NewSealKey(), hooks: hooks{}, secret: fmt.Sprintf("made up %d", seed), facts: map[string]*fact{}, effects: map[string]int{},
		shows: map[string][]bool{}, heard: map[string][]heard{}, known: map[string]bool{}, polls: map[string]*poll{}, outcomes: map[string]string{},
	}
	w.changed.L = &w.mu
	return w
}

// now is the time that the children have too. The lock is held.
func (w *world) now() time.Time { return time.Now().Add(w.ahead).UTC().Truncate(time.Microsecond) }

// stamp is a time that no other fact has. The lock is held.
func (w *world) stamp() time.Time {
	at := w.now()
	if !at.After(w.lastAt) {
		at = w.lastAt.Add(time.Microsecond)
	}
	w.lastAt = at
	return at
}

func (w *world) blame(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf("child %d: ", w.n)+fmt.Sprintf(format, args...))
	w.changed.Broadcast()
}

// chance is true once in n. The lock is held.
func (w *world) chance(n int) bool { return w.rng.IntN(n) == 0 }

// ServeHTTP is what the plugin and the driver's callbacks reach.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	if name, ok := strings.CutPrefix(r.URL.Path, "/hook/"); ok {
		w.serveHook(name, out, r)
		return
	}
	var e effect
	var h heard
	var v any = &h
	if r.URL.Path == "/effect" || r.URL.Path == "/look" {
		v = &e
	}
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		panic(http.ErrAbortHandler) // it died while it wrote
	}
	w.mu.Lock()
	var answer any = true
	abort := w.faults && w.chance(150)
	switch r.URL.Path {
	case "/effect":
		if w.faults && w.chance(25) {
			w.mu.Unlock()
			http.Error(out, "not now", http.StatusServiceUnavailable)
			return
		}
		w.have(e)
		abort = w.faults && w.chance(10)
		if w.killAfter > 0 {
			if w.killAfter--; w.killAfter == 0 {
				kill, dead := w.kill, w.dead
				w.mu.Unlock()
				close(kill)
				<-dead // it never hears what became of this
				panic(http.ErrAbortHandler)
			}
		}
	case "/look":
		answer = w.effects[e.name()] > 0
		abort = w.faults && w.chance(6)
	case "/heard":
		w.heard[h.Community] = append(w.heard[h.Community], h)
		w.known[h.Fact] = true
	case "/process":
		w.hearProcess(h)
	default:
		w.blame("called %s", r.URL.Path)
	}
	if abort {
		w.lost++
	}
	w.changed.Broadcast()
	w.mu.Unlock()
	if abort {
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(out).Encode(answer) // whoever asked may be dead
}

// have has an effect, however often it was had before. The lock is held.
func (w *world) have(e effect) {
	w.effects[e.name()]++
	switch e.Kind {
	case "show":
		w.shows[e.Key] = append(w.shows[e.Key], e.Ended)
	case "post":
		if p := w.polls[e.Key]; p == nil {
			p = &poll{id: e.Key, title: e.Title, community: e.Community, closing: e.ClosingAt}
			w.polls[e.Key] = p
			w.posted = append(w.posted, p)
		}
	}
	if n := w.effects[e.name()]; n > 1 && e.Kind != "show" && e.Kind != "handle" {
		w.blame("%s was had %d times", e.name(), n)
	}
}

func (w *world) hearProcess(h heard) {
	switch h.Status {
	case "pending":
		if p := w.polls[h.Process]; p != nil {
			p.pending = true
		}
	case "completed":
		if was, ok := w.outcomes[h.Process]; ok && was != string(h.Outcome) {
			w.blame("the outcome of %s was %s and is %s", h.Process, was, h.Outcome)
		}
		w.outcomes[h.Process] = string(h.Outcome)
	case "failed":
		w.blame("process %s (%s) failed", h.Process, h.Title)
	}
}

// missing lists what the children still owe. The lock is held.
func (w *world) missing() []string {
	var out []string
	for _, f := range w.facts {
		if !f.acked {
			out = append(out, "not acknowledged: "+f.String())
			continue
		}
		switch f.m.Kind {
		case "ballot":
			continue
		case "once":
			if w.effects["act:"+f.m.Fact] == 0 {
				out = append(out, "not done: "+f.String())
			}
		case "slow":
			if w.effects["handle:"+f.m.Fact] == 0 {
				out = append(out, "not handled: "+f.String())
			}
		}
		if !w.known[f.m.Fact] {
			out = append(out, "not heard: "+f.String())
		}
		if !w.hooks.know(f.m.Fact) {
			out = append(out, "not posted to every endpoint: "+f.String())
		}
	}
	started := map[string]bool{}
	for _, p := range w.polls {
		started[p.title] = true
	}
	for _, f := range w.facts {
		if f.m.Kind == "vote" && !started[f.m.Fact] {
			out = append(out, "no election: "+f.String())
		}
	}
	return out
}

// first shows the beginning of a list.
func first(list []string) string {
	const some = 10
	if len(list) > some {
		return strings.Join(list[:some], "\n") + fmt.Sprintf("\n… and %d more", len(list)-some)
	}
	return strings.Join(list, "\n")
}
