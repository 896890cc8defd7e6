package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

// A person's token is good for every installation that they reach. On their behalf a community acts within its own only.
func TestFakeOnBehalfWithinTheInstallation(t *testing.T) {
	r := installed(t)
	in, ok := r.browses(gateway.AuthRequest{Type: gateway.Login}, "cid", "")
	require.True(t, ok)
	other := r.hub.AddOrg("other", "ada")
	other.AddMember("cid", "member")
	away := r.hub.AddRepo("other", "town")
	_, err := r.hub.Install("other", fakegithub.Installing{})
	require.NoError(t, err)
	_, err = away.OpenIssue("cid", "Elsewhere", "")
	require.NoError(t, err)
	n, err := r.repo.OpenIssue("cid", "Here", "")
	require.NoError(t, err)
	do := func(action, in1 string) error {
		_, err := r.inst.Do(t.Context(), action, json.RawMessage(in1), gateway.OnBehalfOf(in.Account.Person))
		r.heard()
		return err
	}
	require.NoError(t, do("comment", `{"issue_number":1,"body":"x","repo_name":"ACME/town"}`))
	require.NoError(t, do("method", `{"route":"/repos/{owner}/{repo}/issues/1"}`))
	require.NoError(t, do("method", `{"route":"/orgs/ACME/members"}`))
	before := len(r.hub.Calls())
	for _, c := range [][2]string{
		{"comment", `{"issue_number":1,"body":"x","repo_name":"other/town"}`}, {"close", `{"issue_number":1,"repo_name":"other/town"}`},
		{"create-issue", `{"title":"x","repo_name":"other/town"}`}, {"merge", `{"pull_number":1,"repo_name":"other/town"}`},
		{"method", `{"route":"/user"}`}, {"method", `{"route":"/user/emails"}`}, {"method", `{"route":"/repos/other/town/issues/1","method":"PATCH","state":"closed"}`},
		{"method", `{"route":"/repos/{owner}/town/issues/1","owner":"other"}`}, {"method", `{"route":"/orgs/other/members"}`}, {"method", `{"route":"/repositories/1/issues"}`},
		{"method", `{"route":"/repos/acme-x/town/issues"}`}, {"method", `{"route":"/search/issues"}`}, {"method", `{"route":"/notifications"}`},
		{"method", `{"route":"/repos/acme/town/forks","method":"POST","organization":"other"}`}, {"method", `{"route":"/repos/acme/town/transfer","method":"POST","new_owner":"other"}`},
	} {
		require.ErrorIs(t, do(c[0], c[1]), gateway.Denied, c)
	}
	require.Len(t, r.hub.Calls(), before, "nothing was asked")

	// Of the same owner it is followed to its other name.
	require.NoError(t, r.repo.Rename("ada", "city"))
	require.NoError(t, do("comment", `{"issue_number":1,"body":"y","repo_name":"acme/town"}`))
	is, _ := r.repo.Issue(n)
	require.Len(t, is.Comments, 2)
	require.NoError(t, do("method", `{"route":"/repos/acme/town/issues/1"}`))
}

// What has moved to another owner is not followed there on a person's behalf, whatever the method; nor where GitHub does not say whose it is.
func TestOnBehalfRedirectsStayInside(t *testing.T) {
	for name, c := range map[string]struct {
		to    string
		owner string
		sent  int // requests of which GitHub would hear there
		code  gateway.Code
	}{
		"by its number, of the same owner": {"https://api.github.com/repositories/7/issues/1", "Acme", 1, ""},
		"by its number, of another":        {"https://api.github.com/repositories/7/issues/1", "other", 0, gateway.Denied},
		"by its number, of nobody":         {"https://api.github.com/repositories/7/issues/1", "", 0, gateway.Denied},
		"by its name, of another":          {"https://api.github.com/repos/other/town/issues/1", "other", 0, gateway.Denied},
		"no repository":                    {"https://api.github.com/user", "", 0, gateway.Denied},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPatch} {
			t.Run(name+" "+method, func(t *testing.T) {
				r := oauthRig(t)
				in, _, ok := r.browse(gateway.AuthRequest{Type: gateway.Login, Community: "town"}, "ada", nil)
				require.True(t, ok)
				person := in.Account.Person
				path := strings.TrimPrefix(c.to, "https://api.github.com")
				r.hub.mu.Lock()
				r.hub.fault = func(q *http.Request) *http.Response {
					switch q.URL.Path {
					case "/repos/acme/town/issues/1":
						status := http.StatusTemporaryRedirect
						if q.Method == http.MethodGet {
							status = http.StatusMovedPermanently
						}
						return refusal(status, "Moved Permanently", "Location", c.to)
					case "/repositories/7":
						return respond(200, map[string]any{"full_name": c.owner + "/town", "owner": user(c.owner)})
					case path:
						return respond(200, map[string]any{"number": 1, "id": 5})
					}
					return nil
				}
				r.hub.mu.Unlock()
				before := len(r.hub.calls(method, path))
				_, err := r.inst.Do(t.Context(), "method", json.RawMessage(`{"route":"/repos/acme/town/issues/1","method":"`+method+`"}`), gateway.OnBehalfOf(person))
				require.Equal(t, c.code, gateway.CodeOf(err), "%v", err)
				require.Len(t, r.hub.calls(method, path)[before:], c.sent)
			})
		}
	}
}

// An act that changes nothing tells of nothing: the next time that the person does the same by themselves, it is theirs, also where our answer was lost.
func TestFakeWhatIsSoAlreadyClaimsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		action, in, event string
		by                func(r *town) error // what makes it so, and after undo what the person does by themselves
		undo              func(r *town) error
	}{
		"close":  {"close", `{"issue_number":1}`, "issues closed", func(r *town) error { return r.repo.Close("ada", 1) }, func(r *town) error { return r.repo.Reopen("ada", 1) }},
		"lock":   {"lock", `{"issue_number":1}`, "issues locked", func(r *town) error { return r.repo.Lock("ada", 1, "") }, func(r *town) error { return r.repo.Unlock("ada", 1) }},
		"unlock": {"unlock", `{"issue_number":1}`, "issues unlocked", func(r *town) error { return r.repo.Unlock("ada", 1) }, func(r *town) error { return r.repo.Lock("ada", 1, "") }},
		"reopen": {"reopen", `{"issue_number":1}`, "issues reopened", func(r *town) error { return r.repo.Reopen("ada", 1) }, func(r *town) error { return r.repo.Close("ada", 1) }},
		"label": {"add-labels", `{"issue_number":1,"labels":["Blue"]}`, "issues labeled", func(r *town) error { return r.repo.Label("ada", 1, "blue") },
			func(r *town) error { return r.repo.Unlabel("ada", 1, "blue") }},
		"team": {"set-team-member", `{"team_slug":"jury","username":"bob"}`, "membership added", func(r *town) error { return r.org.JoinTeam("ada", "jury", "bob", "member") },
			func(r *town) error { return r.org.LeaveTeam("ada", "jury", "bob") }},
	} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", lost), func(t *testing.T) {
				r := installed(t)
				r.org.AddTeam("jury")
				in, ok := r.browses(gateway.AuthRequest{Type: gateway.Login}, "ada", "")
				require.True(t, ok)
				_, err := r.repo.OpenIssue("ada", "Hello", "")
				require.NoError(t, err)
				require.NoError(t, c.by(r))
				r.heard()
				already := len(r.Events(c.event))
				if lost {
					for _, route := range []string{"PATCH /repos/{owner}/{repo}/issues/{issue_number}", "PUT /repos/{owner}/{repo}/issues/{issue_number}/lock", "DELETE /repos/{owner}/{repo}/issues/{issue_number}/lock",
						"POST /repos/{owner}/{repo}/issues/{issue_number}/labels", "PUT /orgs/{org}/teams/{team_slug}/memberships/{username}"} {
						r.hub.Fail(fakegithub.Fault{Route: route, LoseAnswer: true})
					}
				}
				for range 2 {
					if _, err = r.inst.Do(t.Context(), c.action, json.RawMessage(c.in), gateway.OnBehalfOf(in.Account.Person), gateway.Once("k")); err == nil {
						break
					}
				}
				require.NoError(t, err)
				r.heard()
				require.Len(t, r.Events(c.event), already)
				require.NoError(t, c.undo(r))
				require.NoError(t, c.by(r))
				r.heard()
				got := r.Events(c.event)
				require.Len(t, got, already+1)
				require.Empty(t, got[already].Cause, "ada did it herself")

				require.NoError(t, c.undo(r))
				r.heard()
				_, err = r.inst.Do(t.Context(), c.action, json.RawMessage(c.in), gateway.OnBehalfOf(in.Account.Person))
				require.NoError(t, err)
				r.heard()
				got = r.Events(c.event)
				require.Len(t, got, already+2)
				require.NotEmpty(t, got[already+1].Cause, "and this is ours")
			})
		}
	}
}
