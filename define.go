package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"time"

	"github.com/metagov/gateway-go/internal/schema"
	"github.com/metagov/gateway-go/vote"
)

// Owner is a plugin's own type: one that embeds *[Instance].
type Owner interface{ instance() *Instance }

// Feature is one line in a plugin's table of contents. T makes a feature of one plugin useless for another.
type Feature[T Owner] interface{ feature(T, *builder) }

type featureFunc[T Owner] func(*builder)

func (f featureFunc[T]) feature(_ T, b *builder) { f(b) }

// Option says more about an action, a process or a poll. Each says what it is for.
type Option func(*options)

type options struct {
	version    int
	deprecated string
	timeout    time.Duration
	can        *vote.Can
	needs      []string
	least      time.Duration
	look       *lookup
	idempotent bool
	grace      time.Duration
	acts       *ActsDef
}

// Version numbers an action, a process's input and state, or a lister's cursor (see [ListFunc]). It is 1 where it is not given. Several
// versions of one action or process can stand side by side: a driver gets the highest unless it asks for "name@1", and a running process
// finishes on its own.
func Version(n int) Option { return func(o *options) { o.version = n } }

// Deprecated says since when something should not be used any more, and what to use instead.
func Deprecated(since string) Option { return func(o *options) { o.deprecated = since } }

// Timeout bounds one run of an action. It is [Options.Timeout] where it is not given.
func Timeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// Needs names the permissions on the platform without which it cannot work, as the platform names them. The catalogue says
// which are missing, see [GrantedFunc].
func Needs(permissions ...string) Option { return func(o *options) { o.needs = permissions } }

// Can declares what a voting process can enforce. A vote that asks for more is refused at the start.
func Can(c vote.Can) Option { return func(o *options) { o.can = &c } }

// Define makes a plugin. C is the configuration that a community gives: a struct whose fields are the schema. T is the
// plugin's own type, which embeds *[Instance]. open must be quick and call no platform, see [Plugin].
//
// Define panics when the definition is wrong, because it is wrong on every run: a bad or doubled name, a state or a process's input with a
// [Secret] in it, a process method that is nearly one of the optional ones, a webhook without Verify.
func Define[C any, T Owner](name, doc string, open func(context.Context, *Instance, C) (T, error), features ...Feature[T]) Plugin {
	b := &builder{m: Manifest{Name: name, Doc: doc, Actions: []ActionDef{}, Events: []EventDef{}, Processes: []ProcessDef{}}}
	b.m.Config = b.schema(reflect.TypeFor[C](), "configuration")
	var zero T
	for _, f := range features {
		f.feature(zero, b)
	}
	b.finish()
	if open == nil {
		b.fail("open is nil")
	}
	if len(b.errs) > 0 {
		panic(fmt.Sprintf("gateway.Define(%q): %v", name, errors.Join(b.errs...)))
	}
	return &defined[C, T]{manifest: b.m, open: open}
}

type defined[C any, T Owner] struct {
	manifest Manifest
	open     func(context.Context, *Instance, C) (T, error)
}

func (d *defined[C, T]) Manifest() Manifest { return d.manifest }

func (d *defined[C, T]) Open(ctx context.Context, inst *Instance, config json.RawMessage) (any, error) {
	var c C
	if err := schema.Decode(config, &c); err != nil {
		return nil, Errorf(Internal, "decoding the configuration of %s: %w", d.manifest.Name, err)
	}
	return d.open(ctx, inst, c)
}

// ActionFunc makes an action out of a method expression: ActionFunc("post-message", "...", (*Slack).postMessage).
//
// fn runs on the goroutine of whoever asked, several at once, with a context that ends after [Timeout]. in has passed its schema, with
// defaults filled in, and what fn returns has to. An error says whose fault it is by its [Code]: Unavailable, it did not happen;
// Unknown, it may have. One without a code is Internal, but for a context that ended: that is Unknown, for the platform may have done it.
func ActionFunc[T Owner, In, Out any](name, doc string, fn func(T, context.Context, In) (Out, error), opts ...Option) Feature[T] {
	return featureFunc[T](func(b *builder) {
		o := collect(opts)
		b.checkLookup(name, o, reflect.TypeFor[T](), reflect.TypeFor[In](), reflect.TypeFor[Out]())
		d := ActionDef{
			Name: name, Version: o.version, Deprecated: o.deprecated, Doc: doc, Timeout: o.timeout, Needs: o.needs,
			Idempotent: o.idempotent, Grace: o.grace, Acts: o.acts,
			Input:  b.schema(reflect.TypeFor[In](), "input of action "+name),
			Output: b.schema(reflect.TypeFor[Out](), "output of action "+name),
			Run: func(ctx context.Context, self any, in json.RawMessage) (json.RawMessage, error) {
				var v In
				if err := decode(in, &v); err != nil {
					return nil, err
				}
				out, err := fn(self.(T), ctx, v)
				if err != nil {
					return nil, err
				}
				return json.Marshal(out)
			},
		}
		if o.look != nil {
			d.Lookup, d.Look = true, o.look.run
		}
		b.m.Actions = append(b.m.Actions, d)
	})
}

// ChoicesFunc makes a list of values that only the platform knows: channels, roles. query is what a person has typed so far. fn runs on the
// goroutine of whoever asked, and may call the platform.
func ChoicesFunc[T Owner](name, doc string, fn func(t T, ctx context.Context, query string) ([]Choice, error)) Feature[T] {
	return featureFunc[T](func(b *builder) {
		b.m.Choices = append(b.m.Choices, ChoicesDef{Name: name, Doc: doc, List: func(ctx context.Context, self any, query string) ([]Choice, error) {
			return fn(self.(T), ctx, query)
		}})
	})
}

// ConfigureFunc makes a hook that is called when an instance is enabled (old is nil) and before its configuration changes. It
// may call the platform, may refuse with an error, and may complete the new configuration. State and running processes are kept either way.
// It runs on the goroutine of whoever configures.
func ConfigureFunc[T Owner, C any](fn func(ctx context.Context, inst *Instance, old, config *C) error) Feature[T] {
	return featureFunc[T](func(b *builder) {
		b.m.Configure = func(ctx context.Context, inst *Instance, old, config json.RawMessage) (json.RawMessage, error) {
			var before *C
			if old != nil {
				before = new(C)
				if err := decode(old, before); err != nil {
					return nil, err
				}
			}
			after := new(C)
			if err := decode(config, after); err != nil {
				return nil, err
			}
			if err := fn(ctx, inst, before, after); err != nil {
				return nil, err
			}
			return schema.Encode(after)
		}
	})
}

// GrantedFunc says which permissions an instance has on its platform, so that the catalogue can tell what is missing. fn
// answers from the configuration and calls no platform; nil: it is not known.
func GrantedFunc[T Owner](fn func(T) []string) Feature[T] {
	return featureFunc[T](func(b *builder) {
		b.m.Granted = func(self any) []string { return fn(self.(T)) }
	})
}

// builder collects the features of one plugin, and what is wrong with them.
type builder struct {
	m        Manifest
	errs     []error
	commands map[string][]CommandDef // by process
	message  reflect.Type            // of the webhook
	receives map[string]reflect.Type // by process: the message type that it takes
}

func (b *builder) fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

func (b *builder) schema(t reflect.Type, what string) json.RawMessage {
	s, err := schema.For(t, schemaOptions)
	if err != nil {
		b.fail("%s: %w", what, err)
		return json.RawMessage(`{}`)
	}
	return s.JSON()
}

var schemaOptions = schema.Options{Secret: reflect.TypeFor[Secret]()}

func collect(opts []Option) options {
	o := options{version: 1}
	for _, f := range opts {
		f(&o)
	}
	return o
}

var nameRE = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// finish puts commands into their processes and looks for what only the whole can show.
func (b *builder) finish() {
	for name, cs := range b.commands {
		i := -1
		for j, p := range b.m.Processes { // the highest version takes the commands
			if p.Name == name && (i < 0 || p.Version > b.m.Processes[i].Version) {
				i = j
			}
		}
		if i < 0 {
			b.fail("command of process %q: there is no such process", name)
			continue
		}
		slices.SortFunc(cs, func(x, y CommandDef) int { return compare(x.Name, y.Name) })
		b.m.Processes[i].Commands = cs
	}
	for name, t := range b.receives {
		if b.message == nil {
			b.fail("process %s has a Receive method, but the plugin has no webhook", name)
		} else if t != b.message {
			b.fail("process %s: Receive takes %v, the webhook parses %v", name, t, b.message)
		}
	}
	if err := b.m.check(); err != nil {
		b.errs = append(b.errs, err)
	}
}

// check finds what is wrong with a manifest, wherever it comes from.
func (m *Manifest) check() error {
	var errs []error
	seen := map[string]bool{}
	name := func(kind, n string, version int) {
		if !nameRE.MatchString(n) {
			errs = append(errs, fmt.Errorf("%s name %q: want lower case letters, digits and single dashes", kind, n))
		}
		if version < 1 {
			errs = append(errs, fmt.Errorf("%s %s: version %d: want 1 or more", kind, n, version))
		}
		if key := fmt.Sprintf("%s %s@%d", kind, n, version); seen[key] {
			errs = append(errs, fmt.Errorf("%s stands twice", key))
		} else {
			seen[key] = true
		}
	}
	name("plugin", m.Name, 1)
	if m.Name == processEvent || m.Name == ownMessages {
		errs = append(errs, fmt.Errorf("plugin name %q: messages of outgoing hooks that begin with it are the gateway's own", m.Name))
	}
	for _, a := range m.Actions {
		name("action", a.Name, a.Version)
		if a.Lookup != (a.Look != nil) || a.Lookup && a.Idempotent {
			errs = append(errs, fmt.Errorf("action %s: Lookup says whether there is a Look, and such an action is not Idempotent", a.Name))
		}
	}
	for _, p := range m.Processes {
		name("process", p.Name, p.Version)
		for _, c := range p.Commands {
			name("command of "+p.Name, c.Name, p.Version)
		}
	}
	for _, p := range m.Polls {
		name("poll", p.Name, 1)
	}
	for _, s := range m.Sources {
		name("source", s.Name, 1)
		if m.Webhook == nil {
			errs = append(errs, fmt.Errorf("source %s: a source delivers to the webhook's pipeline, and there is no webhook", s.Name))
		} else if !m.Webhook.Global {
			errs = append(errs, fmt.Errorf("source %s: what it delivers must say for whom it is, and the webhook has no Route", s.Name))
		}
	}
	for _, c := range m.Choices {
		name("choices", c.Name, 1)
	}
	for _, r := range m.Roles {
		if name("role", r.Name, 1); r.Members == nil {
			errs = append(errs, fmt.Errorf("role %s: Members is required", r.Name))
		}
	}
	for _, e := range m.Events {
		if e.Type == "" || seen["event "+e.Type] {
			errs = append(errs, fmt.Errorf("event type %q is empty or stands twice", e.Type))
		}
		seen["event "+e.Type] = true
	}
	if w := m.Webhook; w != nil && (w.Verify == nil || w.Parse == nil) {
		errs = append(errs, errors.New("webhook: Verify and Parse are required; a platform that does not sign is named by gateway.Unsigned"))
	}
	return errors.Join(errs...)
}

// decode fills a plugin's struct from JSON that its schema has passed.
func decode(in json.RawMessage, v any) error {
	if err := schema.Decode(in, v); err != nil {
		return schemaError(err)
	}
	return nil
}

// schemaError gives a failed validation its code.
func schemaError(err error) error {
	var inv *schema.Invalid
	if !errors.As(err, &inv) {
		return &Error{Code: Invalid, Err: err}
	}
	e := &Error{Code: Invalid}
	for _, f := range inv.Failures {
		e.Fields = append(e.Fields, FieldError{Path: f.Path, Message: f.Message})
	}
	return e
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
