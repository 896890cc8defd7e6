package github_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

// meanwhile does something once, after GitHub has listed the comments.
type meanwhile struct {
	*hub
	once sync.Once
	do   func()
}

func (m *meanwhile) RoundTrip(q *http.Request) (*http.Response, error) {
	res, err := m.hub.RoundTrip(q)
	if err == nil && q.Method == http.MethodGet && strings.HasSuffix(q.URL.Path, "/comments") && m.do != nil {
		m.once.Do(m.do)
	}
	return res, err
}

// A comment that arrives while the others are read is in no page of them. It counts all the same, as it did when it was acknowledged.
func TestACommentWhileTheOthersAreRead(t *testing.T) {
	for name, before := range map[string]string{"a first one": "", "another one": "/vote no"} {
		t.Run(name, func(t *testing.T) {
			m := &meanwhile{hub: newHub(nil)}
			r := newRigWith(t, memory.New(), m.hub, func(_ *github.App, o *gateway.Options) { o.HTTP, o.Egress = &http.Client{Transport: m}, m })
			p := r.start("issue-comment-vote", vote.Ask{Title: "x"}, nil)
			if before != "" {
				r.write("ann", before)
			}
			var code int
			m.do = func() {
				m.mu.Lock()
				c, issue := m.comment(1, user("ann"), "/vote yes", r.Clock.Now()), m.issues[0]
				m.mu.Unlock()
				code = r.send("issue_comment", r.payload(map[string]any{"action": "created", "issue": issue, "comment": c, "sender": user("ann")})).Code
			}
			_, err := r.c.Close(t.Context(), p.ID)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, code)
			out := outcome(t, r.again(p))
			require.EqualValues(t, 1, out.Turnout.Voters)
			require.EqualValues(t, 1, out.Questions[0].Options[0].Ballots)
		})
	}
}

// A vote that is cancelled while nobody knows whether its issue was opened leaves no issue behind that asks people to vote.
func TestCancelledWhileItIsOpened(t *testing.T) {
	r := newRig(t)
	broken := true
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if broken && q.Method == http.MethodGet && q.URL.Path == "/repos/acme/town/issues" {
			return respond(502, "<html>Unicorn!</html>")
		}
		return nil
	}
	r.hub.after = func(q *http.Request) error {
		if broken && q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, "/issues") {
			return errors.New("the connection broke")
		}
		return nil
	}
	r.hub.mu.Unlock()
	p, err := r.inst.Start(t.Context(), "issue-react-vote", github.ReactVote{Ask: vote.Ask{Title: "x"}})
	require.NoError(t, err)
	require.Equal(t, gateway.StatusCreated, p.Status)
	require.Len(t, r.hub.issues, 1)
	_, err = r.c.Cancel(t.Context(), p.ID)
	require.NoError(t, err)
	r.hub.mu.Lock()
	broken = false
	r.hub.mu.Unlock()
	r.Advance(time.Hour)
	require.Equal(t, "closed", r.hub.issues[0]["state"])
	require.Len(t, r.hub.comments[1], 1)
	require.Contains(t, r.hub.comments[1][0]["body"], "**cancelled**")
}
