package fakegithub_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/plugins/github/fakegithub"
)

// recording is a request that was once made to GitHub, with its answer.
type recording struct {
	Method, Path string
	Body         json.RawMessage
	Status       int
	Response     json.RawMessage
	Headers      struct{ Link, Location string }
	ReqHeaders   struct{ Accept, Authorization string }
}

// ownersOnly are fields that GitHub shows to owners who ask with tokens of their own, and not to apps.
var ownersOnly = []string{
	"temp_clone_token", "allow_squash_merge", "allow_merge_commit", "allow_rebase_merge", "allow_auto_merge", "delete_branch_on_merge", "allow_update_branch", "use_squash_pr_title_as_default",
	"is_verified", "total_private_repos", "owned_private_repos", "private_gists", "disk_usage", "collaborators", "billing_email", "default_repository_permission", "members_can_create_repositories",
	"two_factor_requirement_enabled", "members_allowed_repository_creation_type", "members_can_create_public_repositories", "members_can_create_private_repositories",
	"members_can_create_internal_repositories", "members_can_create_pages", "members_can_fork_private_repositories", "members_can_create_public_pages", "members_can_create_private_pages",
	"web_commit_signoff_required", "plan", "squash_merge_commit_message", "squash_merge_commit_title", "merge_commit_message", "merge_commit_title",
}

// TestRecordings replays what was recorded of GitHub: the fake answers the same statuses, with the same fields of the same kinds.
func TestRecordings(t *testing.T) {
	for name, prepare := range map[string]func(w *world, r *fakegithub.Repo){
		"add-and-remove-repository-collaborator": nil,
		"add-labels-to-issue":                    nil,
		"create-file":                            nil,
		"errors":                                 nil,
		"get-organization":                       nil,
		"labels":                                 nil,
		"rename-repository":                      nil,
		"get-repository":                         nil,
		"lock-issue":                             func(w *world, r *fakegithub.Repo) { w.open(r, 1) },
		"paginate-issues":                        func(w *world, r *fakegithub.Repo) { w.open(r, 13) },
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(specs.Dir(t), "github", "fixtures", name+".json"))
			require.NoError(t, err)
			var list []recording
			require.NoError(t, json.Unmarshal(raw, &list))
			w := newWorld(t, fakegithub.Options{})
			w.AddOrg("octokit-fixture-org", "octokit-fixture-user-a")
			w.AddUser("octokit-fixture-user-b")
			repo := w.AddRepo("octokit-fixture-org", name)
			w.AddRepo("octokit-fixture-org", "hello-world")
			w.inst, err = w.Install("octokit-fixture-org", fakegithub.Installing{})
			require.NoError(t, err)
			if prepare != nil {
				prepare(w, repo)
			}
			ids := &numbers{}
			for _, x := range list {
				w.replay(x, ids)
			}
		})
	}
}

func (w *world) open(r *fakegithub.Repo, n int) {
	for range n {
		_, err := r.OpenIssue("octokit-fixture-user-a", "An issue", "of the recording")
		require.NoError(w.t, err)
	}
}

// numbers are the real numbers of what the recordings call 1000.
type numbers struct{ repository, invitation string }

var numbered = regexp.MustCompile(`/(repositories|repository_invitations)/[0-9]+`)

func (n *numbers) in(path string) string {
	return numbered.ReplaceAllStringFunc(path, func(m string) string {
		if strings.HasPrefix(m, "/repositories") {
			return "/repositories/" + n.repository
		}
		return "/repository_invitations/" + n.invitation
	})
}

var (
	repositoryRE = regexp.MustCompile(`api\.github\.com/repositories/([0-9]+)`)
	invitationRE = regexp.MustCompile(`user/repository_invitations/([0-9]+)`)
)

// replay makes the recorded request and compares the answers.
func (w *world) replay(x recording, ids *numbers) {
	w.t.Helper()
	token := w.botToken()
	if strings.HasSuffix(x.ReqHeaders.Authorization, "2") {
		token = w.LogIn("octokit-fixture-user-b")
	}
	body := string(x.Body)
	if body == `""` {
		body = ""
	}
	r, err := http.NewRequestWithContext(w.t.Context(), strings.ToUpper(x.Method), "https://api.github.com"+ids.in(x.Path), strings.NewReader(body))
	require.NoError(w.t, err)
	r.Header.Set("User-Agent", "test")
	r.Header.Set("Accept", x.ReqHeaders.Accept)
	r.Header.Set("Authorization", "Bearer "+token)
	c := w.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Do(r)
	require.NoError(w.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	require.Equal(w.t, x.Status, res.StatusCode, "%s %s: %.500s", x.Method, x.Path, raw)
	for _, m := range repositoryRE.FindAllStringSubmatch(string(raw)+res.Header.Get("Link"), 1) {
		ids.repository = m[1]
	}
	for _, m := range invitationRE.FindAllStringSubmatch(string(raw), 1) {
		ids.invitation = m[1]
	}
	require.Equal(w.t, numbered.ReplaceAllString(x.Headers.Link, "N"), numbered.ReplaceAllString(res.Header.Get("Link"), "N"), "pages")
	require.Equal(w.t, numbered.ReplaceAllString(x.Headers.Location, "N"), numbered.ReplaceAllString(res.Header.Get("Location"), "N"), "redirects")
	var want, got any
	if json.Unmarshal(x.Response, &want) != nil || want == "" {
		require.Empty(w.t, raw)
		return
	}
	require.NoError(w.t, json.Unmarshal(raw, &got))
	for _, p := range differences("", want, got) {
		w.t.Errorf("%s %s: %s", x.Method, x.Path, p)
	}
}

// differences are the fields that are missing or of another kind. Lists are compared by their first entries and their lengths.
func differences(at string, want, got any) (out []string) {
	switch x := want.(type) {
	case map[string]any:
		y, ok := got.(map[string]any)
		if !ok {
			return []string{at + " is no object"}
		}
		for k, v := range x {
			g, there := y[k]
			switch {
			case !there && !slices.Contains(ownersOnly, k):
				out = append(out, at+"."+k+" is missing")
			case there && v != nil && g != nil:
				out = append(out, differences(at+"."+k, v, g)...)
			}
		}
	case []any:
		y, ok := got.([]any)
		if ok && len(y) == 0 && at == ".topics" {
			return nil // what a repository is about is not in the fake
		}
		if !ok || len(x) > 0 && len(x) != len(y) {
			return []string{fmt.Sprintf("%s is no list of %d", at, len(x))}
		}
		if len(x) > 0 {
			out = differences(at+"[0]", x[0], y[0])
		}
	default:
		if a, b := fmt.Sprintf("%T", want), fmt.Sprintf("%T", got); a != b {
			return []string{fmt.Sprintf("%s is a %s, and here a %s", at, a, b)}
		}
	}
	return out
}
