package gateway

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// timekeeper is the gateway's time. The wall clock is asked once; from then on time is counted, so that a wall clock that jumps
// closes no vote early, and none late.
type timekeeper struct {
	wall   func() time.Time
	steady func() time.Duration // nil: the wall clock is believed as it is

	mu   sync.Mutex
	base time.Time     // what it was
	from time.Duration // when steady was that
	last time.Time     // what was told: it never goes back
	off  time.Duration // how far away the wall clock was when it was looked at
}

// newTimekeeper takes the clocks of [Options].
func newTimekeeper(wall func() time.Time, steady func() time.Duration) *timekeeper {
	k := &timekeeper{wall: wall, steady: steady}
	if wall == nil {
		k.wall = time.Now
		if steady == nil {
			k.steady = sinceBoot()
		}
	}
	if k.steady != nil {
		k.base, k.from = k.wall().Round(0), k.steady()
	}
	return k
}

func (k *timekeeper) now() time.Time {
	if k.steady == nil {
		return k.wall().UTC().Truncate(time.Microsecond)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if t := k.counted(); t.After(k.last) {
		k.last = t
	}
	return k.last
}

// counted is the time by the steady clock. k.mu is held.
func (k *timekeeper) counted() time.Time {
	return k.base.Add(k.steady() - k.from).UTC().Truncate(time.Microsecond)
}

const (
	clockEvery = time.Minute
	// drift is up to which difference the wall clock is followed: a steady clock is not exact, and time servers correct the other one.
	drift = 2 * time.Second
	// slew is how much of it in one step: 30 ms in a minute are the 500 ppm that time servers correct by, see ntp_adjtime(2).
	slew = 30 * time.Millisecond
)

// check compares both clocks. It follows a drift slowly, and only reports a jump: which of the two is right after one nobody
// here can know, and votes were promised a length of time. A program that is started again takes the wall clock's time.
func (k *timekeeper) check(log *slog.Logger) {
	if k.steady == nil {
		return
	}
	k.mu.Lock()
	off := k.wall().Sub(k.counted())
	was := k.off
	k.off = off
	if off.Abs() <= drift {
		k.base = k.base.Add(min(max(off, -slew), slew))
	}
	k.mu.Unlock()
	switch moved := (off - was).Abs() > drift; {
	case off.Abs() > drift && moved:
		log.Error("the wall clock has jumped; time is counted on without it until the program is started again", "by", off.Round(time.Millisecond))
	case off.Abs() <= drift && moved:
		log.Info("the wall clock is right again")
	}
}

// jumped is by how much the wall clock differs from the time that the gateway goes by; 0 while it is only drift.
func (k *timekeeper) jumped() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.off.Abs() <= drift {
		return 0
	}
	return k.off
}

// watch checks the clocks while ctx lasts.
func (k *timekeeper) watch(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		k.check(log)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// counting is a steady clock for systems that have no better one: it may stand still while the machine is suspended.
func counting() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
