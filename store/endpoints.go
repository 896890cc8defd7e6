package store

import "time"

// Endpoint is an address of a driver that is told of events.
type Endpoint struct {
	ID          string
	Community   string // "": it hears of all communities
	URL         string
	Description string
	Filters     []byte // JSON
	Ordered     bool   // a message that fails holds up those after it
	From        int64  // only events with a higher Seq are for it
	Status      string // "active" or "disabled"
	Reason      string // why it is disabled
	Sealed      []byte // the secrets that sign, sealed
	Created     time.Time
	Updated     time.Time // by whoever configures it

	FailingSince time.Time // the first failure after the last success, zero while there is none
	LastSuccess  time.Time
	LastFailure  time.Time
	LastError    string
	Rev          int64 // 0 before it is kept
}

// endpoints of outgoing hooks.
type endpoints interface {
	// PutEndpoint inserts or replaces like PutCommunity.
	PutEndpoint(e Endpoint) error
	Endpoint(id string) (Endpoint, error)
	// Endpoints lists those of one community by ID, those after the given one. The community "" has those that hear of all.
	Endpoints(community, after string, limit int) ([]Endpoint, error)
	// DeleteEndpoint removes the endpoint and the tasks whose Ref is its ID. An empty id removes nothing.
	DeleteEndpoint(id string) error
}
