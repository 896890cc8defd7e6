package specs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// ErrNoRoute is what an [API] says of a request that its description does not know at all. Descriptions have gaps: the caller decides
// which routes may be missing.
var ErrNoRoute = errors.New("the description has no such route")

// API is a platform's own OpenAPI description. It may be used by several goroutines.
type API struct {
	router routers.Router
}

// OpenAPI reads the description at path below [Dir]. Reading one takes most of a second: read it once for each test.
func OpenAPI(t testing.TB, path ...string) *API {
	t.Helper()
	file := filepath.Join(append([]string{Dir(t)}, path...)...)
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		t.Fatalf("reading the description %s: %v", file, err)
	}
	for _, server := range doc.Servers { // a path alone, so that hosts do not matter
		if u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(server.URL)); err == nil {
			*server = openapi3.Server{URL: u.Path}
		}
		if server.URL == "" {
			server.URL = "/"
		}
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatalf("routing by the description %s: %v", file, err)
	}
	return &API{router}
}

// Request holds a request against the description: its route, parameters and body. Its host does not matter. The
// body is given back as it was. [ErrNoRoute]: the route is not described.
func (a *API) Request(r *http.Request) error {
	body, err := take(&r.Body)
	if err != nil {
		return err
	}
	in, err := a.find(r)
	if err != nil {
		return err
	}
	in.Request = r.Clone(context.Background()) // defaults are filled in there
	in.Request.Body = io.NopCloser(bytes.NewReader(body))
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
		return fmt.Errorf("%s %s as described: %w", r.Method, r.URL.Path, err)
	}
	return nil
}

// Answer holds the answer to a request against the description, as [API.Request] does with the request. A status that is not
// described passes with any body.
func (a *API) Answer(r *http.Request, status int, header http.Header, body []byte) error {
	in, err := a.find(r)
	if err != nil {
		return err
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: status, Header: header, Options: in.Options}
	out.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(r.Context(), out); err != nil {
		return fmt.Errorf("the answer %d to %s %s as described: %w", status, r.Method, r.URL.Path, err)
	}
	return nil
}

func (a *API) find(r *http.Request) (*openapi3filter.RequestValidationInput, error) {
	route, params, err := a.router.FindRoute(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w (%v)", r.Method, r.URL, ErrNoRoute, err)
	}
	return &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true},
	}, nil
}

// take reads a body and puts it back.
func take(body *io.ReadCloser) ([]byte, error) {
	if *body == nil {
		return nil, nil
	}
	raw, err := io.ReadAll(*body)
	if err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	*body = io.NopCloser(bytes.NewReader(raw))
	return raw, nil
}
