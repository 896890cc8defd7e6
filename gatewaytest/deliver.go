package gatewaytest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"

	gateway "github.com/metagov/gateway-go"
)

// Server serves [gateway.Gateway.Handler] over real HTTP at the gateway's public URL, until the test ends. It cannot be used
// with an Options.PublicURL of your own.
func (r *Rig) Server() *httptest.Server {
	r.t.Helper()
	if r.given {
		r.t.Fatalf("gatewaytest: Server needs an address of its own; leave Options.PublicURL empty")
	}
	if !r.serves {
		r.serves = true
		r.server.Start()
	}
	return r.server
}

// PublicURL is where the gateway believes that it is reached.
func (r *Rig) PublicURL() string { return r.o.PublicURL }

// Serve has the gateway's Handler answer a request, on this goroutine. The request's path is the Handler's, without the
// prefix of an Options.PublicURL.
func (r *Rig) Serve(q *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, q)
	return w
}

// Deliver posts a delivery to the plugin's one URL for all communities.
func (r *Rig) Deliver(plugin string, header http.Header, body []byte) *httptest.ResponseRecorder {
	return r.Serve(r.request(http.MethodPost, "/api/hooks/"+plugin, header, body))
}

// DeliverTo posts a delivery to where the platform would for this instance: its own URL, or the plugin's one.
func (r *Rig) DeliverTo(i *gateway.Instance, header http.Header, body []byte) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.Serve(r.request(http.MethodPost, r.hook(i), header, body))
}

// hook is the path of an instance's webhook under the Handler.
func (r *Rig) hook(i *gateway.Instance) string {
	r.t.Helper()
	full, err := i.WebhookURL(r.t.Context())
	if err != nil {
		r.t.Fatalf("gatewaytest: the webhook of %s: %v", i.Name(), err)
	}
	u, err := url.Parse(full)
	base, err2 := url.Parse(r.o.PublicURL)
	if err != nil || err2 != nil {
		r.t.Fatalf("gatewaytest: the webhook of %s is not a URL", i.Name()) // without the errors, which would show its token
	}
	return u.Path[len(trimSlash(base.Path)):]
}

func trimSlash(path string) string {
	if n := len(path); n > 0 && path[n-1] == '/' {
		return path[:n-1]
	}
	return path
}

func (r *Rig) request(method, path string, header http.Header, body []byte) *http.Request {
	q := httptest.NewRequestWithContext(r.t.Context(), method, path, bytes.NewReader(body))
	for name, values := range header {
		q.Header[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
	return q
}
