package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Source is a long-lived connection by which a platform brings deliveries: a socket that we open, where no webhook can reach
// us. There is one for the whole app, on one node at a time. What it brings enters the same pipeline as the webhook's deliveries,
// after Verify: it is for the source to know whom it is connected to.
type Source struct {
	Log     *slog.Logger
	HTTP    *http.Client // as an instance's
	Guarded *http.Client // as an instance's, see [Instance]

	g    *Gateway
	p    *plug
	name string
}

// SourceFunc makes a source. listen connects and delivers until ctx ends or the connection is lost; it is called again after
// a pause that grows with failures. It must not return before what it started has stopped.
func SourceFunc[T Owner](name string, listen func(context.Context, *Source) error) Feature[T] {
	return featureFunc[T](func(b *builder) {
		b.m.Sources = append(b.m.Sources, SourceDef{Name: name, Listen: listen})
	})
}

// Now is the gateway's time.
func (s *Source) Now() time.Time { return s.g.now() }

// Deliver takes a delivery as a webhook's would be taken. When it returns without an error the delivery is durable: acknowledge it
// after that, not before. Invalid: it cannot be parsed, and never will be; acknowledge it and go on.
func (s *Source) Deliver(ctx context.Context, header http.Header, body []byte) (Reply, error) {
	return s.g.bring(ctx, s.p, "", "source", header, body)
}

// Cursor reads where the source has come to, as kept by SetCursor; "" at first.
func (s *Source) Cursor(ctx context.Context) (cursor string, err error) {
	err = s.g.view(ctx, func(tx store.Tx) error {
		raw, _, err := tx.State(s.owner(), "cursor")
		cursor = string(raw)
		return err
	})
	return cursor, storeError(err, "reading the cursor of source %s", s.name)
}

// SetCursor keeps where the source has come to. Call it after what lies before it was delivered.
func (s *Source) SetCursor(ctx context.Context, cursor string) error {
	err := s.g.update(ctx, func(tx store.Tx) error {
		_, rev, err := tx.State(s.owner(), "cursor")
		if err != nil {
			return err
		}
		return tx.PutState(s.owner(), "cursor", []byte(cursor), rev)
	})
	return storeError(err, "keeping the cursor of source %s", s.name)
}

// owner is under which name the state of a source stands beside that of instances.
func (s *Source) owner() string { return "source:" + s.p.m.Name + "/" + s.name }

// bring takes a delivery that did not come through HTTP.
func (g *Gateway) bring(ctx context.Context, p *plug, inst, door string, header http.Header, body []byte) (Reply, error) {
	if int64(len(body)) > g.o.MaxBody {
		return Reply{}, Errorf(Invalid, "a delivery of %d bytes is larger than Options.MaxBody", len(body))
	}
	d := &Delivery{ID: g.deliveryID(), Header: header, Body: body, Received: g.now()}
	message, err := g.parse(p, d)
	if err != nil {
		return Reply{}, err
	}
	if reply, ok := p.m.Webhook.Greet(message); ok {
		return reply, nil
	}
	return g.accept(ctx, &arrival{p: p, d: d, door: door, message: message, inst: inst})
}

// parse reads a delivery, whatever the plugin's code makes of it.
func (g *Gateway) parse(p *plug, d *Delivery) (message any, err error) {
	err = g.guard("parsing a delivery of "+p.m.Name, func() error { message, err = p.m.Webhook.Parse(d); return err })
	if err == nil {
		return message, nil
	}
	return nil, Errorf(Invalid, "parsing a delivery of %s: %w", p.m.Name, err)
}

// listen keeps one source connected while ctx lasts and this node holds its lease.
func (g *Gateway) listen(ctx context.Context, p *plug, def SourceDef) {
	src := &Source{Log: g.log.With("plugin", p.m.Name, "source", def.Name), HTTP: g.out.http, Guarded: g.out.guarded, g: g, p: p, name: def.Name}
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		err := g.exclusive(ctx, src.owner(), func(ctx context.Context) error {
			g.vitals.connects(p.m.Name, def.Name, g.now(), nil)
			return g.guard("source "+def.Name, func() error { return def.Listen(ctx, src) })
		})
		if ctx.Err() != nil {
			return
		}
		failures++
		if time.Since(began) > time.Minute {
			failures = 1 // it was connected for a while: this is a new trouble
		}
		if err == nil {
			err = errors.New("the connection was lost")
		}
		pause := backoff(failures, err)
		g.vitals.connects(p.m.Name, def.Name, time.Time{}, &Trouble{What: "source " + def.Name, Code: CodeOf(err), Error: brief(text(err)), At: g.now()})
		src.Log.Warn("a source stopped; connecting again", "error", err, "in", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// Accept takes a delivery that a plugin found by itself, by a sweep through the platform's API after an outage, as if the platform had brought
// it. body must parse as the webhook's do.
func (i *Instance) Accept(ctx context.Context, header http.Header, body []byte) error {
	if i.p.m.Webhook == nil {
		return Errorf(Internal, "plugin %s has no webhook", i.p.m.Name)
	}
	if json.Valid(body) && header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	var inst string // "" where the delivery says by itself for whom it is
	if !i.p.m.Webhook.Global {
		inst = i.row.ID
	}
	_, err := i.g.bring(ctx, i.p, inst, "sweep", header, body)
	return err
}
