package gateway

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Handler serves what platforms and browsers reach:
//
//	POST /api/hooks/{plugin}                      one app's deliveries for all communities
//	POST /api/hooks/{community}/{plugin}[/{token}] an instance's own deliveries, see [Instance.WebhookURL]
//	GET  /auth/{plugin}/authorize                 sends a browser to a platform, see [Gateway.AuthorizeURL]; POST from the page of a prompt
//	GET  /auth/{plugin}/callback                  where it comes back
//
// Mount it where you like, with http.StripPrefix; Options.PublicURL then ends in the same prefix.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/hooks/{plugin}", g.serveAppHook)
	mux.HandleFunc("POST /api/hooks/{community}/{plugin}", g.serveInstanceHook)
	mux.HandleFunc("POST /api/hooks/{community}/{plugin}/{token}", g.serveInstanceHook)
	mux.HandleFunc("GET /auth/{plugin}/authorize", g.serveAuthorize)
	mux.HandleFunc("POST /auth/{plugin}/authorize", g.serveAuthorize)
	mux.HandleFunc("GET /auth/{plugin}/callback", g.serveCallback)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				g.log.Error("a request failed", "path", loggable(r), "error", g.caught("serving a request", v))
				http.Error(w, "internal error", http.StatusInternalServerError)
			}
		}()
		mux.ServeHTTP(w, r)
	})
}

// serveAppHook takes the deliveries of a platform that has one URL for all communities.
func (g *Gateway) serveAppHook(w http.ResponseWriter, r *http.Request) {
	p := g.plugins[r.PathValue("plugin")]
	if p == nil || p.m.Webhook == nil || !p.m.Webhook.Global {
		http.NotFound(w, r)
		return
	}
	g.serveHook(w, r, p, nil)
}

// serveInstanceHook takes the deliveries that a platform sends to one instance.
func (g *Gateway) serveInstanceHook(w http.ResponseWriter, r *http.Request) {
	p := g.plugins[r.PathValue("plugin")]
	if p == nil || p.m.Webhook == nil || p.m.Webhook.Global {
		http.NotFound(w, r)
		return
	}
	row, err := g.hookInstance(r, p)
	if err != nil {
		g.refuse(w, r, err)
		return
	}
	inst, err := g.open(r.Context(), row)
	if err != nil { // our trouble, not the platform's: it is to deliver again
		g.refuse(w, r, &Error{Code: Unavailable, Err: err})
		return
	}
	g.serveHook(w, r, p, inst)
}

// tokenKey is where an instance's hook token stands.
const tokenKey = "gateway/hook-token"

// hookInstance finds the instance that a hook's URL names. Every way of not finding it looks the same from outside.
func (g *Gateway) hookInstance(r *http.Request, p *plug) (found store.Instance, err error) {
	token := r.PathValue("token")
	none := Errorf(NotFound, "there is no such hook")
	err = g.view(r.Context(), func(tx store.Tx) error {
		rows, err := tx.Instances(r.PathValue("community"), 1000)
		if err != nil {
			return err
		}
		var n int
		for _, row := range rows {
			if row.Plugin != p.m.Name {
				continue
			}
			if token != "" {
				want, _, err := tx.State(row.ID, tokenKey)
				if err != nil {
					return err
				}
				if len(want) == 0 || subtle.ConstantTimeCompare(want, []byte(token)) != 1 {
					continue
				}
			} else if p.m.Webhook.Unsigned {
				continue // nothing but the token says that it comes from the platform
			}
			found = row
			n++
		}
		if n != 1 {
			return none
		}
		return nil
	})
	return found, err
}

// serveHook is the way of every delivery that comes by HTTP.
func (g *Gateway) serveHook(w http.ResponseWriter, r *http.Request, p *plug, inst *opened) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.o.MaxBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	d := &Delivery{ID: g.deliveryID(), Header: r.Header, Body: body, Received: g.clock.wall().UTC()}
	var self any
	a := &arrival{p: p, d: d, door: "http"}
	if inst != nil {
		self, a.inst = inst.self, inst.row.ID
	}
	ctx := correlate(r.Context(), d.ID)
	if err := g.guard("verifying a delivery of "+p.m.Name, func() error { return p.m.Webhook.Verify(self, d) }); err != nil {
		g.log.InfoContext(ctx, "a delivery was refused", "plugin", p.m.Name, "error", err)
		http.Error(w, "not signed by the platform", http.StatusUnauthorized)
		return
	}
	d.Received = g.now()
	if a.message, err = g.parse(p, d); err != nil {
		g.log.WarnContext(ctx, "a delivery could not be read", "plugin", p.m.Name, "error", err)
		http.Error(w, "could not be read", http.StatusBadRequest)
		return
	}
	if reply, ok := p.m.Webhook.Greet(a.message); ok {
		reply.write(w)
		return
	}
	reply, err := g.accept(ctx, a)
	if err != nil {
		g.refuse(w, r.WithContext(ctx), err)
		return
	}
	reply.write(w)
}

// write answers with a reply.
func (r Reply) write(w http.ResponseWriter) {
	ct := r.ContentType
	if ct == "" && len(r.Body) > 0 {
		ct = "application/json"
	}
	if ct != "" {
		w.Header().Set("Content-Type", ct)
		w.Header().Set("X-Content-Type-Options", "nosniff")
	}
	status := r.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = w.Write(r.Body) // whoever asked may be gone; the delivery is kept
}

// leastRetry is what we ask a platform to wait at the least that delivers again what we could not take.
const leastRetry = 5 * time.Second

// refuse answers a request that failed. What happened inside stays in the log.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	switch CodeOf(err) {
	case Invalid:
		status = http.StatusBadRequest
	case NotFound:
		status = http.StatusNotFound
	case Conflict:
		status = http.StatusConflict
	case Denied:
		status = http.StatusForbidden
	case Unavailable, Unknown:
		status = http.StatusServiceUnavailable
		after := max(RetryAfter(err), leastRetry)
		w.Header().Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
	}
	if status >= 500 {
		g.log.ErrorContext(r.Context(), "a request failed", "path", loggable(r), "error", err)
	}
	http.Error(w, http.StatusText(status), status)
}

// loggable is as much of a request's path as may stand in a log: a hook's path may hold its token.
func loggable(r *http.Request) string { return strings.SplitN(r.URL.Path, "/hooks/", 2)[0] }

// WebhookURL is where the platform delivers for this instance: the app's one URL where the plugin has one, and otherwise the
// instance's own, which holds a random token. Keep the latter secret. Invalid: there is no Options.PublicURL.
func (i *Instance) WebhookURL(ctx context.Context) (string, error) {
	w := i.p.m.Webhook
	if w == nil {
		return "", Errorf(NotFound, "plugin %s has no webhook", i.p.m.Name)
	}
	if w.Global {
		return i.g.publicURL("/api/hooks/" + i.p.m.Name)
	}
	var token []byte
	err := i.g.view(ctx, func(tx store.Tx) (err error) { token, _, err = tx.State(i.row.ID, tokenKey); return err })
	if err != nil {
		return "", storeError(err, "reading the hook token of instance %s", i.row.Name)
	}
	return i.g.publicURL("/api/hooks/" + i.row.Community + "/" + i.p.m.Name + "/" + string(token))
}
