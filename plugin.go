package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/metagov/gateway-go/vote"
)

// Plugin is one kind of platform or tool. Most plugins are made by [Define]; the interface is small so that one can also
// be wrapped, renamed, generated, or served from elsewhere.
type Plugin interface {
	// Manifest is the table of contents. It is called once, by [New]; the gateway keeps the answer.
	Manifest() Manifest

	// Open makes the plugin's own value for one instance out of its configuration. It is called again whenever the
	// configuration has changed, from any goroutine, possibly inside a transaction: it must be quick, and call no platform.
	// What it returns is given back to the manifest's functions and is opaque to everybody else.
	Open(ctx context.Context, inst *Instance, config json.RawMessage) (any, error)
}

// Manifest lists what a plugin can do, as plain data with functions beside it. Its JSON form is the plugin's contract: it
// is what a golden file keeps and what a catalogue shows.
type Manifest struct {
	Name      string          `json:"name"`      // in URLs and calls: lower case, digits, dashes
	Doc       string          `json:"doc"`       // one or more sentences for people
	Config    json.RawMessage `json:"config"`    // JSON Schema of what a community configures
	Actions   []ActionDef     `json:"actions"`   // what it does when asked
	Events    []EventDef      `json:"events"`    // what it tells of
	Processes []ProcessDef    `json:"processes"` // the votes and other decisions that it runs
	Polls     []PollDef       `json:"polls,omitempty"`
	Sources   []SourceDef     `json:"sources,omitempty"`
	Choices   []ChoicesDef    `json:"choices,omitempty"`
	Roles     []RoleDef       `json:"roles,omitempty"`
	Webhook   *WebhookDef     `json:"webhook,omitempty"`
	OAuth     *OAuthDef       `json:"oauth,omitempty"`

	// Configure is called when an instance is enabled (old is nil) and when its configuration is about to change. It may
	// call the platform, may refuse with an error, and returns the configuration to keep. Nil: it is kept as it is.
	Configure func(ctx context.Context, inst *Instance, old, config json.RawMessage) (json.RawMessage, error) `json:"-"`
	// Remove takes away on the platform what was made there for an instance, before that is removed, see [RemoveFunc]. Nil: nothing.
	Remove func(ctx context.Context, self any) error `json:"-"`
	// Repair fetches what an instance may have missed. Nil: nothing can be fetched.
	Repair func(ctx context.Context, self any, gap Gap) error `json:"-"`
	// Granted lists the permissions that an instance has on its platform. Nil, or a nil answer: it is not known. It calls
	// no platform.
	Granted func(self any) []string `json:"-"`
	// Pace says from which bucket a request takes a token, see [PaceFunc]. Nil: none is held up.
	Pace func(self any, r *http.Request) Pace `json:"-"`
	// Expires says when an instance's credentials stop working. Nil, or the zero time: it is not known. It calls no platform.
	Expires func(self any) time.Time `json:"-"`
}

// ActionDef is something that a plugin does when a driver asks.
type ActionDef struct {
	Name       string          `json:"name"`
	Version    int             `json:"version"`
	Deprecated string          `json:"deprecated,omitempty"` // since when, and what to use instead
	Doc        string          `json:"doc"`
	Input      json.RawMessage `json:"input"`  // JSON Schema
	Output     json.RawMessage `json:"output"` // JSON Schema
	Timeout    time.Duration   `json:"timeout,omitempty"`
	Needs      []string        `json:"needs,omitempty"`      // permissions on the platform, as the platform names them
	Lookup     bool            `json:"lookup,omitempty"`     // an answer that was lost can be found out: there is a Look
	Idempotent bool            `json:"idempotent,omitempty"` // doing it twice is as good as once, see [Idempotent]
	Grace      time.Duration   `json:"grace,omitempty"`      // see [Grace]
	Acts       *ActsDef        `json:"acts,omitempty"`       // it can be done on behalf of a person, see [Acts]

	// Look finds out what became of a call, see [Lookup]. in is what the call was tried with, its output passes Output.
	Look func(ctx context.Context, self any, in json.RawMessage) (out json.RawMessage, found Found, err error) `json:"-"`
	// Run does it, on the goroutine of whoever asked. in has passed Input, defaults filled.
	Run func(ctx context.Context, self any, in json.RawMessage) (json.RawMessage, error) `json:"-"`
}

// EventDef is a type of event. A plugin may emit types that it does not list: a platform may send what nobody knew.
type EventDef struct {
	Type string          `json:"type"`
	Doc  string          `json:"doc"`
	Data json.RawMessage `json:"data"` // JSON Schema
}

// PollDef is something that is done again and again for each instance: Run, or List.
type PollDef struct {
	Name    string        `json:"name"`
	Every   time.Duration `json:"every"`             // where nobody says otherwise
	Least   time.Duration `json:"least,omitempty"`   // nobody can have it done more often; 0: Every
	Version int           `json:"version,omitempty"` // of a lister's cursor
	Event   string        `json:"event,omitempty"`   // the type of event that a lister's items become

	Run  func(ctx context.Context, self any) error                                                                  `json:"-"`
	List func(ctx context.Context, self any, cursor string) (items []Item[json.RawMessage], next string, err error) `json:"-"`
}

// SourceDef is a long-lived connection by which deliveries come in, one for the whole app.
type SourceDef struct {
	Name string `json:"name"`

	// Listen runs until ctx ends or the connection is lost. It is called again after a pause. At any time it runs on one
	// node only.
	Listen func(ctx context.Context, s *Source) error `json:"-"`
}

// ChoicesDef lists values that only the platform knows, for input fields that name it with the tag `choices:"name"`.
type ChoicesDef struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`

	List func(ctx context.Context, self any, query string) ([]Choice, error) `json:"-"`
}

// Choice is one value that a field can take.
type Choice struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// ProcessDef is a kind of governance process.
type ProcessDef struct {
	Name       string          `json:"name"`
	Version    int             `json:"version"` // of its input and state
	Deprecated string          `json:"deprecated,omitempty"`
	Doc        string          `json:"doc"`
	Input      json.RawMessage `json:"input"`  // JSON Schema
	Output     json.RawMessage `json:"output"` // JSON Schema of the outcome
	State      json.RawMessage `json:"state"`  // JSON Schema of the durable state
	Can        *vote.Can       `json:"can,omitempty"`
	Needs      []string        `json:"needs,omitempty"` // permissions on the platform
	Least      time.Duration   `json:"least,omitempty"` // Update reads the platform, and may so often; 0: it does not read it
	Commands   []CommandDef    `json:"commands,omitempty"`

	// New makes an empty state. The functions below take such a state; the gateway decodes and encodes it as JSON.
	New func() any `json:"-"`
	// Ask finds the voting standard in an input, and puts it back normalised. Nil: it is not a vote.
	Ask func(in json.RawMessage) (*vote.Ask, func(vote.Ask) (json.RawMessage, error), error) `json:"-"`
	// Start, and those after it that are not nil, are the steps; see [Run].
	Start   func(ctx context.Context, state any, s *Step, in json.RawMessage) error   `json:"-"`
	Update  func(ctx context.Context, state any, s *Step) error                       `json:"-"`
	Close   func(ctx context.Context, state any, s *Step) error                       `json:"-"`
	Show    func(ctx context.Context, state any, s *Step) error                       `json:"-"`
	Receive func(ctx context.Context, state any, s *Step, message any) (Reply, error) `json:"-"`
	// Upgrade brings the state of an older version to this one. Nil: only this version's state is understood.
	Upgrade func(from int, old json.RawMessage) (json.RawMessage, error) `json:"-"`
}

// CommandDef is something that a driver can ask of a running process.
type CommandDef struct {
	Name   string          `json:"name"`
	Doc    string          `json:"doc"`
	Input  json.RawMessage `json:"input"`
	Output json.RawMessage `json:"output"`

	Run func(ctx context.Context, state any, s *Step, in json.RawMessage) (json.RawMessage, error) `json:"-"`
}
