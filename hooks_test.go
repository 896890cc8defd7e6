package gateway_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// hookMessage is what a receiver got.
type hookMessage struct {
	id, community, typ, text, status string
	header                           http.Header
	body                             []byte
	at                               time.Time // by the test's clock
}

// receiver is a driver elsewhere.
type receiver struct {
	*httptest.Server
	clock *clock

	mu     sync.Mutex
	got    []hookMessage // all that came, taken or not
	answer func(hookMessage, http.ResponseWriter)
}

func newReceiver(t *testing.T, r *rig) *receiver {
	t.Helper()
	v := &receiver{clock: r.clock}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

func (v *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	var m struct {
		Type string
		Data struct {
			Community, Status string
			Data              struct{ Text string }
		}
	}
	_ = json.Unmarshal(body, &m)
	h := hookMessage{
		id: req.Header.Get("webhook-id"), community: m.Data.Community, typ: m.Type, text: m.Data.Data.Text, status: m.Data.Status,
		header: req.Header, body: body, at: v.clock.now(),
	}
	v.mu.Lock()
	v.got = append(v.got, h)
	answer := v.answer
	v.mu.Unlock()
	if answer != nil {
		answer(h, w)
	}
}

// answers has fn answer from now on.
func (v *receiver) answers(fn func(m hookMessage, w http.ResponseWriter)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answer = fn
}

func (v *receiver) says(status int) {
	v.answers(func(_ hookMessage, w http.ResponseWriter) { w.WriteHeader(status) })
}

// refuses has those messages fail whose text is one of these; the others are taken.
func (v *receiver) refuses(texts ...string) {
	v.answers(func(m hookMessage, w http.ResponseWriter) {
		for _, t := range texts {
			if m.text == t {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}
	})
}

func (v *receiver) messages() []hookMessage {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]hookMessage(nil), v.got...)
}

// heard takes what came since it was called last: the texts of events, the types of other messages.
func (v *receiver) heard() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := []string{}
	for _, m := range v.got {
		if m.text != "" {
			out = append(out, m.text)
		} else {
			out = append(out, m.typ)
		}
	}
	v.got = nil
	return out
}

func here() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

func newHookRig(t *testing.T, s store.Store) *rig {
	return newRig(t, gateway.Options{Store: s, Reach: here()})
}

// endpoint makes one.
func (r *rig) endpoint(e gateway.Endpoints, url string, ordered bool, filters ...gateway.Filter) (string, gateway.Secret) {
	r.t.Helper()
	made, secret, err := e.Create(r.t.Context(), gateway.EndpointSpec{URL: url, Ordered: ordered, Filters: filters})
	require.NoError(r.t, err)
	return made.ID, secret
}

func (r *rig) status(e gateway.Endpoints, id string) gateway.EndpointStatus {
	r.t.Helper()
	s, err := e.Get(r.t.Context(), id)
	require.NoError(r.t, err)
	return s
}

func (r *rig) saysAll(site string, texts ...string) {
	for _, text := range texts {
		r.says(site, site+text, text)
	}
}

func verifies(t *testing.T, secret gateway.Secret, m hookMessage) error {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(secret.Reveal())
	require.NoError(t, err)
	return w.VerifyIgnoringTimestamp(m.body, m.header)
}

func TestHookMessages(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newHookRig(t, s)
		v := newReceiver(t, r)
		c, i := r.town("oak", "S1")
		r.says("S1", "m0", "before")
		id, secret := r.endpoint(c.Endpoints(), v.URL, true)
		require.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, secret.Reveal())
		require.Equal(t, "•••", fmt.Sprint(secret))

		r.says("S1", "m1", "hello")
		p := r.poll(i, vote.Ask{})
		r.due()
		require.Equal(t, http.StatusOK, r.click(p.ID, "u1", "yes").Code)
		r.wait(time.Second)
		_, err := c.Close(t.Context(), p.ID)
		require.NoError(t, err)
		r.wait(time.Second)

		got := v.messages()
		types := []string{}
		for _, m := range got {
			types = append(types, m.typ)
			require.NoError(t, verifies(t, secret, m))
			require.Equal(t, "application/json", m.header.Get("Content-Type"))
			require.NotEmpty(t, m.header.Get("User-Agent"))
			require.Equal(t, strconv.FormatInt(m.at.Unix(), 10), m.header.Get("webhook-timestamp"))
		}
		require.Equal(t, []string{"forum.message", "process.pending", "process.pending", "process.completed"}, types, "what is history is passed over")
		var body map[string]any
		require.NoError(t, json.Unmarshal(got[0].body, &body))
		data := body["data"].(map[string]any)
		require.Equal(t, "2026-01-02T03:04:05Z", body["timestamp"])
		require.Equal(t, []any{"oak", "forum", "message", "m1", "u1"}, []any{data["community"], data["plugin"], data["type"], data["id"], data["initiator"]})
		require.Equal(t, map[string]any{"text": "hello"}, data["data"])
		require.Equal(t, fmt.Sprintf("msg_%s_%v", id, data["seq"]), got[0].id)

		require.NoError(t, json.Unmarshal(got[3].body, &body))
		data = body["data"].(map[string]any)
		require.Equal(t, []any{"oak", p.ID, "completed"}, []any{data["community"], data["id"], data["status"]})
		require.NotEmpty(t, data["outcome"])
		require.NotEmpty(t, data["seq"])

		st := r.status(c.Endpoints(), id)
		require.Equal(t, []any{0, 0, "active", r.clock.now()}, []any{st.Waiting, st.Dead, st.Status, st.LastSuccess})
		require.Empty(t, r.tasks(store.TaskQuery{Ref: id}), "what is sent leaves nothing behind")
	})
}

// TestHooksLibrary has the library check the time as well, which it compares with the machine's clock.
func TestHooksLibrary(t *testing.T) {
	r := newRig(t, gateway.Options{Reach: here(), Now: time.Now})
	v := newReceiver(t, r)
	id, secret := r.endpoint(r.Endpoints(), v.URL, false)
	a, err := r.Endpoints().Test(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, gateway.HookAnswer{Status: 200, Took: a.Took}, a)
	require.Positive(t, a.Took)
	m := v.messages()[0]
	w, err := standardwebhooks.NewWebhook(secret.Reveal())
	require.NoError(t, err)
	require.NoError(t, w.Verify(m.body, m.header))
	require.Error(t, w.Verify(append(m.body, ' '), m.header))
	require.Equal(t, "gateway.test", m.typ)
	require.True(t, strings.HasPrefix(m.id, "msg_"+id+"_test_"), m.id)
}

func TestHiddenTalliesStayHidden(t *testing.T) {
	r := newHookRig(t, nil)
	v := newReceiver(t, r)
	c, i := r.town("oak", "S1")
	r.endpoint(c.Endpoints(), v.URL, true)
	p := r.poll(i, vote.Ask{Secrecy: vote.Hidden})
	require.Equal(t, http.StatusOK, r.click(p.ID, "u1", "yes").Code)
	r.wait(2 * time.Second)
	for _, m := range v.messages() {
		require.NotContains(t, string(m.body), `"counts"`)
		require.NotContains(t, string(m.body), `"voters"`)
	}
	_, err := c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	r.due()
	got := v.messages()
	require.Contains(t, string(got[len(got)-1].body), `"counts"`)
}

func TestHookRotation(t *testing.T) {
	r := newHookRig(t, nil)
	v := newReceiver(t, r)
	c, _ := r.town("oak", "S1")
	id, first := r.endpoint(c.Endpoints(), v.URL, true)
	second, err := c.Endpoints().Rotate(t.Context(), id)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	next := func() hookMessage {
		r.saysAll("S1", r.clock.now().String())
		r.due()
		got := v.messages()
		return got[len(got)-1]
	}
	r.clock.advance(24*time.Hour - time.Second)
	m := next()
	require.NoError(t, verifies(t, first, m))
	require.NoError(t, verifies(t, second, m))
	require.Len(t, strings.Split(m.header.Get("webhook-signature"), " "), 2)
	r.clock.advance(time.Second)
	m = next()
	require.Error(t, verifies(t, first, m), "its day is over")
	require.NoError(t, verifies(t, second, m))
	for range 4 {
		_, err = c.Endpoints().Rotate(t.Context(), id)
		require.NoError(t, err)
	}
	_, err = c.Endpoints().Rotate(t.Context(), id)
	require.ErrorIs(t, err, gateway.Conflict, "the header does not grow without end")
	require.NoError(t, verifies(t, second, next()))
}

// TestHookSchedule holds the times of tries, that they are the same message, and that it is kept when the schedule is over.
func TestHookSchedule(t *testing.T) {
	delays := []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}
	for _, ordered := range []bool{true, false} {
		t.Run(fmt.Sprint("ordered=", ordered), func(t *testing.T) {
			eachStore(t, func(t *testing.T, s store.Store) {
				r := newHookRig(t, s)
				v := newReceiver(t, r)
				c, _ := r.town("oak", "S1")
				id, secret := r.endpoint(c.Endpoints(), v.URL, ordered)
				v.refuses("bad")
				r.saysAll("S1", "bad")
				r.due()
				for n, d := range delays {
					require.Len(t, v.messages(), n+1)
					at := v.messages()[n].at
					due := r.tasks(store.TaskQuery{Ref: id})[0].Due
					require.GreaterOrEqual(t, due, at.Add(d), "never before its time")
					require.Less(t, due, at.Add(d+d/5), "and at most a fifth later")
					require.Equal(t, 1, r.status(c.Endpoints(), id).Waiting)
					r.again()
					r.clock.advance(due.Sub(r.clock.now()) - time.Microsecond)
					r.due()
					require.Len(t, v.messages(), n+1, "not due yet")
					r.wait(time.Microsecond)
				}
				ids := map[string]bool{}
				for _, m := range v.messages() {
					require.NoError(t, verifies(t, secret, m))
					ids[m.id] = true
				}
				require.Len(t, ids, 1, "the same message")
				require.Len(t, v.heard(), 10)

				// It is given up, and listed, and can be sent again.
				c, err := r.Community(t.Context(), "oak")
				require.NoError(t, err)
				dead, err := c.Endpoints().Dead(t.Context(), id, "", 0)
				require.NoError(t, err)
				require.Len(t, dead, 1)
				require.Equal(t, []any{"oak", "forum.message", "answered 500", true}, []any{dead[0].Community, dead[0].Type, dead[0].Error, ids[dead[0].ID]})
				st := r.status(c.Endpoints(), id)
				require.Equal(t, []int{0, 1}, []int{st.Waiting, st.Dead})
				r.saysAll("S1", "good")
				r.due()
				require.Equal(t, []string{"good"}, v.heard(), "the line has gone on")
				require.NoError(t, c.Endpoints().ReplayDead(t.Context(), id, dead[0].Key))
				v.refuses()
				r.due()
				require.Equal(t, []string{"bad"}, v.heard())
				require.ErrorIs(t, c.Endpoints().ReplayDead(t.Context(), id, dead[0].Key), gateway.NotFound)
				require.Empty(t, r.tasks(store.TaskQuery{Ref: id}))
			})
		})
	}
}

func TestHookOrder(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newHookRig(t, s)
		strict, loose := newReceiver(t, r), newReceiver(t, r)
		r.town("oak", "S1")
		r.town("elm", "S2")
		r.endpoint(r.Endpoints(), strict.URL, true)
		r.endpoint(r.Endpoints(), loose.URL, false)
		strict.refuses("2")
		loose.refuses("2")
		r.saysAll("S1", "1", "2", "3")
		r.saysAll("S2", "a", "b", "c")
		r.due()
		require.Equal(t, []string{"1", "2"}, heardBy("oak", strict), "nothing overtakes what failed")
		require.Equal(t, []string{"a", "b", "c"}, heardBy("elm", strict), "another community does not notice")
		require.ElementsMatch(t, []string{"1", "2", "3"}, heardBy("oak", loose))
		require.ElementsMatch(t, []string{"a", "b", "c"}, heardBy("elm", loose))
		r.saysAll("S1", "4")
		r.due()
		require.Equal(t, []string{"1", "2"}, heardBy("oak", strict))
		require.Contains(t, heardBy("oak", loose), "4")
		strict.refuses()
		loose.refuses()
		r.wait(6 * time.Second)
		require.Equal(t, []string{"1", "2", "2", "3", "4"}, heardBy("oak", strict))
		require.ElementsMatch(t, []string{"1", "2", "3", "4", "2"}, heardBy("oak", loose))
	})
}

// heardBy are the texts that a receiver got of one community.
func heardBy(community string, v *receiver) []string {
	out := []string{}
	for _, m := range v.messages() {
		if m.community == community {
			out = append(out, m.text)
		}
	}
	return out
}

func TestHookAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		header string
		after  time.Duration // until the next try at least; 0: it was taken; -1: disabled
		most   time.Duration
		err    string
	}{
		{200, "", 0, 0, ""},
		{204, "", 0, 0, ""},
		{299, "", 0, 0, ""},
		{302, "", 5 * time.Second, 6 * time.Second, "answered 302: redirects are not followed"},
		{308, "", 5 * time.Second, 6 * time.Second, "answered 308: redirects are not followed"},
		{400, "", 5 * time.Second, 6 * time.Second, "answered 400"},
		{404, "", 5 * time.Second, 6 * time.Second, "answered 404"},
		{410, "", -1, 0, "answered 410"},
		{429, "120", 2 * time.Minute, 2*time.Minute + 1, "answered 429"},
		{503, "1", 5 * time.Second, 6 * time.Second, "answered 503"},
		{503, "Fri, 02 Jan 2026 04:04:05 GMT", time.Hour, time.Hour + 1, "answered 503"},
		{503, "99999999", 24 * time.Hour, 24*time.Hour + 1, "answered 503"},
		{503, "-5", 5 * time.Second, 6 * time.Second, "answered 503"},
		{503, "soon", 5 * time.Second, 6 * time.Second, "answered 503"},
	} {
		t.Run(fmt.Sprint(c.status, " ", c.header), func(t *testing.T) {
			r := newHookRig(t, nil)
			v := newReceiver(t, r)
			town, _ := r.town("oak", "S1")
			id, _ := r.endpoint(town.Endpoints(), v.URL, true)
			v.answers(func(_ hookMessage, w http.ResponseWriter) {
				w.Header().Set("Retry-After", c.header)
				w.Header().Set("Location", v.URL+"/elsewhere")
				w.WriteHeader(c.status)
			})
			r.saysAll("S1", "x")
			r.due()
			require.Len(t, v.messages(), 1)
			st := r.status(town.Endpoints(), id)
			require.Equal(t, c.err, st.LastError)
			tasks := r.tasks(store.TaskQuery{Ref: id})
			switch c.after {
			case 0:
				require.Empty(t, tasks)
				require.True(t, st.FailingSince.IsZero())
			case -1:
				require.Equal(t, []string{"disabled", "it answered 410: it wants nothing any more"}, []string{st.Status, st.Reason})
				require.True(t, tasks[0].Due.IsZero())
				require.Contains(t, r.logs.String(), "an endpoint was disabled")
			default:
				require.Equal(t, r.clock.now(), st.FailingSince)
				require.GreaterOrEqual(t, tasks[0].Due.Sub(r.clock.now()), c.after)
				require.Less(t, tasks[0].Due.Sub(r.clock.now()), c.most)
			}
		})
	}
}
