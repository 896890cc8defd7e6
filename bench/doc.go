// Package bench measures the gateway, each figure beside the limit that it is held to, from the same run:
//
//	go test -bench . ./bench
//
// The limits are hand-written programs that do only what physics and the platform ask for; see their comments. Machines
// differ and are noisy: compare within one run, repeat, and look at the median.
package bench
