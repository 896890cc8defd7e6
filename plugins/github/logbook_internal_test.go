package github

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// reader answers every request with the same.
type reader struct {
	n    int
	body func() string
}

func (r *reader) RoundTrip(q *http.Request) (*http.Response, error) {
	r.n++
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(r.body())), Request: q}, nil
}

// After an outage the log is read once for all installations, and again for who misses something that it cannot have.
func TestTheLogIsReadOnceForAll(t *testing.T) {
	now := time.Unix(1_800_000_000, 0).UTC()
	entry := func(id int, guid string, installation, status int) string {
		raw, _ := json.Marshal(map[string]any{"id": id, "guid": guid, "delivered_at": now.Add(-time.Minute).Format(time.RFC3339), "status_code": status, "installation_id": installation})
		return string(raw)
	}
	list := []string{entry(5, "e", 2, 502), entry(4, "b", 1, 200), entry(3, "c", 1, 502), entry(2, "b", 1, 502), entry(1, "a", 1, 0), `{"id":9,"guid":"ping","status_code":500,"installation_id":null}`}
	hub := &reader{body: func() string { return "[" + strings.Join(list, ",") + "]" }}
	c := as(&http.Client{Transport: hub}, func() time.Time { return now }, "")
	book, log := newLogbook(), slog.New(slog.DiscardHandler)
	read := func(since, until time.Duration) map[string]string {
		t.Helper()
		got, err := book.failed(t.Context(), c, gateway.Gap{Since: now.Add(since), Until: now.Add(until)}, log)
		require.NoError(t, err)
		out := map[string]string{}
		for id, l := range got {
			for _, a := range l {
				out[id] += a.GUID
			}
		}
		return out
	}
	want := map[string]string{"1": "ac", "2": "e"}
	require.Equal(t, want, read(-time.Hour, -time.Second))
	list = nil
	require.Equal(t, want, read(-time.Hour, -time.Second), "another instance, of the same outage")
	require.Equal(t, want, read(-time.Minute, -time.Second))
	require.Equal(t, 1, hub.n)
	require.Empty(t, read(-2*time.Hour, -time.Second), "further back")
	require.Equal(t, 2, hub.n)
	now = now.Add(time.Hour)
	require.Empty(t, read(-2*time.Hour, -time.Second), "what may have failed since")
	require.Equal(t, 3, hub.n, fmt.Sprint(book.at))
}
