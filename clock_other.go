//go:build !linux

package gateway

import "time"

// sinceBoot is the best steady clock that there is.
func sinceBoot() func() time.Duration { return counting() }
