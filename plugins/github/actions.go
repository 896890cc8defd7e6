package github

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// The permissions that actions need, as an installation names them. Whoever may write may read.
const (
	writeIssues = "issues:write"
	writeThread = "issues:write|pull_requests:write" // an issue's, or a pull request's, which is an issue too
	writePulls  = "pull_requests:write"
	writeCode   = "contents:write"
	readMembers = "members:read"
	writeMember = "members:write"
	writeRepo   = "administration:write"
	writeBlocks = "organization_user_blocking:write"
)

type action = gateway.Feature[*GitHub]

// able is what an action needs, whether it is done as the app or on behalf of a person.
func able(permissions ...string) []gateway.Option {
	return []gateway.Option{gateway.Needs(permissions...), gateway.Acts()}
}

// steady is the same for an action that can be done again without harm.
func steady(permissions ...string) []gateway.Option {
	return append(able(permissions...), gateway.Idempotent())
}

func actions() []action {
	return []action{
		gateway.ActionFunc("create-issue", "Opens an issue.", (*GitHub).createIssue, append(able(writeIssues), gateway.Lookup((*GitHub).findIssue))...),
		gateway.ActionFunc("comment", "Comments on an issue or pull request.", (*GitHub).comment, append(able(writeThread), gateway.Lookup((*GitHub).findComment))...),
		gateway.ActionFunc("delete-comment", "Deletes a comment on an issue or pull request.", (*GitHub).deleteComment, steady(writeThread)...),
		gateway.ActionFunc("add-labels", "Puts labels on an issue or pull request.", (*GitHub).addLabels, steady(writeThread)...),
		gateway.ActionFunc("remove-label", "Takes a label from an issue or pull request.", (*GitHub).removeLabel, steady(writeThread)...),
		gateway.ActionFunc("lock", "Locks the conversation of an issue or pull request.", (*GitHub).lock, steady(writeThread)...),
		gateway.ActionFunc("unlock", "Unlocks the conversation of an issue or pull request.", (*GitHub).unlock, steady(writeThread)...),
		gateway.ActionFunc("close", "Closes an issue or pull request.", (*GitHub).closeThread, steady(writeThread)...),
		gateway.ActionFunc("reopen", "Opens an issue or pull request again.", (*GitHub).reopenThread, steady(writeThread)...),
		gateway.ActionFunc("merge", "Merges a pull request.", (*GitHub).merge, append(able(writeCode), gateway.Lookup((*GitHub).findMerged))...),
		gateway.ActionFunc("review", "Reviews a pull request.", (*GitHub).review, append(able(writePulls), gateway.Lookup((*GitHub).findReview))...),
		gateway.ActionFunc("set-member", "Invites somebody to the organisation, or changes a member's role.", (*GitHub).setMember, steady(writeMember)...),
		gateway.ActionFunc("remove-member", "Takes somebody out of the organisation.", (*GitHub).removeMember, append(able(writeMember), gateway.Lookup((*GitHub).findRemoved))...),
		gateway.ActionFunc("is-member", "Says whether somebody is a member of the organisation.", (*GitHub).isMember, able(readMembers)...),
		gateway.ActionFunc("set-collaborator", "Invites somebody to a repository, or changes what a collaborator may do.", (*GitHub).setCollaborator, steady(writeRepo)...),
		gateway.ActionFunc("remove-collaborator", "Takes a collaborator out of a repository.", (*GitHub).removeCollaborator, steady(writeRepo)...),
		gateway.ActionFunc("set-team-member", "Puts somebody into a team, or changes their role there.", (*GitHub).setTeamMember, steady(writeMember)...),
		gateway.ActionFunc("remove-team-member", "Takes somebody out of a team.", (*GitHub).removeTeamMember, steady(writeMember)...),
		gateway.ActionFunc("block", "Blocks somebody from the organisation.", (*GitHub).block, append(able(writeBlocks), gateway.Lookup((*GitHub).findBlocked))...),
		gateway.ActionFunc("unblock", "Takes the block of somebody back.", (*GitHub).unblock, append(able(writeBlocks), gateway.Lookup((*GitHub).findUnblocked))...),
		gateway.ActionFunc("get-installation", "Says what the app is installed for, and what it may do there.", (*GitHub).getInstallation),
		gateway.ActionFunc("method", "Calls any route of GitHub's REST API that the installation's permissions allow. What stands in braces in the route is taken from the arguments; the others are the query of a GET and otherwise the body.", (*GitHub).method, gateway.Acts()),
	}
}

// Repo names a repository.
type Repo struct {
	Repository string `json:"repo_name,omitempty" choices:"repositories" jsonschema:"pattern=^([A-Za-z0-9._-]+/)?[A-Za-z0-9._-]+$,maxLength=140,example=acme/town" jsonschema_description:"The repository, as owner/name, or by its name alone where the installation's account owns it. Absent: the one of the configuration."`
}

// Thread names an issue or a pull request: GitHub numbers both together.
type Thread struct {
	Repo
	Number int `json:"issue_number" jsonschema:"minimum=1" jsonschema_description:"The number of the issue or pull request."`
}

// Pull names a pull request.
type Pull struct {
	Repo
	Number int `json:"pull_number" jsonschema:"minimum=1" jsonschema_description:"The number of the pull request."`
}

// Done is the answer of an action that makes something so.
type Done struct {
	Already bool `json:"already,omitempty" jsonschema_description:"Whether it was so before, and nothing was done."`
}

var repoRE = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)

// repo gives a repository's whole name. What is done on behalf of a person is done within the installation's account only: their token is good for
// every installation that they reach (https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app, 2026-11),
// also those of other communities.
func (g *GitHub) repo(ctx context.Context, r Repo) (string, error) {
	name := first(r.Repository, g.config.Repository)
	if name == "" {
		return "", gateway.Errorf(gateway.Invalid, "give repo_name: the configuration names no repository")
	}
	if !strings.Contains(name, "/") {
		name = g.config.Account + "/" + name
	}
	if _, last, _ := strings.Cut(name, "/"); !repoRE.MatchString(name) || strings.HasPrefix(name, ".") || last == "." || last == ".." {
		return "", gateway.Errorf(gateway.Invalid, "%q is no repository's name", name)
	}
	if behalf(ctx) && !within(g.config.Account, "/repos/"+name+"/") {
		return "", gateway.Errorf(gateway.Denied, "github: %s is not a repository of %s, and on behalf of a person nothing is done elsewhere", name, g.config.Account)
	}
	return name, nil
}

// org gives the organisation that the app is installed for.
func (g *GitHub) org() (string, error) {
	if g.config.AccountType != "Organization" {
		return "", gateway.Errorf(gateway.Invalid, "the app is installed for a person's account, which has no members, teams or blocks of its own to act on")
	}
	return url.PathEscape(g.config.Account), nil
}

func issuePath(repo string, number int) string {
	return "/repos/" + repo + "/issues/" + strconv.Itoa(number)
}

// DeleteComment is the input of delete-comment.
type DeleteComment struct {
	Repo
	CommentID int64 `json:"comment_id" jsonschema:"minimum=1" jsonschema_description:"The comment's ID."`
}

func (g *GitHub) deleteComment(ctx context.Context, in DeleteComment) (Done, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Done{}, err
	}
	id := strconv.FormatInt(in.CommentID, 10)
	return g.done(ctx, act{
		request: request{method: http.MethodDelete, path: "/repos/" + repo + "/issues/comments/" + id},
		echoes:  []string{ref("issue_comment", "deleted", repo, id)}, gone: []int{http.StatusNotFound},
	})
}

// AddLabels is the input of add-labels.
type AddLabels struct {
	Thread
	Labels []string `json:"labels" jsonschema:"minItems=1,maxItems=100" jsonschema_description:"The labels. Those that the repository does not have are made."`
}

func (g *GitHub) addLabels(ctx context.Context, in AddLabels) (Done, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Done{}, err
	}
	echo := func(label string) string { return ref("labels", "labeled", issueRef(repo, in.Number), label) }
	var echoes []string
	for _, l := range in.Labels {
		echoes = append(echoes, echo(l))
	}
	path := issuePath(repo, in.Number) + "/labels"
	var has map[string]bool
	return g.done(ctx, act{
		request: request{method: http.MethodPost, path: path, body: map[string]any{"labels": in.Labels}}, echoes: echoes,
		is: func(name string) (bool, error) {
			if has == nil {
				has = map[string]bool{}
				err := each(ctx, g.client(ctx), path, url.Values{}, maxSearched, func(l struct{ Name string }) (bool, error) {
					has[echo(l.Name)] = true
					return false, nil
				})
				if err != nil {
					return false, err
				}
			}
			return has[name], nil
		},
	})
}

// RemoveLabel is the input of remove-label.
type RemoveLabel struct {
	Thread
	Label string `json:"label" jsonschema:"minLength=1,maxLength=50" jsonschema_description:"The label."`
}

// removeLabel is told by GitHub that there is none with 404, as for an issue that there is not: which of them, it says in its words alone.
func (g *GitHub) removeLabel(ctx context.Context, in RemoveLabel) (Done, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Done{}, err
	}
	return g.done(ctx, act{
		request: request{method: http.MethodDelete, path: issuePath(repo, in.Number) + "/labels/" + url.PathEscape(in.Label)},
		echoes:  []string{ref("labels", "unlabeled", issueRef(repo, in.Number), in.Label)}, gone: []int{http.StatusNotFound},
	})
}

// Lock is the input of lock.
type Lock struct {
	Thread
	Reason string `json:"lock_reason,omitempty" jsonschema:"enum=off-topic,enum=too heated,enum=resolved,enum=spam" jsonschema_description:"Why."`
}

func (g *GitHub) lock(ctx context.Context, in Lock) (Done, error) {
	var body any
	if in.Reason != "" {
		body = map[string]any{"lock_reason": in.Reason}
	}
	return g.thread(ctx, in.Thread, http.MethodPut, "/lock", body, "locked")
}

func (g *GitHub) unlock(ctx context.Context, in Thread) (Done, error) {
	return g.thread(ctx, in, http.MethodDelete, "/lock", nil, "unlocked")
}

// Close is the input of close.
type Close struct {
	Thread
	Reason string `json:"state_reason,omitempty" jsonschema:"enum=completed,enum=not_planned" jsonschema_description:"Why an issue is closed."`
}

func (g *GitHub) closeThread(ctx context.Context, in Close) (Done, error) {
	body := map[string]any{"state": "closed"}
	if in.Reason != "" {
		body["state_reason"] = in.Reason
	}
	return g.thread(ctx, in.Thread, http.MethodPatch, "", body, "closed")
}

func (g *GitHub) reopenThread(ctx context.Context, in Thread) (Done, error) {
	return g.thread(ctx, in, http.MethodPatch, "", map[string]any{"state": "open"}, "reopened")
}

// thread acts on an issue or pull request itself.
func (g *GitHub) thread(ctx context.Context, in Thread, method, path string, body any, told string) (Done, error) {
	repo, err := g.repo(ctx, in.Repo)
	if err != nil {
		return Done{}, err
	}
	return g.done(ctx, act{
		request: request{method: method, path: issuePath(repo, in.Number) + path, body: body},
		echoes:  []string{ref("thread", told, issueRef(repo, in.Number))},
		is:      func(string) (bool, error) { return g.stands(ctx, repo, in.Number, told) },
	})
}

// stands says whether an issue is already what an act makes of it.
func (g *GitHub) stands(ctx context.Context, repo string, number int, told string) (bool, error) {
	var now struct {
		State  string `json:"state"`
		Locked bool   `json:"locked"`
	}
	err := g.client(ctx).json(ctx, request{method: http.MethodGet, path: issuePath(repo, number)}, &now)
	return map[string]bool{"closed": now.State == "closed", "reopened": now.State == "open", "locked": now.Locked, "unlocked": !now.Locked}[told], err
}
