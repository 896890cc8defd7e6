package github_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/gatewaytest"
	"github.com/metagov/gateway-go/plugins/github"
)

// What failed while this program was restarted, which is no outage, is found by the next sweep; what came is not brought again.
func TestSweep(t *testing.T) {
	r := newRig(t, func(a *github.App, _ *gateway.Options) { a.Sweep = 5 * time.Minute })
	r.Due()
	r.Advance(5 * time.Minute)
	before := len(r.hub.calls(http.MethodGet, "/app/hook/deliveries"))
	lost := string(r.payload(map[string]any{"ref": "refs/heads/lost"}))
	at := r.Clock.Now().Add(10 * time.Second).Format(time.RFC3339)
	r.hub.mu.Lock()
	r.hub.failed = []map[string]any{{"id": 7, "guid": "lost", "at": at, "status": 502, "installation": 4711, "event": "push", "payload": lost}}
	r.hub.mu.Unlock()
	r.Advance(7 * time.Minute) // polls are spread by a sixteenth
	require.Len(t, r.Events("push"), 1)
	r.Advance(20 * time.Minute)
	r.Advance(20 * time.Minute)
	require.Len(t, r.Events("push"), 1)
	n := len(r.hub.calls(http.MethodGet, "/app/hook/deliveries/7"))
	r.Advance(time.Hour)
	r.Advance(time.Hour)
	require.Len(t, r.hub.calls(http.MethodGet, "/app/hook/deliveries/7"), n, "what is long over is not looked at again")
	require.Greater(t, len(r.hub.calls(http.MethodGet, "/app/hook/deliveries")), before)
}

// Our clock may be wrong. GitHub says what time it is there, and the app's tokens go by that, and what is looked for after a lost answer; nothing else does.
func TestAClockThatIsWrong(t *testing.T) {
	for off, ok := range map[time.Duration]bool{-20 * time.Minute: true, 20 * time.Minute: true, 3 * time.Hour: false} {
		h := newHub(nil)
		theirs := func() time.Time { return time.Time{} }
		dated := func(res *http.Response) *http.Response {
			res.Header.Set("Date", theirs().UTC().Format(http.TimeFormat))
			return res
		}
		h.fault = func(q *http.Request) *http.Response {
			if h.jwt(strings.TrimPrefix(q.Header.Get("Authorization"), "Bearer ")) || !strings.HasPrefix(q.URL.Path, "/app") {
				return nil
			}
			return dated(refusal(401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"))
		}
		r := &rig{t: t, hub: h}
		seal, err := gateway.NewSeal(gateway.NewSealKey())
		require.NoError(t, err)
		p, err := github.New(testApp())
		require.NoError(t, err)
		r.Rig = gatewaytest.New(t, gateway.Options{Seal: seal, HTTP: &http.Client{Transport: h}, Egress: h, Plugins: []gateway.Plugin{p}})
		theirs = func() time.Time { return r.Clock.Now().Add(off) }
		h.mu.Lock()
		h.now = theirs
		h.mu.Unlock()
		_, err = r.Community("town").Enable(t.Context(), "github", github.Config{InstallationID: installation})
		if !ok {
			require.Error(t, err, off)
			require.Len(t, h.calls("", "/app"), 1)
			continue
		}
		require.NoError(t, err, off)
		require.Len(t, h.calls("", "/app"), 2, "tried once more")
		r.looksFrom(theirs())
	}
}

// looksFrom has an answer of GitHub's lost, and what it said looked for among what is there since then by its clock.
func (r *rig) looksFrom(theirs time.Time) {
	r.t.Helper()
	lost := false
	r.hub.mu.Lock()
	r.hub.after = func(q *http.Request) error {
		if q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, "/issues") && !lost {
			lost = true
			return errors.New("the connection broke")
		}
		return nil
	}
	r.hub.mu.Unlock()
	town, err := r.Gateway.Community(r.t.Context(), "town")
	require.NoError(r.t, err)
	inst, err := town.Instance(r.t.Context(), "github")
	require.NoError(r.t, err)
	_, err = inst.Do(r.t.Context(), "create-issue", github.CreateIssue{Repo: github.Repo{Repository: "town"}, Title: "x"})
	require.NoError(r.t, err)
	require.Len(r.t, r.hub.issues, 1)
	looked := r.hub.calls(http.MethodGet, "/repos/acme/town/issues")
	require.Len(r.t, looked, 1)
	q, err := url.ParseQuery(looked[0].Query)
	require.NoError(r.t, err)
	since, err := time.Parse(time.RFC3339, q.Get("since"))
	require.NoError(r.t, err)
	require.False(r.t, since.After(theirs), "GitHub has it since %v, and is asked for what it has since %v", theirs, since)
}
