package gateway

import (
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
	seen time.Time     // the latest time that was found in the store, if it is later than ours
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
	// drift is up to which difference the wall clock is followed: a steady clock is not exact, and time servers correct the other one.
	drift = 2 * time.Second
	// slew is how much of it in one check, see beatEvery: 30 ms in a minute are the 500 ppm that time servers correct by, see ntp_adjtime(2).
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

// apart is by how much the clocks of two programs on one store may differ before it is reported. Leases and claims are
// renewed when two thirds of leaseTime are left, so it takes more than that for a program to take what another one is at work on.
const apart = 5 * time.Second

// met compares the time with one that is in the store already, written by an earlier run or by another program. Later than now it cannot be
// unless one of the clocks is wrong: which, nobody here can know. That is told once.
func (k *timekeeper) met(log *slog.Logger, stored time.Time) {
	now := k.now()
	if stored.Sub(now) <= apart {
		return
	}
	k.mu.Lock()
	told := k.seen.Sub(now) > apart
	if stored.After(k.seen) {
		k.seen = stored
	}
	k.mu.Unlock()
	if !told {
		log.Error("the clock is behind the last time in the store: it is wrong, or was, or that of another program on this store is; votes close by this program's time",
			"now", now, "stored", stored)
	}
}

// behind is by how much the time is earlier than what was found in the store; 0 when it has caught up.
func (k *timekeeper) behind() time.Duration {
	now := k.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	return max(k.seen.Sub(now), 0)
}

// counting is a steady clock for systems that have no better one: it may stand still while the machine is suspended.
func counting() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
