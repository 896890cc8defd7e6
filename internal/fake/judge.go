package fake

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"sync"
)

// Judge is a fake's Options.Judge, such as a description of the platform's API, with what it objected to. All methods may be called from
// any goroutine.
type Judge struct {
	By func(*http.Request) error // nil objects to nothing

	mu       sync.Mutex
	objected []error
}

// Look shows it a request, with a body of its own, and returns what it objects to.
func (j *Judge) Look(r *http.Request, body []byte) error {
	if j.By == nil {
		return nil
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	err := j.By(r)
	if err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.objected = append(j.objected, err)
	}
	return err
}

// Objected lists what it objected to, in order.
func (j *Judge) Objected() []error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.objected)
}
