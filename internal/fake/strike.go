package fake

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Errors of deliveries that went wrong on purpose.
var (
	ErrLost       = errors.New("lost on purpose")                // it did not arrive
	ErrUnanswered = errors.New("the answer was lost on purpose") // it arrived
)

// Strike is a fault that strikes one request or delivery. The zero value is none: everything goes well.
type Strike struct {
	Fault
	by *Injected
}

// Before plays the part of the fault that comes before acting, and says whether the request is over. record is told the answer, if one
// was given.
func (k Strike) Before(w http.ResponseWriter, r *http.Request, record func(Answer)) (over bool) {
	if k.Hold {
		k.wait(r.Context())
	}
	if k.CloseBefore {
		Abort(w)
		return true
	}
	if k.Answer == nil {
		return false
	}
	a, ok := k.Answer()
	if ok {
		record(a)
		a.Write(w)
	}
	return ok
}

// Play answers a request with what act does, or with what the fault does to it. act records its answer by itself, unless the fault
// withholds it (see [Strike.Withholds]); record is told of the answers that were given instead, or later.
func (k Strike) Play(w http.ResponseWriter, r *http.Request, act func() Answer, record func(Answer)) {
	if k.Before(w, r, record) {
		return
	}
	a := act()
	if k.HoldAnswer {
		k.wait(r.Context())
		record(a)
	}
	if k.LoseAnswer {
		Abort(w)
		return
	}
	a.Write(w)
}

// Withholds says whether the answer is one that the client does not get, or not yet.
func (k Strike) Withholds() bool { return k.HoldAnswer || k.LoseAnswer }

// Deliver sends, with what the fault does to it, and waits for the answer for as long as the timeout, in real time.
func (k Strike) Deliver(ctx context.Context, timeout time.Duration, send func(context.Context) (Answer, error)) (Answer, error) {
	if k.Hold {
		k.wait(ctx)
	}
	if k.CloseBefore {
		return Answer{}, ErrLost
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a, err := send(ctx)
	if k.LoseAnswer {
		return Answer{}, ErrUnanswered
	}
	return a, err
}

// wait waits until the fault is released, ctx ends or the fake is closed.
func (k Strike) wait(ctx context.Context) {
	select {
	case <-k.by.free:
	case <-ctx.Done():
	case <-k.by.all.stop.Done():
	}
}
