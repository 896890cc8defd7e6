package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/metagov/gateway-go/internal/schema"
	"github.com/metagov/gateway-go/vote"
)

// Run is one running process for the length of one call of one of its steps. Out is the type of its outcome.
//
// A process is explicit durable state, a struct that the gateway keeps as JSON, and steps that are methods of it. Start is
// given to [ProcessFunc]; the others are optional and found by name: [Updater], [Closer], [Shower], [Receiver] and [Upgrader]. The slow
// steps (Start, Update, Close, Show and commands) may call the platform, one at a time for each process, under a lease; what they change in the state,
// and what they ask of Run, is committed when they return nil. They run on the goroutine of whoever asked (Start, Command, Close, Refresh) or on
// one of [Gateway.Run], with a context that ends after [Options.Timeout]. Receive is quick and takes no lease.
type Run[T, Out any] struct {
	Plugin T // the plugin's value for the instance that the process runs in
	*Step
}

// Complete ends the process with its outcome when the step returns.
func (r *Run[T, Out]) Complete(out Out) error { return r.complete(out) }

// Updater is called when the process is due for a look: when [Step.UpdateAt] said, and, where it reads the platform, as [Least] says.
type Updater[T, Out any] interface {
	Update(context.Context, *Run[T, Out]) error
}

// Closer makes the outcome, with Complete or Fail. No ballot is taken any more when it is called. It is called again after
// an error; a process without one takes its outcome from the voting standard.
type Closer[T, Out any] interface {
	Close(context.Context, *Run[T, Out]) error
}

// Shower shows people how the process stands: at most once a second, after ballots, and once more when it has ended. While its outcome is being made,
// with status closing, it is not called.
type Shower[T, Out any] interface {
	Show(context.Context, *Run[T, Out]) error
}

// Receiver takes deliveries about this process. It runs inside the transaction that accepts the delivery, perhaps more
// than once: it is quick, calls nothing outside and does not change the state.
type Receiver[T, Out, M any] interface {
	Receive(context.Context, *Run[T, Out], M) (Reply, error)
}

// Preparer is an input that embeds vote.Ask and has parameters of its own that mean something to the voting standard: private ballots
// hide the tally, candidates are its questions. Prepare puts that into the Ask before the gateway reads it, every time; so it calls nothing, and
// preparing again changes nothing. Its error refuses the input.
type Preparer interface {
	Prepare() error
}

// Upgrader fills the state from that of an older version. Without one a process of a version that is not there waits.
type Upgrader interface {
	Upgrade(from int, old json.RawMessage) error
}

// ProcessFunc makes a process. S is its durable state; start is a method expression of *S. in has passed its schema; where In embeds vote.Ask,
// the gateway has normalised it, refused what the process cannot enforce (see [Can]), listed who may vote and set the closing time.
//
// Start may be called again after a crash or when the platform could not be reached: use [CallOf] to find what the earlier attempt did.
func ProcessFunc[S any, T Owner, Out, In any](name, doc string, start func(*S, context.Context, *Run[T, Out], In) error, opts ...Option) Feature[T] {
	return featureFunc[T](func(b *builder) {
		o := collect(opts)
		if o.look != nil || o.idempotent {
			b.fail("process %s: Lookup and Idempotent are for actions; a step that is tried again looks by itself, see CallOf", name)
		}
		if o.acts != nil {
			b.fail("process %s: Acts is for actions", name)
		}
		state := reflect.TypeFor[S]()
		d := ProcessDef{
			Name: name, Version: o.version, Deprecated: o.deprecated, Doc: doc, Can: o.can, Needs: o.needs, Least: o.least,
			Input:  b.schema(reflect.TypeFor[In](), "input of process "+name),
			Output: b.schema(reflect.TypeFor[Out](), "outcome of process "+name),
			State:  b.schema(state, "state of process "+name),
			New:    func() any { return new(S) },
			Start: func(ctx context.Context, st any, s *Step, in json.RawMessage) error {
				var v In
				if err := decode(in, &v); err != nil {
					return err
				}
				return start(st.(*S), ctx, runOf[T, Out](s), v)
			},
		}
		if hasSecret(state, map[reflect.Type]bool{}) {
			b.fail("process %s: its state holds a gateway.Secret; secrets belong in the configuration", name)
		}
		if hasSecret(reflect.TypeFor[In](), map[reflect.Type]bool{}) {
			b.fail("process %s: its input holds a gateway.Secret and is kept as it is; secrets belong in the configuration", name)
		}
		if f, ok := reflect.TypeFor[In]().FieldByName("Ask"); ok && f.Anonymous && f.Type == reflect.TypeFor[vote.Ask]() {
			if d.Can == nil {
				b.fail("process %s asks for votes; declare what it can enforce with gateway.Can", name)
			}
			d.Ask = askOf[In](f.Index)
		}
		erase[S, T, Out](b, &d)
		switch {
		case o.least != 0 && o.least < time.Second:
			b.fail("process %s: Least(%v) is shorter than a second", name, o.least)
		case o.least != 0 && d.Update == nil:
			b.fail("process %s: Least is for a process whose Update reads the platform, and it has no Update", name)
		}
		b.m.Processes = append(b.m.Processes, d)
	})
}

// CommandFunc makes something that a driver can ask of a running process: publish, extend. It is a slow step.
func CommandFunc[S any, T Owner, Out, In, Res any](process, name, doc string, fn func(*S, context.Context, *Run[T, Out], In) (Res, error)) Feature[T] {
	return featureFunc[T](func(b *builder) {
		if b.commands == nil {
			b.commands = map[string][]CommandDef{}
		}
		what := "command " + name + " of process " + process
		b.commands[process] = append(b.commands[process], CommandDef{
			Name: name, Doc: doc,
			Input:  b.schema(reflect.TypeFor[In](), "input of "+what),
			Output: b.schema(reflect.TypeFor[Res](), "output of "+what),
			Run: func(ctx context.Context, st any, s *Step, in json.RawMessage) (json.RawMessage, error) {
				var v In
				if err := decode(in, &v); err != nil {
					return nil, err
				}
				res, err := fn(st.(*S), ctx, runOf[T, Out](s), v)
				if err != nil {
					return nil, err
				}
				return json.Marshal(res)
			},
		})
	})
}

func runOf[T, Out any](s *Step) *Run[T, Out] {
	t, _ := s.self.(T)
	return &Run[T, Out]{Plugin: t, Step: s}
}

// erase finds the optional methods of *S and refuses those that are nearly one of them: a typo would switch a step off in silence.
func erase[S any, T Owner, Out any](b *builder, d *ProcessDef) {
	p := any(new(S))
	if _, ok := p.(Updater[T, Out]); ok {
		d.Update = func(ctx context.Context, st any, s *Step) error {
			return st.(Updater[T, Out]).Update(ctx, runOf[T, Out](s))
		}
	}
	if _, ok := p.(Closer[T, Out]); ok {
		d.Close = func(ctx context.Context, st any, s *Step) error {
			return st.(Closer[T, Out]).Close(ctx, runOf[T, Out](s))
		}
	}
	if _, ok := p.(Shower[T, Out]); ok {
		d.Show = func(ctx context.Context, st any, s *Step) error {
			return st.(Shower[T, Out]).Show(ctx, runOf[T, Out](s))
		}
	}
	if _, ok := p.(Upgrader); ok {
		d.Upgrade = func(from int, old json.RawMessage) (json.RawMessage, error) {
			st := new(S)
			if err := any(st).(Upgrader).Upgrade(from, old); err != nil {
				return nil, err
			}
			return json.Marshal(st)
		}
	}
	receive, message := receiver[T, Out](reflect.TypeOf(p))
	if receive != nil {
		d.Receive = receive
		if b.receives == nil {
			b.receives = map[string]reflect.Type{}
		}
		b.receives[d.Name] = message
	}
	found := map[string]bool{"update": d.Update != nil, "close": d.Close != nil, "show": d.Show != nil, "receive": d.Receive != nil, "upgrade": d.Upgrade != nil}
	t := reflect.TypeOf(p)
	for i := range t.NumMethod() {
		name := strings.ToLower(t.Method(i).Name)
		for want, ok := range found {
			if !ok && near(name, want) {
				b.fail("process %s: method %s is nearly %s, but has another name or signature: %v", d.Name, t.Method(i).Name, want, t.Method(i).Type)
			}
		}
	}
}

// near reports whether a method's name is one of a process's, or at most one letter away from it.
func near(got, want string) bool {
	if len(got) > len(want) {
		got, want = want, got
	}
	if len(want)-len(got) > 1 {
		return false
	}
	i := 0
	for i < len(got) && got[i] == want[i] {
		i++
	}
	return got[i:] == want[min(i+1, len(want)):] || len(got) == len(want) && got[min(i+1, len(got)):] == want[min(i+1, len(want)):]
}

// receiver finds Receive(context.Context, *Run[T, Out], M) (Reply, error). M is known only to the plugin, hence reflection.
func receiver[T, Out any](t reflect.Type) (func(context.Context, any, *Step, any) (Reply, error), reflect.Type) {
	m, ok := t.MethodByName("Receive")
	if !ok {
		return nil, nil
	}
	f := m.Type
	if f.NumIn() != 4 || f.NumOut() != 2 || f.In(1) != reflect.TypeFor[context.Context]() || f.In(2) != reflect.TypeFor[*Run[T, Out]]() ||
		f.Out(0) != reflect.TypeFor[Reply]() || f.Out(1) != reflect.TypeFor[error]() {
		return nil, nil
	}
	message := f.In(3)
	return func(ctx context.Context, st any, s *Step, msg any) (Reply, error) {
		v := reflect.ValueOf(msg)
		if !v.IsValid() || v.Type() != message {
			return Reply{}, Errorf(Internal, "a process receives %T, and wants %v", msg, message)
		}
		out := m.Func.Call([]reflect.Value{reflect.ValueOf(st), reflect.ValueOf(ctx), reflect.ValueOf(runOf[T, Out](s)), v})
		err, _ := out[1].Interface().(error)
		return out[0].Interface().(Reply), err
	}, message
}

// askOf reads and writes the voting standard inside an input.
func askOf[In any](index []int) func(json.RawMessage) (*vote.Ask, func(vote.Ask) (json.RawMessage, error), error) {
	return func(raw json.RawMessage) (*vote.Ask, func(vote.Ask) (json.RawMessage, error), error) {
		var in In
		if err := decode(raw, &in); err != nil {
			return nil, nil, err
		}
		if p, ok := any(&in).(Preparer); ok {
			if err := p.Prepare(); err != nil {
				return nil, nil, err
			}
		}
		ask := reflect.ValueOf(&in).Elem().FieldByIndex(index).Addr().Interface().(*vote.Ask)
		return ask, func(a vote.Ask) (json.RawMessage, error) {
			*ask = a
			out, err := schema.Encode(in)
			if err != nil {
				return nil, fmt.Errorf("encoding the input: %w", err)
			}
			return out, nil
		}, nil
	}
}

// hasSecret looks for a Secret anywhere in a type.
func hasSecret(t reflect.Type, seen map[reflect.Type]bool) bool {
	if t == reflect.TypeFor[Secret]() {
		return true
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return hasSecret(t.Elem(), seen)
	case reflect.Map:
		return hasSecret(t.Key(), seen) || hasSecret(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if hasSecret(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}
