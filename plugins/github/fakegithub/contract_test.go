package fakegithub_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

// undescribed are routes that GitHub's published description, as it is cut here, does not have.
func undescribed(path string) bool {
	return strings.HasPrefix(path, "/applications/") || path == "/user/emails" || strings.Contains(path, "/public_members/") || strings.HasPrefix(path, "/user/installations/")
}

// schemas compiles GitHub's schemas of deliveries, without formats: its own examples do not keep to them.
func schemas(t *testing.T) func(event, action string) *jsonschema.Schema {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(specs.Dir(t), "github", "webhooks.schema.json"))
	require.NoError(t, err)
	var doc any
	require.NoError(t, json.Unmarshal(raw, &doc))
	raw, err = json.Marshal(plain(doc))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("https://specs.example/webhooks", bytes.NewReader(raw)))
	return func(event, action string) *jsonschema.Schema {
		name := event + "$" + action
		if action == "" {
			name = event + "$event"
		}
		s, err := c.Compile("https://specs.example/webhooks#/definitions/" + name)
		require.NoError(t, err, name)
		return s
	}
}

// plain takes away "format" and "$schema" wherever they are keywords.
func plain(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, y := range x {
			if _, text := y.(string); (k == "format" || k == "$schema") && text {
				continue
			}
			out[k] = plain(y)
		}
		return out
	case []any:
		for i := range x {
			x[i] = plain(x[i])
		}
	}
	return v
}

// judged is a world whose requests and answers are held against GitHub's own description of its API.
type judged struct {
	*world
	api *specs.API
}

func newJudged(t *testing.T) *judged {
	api := specs.OpenAPI(t, "github", "api.github.com.trimmed.noexamples.json")
	w := newWorld(t, fakegithub.Options{Judge: func(r *http.Request) error {
		if err := api.Request(r); err != nil && !(errors.Is(err, specs.ErrNoRoute) && undescribed(r.URL.Path)) {
			return err
		}
		return nil
	}})
	return &judged{w, api}
}

// call makes a request and judges the answer.
func (j *judged) call(auth, method, path, body string, want int) map[string]any {
	j.t.Helper()
	r, err := http.NewRequestWithContext(j.t.Context(), method, "https://api.github.com"+path, strings.NewReader(body))
	require.NoError(j.t, err)
	r.Header.Set("User-Agent", "test")
	r.Header.Set("Accept", "application/vnd.github+json")
	r.Header.Set("Authorization", auth)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	c := j.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Do(r)
	require.NoError(j.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(j.t, err)
	require.Equal(j.t, want, res.StatusCode, "%s %s: %s", method, path, raw)
	wrong := r.URL.Path == "/app/installations" // described as if an account were a person and an enterprise at once
	if !undescribed(r.URL.Path) && !wrong {
		if err := j.api.Answer(r, res.StatusCode, res.Header, raw); err != nil {
			j.t.Errorf("%.1500v\n%.1500s", err, raw)
		}
	}
	var out map[string]any
	_ = json.Unmarshal(raw, &out) // lists are none
	return out
}

// TestContract asks for every route once, and holds requests, answers and deliveries against what GitHub publishes.
func TestContract(t *testing.T) {
	j := newJudged(t)
	app, bot := "Bearer "+j.appJWT(), "Bearer "+j.botToken()
	id := fmt.Sprint(j.inst)
	town, org := "/repos/acme/town", "/orgs/acme"

	for _, path := range []string{"/app", "/app/installations", "/app/installations/" + id, org + "/installation", town + "/installation", "/app/hook/config"} {
		j.call(app, "GET", path, "", 200)
	}
	j.call(app, "POST", "/app/installations/"+id+"/access_tokens", `{"repositories":["town"],"permissions":{"issues":"write"}}`, 201)
	j.call(app, "PUT", "/app/installations/"+id+"/suspended", "", 204)
	j.call(app, "DELETE", "/app/installations/"+id+"/suspended", "", 204)
	j.call(app, "PATCH", "/app/hook/config", `{"content_type":"json"}`, 200)
	j.call(bot, "GET", "/installation/repositories", "", 200)
	j.call(bot, "GET", "/rate_limit", "", 200)
	j.call(bot, "GET", "/users/ada", "", 200)

	j.call(bot, "POST", town+"/issues", `{"title":"Shall we?","body":"Say so.","labels":["vote"],"assignees":["bob"]}`, 201)
	j.call(bot, "GET", town+"/issues", "", 200)
	j.call(bot, "GET", town+"/issues/1", "", 200)
	j.call(bot, "PATCH", town+"/issues/1", `{"title":"Shall we now?","state":"closed","state_reason":"not_planned"}`, 200)
	j.call(bot, "PATCH", town+"/issues/1", `{"state":"open"}`, 200)
	c := j.call(bot, "POST", town+"/issues/1/comments", `{"body":"yes"}`, 201)
	comment := town + "/issues/comments/" + fmt.Sprint(int64(c["id"].(float64)))
	j.call(bot, "GET", town+"/issues/1/comments", "", 200)
	j.call(bot, "GET", town+"/issues/comments", "", 200)
	j.call(bot, "GET", comment, "", 200)
	j.call(bot, "PATCH", comment, `{"body":"no"}`, 200)
	x := j.call(bot, "POST", comment+"/reactions", `{"content":"heart"}`, 201)
	j.call(bot, "GET", comment+"/reactions", "", 200)
	j.call(bot, "DELETE", comment+"/reactions/"+fmt.Sprint(int64(x["id"].(float64))), "", 204)
	j.call(bot, "DELETE", comment, "", 204)
	x = j.call(bot, "POST", town+"/issues/1/reactions", `{"content":"+1"}`, 201)
	j.call(bot, "POST", town+"/issues/1/reactions", `{"content":"+1"}`, 200)
	j.call(bot, "GET", town+"/issues/1/reactions?content=%2B1", "", 200)
	j.call(bot, "DELETE", town+"/issues/1/reactions/"+fmt.Sprint(int64(x["id"].(float64))), "", 204)
	j.call(bot, "POST", town+"/issues/1/labels", `{"labels":["bug"]}`, 200)
	j.call(bot, "PUT", town+"/issues/1/labels", `{"labels":["bug","help"]}`, 200)
	j.call(bot, "GET", town+"/issues/1/labels", "", 200)
	j.call(bot, "DELETE", town+"/issues/1/labels/bug", "", 200)
	j.call(bot, "DELETE", town+"/issues/1/labels", "", 204)
	j.call(bot, "PUT", town+"/issues/1/lock", `{"lock_reason":"resolved"}`, 204)
	j.call(bot, "DELETE", town+"/issues/1/lock", "", 204)
	j.call(bot, "GET", town+"/issues/1/events", "", 200)
	j.call(bot, "POST", town+"/labels", `{"name":"big thing","color":"ff0000"}`, 201)
	j.call(bot, "GET", town+"/labels", "", 200)
	j.call(bot, "GET", town+"/labels/big%20thing", "", 200)
	j.call(bot, "PATCH", town+"/labels/big%20thing", `{"new_name":"big","color":"00ff00"}`, 200)
	j.call(bot, "DELETE", town+"/labels/big", "", 204)

	n, err := j.repo.OpenPull("ada", "More benches", "benches")
	require.NoError(t, err)
	_, err = j.repo.Push("ada", "benches", "one more")
	require.NoError(t, err)
	pull := town + "/pulls/" + fmt.Sprint(n)
	j.call(bot, "GET", town+"/pulls", "", 200)
	j.call(bot, "GET", pull, "", 200)
	j.call(bot, "PATCH", pull, `{"title":"Even more benches"}`, 200)
	j.call(bot, "POST", town+"/issues/"+fmt.Sprint(n)+"/labels", `{"labels":["bug"]}`, 200)
	j.call(bot, "POST", town+"/issues/"+fmt.Sprint(n)+"/comments", `{"body":"fine"}`, 201)
	v := j.call(bot, "POST", pull+"/reviews", `{"event":"APPROVE","body":"fine"}`, 200)
	j.call(bot, "GET", pull+"/reviews", "", 200)
	j.call(bot, "GET", pull+"/reviews/"+fmt.Sprint(int64(v["id"].(float64))), "", 200)
	j.call(bot, "GET", pull+"/merge", "", 404)
	j.call(bot, "PUT", pull+"/merge", `{"sha":"`+strings.Repeat("b", 40)+`"}`, 409)
	j.call(bot, "PUT", pull+"/merge", `{"merge_method":"squash"}`, 200)
	j.call(bot, "PUT", pull+"/merge", "", 405)
	j.call(bot, "GET", pull+"/merge", "", 204)

	j.call(bot, "GET", town, "", 200)
	j.call(bot, "PATCH", town, `{"name":"city","description":"It has grown."}`, 200)
	j.call(bot, "GET", town, "", 301)
	j.call(bot, "PATCH", town, `{"name":"town"}`, 307)
	require.NoError(t, j.repo.Rename("ada", "town"))
	j.call(bot, "PUT", town+"/collaborators/eve", `{"permission":"push"}`, 201)
	j.call(bot, "PUT", town+"/collaborators/bob", `{"permission":"push"}`, 204)
	j.call(bot, "GET", town+"/collaborators", "", 200)
	j.call(bot, "GET", town+"/collaborators/bob", "", 204)
	j.call(bot, "GET", town+"/collaborators/bob/permission", "", 200)
	j.call(bot, "DELETE", town+"/collaborators/bob", "", 204)
	j.call(bot, "GET", town+"/assignees", "", 200)
	f := j.call(bot, "PUT", town+"/contents/docs%2Frules.md", `{"message":"write","content":"cnVsZXM="}`, 201)
	j.call(bot, "GET", town+"/contents/docs%2Frules.md", "", 200)
	j.call(bot, "GET", town+"/contents/docs", "", 200)
	sha := f["content"].(map[string]any)["sha"].(string)
	j.call(bot, "DELETE", town+"/contents/docs%2Frules.md", `{"message":"away","sha":"`+sha+`"}`, 200)
	k := j.call(bot, "POST", town+"/check-runs", `{"name":"vote","head_sha":"`+sha+`","status":"in_progress"}`, 201)
	check := town + "/check-runs/" + fmt.Sprint(int64(k["id"].(float64)))
	j.call(bot, "PATCH", check, `{"conclusion":"success","output":{"title":"passed","summary":"12 to 3"}}`, 200)
	j.call(bot, "GET", check, "", 200)
	for _, place := range []string{town, org} {
		j.call(bot, "PUT", place+"/interaction-limits", `{"limit":"collaborators_only","expiry":"one_week"}`, 200)
		j.call(bot, "GET", place+"/interaction-limits", "", 200)
		j.call(bot, "DELETE", place+"/interaction-limits", "", 204)
	}

	j.call(bot, "GET", org, "", 200)
	j.call(bot, "GET", org+"/members", "", 200)
	j.call(bot, "GET", org+"/members/bob", "", 204)
	j.call(bot, "GET", org+"/members/eve", "", 404)
	j.call(bot, "PUT", org+"/blocks/eve", "", 204)
	j.call(bot, "PUT", org+"/blocks/eve", "", 422)
	j.call(bot, "GET", org+"/blocks", "", 200)
	j.call(bot, "GET", org+"/blocks/eve", "", 204)
	j.call(bot, "DELETE", org+"/blocks/eve", "", 204)
	j.call(bot, "GET", org+"/blocks/eve", "", 404)
	j.call(bot, "PUT", org+"/memberships/eve", `{"role":"member"}`, 200)
	j.call(bot, "GET", org+"/invitations", "", 200)
	require.NoError(t, j.org.Join("eve"))
	j.call(bot, "GET", org+"/memberships/eve", "", 200)
	j.call(bot, "POST", org+"/teams", `{"name":"The Jury"}`, 201)
	j.call(bot, "GET", org+"/teams", "", 200)
	j.call(bot, "GET", org+"/teams/the-jury", "", 200)
	j.call(bot, "PUT", org+"/teams/the-jury/memberships/eve", `{"role":"maintainer"}`, 200)
	j.call(bot, "GET", org+"/teams/the-jury/members", "", 200)
	j.call(bot, "GET", org+"/teams/the-jury/memberships/eve", "", 200)
	j.call(bot, "DELETE", org+"/teams/the-jury/memberships/eve", "", 204)
	j.call(bot, "DELETE", org+"/memberships/eve", "", 204)
	j.call(bot, "DELETE", org+"/members/bob", "", 204)

	user := "Bearer " + j.LogIn("ada")
	j.call(user, "GET", "/user", "", 200)
	j.call(user, "GET", "/user/installations", "", 200)
	j.call(user, "GET", "/user/installations/"+id+"/repositories", "", 200)

	require.NoError(t, j.repo.Close("ada", 1))
	require.NoError(t, j.repo.EditIssue("ada", 1, "Well", "then"))
	require.NoError(t, j.repo.Collaborate("ada", "eve", "write"))
	require.NoError(t, j.repo.Uncollaborate("ada", "eve"))
	two := j.AddRepo("acme", "two")
	require.NoError(t, j.SelectRepositories(j.inst, "town"))
	_, err = j.repo.Transfer("ada", 1, two)
	require.NoError(t, err)
	del, err := j.repo.OpenIssue("ada", "Oh", "")
	require.NoError(t, err)
	require.NoError(t, j.repo.DeleteIssue("ada", del))
	require.NoError(t, j.org.Rename("ada", "zenith"))
	require.NoError(t, j.SetPermissions(j.inst, map[string]string{"metadata": "read"}))
	j.Revoke("ada")
	j.Ping()
	j.flush()
	var list []map[string]any
	j.call(app, "GET", "/app/hook/deliveries?per_page=5", "", 200)
	status, _, _ := j.raw(j.appJWT(), "GET", "/app/hook/deliveries?per_page=1", "")
	require.Equal(t, 200, status)
	require.NoError(t, json.Unmarshal(j.Calls()[len(j.Calls())-1].Answer.Body, &list))
	one := "/app/hook/deliveries/" + fmt.Sprint(int64(list[0]["id"].(float64)))
	j.call(app, "GET", one, "", 200)
	j.call(app, "POST", one+"/attempts", "", 202)
	j.call(app, "DELETE", "/app/installations/"+id, "", 204)
	j.flush()
	require.Empty(t, j.Judged())
	j.deliveries()
}

// deliveries holds what was delivered against GitHub's schemas.
func (j *judged) deliveries() {
	j.t.Helper()
	schema, seen := schemas(j.t), map[string]bool{}
	for _, d := range j.Deliveries() {
		seen[strings.TrimSpace(d.Event+" "+d.Action)] = true
		var v any
		require.NoError(j.t, json.Unmarshal(d.Payload, &v))
		if err := schema(d.Event, d.Action).Validate(v); err != nil {
			var e *jsonschema.ValidationError
			require.ErrorAs(j.t, err, &e)
			j.t.Errorf("%s %s: %.1500s", d.Event, d.Action, fmt.Sprintf("%#v", e))
		}
	}
	for _, name := range []string{
		"issues opened", "issues edited", "issues closed", "issues reopened", "issues labeled", "issues unlabeled", "issues locked", "issues assigned", "issues unlocked", "issues deleted", "issues transferred", "issue_comment created",
		"issue_comment edited", "issue_comment deleted", "label created", "label edited", "label deleted", "repository renamed", "pull_request opened", "pull_request synchronize", "pull_request edited", "pull_request labeled", "pull_request closed",
		"pull_request_review submitted", "push", "member added", "member removed", "org_block blocked", "org_block unblocked", "organization member_invited", "organization member_added", "organization member_removed",
		"membership added", "membership removed", "team created", "installation created", "installation deleted", "installation suspend", "installation unsuspend", "installation new_permissions_accepted",
		"installation_repositories removed", "installation_target renamed", "github_app_authorization revoked", "ping",
	} {
		require.True(j.t, seen[name], "%s was not delivered", name)
	}
}
