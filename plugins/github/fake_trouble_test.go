package github_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/github"
	"github.com/metagov/gateway-go/plugins/github/fakegithub"
	"github.com/metagov/gateway-go/vote"
)

// The app is uninstalled in the middle of a vote: the instance pauses, and nothing is tried without end. Installed anew, it is another installation.
func TestFakeUninstalledInAVote(t *testing.T) {
	r := installed(t)
	p := r.begin("issue-react-vote", github.ReactVote{Ask: closing(r, "More soup?")})
	require.NoError(t, r.repo.React("ada", 1, "+1"))
	r.later(10 * time.Minute)
	require.NoError(t, r.hub.Uninstall(r.id))
	r.heard()
	status, reason, err := r.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "paused", status)
	require.Equal(t, gateway.BadCredentials, reason)
	before := len(r.hub.Calls())
	r.later(3 * time.Hour)
	require.Less(t, len(r.hub.Calls())-before, 5, "a paused instance leaves GitHub alone")
	require.NotEqual(t, gateway.StatusCompleted, r.again(p).Status, "it is not known how it ended")
	_, err = r.do("create-issue", github.CreateIssue{Title: "x"})
	require.Error(t, err)
}

// Suspended in the middle of a vote, it goes on afterwards.
func TestFakeSuspendedInAVote(t *testing.T) {
	r := installed(t)
	p := r.begin("issue-react-vote", github.ReactVote{Ask: closing(r, "More soup?")})
	require.NoError(t, r.repo.React("ada", 1, "+1"))
	require.NoError(t, r.hub.Suspend(r.id))
	r.later(30 * time.Minute)
	require.NoError(t, r.repo.React("bob", 1, "+1"))
	require.NoError(t, r.hub.Unsuspend(r.id))
	r.later(40 * time.Minute)
	r.later(10 * time.Minute)
	out := outcome(t, r.again(p))
	require.EqualValues(t, 2, out.Turnout.Voters)
}

// All tokens end, and GitHub is down when the vote closes; it closes when both are over.
func TestFakeTroubleAtTheEnd(t *testing.T) {
	r := installed(t)
	p := r.begin("issue-comment-vote", github.CommentVote{Ask: closing(r, "More soup?")})
	_, err := r.repo.Comment("ada", 1, "/vote yes")
	require.NoError(t, err)
	r.later(30 * time.Minute)
	r.hub.EndTokens()
	r.hub.Fail(fakegithub.Fault{Route: "GET /repos/{owner}/{repo}/issues/{issue_number}/comments", Status: 502, Body: "<html>Unicorn!</html>"})
	r.hub.Fail(fakegithub.Fault{Route: "GET /repos/{owner}/{repo}/issues/{issue_number}/comments", Secondary: 30 * time.Second})
	r.hub.Fail(fakegithub.Fault{Route: "POST /repos/{owner}/{repo}/issues/{issue_number}/comments", LoseAnswer: true})
	r.later(31 * time.Minute)
	r.later(time.Hour)
	r.later(time.Hour)
	out := outcome(t, r.again(p))
	require.EqualValues(t, 1, out.Turnout.Voters)
	is, _ := r.repo.Issue(1)
	require.Len(t, is.Comments, 2, "the vote, and the result once")
	require.Equal(t, "closed", is.State)
}

// The repository gets another name in the middle of a vote. Its old address redirects, and the vote ends as it would have.
func TestFakeRenamedInAVote(t *testing.T) {
	for _, name := range []string{"issue-react-vote", "issue-comment-vote"} {
		t.Run(name, func(t *testing.T) {
			r := installed(t)
			p := r.begin(name, vote.Ask{Title: "More soup?", ClosingAt: closing(r, "").ClosingAt})
			_, err := r.repo.Comment("bob", 1, "/vote yes")
			require.NoError(t, err)
			require.NoError(t, r.repo.React("bob", 1, "+1"))
			r.later(10 * time.Minute)
			require.NoError(t, r.repo.Rename("ada", "city"))
			_, err = r.repo.Comment("ada", 1, "/vote yes")
			require.NoError(t, err)
			require.NoError(t, r.repo.React("ada", 1, "+1"))
			r.later(time.Hour)
			r.later(time.Hour)
			out := outcome(t, r.again(p))
			require.EqualValues(t, 2, out.Turnout.Voters)
			is, _ := r.repo.Issue(1)
			require.Equal(t, "closed", is.State)
			require.Contains(t, is.Comments[len(is.Comments)-1].Body, "**passed**")
			require.Equal(t, "https://github.com/acme/city/issues/1", r.again(p).URL)
			for _, e := range r.Events("issues opened", "issues closed") {
				require.NotEmpty(t, e.Cause, e.Type)
			}
		})
	}
}

// What a vote stands on is gone: the vote ends, and says so.
func TestFakeIssueGoneInAVote(t *testing.T) {
	for name, away := range map[string]func(r *town) error{
		"deleted": func(r *town) error { return r.repo.DeleteIssue("ada", 1) },
		"moved": func(r *town) error {
			_, err := r.repo.Transfer("ada", 1, r.hub.AddRepo("acme", "elsewhere"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := installed(t)
			p := r.begin("issue-comment-vote", github.CommentVote{Ask: closing(r, "More soup?")})
			_, err := r.repo.Comment("bob", 1, "/vote yes")
			require.NoError(t, err)
			r.heard()
			require.NoError(t, away(r))
			r.heard()
			require.Equal(t, vote.ByDeletion, outcome(t, r.again(p)).ClosedBy)
		})
	}
}

// A repository that the installation is not for any more is as good as none.
func TestFakeNotSelectedAnyMore(t *testing.T) {
	r := installed(t)
	r.hub.AddRepo("acme", "other")
	r.repo.Private()
	require.NoError(t, r.hub.SelectRepositories(r.id, "other"))
	r.heard()
	_, err := r.do("create-issue", github.CreateIssue{Title: "x"})
	require.ErrorIs(t, err, gateway.NotFound)
	require.Len(t, r.Events("installation_repositories removed"), 1)
}

// A person's token is exchanged when it is over, and ends when they take their authorization back.
func TestFakeOnBehalf(t *testing.T) {
	r := installed(t)
	r.hub.AllowEmails()
	in, ok := r.browses(gateway.AuthRequest{Type: gateway.Login}, "cid", "")
	require.True(t, ok)
	n, err := r.repo.OpenIssue("eve", "Hello", "")
	require.NoError(t, err)
	say := func(body string) error {
		_, err := r.inst.Do(t.Context(), "comment", github.Comment{Thread: github.Thread{Number: n}, Body: body}, gateway.OnBehalfOf(in.Account.Person))
		r.heard()
		return err
	}
	require.NoError(t, say("one"))
	r.later(9 * time.Hour)
	require.NoError(t, say("two"), "with a fresh token")
	_, err = r.inst.Do(t.Context(), "lock", github.Lock{Thread: github.Thread{Number: n}}, gateway.OnBehalfOf(in.Account.Person))
	require.ErrorIs(t, err, gateway.Denied, "cid may not do that, though the app may")
	r.hub.Revoke("cid")
	r.later(time.Minute)
	require.Error(t, say("three"))
	is, _ := r.repo.Issue(n)
	require.Len(t, is.Comments, 2)
	for _, c := range is.Comments {
		require.Equal(t, "cid", c.User)
	}
	for _, e := range r.Events("issue_comment created") {
		require.NotEmpty(t, e.Cause)
		require.Equal(t, "cid", e.Initiator)
	}
}

// An hour's requests are used up when a vote closes: it waits for as long as GitHub says, and asks nothing meanwhile.
func TestFakeRateLimitInAVote(t *testing.T) {
	r := installed(t)
	p := r.begin("issue-react-vote", github.ReactVote{Ask: closing(r, "More soup?")})
	require.NoError(t, r.repo.React("ada", 1, "+1"))
	r.later(59 * time.Minute)
	r.hub.Fail(fakegithub.Fault{Route: "GET /repos/{owner}/{repo}/issues/{issue_number}", Exhausted: true})
	r.hub.Fail(fakegithub.Fault{Route: "GET /repos/{owner}/{repo}/issues/{issue_number}/reactions", Exhausted: true})
	r.later(2 * time.Minute)
	require.NotEqual(t, gateway.StatusCompleted, r.again(p).Status, "it is not known yet how it ends")
	r.later(3 * time.Hour)
	out := outcome(t, r.again(p))
	require.EqualValues(t, 1, out.Turnout.Voters)
}

// People write, change their minds and delete, deliveries come twice, late, out of order or not at all, answers are lost, the program starts anew: at the end everybody
// counts with what they say then, by the stated rule: the latest comment with a vote, or the older one that is left.
func TestFakeAnything(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r, dice := installed(t), rand.New(rand.NewPCG(seed, 1))
			p := r.begin("issue-comment-vote", github.CommentVote{Ask: closing(r, "More soup?")})
			type said struct {
				id   int64
				at   time.Time
				body string
			}
			says := map[string][]said{}
			words := []string{"/vote yes", "/vote no", "/vote yes", "I like soup.", "/unvote"}
			for range 40 {
				r.anythingFails(dice)
				if dice.IntN(8) == 0 {
					r.restarted()
				}
				login := fmt.Sprintf("voter%d", dice.IntN(6))
				word, mine := words[dice.IntN(len(words))], says[login]
				r.Advance(time.Duration(1+dice.IntN(30)) * time.Second)
				switch n := dice.IntN(4); {
				case n == 0 && len(mine) > 0:
					k := dice.IntN(len(mine))
					require.NoError(t, r.repo.DeleteComment(login, mine[k].id))
					says[login] = slices.Delete(mine, k, k+1)
				case n == 1 && len(mine) > 0:
					k := dice.IntN(len(mine))
					if mine[k].body != word {
						require.NoError(t, r.repo.EditComment(login, mine[k].id, word))
						mine[k].at, mine[k].body = r.Clock.Now().Truncate(time.Second), word
					}
				default:
					id, err := r.repo.Comment(login, 1, word)
					require.NoError(t, err)
					says[login] = append(mine, said{id, r.Clock.Now().Truncate(time.Second), word})
				}
				if dice.IntN(3) == 0 {
					r.hub.SendLate(t.Context())
					r.heard()
				}
			}
			r.later(time.Hour)
			r.later(time.Hour)
			want := map[string]int64{}
			for _, list := range says {
				var last said
				for _, s := range list {
					if strings.HasPrefix(s.body, "/") && (last.id == 0 || s.at.After(last.at) || s.at.Equal(last.at) && s.id > last.id) {
						last = s
					}
				}
				if choice, ok := strings.CutPrefix(last.body, "/vote "); ok {
					want[choice]++
				}
			}
			got := map[string]int64{}
			for _, o := range outcome(t, r.again(p)).Questions[0].Options {
				if o.Ballots > 0 {
					got[o.Option] = o.Ballots
				}
			}
			require.Equal(t, want, got)
			is, _ := r.repo.Issue(1)
			require.Equal(t, "closed", is.State)
			require.Equal(t, "town-app[bot]", is.Comments[len(is.Comments)-1].User)
		})
	}
}

// restarted ends the gateway and starts it again on the same store, with a plugin that remembers nothing.
func (r *town) restarted() {
	r.t.Helper()
	p, err := github.New(r.app)
	require.NoError(r.t, err)
	r.Restart(p)
	r.c = r.Community("town")
	r.inst, err = r.c.Instance(r.t.Context(), "github")
	require.NoError(r.t, err)
}

// anythingFails sets a fault now and then.
func (r *town) anythingFails(dice *rand.Rand) {
	comments := "GET /repos/{owner}/{repo}/issues/{issue_number}/comments"
	for i, f := range []fakegithub.Fault{
		{Delivery: "issue_comment", Drop: true}, {Delivery: "issue_comment", Duplicate: 1}, {Delivery: "issue_comment", Reorder: true}, {Delivery: "issue_comment", Late: time.Minute},
		{Delivery: "issue_comment", CloseBefore: true}, {Delivery: "issue_comment", LoseAnswer: true}, {Route: comments, Status: 502, Body: "<html>Unicorn!</html>"}, {Route: comments, LoseAnswer: true},
		{Route: comments, Secondary: time.Second}, {Route: comments, CloseBefore: true}, {Route: "POST /app/installations/{installation_id}/access_tokens", LoseAnswer: true},
	} {
		if dice.IntN(30) == i {
			r.hub.Fail(f)
		}
	}
	if dice.IntN(20) == 0 {
		r.hub.EndTokens()
	}
}

// People get other names in the middle of a vote, or delete their accounts: each counts once, and whoever is gone does not.
func TestFakeAccountsChangeInAVote(t *testing.T) {
	for _, name := range []string{"issue-react-vote", "issue-comment-vote"} {
		t.Run(name, func(t *testing.T) {
			r := installed(t)
			p := r.begin(name, vote.Ask{Title: "More soup?", ClosingAt: closing(r, "").ClosingAt})
			for i, login := range []string{"ada", "bob", "cid", "eve"} {
				_, err := r.repo.Comment(login, 1, []string{"/vote yes", "/vote no"}[i/3])
				require.NoError(t, err)
				require.NoError(t, r.repo.React(login, 1, []string{"+1", "-1"}[i/3]))
			}
			r.later(20 * time.Minute)
			require.Equal(t, map[string]int64{"yes": 3, "no": 1}, counts(r.again(p)))
			require.NoError(t, r.hub.RenameUser("bob", "rob"))
			require.NoError(t, r.hub.DeleteUser("cid"))
			r.later(time.Hour)
			r.later(time.Hour)
			out := outcome(t, r.again(p))
			require.EqualValues(t, 2, out.Questions[0].Options[0].Ballots)
			require.EqualValues(t, 3, out.Turnout.Voters)
		})
	}
}

// configured reads the instance and its configuration as they are now.
func (r *town) configured() (*gateway.Instance, github.Config) {
	r.t.Helper()
	inst, err := r.c.Instance(r.t.Context(), r.inst.Name())
	require.NoError(r.t, err)
	raw, err := inst.Config(r.t.Context())
	require.NoError(r.t, err)
	var c github.Config
	require.NoError(r.t, json.Unmarshal(raw, &c))
	return inst, c
}

// The repository of the configuration gets another name: the configuration follows, and what the app does there is known as its own.
func TestFakeRenamedRepository(t *testing.T) {
	r := installed(t)
	other := r.hub.AddRepo("acme", "other")
	require.NoError(t, other.Rename("ada", "elsewhere"))
	r.heard()
	require.Len(t, r.hub.CallsTo("GET /repos/{owner}/{repo}"), 1, "it is looked at, and is the same")
	require.NoError(t, r.repo.Rename("ada", "city"))
	r.heard()
	inst, c := r.configured()
	require.Equal(t, "acme/city", c.Repository)
	r.hub.AddRepo("acme", "town") // another one, with the old name
	_, err := inst.Do(t.Context(), "create-issue", github.CreateIssue{Title: "Hello"})
	require.NoError(t, err)
	r.heard()
	require.Equal(t, 1, r.repo.Issues())
	require.NotEmpty(t, r.Events("issues opened")[0].Cause)
}

// The organisation gets another name: the configuration follows, and acts of the organisation and of its repositories go on, also in a vote.
func TestFakeRenamedOrganisation(t *testing.T) {
	for _, named := range []string{"town", "acme/town", ""} {
		t.Run(named, func(t *testing.T) {
			r := installed(t)
			require.NoError(t, r.inst.Reconfigure(t.Context(), github.Config{InstallationID: fmt.Sprint(r.id), Repository: named}))
			p := r.begin("issue-comment-vote", github.CommentVote{Ask: closing(r, "More soup?"), Place: github.Place{Repository: "town"}})
			require.NoError(t, r.org.Rename("ada", "zenith"))
			r.heard()
			inst, c := r.configured()
			require.Equal(t, "zenith", c.Account)
			require.Equal(t, map[string]string{"town": "town", "acme/town": "zenith/town", "": ""}[named], c.Repository)
			_, err := inst.Do(t.Context(), "is-member", github.Person{Username: "bob"})
			require.NoError(t, err)
			_, err = inst.Do(t.Context(), "create-issue", github.CreateIssue{Repo: github.Repo{Repository: "town"}, Title: "Hello"})
			require.NoError(t, err)
			r.heard()
			require.NotEmpty(t, r.Events("issues opened")[1].Cause)
			_, err = r.repo.Comment("bob", 1, "/vote yes")
			require.NoError(t, err)
			r.later(time.Hour)
			r.later(time.Hour)
			require.EqualValues(t, 1, outcome(t, r.again(p)).Turnout.Voters)
			require.Len(t, r.Events("installation_target renamed"), 1)
		})
	}
}

// Who takes back that they took their vote back has it again; and an older word that comes late is not the latest.
func TestFakeTakenBack(t *testing.T) {
	r := installed(t)
	p := r.begin("issue-comment-vote", github.CommentVote{Ask: closing(r, "More soup?")})
	say := func(body string) int64 {
		t.Helper()
		r.Advance(time.Minute)
		id, err := r.repo.Comment("bob", 1, body)
		require.NoError(t, err)
		r.heard()
		return id
	}
	say("/vote no")
	none := say("/unvote")
	require.Empty(t, counts(r.again(p))["no"])
	require.NoError(t, r.repo.DeleteComment("bob", none))
	r.later(5 * time.Minute)
	require.Equal(t, int64(1), counts(r.again(p))["no"])

	r.hub.Fail(fakegithub.Fault{Delivery: "issue_comment created", Late: time.Second})
	say("/vote no")
	say("/vote yes")
	require.Equal(t, 1, r.hub.SendLate(t.Context()))
	r.Due()
	require.Equal(t, int64(1), counts(r.again(p))["yes"], "before all is read again")
	r.later(time.Hour)
	require.EqualValues(t, 1, outcome(t, r.again(p)).Questions[0].Options[0].Ballots)
}

// The same of reactions: the last one that is there counts.
func TestFakeAnyReactions(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r, dice := installed(t), rand.New(rand.NewPCG(seed, 2))
			p := r.begin("issue-react-vote", github.ReactVote{Ask: closing(r, "More soup?")})
			has := map[string][]string{} // what each has given, oldest first
			for range 40 {
				if dice.IntN(8) == 0 {
					r.restarted()
				}
				if dice.IntN(6) == 0 {
					r.hub.Fail(fakegithub.Fault{Route: "GET /repos/{owner}/{repo}/issues/{issue_number}/reactions", LoseAnswer: true})
				}
				r.Advance(time.Duration(1+dice.IntN(45)) * time.Second)
				login, content := fmt.Sprintf("voter%d", dice.IntN(5)), []string{"+1", "-1", "heart"}[dice.IntN(3)]
				mine := has[login]
				switch k := slices.Index(mine, content); {
				case k >= 0:
					require.NoError(t, r.repo.Unreact(login, 1, content))
					has[login] = slices.Delete(mine, k, k+1)
				default:
					require.NoError(t, r.repo.React(login, 1, content))
					has[login] = append(mine, content)
				}
			}
			r.later(time.Hour)
			r.later(time.Hour)
			want, got := map[string]int64{}, map[string]int64{}
			for _, mine := range has {
				for _, content := range slices.Backward(mine) {
					if choice := map[string]string{"+1": "yes", "-1": "no"}[content]; choice != "" {
						want[choice]++
						break
					}
				}
			}
			for _, o := range outcome(t, r.again(p)).Questions[0].Options {
				if o.Ballots > 0 {
					got[o.Option] = o.Ballots
				}
			}
			require.Equal(t, want, got)
		})
	}
}
