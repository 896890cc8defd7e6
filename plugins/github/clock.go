package github

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// clockDiffers is from when on our clock is another than GitHub's, and maxClockOff how much of it is believed.
	clockDiffers = 30 * time.Second
	maxClockOff  = time.Hour
)

// clockOff is how far GitHub's clock is from ours. The app's own tokens say when they were made, and where our clock is wrong GitHub takes none
// (https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app, 2026-11).
type clockOff struct{ off atomic.Int64 }

func (c *clockOff) get() time.Duration { return time.Duration(c.off.Load()) }

// corrected sends a request once more that was refused, if our clock may be why. What GitHub's clock says is kept only where it helps.
func (c *client) corrected(ctx context.Context, r request, refused answer, err error) (answer, error) {
	at, bad := http.ParseTime(refused.header.Get("Date"))
	off, was := at.Sub(c.now()), c.clock.get()
	if bad != nil || (off-was).Abs() < clockDiffers || off.Abs() > maxClockOff {
		return refused, err
	}
	c.clock.off.Store(int64(off))
	t, e := c.token(ctx, "")
	if e != nil {
		return refused, err
	}
	a, again := c.send(ctx, r, t)
	if refusedWith(again, http.StatusUnauthorized) {
		c.clock.off.CompareAndSwap(int64(off), int64(was))
	}
	return a, again
}
