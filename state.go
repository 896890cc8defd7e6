package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/metagov/gateway-go/store"
)

// Key names a value that a plugin keeps for an instance. Declare it once: var luckyNumber gateway.Key[int] = "lucky-number". Names that begin
// with "gateway/" are refused.
// The value is JSON; a type with a [Secret] in it loses the secret, which belongs in the configuration.
type Key[V any] string

// Get reads the value; the zero value where none was kept.
func (k Key[V]) Get(ctx context.Context, o Owner) (V, error) {
	var v V
	if err := k.check(); err != nil {
		return v, err
	}
	i := o.instance()
	err := i.g.view(ctx, func(tx store.Tx) error {
		raw, _, err := tx.State(i.row.ID, string(k))
		if err != nil || raw == nil {
			return err
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			return Errorf(Internal, "decoding %s of instance %s: %w", k, i.row.Name, err)
		}
		return nil
	})
	return v, storeError(err, "reading %s of instance %s", k, i.row.Name)
}

// Put keeps the value, whatever was there.
func (k Key[V]) Put(ctx context.Context, o Owner, v V) error {
	_, err := k.Update(ctx, o, func(V) (V, error) { return v, nil })
	return err
}

// Update changes the value in one transaction: no change of anybody else's comes between. fn may run more than once and
// calls nothing outside. An error of fn is returned and nothing is changed.
func (k Key[V]) Update(ctx context.Context, o Owner, fn func(V) (V, error)) (V, error) {
	var out V
	if err := k.check(); err != nil {
		return out, err
	}
	i := o.instance()
	err := i.g.update(ctx, func(tx store.Tx) error {
		var v V
		raw, rev, err := tx.State(i.row.ID, string(k))
		if err != nil {
			return err
		}
		if raw != nil {
			if err := json.Unmarshal(raw, &v); err != nil {
				return Errorf(Internal, "decoding %s of instance %s: %w", k, i.row.Name, err)
			}
		}
		run := func() (err error) { out, err = fn(v); return err }
		if f := scopeOf(ctx).fence; f != nil { // it may hang while everybody waits
			err = f.without(run)
		} else {
			err = run()
		}
		if err != nil {
			return keyError{err}
		}
		raw, err = json.Marshal(out)
		if err != nil {
			return Errorf(Internal, "encoding %s of instance %s: %w", k, i.row.Name, err)
		}
		return tx.PutState(i.row.ID, string(k), raw, rev)
	})
	var ke keyError
	if errors.As(err, &ke) {
		return out, ke.error
	}
	return out, storeError(err, "changing %s of instance %s", k, i.row.Name)
}

// check refuses the names under which the gateway keeps what is its own beside a plugin's values.
func (k Key[V]) check() error {
	if strings.HasPrefix(string(k), ourPrefix) {
		return Errorf(Internal, "key %q: names that begin with %s are the gateway's own", k, ourPrefix)
	}
	return nil
}

// keyError carries an error of the caller's own through the transaction, to be given back as it was.
type keyError struct{ error }
