package gateway

import (
	"context"
	"time"

	"github.com/metagov/gateway-go/store"
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

// AllEvidence lists what is known about anybody in a community.
func (c *Community) AllEvidence(ctx context.Context) (out []Evidence, err error) {
	err = c.look(ctx, func(tx store.Tx, s Settings) error {
		seen := map[string]bool{}
		people, err := tx.People(store.PersonQuery{Community: c.row.Slug}, "", 1000)
		if err != nil {
			return err
		}
		for _, p := range people {
			faces, err := facesOf(tx, c.row.Slug, p.ID)
			if err != nil {
				return err
			}
			for _, face := range append(faces, PersonKey(p.ID)) {
				rows, err := tx.EvidenceOf(c.row.Slug, face)
				if err != nil {
					return err
				}
				for _, e := range rows {
					if !seen[e.ID] {
						seen[e.ID] = true
						out = append(out, c.g.evidenceOf(s, e))
					}
				}
			}
		}
		return nil
	})
	return out, err
}
