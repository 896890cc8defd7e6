package gateway

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot is a steady clock that goes on while the machine is suspended, see clock_gettime(2).
func sinceBoot() func() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return counting()
	}
	return func() time.Duration {
		var ts unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // it worked a moment ago, and takes nothing that could be wrong
		return time.Duration(ts.Nano())
	}
}
