package gateway

import (
	"context"
	"time"
)

// Queued is how many requests wait for a token.
func Queued(g *Gateway) int { return g.pacer.Waiting() }

// Beat is what a Run does about once a minute.
func Beat(g *Gateway) { g.beat(context.Background(), true) }

// Patience ends the time for which instances are left alone whose code has hung.
func Patience(g *Gateway) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, h := range g.hung {
		h.until = time.Time{}
		g.hung[id] = h
	}
}
