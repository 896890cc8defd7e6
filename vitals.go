package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/metagov/gateway-go/store"
)

// vital is what is remembered of one instance's life.
type vital struct {
	Delivery time.Time `json:"delivery,omitzero"`
	Event    time.Time `json:"event,omitzero"`
	Error    *Trouble  `json:"error,omitempty"`
}

func (v *vital) merge(n vital) {
	v.Delivery, v.Event = maxTime(v.Delivery, n.Delivery), maxTime(v.Event, n.Event)
	if n.Error != nil && (v.Error == nil || !n.Error.At.Before(v.Error.At)) {
		v.Error = n.Error
	}
}

// vitals are the instances that had something since they were last kept: what is hot pays no write, and those that sleep no memory.
type vitals struct {
	mu      sync.Mutex
	now     map[string]vital // by instance
	flushed time.Time
	source  []SourceHealth // few: as many as the plugins have
}

const (
	vitalKey = "gateway/vital"
	// keepVitalsEvery is how often what was heard is written down.
	keepVitalsEvery = time.Minute
	// longError is as much of an error's text as is kept.
	longError = 500
)

func brief(s string) string {
	if r := []rune(s); len(r) > longError {
		return string(r[:longError]) + "…"
	}
	return s
}

func (v *vitals) note(instance string, n vital) {
	if instance == "" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now == nil {
		v.now = map[string]vital{}
	}
	have := v.now[instance]
	have.merge(n)
	v.now[instance] = have
}

func (v *vitals) get(instance string) vital {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now[instance]
}

// ail notes what failed for an instance: not what its callers asked for wrongly.
func (g *Gateway) ail(instance, what string, err error) {
	if t := g.trouble(what, err); t != nil {
		g.vitals.note(instance, vital{Error: t})
	}
}

func (g *Gateway) trouble(what string, err error) *Trouble {
	switch code := CodeOf(err); code {
	case "", Invalid, NotFound, Conflict:
		return nil
	default:
		return &Trouble{What: what, Code: code, Error: brief(text(err)), At: g.now()}
	}
}

// connects notes that a source begins to listen, or (since zero) why it stopped.
func (v *vitals) connects(plugin, name string, since time.Time, t *Trouble) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range v.source {
		if s := &v.source[i]; s.Plugin == plugin && s.Name == name {
			s.Since = since
			if t != nil {
				s.Error = t
			}
			return
		}
	}
	v.source = append(v.source, SourceHealth{Plugin: plugin, Name: name, Since: since, Error: t})
}

func (v *vitals) sources() []SourceHealth {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]SourceHealth(nil), v.source...)
}

func readVital(tx store.Tx, instance string) (v vital, rev int64, err error) {
	raw, rev, err := tx.State(instance, vitalKey)
	if err == nil && raw != nil && json.Unmarshal(raw, &v) != nil {
		v = vital{} // of another version; it is not worth more than a fresh start
	}
	return v, rev, err
}

// keepVitals writes down once a minute what was heard, until ctx ends, and once more then.
func (g *Gateway) keepVitals(ctx context.Context) {
	t := time.NewTicker(keepVitalsEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			g.flushVitals(context.WithoutCancel(ctx))
			return
		case <-t.C:
			g.flushVitals(ctx)
		}
	}
}

// flushDue is keepVitals for those who have their own loop.
func (g *Gateway) flushDue(ctx context.Context) {
	now := g.now()
	g.vitals.mu.Lock()
	due := now.Sub(g.vitals.flushed).Abs() >= keepVitalsEvery
	if due {
		g.vitals.flushed = now
	}
	g.vitals.mu.Unlock()
	if due {
		g.flushVitals(ctx)
	}
}

// flushVitals writes down what was heard since the last time. What cannot be written is kept for the next.
func (g *Gateway) flushVitals(ctx context.Context) {
	g.vitals.mu.Lock()
	all := g.vitals.now
	g.vitals.now = nil
	g.vitals.mu.Unlock()
	const some = 100 // so that no writer waits for long
	batch := make(map[string]vital, min(len(all), some))
	flush := func() {
		if err := g.store.Update(ctx, func(tx store.Tx) error { return putVitals(tx, batch) }); err != nil {
			g.log.Warn("when instances were last heard of could not be kept; it is tried again", "error", err)
			for id, v := range batch {
				g.vitals.note(id, v)
			}
		}
		clear(batch)
	}
	for id, v := range all {
		if batch[id] = v; len(batch) == some {
			flush()
		}
	}
	if len(batch) > 0 {
		flush()
	}
}

func putVitals(tx store.Tx, batch map[string]vital) error {
	for id, v := range batch {
		if _, err := tx.Instance(id); errors.Is(err, store.ErrNotFound) {
			continue // removed since
		} else if err != nil {
			return err
		}
		have, rev, err := readVital(tx, id)
		if err != nil {
			return err
		}
		have.merge(v)
		raw, err := json.Marshal(have)
		if err != nil {
			return err
		}
		if err := tx.PutState(id, vitalKey, raw, rev); err != nil {
			return err
		}
	}
	return nil
}
