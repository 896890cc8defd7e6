package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/metagov/gateway-go/store"
)

// EndpointSpec is what a driver says about an endpoint of its own.
type EndpointSpec struct {
	// URL is posted to: http or https, public unless [Options.Reach] says otherwise, without user, password and fragment.
	URL         string `json:"url"`
	Description string `json:"description,omitempty"` // for people
	// Filters narrow what is sent: one of several has to let a message pass. Types are those of messages ("slack.message",
	// "process.completed"), of events ("message"), or "process" for all that is told of processes.
	Filters []Filter `json:"filters,omitempty"`
	// Ordered has each community's messages wait until the one before was taken, or given up after days. Otherwise a message that fails
	// is tried again by itself, and the next are sent meanwhile.
	Ordered bool `json:"ordered,omitempty"`
}

// Endpoint is an address that is told of events and of what becomes of processes, by HTTP requests in the form of
// https://www.standardwebhooks.com. docs/hooks.md says what a receiver does.
type Endpoint struct {
	ID        string `json:"id"`
	Community string `json:"community,omitempty"` // "": it hears of all communities
	EndpointSpec
	Status  string    `json:"status"`           // "active" or "disabled"
	Reason  string    `json:"reason,omitempty"` // why it is disabled
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"` // by whoever configures it

	FailingSince time.Time `json:"failing_since,omitzero"` // the first failure after the last success; zero while there is none
	LastSuccess  time.Time `json:"last_success,omitzero"`
	LastFailure  time.Time `json:"last_failure,omitzero"`
	LastError    string    `json:"last_error,omitempty"`
}

// EndpointStatus is an endpoint with what lies before it.
type EndpointStatus struct {
	Endpoint
	Waiting int `json:"waiting"` // messages that are still to be sent, counted up to 1,000
	Dead    int `json:"dead"`    // messages that were given up, counted likewise; see [Endpoints.Dead]
}

// The states of an endpoint.
const (
	EndpointActive   = "active"
	EndpointDisabled = "disabled"
)

// Endpoints are the outgoing hooks of one community ([Community.Endpoints]), or those that hear of all communities
// ([Gateway.Endpoints]). Nobody sees those of another. Where there is no such endpoint, a method returns NotFound.
type Endpoints struct {
	g         *Gateway
	community string
}

// Endpoints are the endpoints that hear of all communities: the operator's, or those of a driver that serves all of them.
func (g *Gateway) Endpoints() Endpoints { return Endpoints{g, ""} }

// Endpoints are the community's own endpoints. They hear of nothing else.
func (c *Community) Endpoints() Endpoints { return Endpoints{c.g, c.row.Slug} }

// Create makes an endpoint that is told of everything that happens from now on. The secret that signs its messages ("whsec_…") is
// returned this once; it is kept sealed. Invalid: the address is not one that may be called, or there is no Options.Seal. Conflict: the community
// has 100 endpoints.
func (e Endpoints) Create(ctx context.Context, spec EndpointSpec) (Endpoint, Secret, error) {
	now := e.g.now()
	row := store.Endpoint{ID: newID("e"), Community: e.community, Status: EndpointActive, Created: now, Updated: now}
	if err := e.fill(&row, spec); err != nil {
		return Endpoint{}, "", err
	}
	key := newHookKey()
	if err := e.g.sealHookKeys(&row, []hookKey{{Key: key}}); err != nil {
		return Endpoint{}, "", err
	}
	err := e.g.update(ctx, func(tx store.Tx) (err error) {
		if err := e.room(tx); err != nil {
			return err
		}
		if row.From, err = tx.LastSeq(); err != nil {
			return err
		}
		if _, err := tx.Sub(hookSub); errors.Is(err, store.ErrNotFound) {
			err = tx.PutSub(store.Sub{Name: hookSub, Cursor: row.From, Created: now})
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if err := tx.PutEndpoint(row); err != nil {
			return err
		}
		return countEndpoints(tx, 1)
	})
	if err != nil {
		return Endpoint{}, "", storeError(err, "creating an endpoint")
	}
	out, err := endpointOf(row)
	return out, hookSecret(key), err
}

// List lists up to limit endpoints by ID, those after the given one.
func (e Endpoints) List(ctx context.Context, after string, limit int) ([]Endpoint, error) {
	var rows []store.Endpoint
	err := e.g.view(ctx, func(tx store.Tx) (err error) { rows, err = tx.Endpoints(e.community, after, limit); return err })
	if err != nil {
		return nil, storeError(err, "listing endpoints")
	}
	out := make([]Endpoint, len(rows))
	for i, row := range rows {
		if out[i], err = endpointOf(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Get reads an endpoint, and counts what waits for it.
func (e Endpoints) Get(ctx context.Context, id string) (s EndpointStatus, err error) {
	err = e.g.view(ctx, func(tx store.Tx) error {
		row, err := e.row(tx, id)
		if err != nil {
			return err
		}
		if s.Endpoint, err = endpointOf(row); err != nil {
			return err
		}
		s.Waiting, s.Dead, err = hookBacklog(tx, row, s.Filters)
		return err
	})
	return s, storeError(err, "reading endpoint %q", id)
}

// Update gives an endpoint another address, order or filter, also for what waits already. Its secret stays.
func (e Endpoints) Update(ctx context.Context, id string, spec EndpointSpec) (out Endpoint, err error) {
	err = e.change(ctx, id, func(tx store.Tx, row *store.Endpoint) (err error) {
		if err := e.fill(row, spec); err != nil {
			return err
		}
		out, err = endpointOf(*row)
		return err
	})
	return out, storeError(err, "changing endpoint %q", id)
}

// Disable stops an endpoint. Its place is kept: enabled again it hears what happened meanwhile, as far back as Options.Retain.
// reason is for people, and has at most 1,000 bytes.
func (e Endpoints) Disable(ctx context.Context, id, reason string) error {
	if len(reason) > maxHookText {
		return Errorf(Invalid, "the reason for disabling an endpoint has at most %d bytes", maxHookText)
	}
	return storeError(e.change(ctx, id, func(_ store.Tx, row *store.Endpoint) error {
		row.Status, row.Reason = EndpointDisabled, reason
		return nil
	}), "disabling endpoint %q", id)
}

// Enable lets an endpoint go on where it stood. What waits for its next try is tried at once, so that it is also what to do when an active
// endpoint is well again.
func (e Endpoints) Enable(ctx context.Context, id string) error {
	return storeError(e.change(ctx, id, func(tx store.Tx, row *store.Endpoint) error {
		row.Status, row.Reason, row.FailingSince = EndpointActive, "", time.Time{}
		if _, err := tx.Unpark(store.TaskQuery{Group: groupHookOff(id)}, e.g.now(), 1<<20); err != nil {
			return err
		}
		return e.g.wakeHooks(tx, id)
	}), "enabling endpoint %q", id)
}

// Delete removes an endpoint and all that waits for it. A message that is on its way may still arrive.
func (e Endpoints) Delete(ctx context.Context, id string) error {
	return storeError(e.g.update(ctx, func(tx store.Tx) error {
		if _, err := e.row(tx, id); err != nil {
			return err
		}
		if err := tx.DeleteEndpoint(id); err != nil {
			return err
		}
		return countEndpoints(tx, -1)
	}), "deleting endpoint %q", id)
}

// keepOldKey is how long a secret that was replaced signs beside the new one.
const keepOldKey = 24 * time.Hour

// maxHookKeys is how many secrets sign at the same time.
const maxHookKeys = 5

// Rotate gives an endpoint a new secret, and returns it this once. For 24 hours the old one signs too, so that a receiver has time to
// change. Conflict: there were four rotations within that time.
func (e Endpoints) Rotate(ctx context.Context, id string) (Secret, error) {
	key := newHookKey()
	err := e.change(ctx, id, func(_ store.Tx, row *store.Endpoint) error {
		now := e.g.now()
		old, err := e.g.openHookKeys(*row, now)
		if err != nil {
			return err
		}
		if len(old) >= maxHookKeys {
			return Errorf(Conflict, "endpoint %s has %d secrets already; the oldest ends at %s", id, len(old), old[len(old)-1].Until.Format(time.RFC3339))
		}
		keys := append([]hookKey{{Key: key}}, old...)
		keys[1].Until = now.Add(keepOldKey)
		return e.g.sealHookKeys(row, keys)
	})
	if err != nil {
		return "", storeError(err, "rotating the secret of endpoint %q", id)
	}
	return hookSecret(key), nil
}

// row reads an endpoint of these.
func (e Endpoints) row(tx store.Tx, id string) (store.Endpoint, error) {
	row, err := tx.Endpoint(id)
	if err == nil && row.Community != e.community {
		err = store.ErrNotFound
	}
	return row, err
}

// change reads, changes and keeps an endpoint, and tells those who send.
func (e Endpoints) change(ctx context.Context, id string, fn func(store.Tx, *store.Endpoint) error) error {
	return e.g.update(ctx, func(tx store.Tx) error {
		row, err := e.row(tx, id)
		if err != nil {
			return err
		}
		if err := fn(tx, &row); err != nil {
			return err
		}
		row.Updated = e.g.now()
		if err := tx.PutEndpoint(row); err != nil {
			return err
		}
		return countEndpoints(tx, 0)
	})
}

// What a community's administrators may have the gateway keep and do for them.
const (
	maxEndpoints   = 100 // of one community; those that hear of all are the operator's, who may have any number
	maxHookText    = 1000
	maxHookFilters = 100
	maxFilterBytes = 16 << 10 // of all, as JSON
)

// room refuses a community's endpoint that is one too many.
func (e Endpoints) room(tx store.Tx) error {
	if e.community == "" {
		return nil
	}
	have, err := tx.Endpoints(e.community, "", maxEndpoints)
	if err == nil && len(have) == maxEndpoints {
		err = Errorf(Conflict, "community %s has %d endpoints, and may not have more", e.community, maxEndpoints)
	}
	return err
}

// fill checks what a driver said and puts it into the row.
func (e Endpoints) fill(row *store.Endpoint, spec EndpointSpec) error {
	if err := e.g.hooks.check(spec.URL); err != nil {
		return err
	}
	if len(spec.Description) > maxHookText || len(spec.Filters) > maxHookFilters {
		return Errorf(Invalid, "an endpoint has a description of at most %d bytes and at most %d filters", maxHookText, maxHookFilters)
	}
	for _, f := range spec.Filters {
		if e.community != "" && f.Community != "" && f.Community != e.community {
			return Errorf(Invalid, "an endpoint of community %s hears of no other community", e.community)
		}
	}
	row.URL, row.Description, row.Ordered, row.Filters = spec.URL, spec.Description, spec.Ordered, nil
	if len(spec.Filters) == 0 {
		return nil
	}
	var err error
	if row.Filters, err = json.Marshal(spec.Filters); err != nil {
		return Errorf(Internal, "encoding filters: %w", err)
	}
	if len(row.Filters) > maxFilterBytes {
		return Errorf(Invalid, "an endpoint's filters have at most %d bytes of JSON", maxFilterBytes)
	}
	return nil
}

// endpointOf is a row as drivers see it.
func endpointOf(row store.Endpoint) (Endpoint, error) {
	filters, err := hookFilters(row)
	return Endpoint{
		ID: row.ID, Community: row.Community,
		EndpointSpec: EndpointSpec{URL: row.URL, Description: row.Description, Filters: filters, Ordered: row.Ordered},
		Status:       row.Status, Reason: row.Reason, Created: row.Created, Updated: row.Updated,
		FailingSince: row.FailingSince, LastSuccess: row.LastSuccess, LastFailure: row.LastFailure, LastError: row.LastError,
	}, err
}

func hookFilters(row store.Endpoint) (filters []Filter, err error) {
	if len(row.Filters) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(row.Filters, &filters); err != nil {
		return nil, Errorf(Internal, "decoding the filters of endpoint %s: %w", row.ID, err)
	}
	return filters, nil
}
