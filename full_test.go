package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
)

// post sends a delivery through a real server.
func (r *rig) post(srv *httptest.Server, m forumMessage) (int, error) {
	m.Site, m.At = "S1", r.clock.now()
	return r.postAt(srv, m)
}

// postAt is post for a message that says where and when it was written.
func (r *rig) postAt(srv *httptest.Server, m forumMessage) (int, error) {
	if m.Site == "" {
		m.Site = "S1"
	}
	body := fmt.Sprintf(`{"ID":%q,"Site":%q,"Kind":%q,"User":%q,"Text":%q,"Process":%q,"At":%q}`,
		m.ID, m.Site, m.Kind, m.User, m.Text, m.Process, m.At.Format(time.RFC3339Nano))
	req, err := http.NewRequest("POST", srv.URL+"/api/hooks/forum", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-Signature", "good")
	req.Header.Set("X-Time", r.clock.now().Format(time.RFC3339))
	res, err := srv.Client().Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// A disk fills up under a gateway at work, through HTTP and with the real thing: what there was no room for is refused and nothing of it is
// kept, what was acknowledged counts, and when there is room again everything goes on without a restart.
func TestDiskFull(t *testing.T) {
	s, err := sqlite.OpenWith(filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{MaxSize: 2 << 20})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	ballast := func(size int) error { // by others in the file
		return s.Update(t.Context(), func(tx store.Tx) error {
			return tx.PutTicket(store.Ticket{Kind: "ballast", ID: fmt.Sprint(time.Now().UnixNano()), Until: time.Unix(1, 0), Data: make([]byte, size)})
		})
	}
	r := newRig(t, gateway.Options{Store: s})
	c, inst := r.town("a", "S1")
	heard := r.listen("driver")
	ask := voteAsk()
	at := r.clock.now().Add(time.Hour)
	ask.ClosingAt = &at
	p := r.poll(inst, ask)
	srv := httptest.NewServer(r.Handler())
	defer srv.Close()
	stop := running(t, r.Gateway)
	defer stop()
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			err = ballast(size)
		}
		require.ErrorIs(t, err, store.ErrFull)
	}
	require.Error(t, inst.Emit(t.Context(), "x", gateway.Meta{ID: "1"}, []byte(`"`+strings.Repeat("x", 8<<10)+`"`)))
	err = inst.Emit(t.Context(), "x", gateway.Meta{ID: "1"}, []byte(`"`+strings.Repeat("x", 8<<10)+`"`))
	require.ErrorIs(t, err, store.ErrFull, "it says what is wrong")
	require.ErrorIs(t, err, gateway.Unavailable)

	taken := map[string]bool{}
	var messages []forumMessage
	for i := range 40 {
		messages = append(messages,
			forumMessage{ID: fmt.Sprint("m", i), Kind: "message", Text: fmt.Sprint(i) + strings.Repeat(".", 4000)},
			forumMessage{ID: fmt.Sprint("c", i), Kind: "click", User: fmt.Sprint("u", i), Text: "yes", Process: p.ID})
	}
	refused := 0
	for _, m := range messages {
		status, err := r.post(srv, m)
		require.NoError(t, err)
		require.Contains(t, []int{200, 503}, status)
		if status == 503 {
			refused++
		}
		taken[m.ID] = status == 200
	}
	require.NotZero(t, refused)
	r.clock.advance(time.Hour) // closing falls into it
	_, err = c.Process(t.Context(), p.ID)
	require.NoError(t, err, "reading goes on")

	// What was acknowledged is there, and nothing of what was not.
	before := r.process(c, p.ID).Voters
	clicks := 0
	for id, ok := range taken {
		if ok && id[0] == 'c' {
			clicks++
		}
	}
	require.EqualValues(t, clicks, before)

	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { _, err := tx.PruneTickets(time.Unix(2, 0), 1<<20); return err }))
	want := 0
	for _, m := range messages {
		if m.Kind == "message" {
			want++
		}
		if m.Kind == "message" || taken[m.ID] {
			status, err := r.post(srv, m)
			require.NoError(t, err)
			require.Equal(t, 200, status)
		}
	}
	soon(t, "the vote is closed and everything is heard", func() bool {
		got, err := c.Process(context.Background(), p.ID)
		return err == nil && got.Status == gateway.StatusCompleted && len(heard.texts()) >= want
	})
	require.EqualValues(t, clicks, r.outcome(r.process(c, p.ID)).Turnout.Voters, "ballots that came twice count once")
	seen := map[string]int{}
	for _, text := range heard.texts() {
		seen[text]++
	}
	require.Len(t, seen, want)
	for text, n := range seen {
		require.Equal(t, 1, n, text)
	}
}

// A gateway on a store that can only be read tells what there is and refuses the rest.
func TestReadOnlyStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.db")
	s, err := sqlite.Open(path)
	require.NoError(t, err)
	r := newRig(t, gateway.Options{Store: s})
	_, inst := r.town("a", "S1")
	p := r.poll(inst, voteAsk())
	require.NoError(t, s.Close())

	s, err = sqlite.OpenWith(path, sqlite.Options{ReadOnly: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	r.o.Store, r.store = s, s
	r.again()
	c, err := r.Community(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
	w := r.click(p.ID, "u1", "yes")
	require.Equal(t, 503, w.Code)
	require.NotEmpty(t, w.Header().Get("Retry-After"))
	inst, err = c.Instance(t.Context(), "forum")
	require.NoError(t, err)
	for what, fn := range map[string]func() error{
		"cast": func() error {
			_, err := c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: "u", Choices: []string{"yes"}})
			return err
		},
		"start":     func() error { _, err := inst.Start(t.Context(), "poll", poll{voteAsk()}); return err },
		"close":     func() error { _, err := c.Close(t.Context(), p.ID); return err },
		"emit":      func() error { return inst.Emit(t.Context(), "x", gateway.Meta{ID: "1"}, nil) },
		"community": func() error { _, err := r.CreateCommunity(t.Context(), "b", "B"); return err },
		"enable":    func() error { _, err := c.Enable(t.Context(), "forum", forumConfig{Site: "S2"}, "other"); return err },
		"subscribe": func() error { return r.OnEvent(t.Context(), "new", (&ears{}).event) },
		"once":      func() error { _, err := inst.Do(t.Context(), "post", post{Text: "x"}, gateway.Once("o")); return err },
	} {
		err := fn()
		require.ErrorIs(t, err, store.ErrReadOnly, what)
		require.ErrorIs(t, err, gateway.Unavailable, what)
		require.NotEqual(t, store.ErrReadOnly.Error(), err.Error(), "it says what was attempted")
	}
	require.Empty(t, r.api.lines("post"))
	require.Len(t, r.api.lines("start"), 1)
}
