package gatewaytest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
)

// spy is a plugin whose own values can be looked at, to see what they print.
type spy struct {
	gateway.Plugin
	store *watched

	consents consents
	acting   atomic.Bool              // an action acts on behalf of a person
	tapped   func() map[string]string // secrets that it may not use then; nil: none

	mu      sync.Mutex
	selfs   []any
	misused string // where the secret comes from that it used
}

// Manifest is the plugin's, with logins that need no platform where there are actions on behalf of people.
func (s *spy) Manifest() gateway.Manifest { return s.consents.into(s.Plugin.Manifest()) }

// tap looks at what leaves through a client while an action acts on behalf of a person.
func (s *spy) tap(c *http.Client) *http.Client {
	out := *c
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	out.Transport = tap{next: next, acting: &s.acting, secrets: func() map[string]string { return s.tapped() }, seen: func(from string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.misused = from
	}}
	return &out
}

// misuse says which secret was used in the place of a person's token, since it was asked last; "" for none.
func (s *spy) misuse() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.misused
	s.misused = ""
	return from
}

func (s *spy) Open(ctx context.Context, i *gateway.Instance, config json.RawMessage) (any, error) {
	self, err := s.Plugin.Open(ctx, i, config)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.selfs = append(s.selfs, self)
	}
	return self, err
}

func (s *spy) opened() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]any(nil), s.selfs...)
}

// watched is a store that remembers what it was given to keep.
type watched struct {
	store.Store

	mu      sync.Mutex
	updates int // transactions that could have changed something
	rows    strings.Builder
}

func newWatched() *watched { return &watched{Store: memory.New()} }

func (w *watched) Update(ctx context.Context, fn func(store.Tx) error) error {
	w.mu.Lock()
	w.updates++
	w.mu.Unlock()
	return w.Store.Update(ctx, func(tx store.Tx) error { return fn(watchedTx{tx, w}) })
}

// changes counts the transactions so far.
func (w *watched) changes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.updates
}

// written is everything that was to be kept, as text.
func (w *watched) written() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rows.String()
}

func (w *watched) note(row any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(&w.rows, "%s\n", row) // %s, so that bytes are text
}

// watchedTx notes the rows in which a plugin's words can stand.
type watchedTx struct {
	store.Tx
	w *watched
}

func (t watchedTx) PutInstance(i store.Instance) error { t.w.note(i); return t.Tx.PutInstance(i) }
func (t watchedTx) PutProcess(p store.Process) error   { t.w.note(p); return t.Tx.PutProcess(p) }
func (t watchedTx) PutCall(c store.Call) error         { t.w.note(c); return t.Tx.PutCall(c) }
func (t watchedTx) PutToken(k store.Token) error       { t.w.note(k); return t.Tx.PutToken(k) }
func (t watchedTx) PutAccount(a store.Account) error   { t.w.note(a); return t.Tx.PutAccount(a) }
func (t watchedTx) PutTicket(k store.Ticket) error     { t.w.note(k); return t.Tx.PutTicket(k) }
func (t watchedTx) Schedule(s store.Task) error        { t.w.note(s); return t.Tx.Schedule(s) }

func (t watchedTx) PutState(instance, key string, value []byte, rev int64) error {
	t.w.note(value)
	return t.Tx.PutState(instance, key, value, rev)
}

func (t watchedTx) Append(e store.Event) (int64, bool, error) {
	t.w.note(e)
	return t.Tx.Append(e)
}

func (t watchedTx) PutRef(instance, ref, process string) error {
	t.w.note(ref)
	return t.Tx.PutRef(instance, ref, process)
}

func (t watchedTx) Retry(s store.Task, due time.Time, reason string) error {
	t.w.note(reason)
	return t.Tx.Retry(s, due, reason)
}

func (t watchedTx) Park(s store.Task, group, reason string) error {
	t.w.note(reason)
	return t.Tx.Park(s, group, reason)
}
