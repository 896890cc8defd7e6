package gateway

import "context"

// Queued is how many requests wait for a token.
func Queued(g *Gateway) int { return g.pacer.Waiting() }

// Beat is what a Run does about once a minute.
func Beat(g *Gateway) { g.beat(context.Background(), true) }
