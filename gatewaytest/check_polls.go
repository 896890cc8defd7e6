package gatewaytest

import (
	"context"
	"fmt"
	"slices"

	gateway "github.com/metagov/gateway-go"
)

// listers runs each lister twice from where it begins, and twice from where that ended: it must give the same items, because after a crash
// it is by their IDs that the gateway knows them again.
func (c *checked) listers(t TB) {
	t.Helper()
	r, spy := c.rig(t)
	c.enable(t, r)
	selfs := spy.opened()
	for _, p := range c.m.Polls {
		if p.List == nil || len(selfs) == 0 {
			continue // other polls are run among the actions
		}
		next, err := twice(t.Context(), p, selfs[0], "")
		if err == nil && next != "" {
			_, err = twice(t.Context(), p, selfs[0], next)
		}
		if err != nil {
			t.Errorf("list %s: %v", p.Name, err)
		}
	}
}

// twice lists what comes after a cursor twice.
func twice(ctx context.Context, p gateway.PollDef, self any, cursor string) (next string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the plugin panicked: %v", v)
		}
	}()
	var ids [2][]string
	for i := range ids {
		items, to, err := p.List(ctx, self, cursor)
		switch {
		case gateway.CodeOf(err) == gateway.Internal:
			return "", fmt.Errorf("want an error with a code that says whose fault it is: %w", err)
		case err != nil:
			return "", nil // the platform is away
		}
		for _, it := range items {
			if it.ID == "" {
				return "", fmt.Errorf("from cursor %q it gives an item without an ID: nobody could tell whether it is known", cursor)
			}
			ids[i] = append(ids[i], it.ID)
		}
		next = to
	}
	// Something may have been added meanwhile; what was there must be there under the same name.
	for _, id := range ids[0] {
		if !slices.Contains(ids[1], id) {
			return "", fmt.Errorf("from cursor %q it gives item %q, and not the second time: it would become two events", cursor, id)
		}
	}
	return next, nil
}
