package github_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/vote"
)

// Reactions are read until the end: the last one of each person counts, and one that is taken back does not.
func TestReactions(t *testing.T) {
	r := newRig(t)
	p := r.start("issue-react-vote", vote.Ask{Title: "More soup?", Details: "Every day."}, nil)
	p = r.again(p)
	require.Equal(t, "https://github.com/acme/town/issues/1", p.URL)
	require.Contains(t, r.hub.issues[0]["body"], "👍 `yes`")
	r.Advance(time.Minute)
	at := r.Clock.Now()
	r.hub.react(1, "ann", "+1", at)
	r.hub.react(1, "bob", "+1", at)
	r.hub.react(1, "bob", "-1", at.Add(time.Second)) // bob has changed his mind
	r.hub.react(1, "cid", "+1", at)
	r.hub.react(1, "dan", "heart", at) // stands for nothing
	r.hub.mu.Lock()
	r.hub.reactions[1] = append(r.hub.reactions[1], map[string]any{"id": 1, "content": "-1", "user": nil, "created_at": at.Format(time.RFC3339)},
		map[string]any{"id": 2, "content": "-1", "user": map[string]any{"login": "robot[bot]", "type": "Bot"}, "created_at": at.Format(time.RFC3339)},
		map[string]any{"id": 3, "content": "-1", "user": map[string]any{"login": "ghost", "type": "User"}, "created_at": at.Format(time.RFC3339)})
	r.hub.mu.Unlock()
	r.Advance(20 * time.Minute)
	require.Equal(t, map[string]int64{"yes": 2, "no": 1}, counts(r.again(p)))
	r.hub.unreact(1, "cid", "+1")
	r.hub.unreact(1, "bob", "-1") // the older one counts again
	r.Advance(20 * time.Minute)
	require.Equal(t, int64(2), counts(r.again(p))["yes"])
	r.hub.react(1, "eve", "-1", r.Clock.Now().Add(time.Hour)) // too late
	r.Advance(time.Hour)
	p = r.again(p)
	require.Equal(t, gateway.StatusCompleted, p.Status)
	out := outcome(t, p)
	require.Equal(t, vote.Passed, out.Result)
	require.EqualValues(t, 2, out.Turnout.Voters)
	require.Equal(t, "closed", r.hub.issues[0]["state"])
	require.Len(t, r.hub.comments[1], 1)
	require.Contains(t, r.hub.comments[1][0]["body"], "**passed**")
}

// Options have reactions of their own, and there are eight.
func TestReactionsStandForOptions(t *testing.T) {
	r := newRig(t)
	_, err := r.inst.Start(t.Context(), "issue-react-vote", github.ReactVote{Ask: vote.Ask{Title: "x", PollType: vote.Choice, Options: strings.Split("abcdefghi", "")}})
	require.ErrorIs(t, err, gateway.Invalid, "nine options")
	_, err = r.inst.Start(t.Context(), "issue-react-vote", github.ReactVote{Ask: vote.Ask{Title: "x"}, Reactions: []string{"+1", "+1"}})
	require.ErrorIs(t, err, gateway.Invalid)
	_, err = r.inst.Start(t.Context(), "issue-react-vote", github.ReactVote{Ask: vote.Ask{Title: "x"}, Reactions: []string{"+1", "thumbs"}})
	require.ErrorIs(t, err, gateway.Invalid)
	require.Empty(t, r.hub.issues, "nothing was posted")

	p := r.start("issue-react-vote", vote.Ask{Title: "Which?", PollType: vote.Multiple, Options: []string{"tea", "soup", "cake"}, MaxChoices: 2}, nil)
	at := r.Clock.Now()
	for _, x := range []string{"+1", "-1"} {
		r.hub.react(1, "ann", x, at)
	}
	for _, x := range []string{"+1", "-1", "laugh"} {
		r.hub.react(1, "bob", x, at) // one too many: no vote
	}
	r.Advance(time.Hour)
	r.Advance(time.Minute)
	out := outcome(t, r.again(p))
	require.EqualValues(t, 1, out.Turnout.Voters)
	require.EqualValues(t, 1, out.Questions[0].Options[0].Ballots)
	require.EqualValues(t, 1, out.Questions[0].Options[1].Ballots)
}

// Whoever may not vote is not counted, and so many votes close it as were asked for.
func TestMaxVotesAndEligibility(t *testing.T) {
	r := newRig(t)
	p := r.start("issue-react-vote", vote.Ask{Title: "x", EligibleVoters: []string{"ann", "bob", "cid"}}, func(p *github.Place) { p.MaxVotes = 2 })
	r.hub.react(1, "eve", "-1", r.Clock.Now())
	r.hub.react(1, "ann", "+1", r.Clock.Now())
	r.Advance(20 * time.Minute)
	require.Equal(t, gateway.StatusPending, r.again(p).Status)
	r.hub.react(1, "bob", "+1", r.Clock.Now())
	r.Advance(20 * time.Minute)
	p = r.again(p)
	require.Equal(t, gateway.StatusCompleted, p.Status)
	require.Equal(t, vote.ByPlatform, outcome(t, p).ClosedBy)
}

// Ten thousand people react. Everybody is counted, page by page.
func TestTenThousandReactions(t *testing.T) {
	r := newRig(t, patient)
	p := r.start("issue-react-vote", vote.Ask{Title: "x"}, nil)
	at := r.Clock.Now().Format(time.RFC3339)
	r.hub.mu.Lock()
	for i := range 10_000 {
		content := []string{"+1", "-1", "+1"}[i%3]
		r.hub.reactions[1] = append(r.hub.reactions[1], map[string]any{"id": i + 1, "content": content, "user": map[string]any{"login": fmt.Sprintf("u%05d", i), "type": "User"}, "created_at": at})
	}
	r.hub.mu.Unlock()
	r.Advance(2 * time.Minute)
	_, err := r.c.Refresh(t.Context(), p.ID)
	require.NoError(t, err)
	_, err = r.c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	out := outcome(t, r.again(p))
	require.EqualValues(t, 10_000, out.Turnout.Voters)
	require.EqualValues(t, 6667, out.Questions[0].Options[0].Ballots)
	for _, c := range r.hub.calls(http.MethodGet, "/repos/acme/town/issues/1/reactions") {
		require.Contains(t, c.Query, "per_page=100")
	}
}

// Comments count as they come; the latest with a vote counts, edits and deletions have all of them read again.
func TestComments(t *testing.T) {
	r := newRig(t)
	p := r.start("issue-comment-vote", vote.Ask{Title: "Which?", PollType: vote.Choice, Options: []string{"Green tea", "soup"}}, nil)
	r.write("ann", "I like both.\n\n/vote green  TEA\n")
	require.Equal(t, map[string]int64{"Green tea": 1}, counts(r.again(p)), "at once")
	r.write("bob", "> /vote 1\n```\n/vote 1\n```\nno vote in quotes or code")
	r.Advance(time.Minute)
	second := r.write("ann", "/vote 2")
	require.EqualValues(t, 1, counts(r.again(p))["soup"])
	r.write("robot", "/vote soup, all of it") // no such option
	r.hub.mu.Lock()
	r.hub.comment(1, map[string]any{"login": "ci[bot]", "type": "Bot"}, "/vote soup", r.Clock.Now())
	r.hub.comment(1, nil, "/vote soup", r.Clock.Now()) // of a deleted account
	r.hub.mu.Unlock()

	// The second comment is deleted: the first counts again.
	r.Advance(time.Minute)
	r.hub.mu.Lock()
	kept := r.hub.comments[1][:0]
	for _, c := range r.hub.comments[1] {
		if c["id"] != second["id"] {
			kept = append(kept, c)
		}
	}
	r.hub.comments[1] = kept
	r.hub.mu.Unlock()
	r.tell("issue_comment", map[string]any{"action": "deleted", "issue": r.hub.issues[0], "comment": second, "sender": user("ann")})
	require.EqualValues(t, 1, counts(r.again(p))["Green tea"])
	require.EqualValues(t, 0, counts(r.again(p))["soup"])

	// The first is edited.
	r.Advance(time.Minute)
	r.hub.mu.Lock()
	c := r.hub.comments[1][0]
	c["body"], c["updated_at"] = "/vote soup", r.Clock.Now().Format(time.RFC3339)
	r.hub.mu.Unlock()
	r.tell("issue_comment", map[string]any{"action": "edited", "issue": r.hub.issues[0], "comment": c, "sender": user("ann")})
	require.EqualValues(t, 1, counts(r.again(p))["soup"])

	// One whose delivery was lost is found at the end, and an edit after the end changes nothing.
	r.hub.mu.Lock()
	r.hub.comment(1, user("cid"), "/vote 1", r.Clock.Now())
	c["body"], c["updated_at"] = "/vote 1", r.Clock.Now().Add(2*time.Hour).Format(time.RFC3339)
	r.hub.mu.Unlock()
	r.Advance(time.Hour)
	out := outcome(t, r.again(p))
	require.EqualValues(t, 1, out.Questions[0].Options[0].Ballots)
	require.EqualValues(t, 1, out.Questions[0].Options[1].Ballots)
	require.Equal(t, "closed", r.hub.issues[0]["state"])
}

// A vote whose issue is deleted or moved away has failed, and says why.
func TestTheIssueGoesAway(t *testing.T) {
	for _, action := range []string{"deleted", "transferred"} {
		r := newRig(t)
		p := r.start("issue-comment-vote", vote.Ask{Title: "x"}, nil)
		r.write("ann", "/vote yes")
		r.tell("issues", map[string]any{"action": action, "issue": r.hub.issues[0]})
		out := outcome(t, r.again(p))
		require.Equal(t, vote.Failed, out.Result)
		require.Equal(t, vote.ByDeletion, out.ClosedBy)
		require.Empty(t, r.hub.calls(http.MethodPatch, ""), "nobody tries to change it")
	}
	r := newRig(t) // and the word of it was lost
	p := r.start("issue-react-vote", vote.Ask{Title: "x"}, nil)
	r.hub.mu.Lock()
	r.hub.issues[0]["deleted"] = true
	r.hub.mu.Unlock()
	r.Advance(20 * time.Minute)
	require.Equal(t, vote.ByDeletion, outcome(t, r.again(p)).ClosedBy)

	r = newRig(t) // it has moved, and GitHub redirects to the issue that it has become
	p = r.start("issue-react-vote", vote.Ask{Title: "x"}, nil)
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		switch q.URL.Path {
		case "/repos/acme/town/issues/1":
			return refusal(301, "Moved Permanently", "Location", "https://api.github.com/repositories/2/issues/1")
		case "/repositories/2/issues/1":
			return respond(200, map[string]any{"id": 1, "number": 1, "state": "open"})
		}
		return nil
	}
	r.hub.mu.Unlock()
	r.Advance(20 * time.Minute)
	require.Equal(t, vote.ByDeletion, outcome(t, r.again(p)).ClosedBy)
}

// What changes something is sent on to where GitHub says that it is now, with all that it says, and to nowhere else; and not for ever.
func TestChangesAreSentOn(t *testing.T) {
	for name, c := range map[string]struct {
		to    string
		sent  int
		error bool
	}{
		"within the API": {"https://api.github.com/repositories/7/issues", 2, false},
		"another host":   {"https://api.github.com.evil.example/repositories/7/issues", 1, true},
		"in the clear":   {"http://api.github.com/repositories/7/issues", 1, true},
		"nowhere":        {"", 1, true},
		"in a circle":    {"https://api.github.com/repos/acme/town/issues", 4, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			var bodies []string
			r.hub.mu.Lock()
			r.hub.fault = func(q *http.Request) *http.Response {
				if q.Method != http.MethodPost || !strings.HasSuffix(q.URL.Path, "/issues") {
					return nil
				}
				raw, err := io.ReadAll(q.Body)
				if err != nil {
					return nil
				}
				bodies = append(bodies, q.URL.Host+" "+string(raw))
				if q.URL.Path == "/repositories/7/issues" {
					return respond(201, map[string]any{"number": 1, "id": 5})
				}
				return refusal(307, "Moved Permanently", "Location", c.to)
			}
			r.hub.mu.Unlock()
			_, err := r.inst.Do(t.Context(), "create-issue", github.CreateIssue{Title: "Hello"})
			require.Equal(t, c.error, err != nil, "%v", err)
			require.Len(t, bodies, c.sent)
			for _, b := range bodies {
				require.Equal(t, bodies[0], b)
			}
		})
	}
}

// A redirect to another host is not followed: our token stays at GitHub.
func TestRedirectsStayAtGitHub(t *testing.T) {
	r := newRig(t)
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if q.URL.Host != "api.github.com" {
			return respond(200, map[string]any{"stolen": q.Header.Get("Authorization")})
		}
		if q.URL.Path == "/zen" {
			return refusal(301, "Moved Permanently", "Location", "https://evil.example/zen")
		}
		return nil
	}
	r.hub.mu.Unlock()
	_, err := r.inst.Do(t.Context(), "method", github.Method{Route: "/zen"})
	require.ErrorIs(t, err, gateway.NotFound)
	require.Len(t, r.hub.calls("", "/zen"), 1)
}

// Closing the issue closes the vote, if whoever does it may.
func TestPeopleCloseTheIssue(t *testing.T) {
	r := newRig(t)
	p := r.start("issue-react-vote", vote.Ask{Title: "x", MayClose: []string{"ada"}}, nil)
	shut := func(login string) {
		r.hub.mu.Lock()
		r.hub.issues[0]["state"], r.hub.issues[0]["closed_by"] = "closed", user(login)
		r.hub.mu.Unlock()
		r.tell("issues", map[string]any{"action": "closed", "issue": r.hub.issues[0], "sender": user(login)})
	}
	shut("eve")
	require.Equal(t, gateway.StatusPending, r.again(p).Status)
	r.hub.react(1, "ann", "+1", r.Clock.Now())
	shut("ada")
	r.Advance(time.Minute)
	out := outcome(t, r.again(p))
	require.Equal(t, vote.ByPerson, out.ClosedBy)
	require.Equal(t, "ada", out.ClosedByUser)
	require.EqualValues(t, 1, out.Turnout.Voters, "what was not read yet is read before the outcome")
}

// An answer that is lost opens no second issue and says the result no second time.
func TestLostAnswers(t *testing.T) {
	r := newRig(t)
	lose := func(path string) {
		lost := false
		r.hub.mu.Lock()
		defer r.hub.mu.Unlock()
		r.hub.after = func(q *http.Request) error {
			if q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, path) && !lost {
				lost = true
				return errors.New("the connection broke")
			}
			return nil
		}
	}
	lose("/issues")
	p := r.start("issue-react-vote", vote.Ask{Title: "x"}, nil)
	require.Equal(t, gateway.StatusPending, r.again(p).Status)
	require.Len(t, r.hub.issues, 1)
	lose("/comments")
	r.Advance(2 * time.Hour)
	require.Equal(t, gateway.StatusCompleted, r.again(p).Status)
	require.Len(t, r.hub.comments[1], 1)
	require.Equal(t, "closed", r.hub.issues[0]["state"])
}

// The result is looked for among what was written after the vote, and not among ten thousand comments.
func TestALostAnswerBelowManyComments(t *testing.T) {
	r := newRig(t)
	p := r.start("issue-react-vote", vote.Ask{Title: "x"}, nil)
	r.hub.mu.Lock()
	for range 10_000 {
		r.hub.comment(1, user("ann"), "I like soup.", r.Clock.Now())
	}
	lost := false
	r.hub.after = func(q *http.Request) error {
		if q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, "/comments") && !lost {
			lost = true
			return errors.New("the connection broke")
		}
		return nil
	}
	r.hub.mu.Unlock()
	r.Advance(2 * time.Hour)
	require.Equal(t, gateway.StatusCompleted, r.again(p).Status)
	require.Len(t, r.hub.comments[1], 10_001)
	require.Equal(t, "closed", r.hub.issues[0]["state"])
}

// A token that is revoked in the middle of a vote is replaced; an app that is uninstalled stands still.
func TestTheTokenEndsInTheMiddleOfAVote(t *testing.T) {
	r := newRig(t)
	p := r.start("issue-react-vote", vote.Ask{Title: "x"}, nil)
	r.hub.mu.Lock()
	clear(r.hub.tokens)
	r.hub.mu.Unlock()
	r.hub.react(1, "ann", "+1", r.Clock.Now())
	r.Advance(20 * time.Minute)
	require.EqualValues(t, 1, counts(r.again(p))["yes"])

	r.hub.mu.Lock()
	r.hub.installed = false
	r.hub.mu.Unlock()
	r.Advance(20 * time.Minute)
	status, reason, err := r.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "paused", status)
	require.Equal(t, gateway.BadCredentials, reason)
	require.Equal(t, gateway.StatusPending, r.again(p).Status)
}

// GitHub is down at the closing time, and answers with a page: the vote waits, and closes when it is back.
func TestGitHubIsDownAtClosing(t *testing.T) {
	r := newRig(t)
	p := r.start("issue-react-vote", vote.Ask{Title: "x"}, nil)
	r.hub.react(1, "ann", "+1", r.Clock.Now())
	down := true
	r.hub.mu.Lock()
	r.hub.fault = func(q *http.Request) *http.Response {
		if down {
			return respond(503, "<html>Unicorn!</html>", "Content-Type", "text/html")
		}
		return nil
	}
	r.hub.mu.Unlock()
	r.Advance(time.Hour + time.Minute)
	require.Equal(t, gateway.StatusPending, r.again(p).Status)
	r.hub.mu.Lock()
	down = false
	r.hub.mu.Unlock()
	r.Advance(5 * time.Minute)
	require.EqualValues(t, 1, outcome(t, r.again(p)).Turnout.Voters)
}

// patient gives a step the time that it takes on a busy machine with the race detector.
func patient(_ *github.App, o *gateway.Options) { o.Timeout = 5 * time.Minute }

// Ten thousand comments, some of the longest among them, are read page by page.
func TestTenThousandComments(t *testing.T) {
	r := newRig(t, patient)
	p := r.start("issue-comment-vote", vote.Ask{Title: "x"}, nil)
	r.hub.mu.Lock()
	long := strings.Repeat("\u0001", 65_000)
	for i := range 10_000 {
		body := "/vote yes"
		if i < 100 {
			body = long + "\n/vote no"
		}
		r.hub.comment(1, user(fmt.Sprintf("u%05d", i)), body, r.Clock.Now())
	}
	r.hub.mu.Unlock()
	r.Advance(2 * time.Minute)
	_, err := r.c.Refresh(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"yes": 9900, "no": 100}, counts(r.again(p)))
}

// What is wrong with the app's own key is the operator's to mend: votes wait for it, and nothing is paused.
func TestTheKeyIsNotTaken(t *testing.T) {
	r := newRig(t)
	p := r.start("issue-react-vote", vote.Ask{Title: "x"}, nil)
	r.hub.mu.Lock()
	clear(r.hub.tokens)
	r.hub.fault = func(q *http.Request) *http.Response {
		if strings.HasPrefix(q.URL.Path, "/app/") {
			return refusal(401, "A JSON web token could not be decoded")
		}
		return nil
	}
	r.hub.mu.Unlock()
	_, err := r.c.Refresh(t.Context(), p.ID)
	require.ErrorIs(t, err, gateway.Unavailable)
	status, _, err := r.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status)
}
