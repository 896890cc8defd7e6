package gateway

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/metagov/gateway-go/store"
)

// begun is an install between the exchange of its code and its end. Should the program die there, or the platform not take
// the undoing, a task takes it up: otherwise the platform would have an app installed that nobody holds credentials for.
type begun struct {
	Plugin string                 `json:"plugin"`
	Grant  Grant[json.RawMessage] `json:"grant"`
}

// beginInstall keeps what an exchange gave, sealed, until it is settled. It returns the task's key.
func (g *Gateway) beginInstall(ctx context.Context, plugin string, grant Grant[json.RawMessage]) (string, error) {
	if g.o.Seal == nil {
		return "", Errorf(Invalid, "an install brings credentials, and there is no Options.Seal to keep them with")
	}
	raw, err := json.Marshal(begun{plugin, grant})
	if err != nil {
		return "", Errorf(Internal, "encoding a grant: %w", err)
	}
	key := newID("o")
	sealed, err := g.o.Seal.Encrypt(raw, []byte("gateway install "+key))
	if err != nil {
		return "", Errorf(Unavailable, "sealing a grant: %w", err)
	}
	t := store.Task{Kind: taskInstall, Key: key, Due: g.now().Add(g.o.Timeout + leaseTime), Payload: sealed, Created: g.now()}
	return key, storeError(g.update(ctx, func(tx store.Tx) error { return tx.Schedule(t) }), "keeping a grant of %s", plugin)
}

// endInstall forgets what beginInstall kept.
func (g *Gateway) endInstall(ctx context.Context, key string) {
	err := g.update(context.WithoutCancel(ctx), func(tx store.Tx) error { return tx.Unschedule(taskInstall, key) })
	if err != nil {
		g.log.Warn("an install is settled and could not be forgotten; it is looked at again", "error", err)
	}
}

// undoInstall takes an install back that was begun and not finished.
func (g *Gateway) undoInstall(ctx context.Context, t store.Task) error {
	if g.o.Seal == nil {
		return Errorf(Unavailable, "an unfinished install is sealed, and there is no Options.Seal")
	}
	raw, err := g.o.Seal.Decrypt(t.Payload, []byte("gateway install "+t.Key))
	if err != nil {
		return Errorf(Internal, "opening an unfinished install: none of the keys in Options.Seal fits")
	}
	var b begun
	if err := json.Unmarshal(raw, &b); err != nil {
		return Errorf(Internal, "decoding an unfinished install: %w", err)
	}
	p := g.plugins[b.Plugin]
	if p == nil || p.m.OAuth == nil {
		return errMissing{b.Plugin, Errorf(NotFound, "an unfinished install needs plugin %s, which this program does not have", b.Plugin)}
	}
	existing, err := g.installed(ctx, b.Plugin, b.Grant.PlatformID)
	if err != nil {
		return err
	}
	return g.undo(ctx, p, b.Grant, len(existing) == 0)
}

// undo asks the plugin to take back what an exchange gave. first says that nothing else was installed.
func (g *Gateway) undo(ctx context.Context, p *plug, grant Grant[json.RawMessage], first bool) error {
	x := OAuthExchange{Type: Install, HTTP: g.out.http, Log: g.log.With("plugin", p.m.Name), Now: g.now()}
	err := g.guard("undoing an install of "+p.m.Name, func() error { return p.m.OAuth.Undo(ctx, x, grant, first) })
	var e *Error
	if err != nil && !errors.As(err, &e) {
		return Errorf(Unavailable, "undoing an install of %s: %w", p.m.Name, err)
	}
	return err
}
