package discord

import (
	"context"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// create makes something of which there would be two if it were done twice. id is where its ID stands in out afterwards.
func (d *Discord) create(ctx context.Context, q call, out any, id *string) error {
	if err := gateway.CallOf(ctx).Save(ctx, attempted{true}); err != nil {
		return err
	}
	q.once = true
	if err := d.call(ctx, q, out); err != nil {
		return err
	}
	if *id == "" {
		return gateway.Errorf(gateway.Unknown, "discord: %s: the answer does not say what was made", q.name())
	}
	if err := d.claim(ctx, *id); err != nil {
		d.Log.WarnContext(ctx, "that something was made could not be noted", "what", q.name(), "id", *id, "error", err)
	}
	return nil
}

// made looks in a list for what a call made whose answer was lost: it is what was asked for, is not older than the call, as its ID tells, and was made by
// nothing that is known.
func made[T any](ctx context.Context, d *Discord, list []T, is func(T) (id string, same bool)) (out T, found gateway.Found, err error) {
	call := gateway.CallOf(ctx)
	var before attempted
	if !call.Saved(&before) {
		return out, gateway.DidNot, nil // Discord never heard of it
	}
	have, err := known.Get(ctx, d)
	if err != nil {
		return out, gateway.CannotTell, err
	}
	claimed := map[string]bool{}
	for _, id := range have {
		claimed[id] = true
	}
	for _, x := range list {
		id, same := is(x)
		old := snowflakeTime(id).Before(call.Started().Add(-time.Minute)) // our clock may be ahead of Discord's
		if !same || old || claimed[id] {
			continue
		}
		if err := d.claim(ctx, id); err != nil {
			return out, gateway.CannotTell, err
		}
		return x, gateway.Happened, nil
	}
	return out, gateway.DidNot, nil
}
