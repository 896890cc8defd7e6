package github

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	gateway "github.com/metagov/gateway-go"
)

// maxFailed is how many deliveries that GitHub does not give one repair passes over: one that it never gives keeps nobody from the others, and when it is
// down it is left alone.
const maxFailed = 5

// repair fetches the deliveries of a gap that failed: GitHub does not try again by itself, but keeps what it wanted to say. A delivery
// that arrived later, or that GitHub is asked by somebody to repeat, has the same identifier and counts once.
func (g *GitHub) repair(ctx context.Context, gap gateway.Gap) error {
	failed, err := g.failed(ctx, gap)
	if err != nil {
		return err
	}
	var bad error
	n := 0
	for _, a := range failed {
		err := g.fetch(ctx, a)
		if err == nil {
			continue
		}
		if n++; bad == nil {
			bad = err
		}
		if n == maxFailed || gateway.RetryAfter(err) > 0 || ctx.Err() != nil {
			break
		}
	}
	return bad
}

// failed lists this installation's deliveries that never succeeded, oldest first.
func (g *GitHub) failed(ctx context.Context, gap gateway.Gap) ([]attempt, error) {
	all, err := g.app.log.failed(ctx, g.app.asApp(g.HTTP, g.Now), gap, g.Log)
	return all[g.config.InstallationID], err
}

// fetch hands over one delivery as if GitHub had brought it. Another installation's is not ours to see.
func (g *GitHub) fetch(ctx context.Context, a attempt) error {
	var kept struct {
		Event   string `json:"event"`
		Request struct {
			Payload json.RawMessage `json:"payload"`
		} `json:"request"`
	}
	path := "/app/hook/deliveries/" + strconv.FormatInt(a.ID, 10)
	err := g.app.asApp(g.HTTP, g.Now).json(ctx, request{method: http.MethodGet, path: path}, &kept)
	if refusedWith(err, http.StatusNotFound, http.StatusUnprocessableEntity) {
		g.Log.WarnContext(ctx, "a delivery that failed is not kept any more", "delivery", a.GUID)
		return nil
	}
	if err != nil {
		return err
	}
	header := http.Header{}
	header.Set("X-GitHub-Event", kept.Event)
	header.Set("X-GitHub-Delivery", a.GUID)
	header.Set("Content-Type", "application/json")
	m, err := parse(&gateway.Delivery{Header: header, Body: kept.Request.Payload})
	if err != nil || m.installation != g.config.InstallationID {
		g.Log.WarnContext(ctx, "a delivery that failed cannot be read, or is somebody else's", "delivery", a.GUID, "error", err)
		return nil
	}
	err = g.Accept(ctx, header, kept.Request.Payload)
	if gateway.CodeOf(err) == gateway.Invalid { // it is larger than this program takes, and will be the next time
		g.Log.WarnContext(ctx, "a delivery that failed is not taken", "delivery", a.GUID, "error", err)
		return nil
	}
	return err
}
