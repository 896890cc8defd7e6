package gateway

import "context"

// RemoveFunc makes a hook that takes away on the platform what the plugin made there for an instance, such as a webhook. fn is called by [Instance.Remove],
// on its goroutine, before the instance is gone and while its state, its configuration and its calls still work, also where it is paused. It has
// Options.Timeout. What it cannot take away stays there, and is logged: a platform that is away keeps nobody from removing a plugin.
func RemoveFunc[T Owner](fn func(T, context.Context) error) Feature[T] {
	return featureFunc[T](func(b *builder) {
		if b.m.Remove != nil {
			b.fail("two hooks for the removal")
		}
		b.m.Remove = func(ctx context.Context, self any) error { return fn(self.(T), ctx) }
	})
}

// leave asks the plugin's hook.
func (i *Instance) leave(ctx context.Context) {
	if i.p.m.Remove == nil {
		return
	}
	row, err := i.fresh(ctx)
	if CodeOf(err) == NotFound {
		return // it was removed already
	}
	if err == nil {
		var o *opened
		if o, err = i.g.open(ctx, row); err == nil {
			ctx, cancel := context.WithTimeout(ctx, i.g.o.Timeout)
			defer cancel()
			err = i.g.guard("removing "+i.p.m.Name, func() error { return i.p.m.Remove(ctx, o.self) })
		}
	}
	if err != nil {
		i.Log.WarnContext(ctx, "what the plugin made on the platform could not be taken away", "error", err)
	}
}
