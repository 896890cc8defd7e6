package gateway

import (
	"context"
	"iter"
)

// ahead reads pieces one after another, each while the last is worked on. read is called on another goroutine, but never twice at once, until it says that
// there is no more or fails; when the loop ends, it has returned.
func ahead[T any](ctx context.Context, read func(context.Context) (piece T, more bool, err error)) iter.Seq2[T, error] {
	type answer struct {
		piece T
		more  bool
		err   error
	}
	return func(yield func(T, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		answers, left := make(chan answer), make(chan struct{})
		go func() {
			defer close(answers)
			for more := true; more; {
				var a answer
				a.piece, a.more, a.err = read(ctx)
				more = a.more && a.err == nil
				select {
				case answers <- a: // also when ctx has ended: a list that is cut short must not look whole
				case <-left:
					return
				}
			}
		}()
		defer func() {
			stop()
			close(left)
			for range answers { // until it has returned
			}
		}()
		for a := range answers {
			if !yield(a.piece, a.err) || a.err != nil {
				return
			}
		}
	}
}
