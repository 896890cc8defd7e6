package discourse

import (
	"context"
	"net/http"

	gateway "github.com/metagov/gateway-go"
)

// scope is one thing that a granular API key may do.
type scope struct {
	Resource string `json:"resource"`
	Action   string `json:"action"`
}

// global is what a key is granted that has no scopes: everything that its account may do.
const global = "global"

// scopes asks what the key may do. Any key that works may ask, whatever its scopes (ApiKey#request_allowed? of Discourse, checked 2026-11).
func (c client) scopes(ctx context.Context) ([]string, error) {
	var said struct {
		Scopes []scope `json:"scopes"`
	}
	if err := c.do(ctx, http.MethodGet, "/session/scopes.json", nil, nil, &said); err != nil {
		return nil, err
	}
	if len(said.Scopes) == 0 {
		return []string{global}, nil
	}
	var out []string
	for _, s := range said.Scopes {
		out = append(out, s.Resource+":"+s.Action)
	}
	return out, nil
}

// checkKey is called when the forum refused a call. It pauses the instance where the forum does not take the key for anything any more, and not where
// the key has no scope for that call, which is refused with the same words.
func (d *Discourse) checkKey(ctx context.Context) {
	c := clientOf(d.Instance, d.config)
	var err error
	if c.own {
		_, err = c.whoami(ctx)
	} else {
		_, err = c.scopes(ctx)
	}
	if !keyRefused(err) {
		return
	}
	if err := d.Pause(ctx, gateway.BadCredentials); err != nil {
		d.Log.WarnContext(ctx, "the instance could not be paused", "error", err)
	}
}
