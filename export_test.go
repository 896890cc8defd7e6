package gateway

// Queued is how many requests wait for a token.
func Queued(g *Gateway) int { return g.pacer.Waiting() }
