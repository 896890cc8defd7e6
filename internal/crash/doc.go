// Package crash is a test: a program that embeds the gateway is killed again and again while people talk and vote, and what was
// promised is counted afterwards.
//
//	go test ./internal/crash -kills 60
//
// The test starts its own binary as that program, on one SQLite file, and is itself the platform and the people. A program that is
// started again finds its clock moved on by more than a lease, as if it had been down for so long: what the dead one held is free.
package crash
