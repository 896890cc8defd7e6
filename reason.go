package gateway

import (
	"context"
	"log/slog"
)

// Reason says who asks for something and why. It stands in the community's audit record, see [Community.Audit].
type Reason struct {
	By      string // who: a user of the driver, a policy; the driver's own name for them
	Rule    string // by which rule: "bylaws 3.2", the name of a policy
	Process string // the ID of the process on whose votes it is done
	Event   int64  // the number of the event on which it is done
	Text    string // more, for people
}

// WithReason gives a context with which [Instance.Do], [Instance.Start], [Community.Command] and whatever else changes something say why.
// What r leaves empty stays as ctx has it. Inside callbacks ctx knows the event or process already: an action that is done with it is
// linked to the votes that decided it.
func WithReason(ctx context.Context, r Reason) context.Context {
	s := scopeOf(ctx)
	have := &s.trail.reason
	for _, f := range []struct {
		have *string
		want string
	}{{&have.By, r.By}, {&have.Rule, r.Rule}, {&have.Process, r.Process}, {&have.Text, r.Text}} {
		if f.want != "" {
			*f.have = f.want
		}
	}
	if r.Event != 0 {
		have.Event = r.Event
	}
	return context.WithValue(ctx, scopeKey{}, s)
}

// bounded is the reason as it is kept.
func (r Reason) bounded() Reason {
	r.By, r.Rule, r.Process, r.Text = shorten(r.By), shorten(r.Rule), shorten(r.Process), shorten(r.Text)
	return r
}

// trail is what goes along with everything that follows from one delivery, call or task.
type trail struct {
	id     string // the correlation: the ID of what it began with
	reason Reason
}

// correlation is the ID of what ctx's work began with, "" outside of any.
func correlation(ctx context.Context) string { return scopeOf(ctx).trail.id }

// trailOf is ctx's trail, which begins with id where it has not begun yet.
func trailOf(ctx context.Context, id string) trail {
	t := scopeOf(ctx).trail
	if t.id == "" {
		t.id = id
	}
	return t
}

// correlate has what is done with the context go on a trail that begins with id, unless ctx is on one already.
func correlate(ctx context.Context, id string) context.Context {
	s := scopeOf(ctx)
	if s.trail.id != "" {
		return ctx
	}
	s.trail.id = id
	return context.WithValue(ctx, scopeKey{}, s)
}

// correlated is a log handler that adds the correlation to everything that is logged with a context, and cuts what may be a capability
// out of errors.
type correlated struct{ slog.Handler }

func (h correlated) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC) // other handlers may have the same record
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			if s, cut := cutText(err); cut {
				a.Value = slog.StringValue(s)
			}
		}
		out.AddAttrs(a)
		return true
	})
	if id := correlation(ctx); id != "" {
		out.AddAttrs(slog.String("correlation", id))
	}
	return h.Handler.Handle(ctx, out)
}

// cutText is an error's text, and whether something was cut out of it. An error that panics is left to the handler, which can print it.
func cutText(err error) (s string, cut bool) {
	defer func() {
		if recover() != nil {
			cut = false
		}
	}()
	s = text(err)
	return s, s != err.Error()
}

func (h correlated) WithAttrs(as []slog.Attr) slog.Handler {
	return correlated{h.Handler.WithAttrs(as)}
}
func (h correlated) WithGroup(name string) slog.Handler { return correlated{h.Handler.WithGroup(name)} }
