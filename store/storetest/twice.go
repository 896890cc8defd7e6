package storetest

import (
	"context"
	"errors"

	"github.com/metagov/gateway-go/store"
)

// Twice wraps a store so that the function of each Update is run twice: first in a transaction that is then rolled back,
// then for good. The contract allows a store to do so at any time; code above a store that counts its runs, sends
// something from inside, or does not reset what it hands out fails with Twice at once instead of once a month.
//
// Between the two runs others may commit.
func Twice(inner store.Store) store.Store { return twice{inner} }

type twice struct{ store.Store }

var errAgain = errors.New("storetest: run it again")

func (s twice) Update(ctx context.Context, fn func(store.Tx) error) error {
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		// What fn says counts only in the second run.
		_ = fn(tx)
		return errAgain
	})
	if !errors.Is(err, errAgain) {
		return err
	}
	// The first run has begun, so the second is what is finished in spite of a cancelled context.
	return s.Store.Update(context.WithoutCancel(ctx), fn)
}
