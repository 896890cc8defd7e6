package fakegithub

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) pullJSON(t *thread, hook bool) object {
	p := t.pull
	u := fmt.Sprintf("%s/repos/%s/pulls/%d", apiURL, t.repo.full(), t.number)
	link := func(href string) object { return object{"href": href} }
	statuses := apiURL + "/repos/" + t.repo.full() + "/statuses/" + p.sha
	var merge any
	if p.mergeSHA != "" {
		merge = p.mergeSHA
	}
	o := object{
		"url": u, "id": t.id, "node_id": node("PullRequest", t.id), "html_url": t.web(), "diff_url": t.web() + ".diff", "patch_url": t.web() + ".patch", "issue_url": t.url(), "number": t.number, "state": t.state(),
		"locked": t.locked, "title": t.title, "user": s.userJSON(t.user), "body": textOrNull(t.body), "created_at": stamp(t.created), "updated_at": stamp(t.updated), "closed_at": stampOrNull(t.closedAt),
		"merged_at": stampOrNull(p.mergedAt), "merge_commit_sha": merge, "assignee": s.firstOrNull(t.assignees), "assignees": s.usersJSON(t.assignees), "requested_reviewers": s.usersJSON(p.requested),
		"requested_teams": []object{}, "labels": s.labelsJSON(t.repo, t.labels), "milestone": nil, "draft": p.draft, "commits_url": u + "/commits", "review_comments_url": u + "/comments",
		"review_comment_url": apiURL + "/repos/" + t.repo.full() + "/pulls/comments{/number}", "comments_url": t.url() + "/comments", "statuses_url": statuses,
		"head": s.branchJSON(t.repo, p.head, p.sha, hook), "base": s.branchJSON(t.repo, p.base, p.baseSHA, hook),
		"_links": object{"self": link(u), "html": link(t.web()), "issue": link(t.url()), "comments": link(t.url() + "/comments"), "review_comments": link(u + "/comments"),
			"review_comment": link(apiURL + "/repos/" + t.repo.full() + "/pulls/comments{/number}"), "commits": link(u + "/commits"), "statuses": link(statuses)},
		"author_association": t.repo.association(t.user), "auto_merge": nil, "active_lock_reason": textOrNull(t.lockReason),
	}
	return o
}

// wholePullJSON is one pull request by itself, with what lists and reviews leave out.
func (s *Server) wholePullJSON(t *thread, hook bool) object {
	o, p := s.pullJSON(t, hook), t.pull
	state := "clean"
	switch {
	case p.conflict:
		state = "dirty"
	case p.checksFail:
		state = "blocked"
	case p.draft:
		state = "draft"
	}
	o["merged"], o["mergeable"], o["rebaseable"], o["mergeable_state"], o["merged_by"] = p.merged, !p.conflict && !p.merged, !p.conflict && !p.merged, state, s.userOrNull(p.mergedBy)
	o["comments"], o["review_comments"], o["maintainer_can_modify"] = len(t.comments), 0, false
	o["commits"], o["additions"], o["deletions"], o["changed_files"] = 1, 1, 0, 1
	return o
}

func (s *Server) branchJSON(r *Repo, ref, sha string, hook bool) object {
	return object{"label": r.owner.login + ":" + ref, "ref": ref, "sha": sha, "user": s.userJSON(r.owner), "repo": s.repoJSON(r, hook)}
}

func (s *Server) reviewJSON(t *thread, x *review, hook bool) object {
	p := fmt.Sprintf("%s/repos/%s/pulls/%d", apiURL, t.repo.full(), t.number)
	web := fmt.Sprintf("%s#pullrequestreview-%d", t.web(), x.id)
	state := x.state
	if hook {
		state = strings.ToLower(state) // deliveries have it in lower case
	}
	return object{
		"id": x.id, "node_id": node("PullRequestReview", x.id), "user": s.userJSON(x.user), "body": x.body, "commit_id": x.commit, "submitted_at": stamp(x.submitted), "state": state, "html_url": web, "pull_request_url": p,
		"author_association": t.repo.association(x.user), "_links": object{"html": object{"href": web}, "pull_request": object{"href": p}},
	}
}

// pull finds the pull request that the path names.
func (r *request) pull() (*thread, error) {
	n, err := strconv.Atoi(r.vars["pull_number"])
	if err != nil {
		return nil, notFound()
	}
	if t := r.repo.thread(n); t != nil && t.pull != nil && !t.deleted {
		return t, nil
	}
	return nil, notFound()
}

func (r *request) listPulls() (any, error) {
	state := orElse(r.call.Query.Get("state"), "open")
	var list []*thread
	for _, t := range slices.Backward(r.repo.threads) {
		if t.pull != nil && !t.deleted && (state == "all" || state == t.state()) {
			list = append(list, t)
		}
	}
	return page(r, list, func(t *thread) object { return r.s.pullJSON(t, false) }), nil
}

func (r *request) getPull() (any, error) {
	t, err := r.pull()
	if err != nil {
		return nil, err
	}
	return r.s.wholePullJSON(t, false), nil
}

func (r *request) patchPull() (any, error) {
	t, err := r.pull()
	if err != nil {
		return nil, err
	}
	r.vars["issue_number"] = r.vars["pull_number"]
	if _, err := r.patchIssue(); err != nil {
		return nil, err
	}
	return r.s.wholePullJSON(t, false), nil
}

// getMerged says by 204 or 404 whether it is merged.
func (r *request) getMerged() (any, error) {
	t, err := r.pull()
	if err != nil || !t.pull.merged {
		return nil, notFound()
	}
	return nil, nil
}

// putMerge merges. 405: it cannot be. 409: the head is another than was said (https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request, 2026-11).
func (r *request) putMerge() (any, error) {
	t, err := r.pull()
	if err != nil {
		return nil, err
	}
	var in struct {
		SHA    string `json:"sha"`
		Method string `json:"merge_method"`
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	p := t.pull
	switch {
	case in.Method != "" && !slices.Contains([]string{"merge", "squash", "rebase"}, in.Method):
		return nil, invalid("PullRequest", "merge_method", "invalid", "")
	case p.merged, t.closed, p.conflict:
		return nil, refuse(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	case p.draft:
		return nil, refuse(http.StatusMethodNotAllowed, "Pull Request is still a draft")
	case p.checksFail:
		return nil, refuse(http.StatusMethodNotAllowed, "Required status check \"ci\" is expected.")
	case in.SHA != "" && in.SHA != p.sha:
		return nil, refuse(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	}
	t.merge(r.actor, orElse(in.Method, "merge"))
	return object{"sha": p.mergeSHA, "merged": true, "message": "Pull Request successfully merged"}, nil
}

func (r *request) listReviews() (any, error) {
	t, err := r.pull()
	if err != nil {
		return nil, err
	}
	return page(r, t.pull.reviews, func(x *review) object { return r.s.reviewJSON(t, x, false) }), nil
}

func (r *request) getReview() (any, error) {
	t, err := r.pull()
	if err != nil {
		return nil, err
	}
	for _, x := range t.pull.reviews {
		if text(x.id) == r.vars["review_id"] {
			return r.s.reviewJSON(t, x, false), nil
		}
	}
	return nil, notFound()
}

var reviewStates = map[string]string{"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED", "": "PENDING"}

func (r *request) postReview() (any, error) {
	t, err := r.pull()
	if err != nil {
		return nil, err
	}
	var in struct {
		Event, Body string
		CommitID    string `json:"commit_id"`
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	state, known := reviewStates[in.Event]
	switch {
	case !known:
		return nil, unprocessable("Unprocessable Entity")
	case (in.Event == "REQUEST_CHANGES" || in.Event == "COMMENT") && strings.TrimSpace(in.Body) == "":
		return nil, invalid("PullRequestReview", "body", "missing_field", "")
	case t.user == r.actor && in.Event == "APPROVE":
		return nil, &apiError{status: http.StatusUnprocessableEntity, message: "Unprocessable Entity", errors: []any{"Review Can not approve your own pull request"}}
	case t.user == r.actor && in.Event == "REQUEST_CHANGES":
		return nil, &apiError{status: http.StatusUnprocessableEntity, message: "Unprocessable Entity", errors: []any{"Review Can not request changes on your own pull request"}}
	}
	return r.s.reviewJSON(t, t.review(r.actor, state, in.Body, in.CommitID), false), nil
}

// merge merges, by whom is allowed to. Callers hold s.mu.
func (t *thread) merge(by *account, method string) {
	p, s := t.pull, t.repo.s
	p.merged, p.mergedBy, p.mergedAt, p.mergeMethod, p.mergeSHA = true, by, s.now(), method, newSHA()
	before := t.repo.head
	t.repo.head = p.mergeSHA
	t.note("merged", by, nil)
	t.close(by, "")
	t.repo.tellPush(by, "refs/heads/"+p.base, before, p.mergeSHA, "Merge pull request #"+strconv.Itoa(t.number))
}

func (t *thread) review(by *account, state, body, commit string) *review {
	s := t.repo.s
	x := &review{id: s.id(), user: by, body: body, state: state, commit: orElse(commit, t.pull.sha), submitted: s.now()}
	t.pull.reviews = append(t.pull.reviews, x)
	if state != "PENDING" {
		s.emit(event{name: "pull_request_review", action: "submitted", repo: t.repo, sender: by, permission: "pull_requests",
			fields: object{"review": s.reviewJSON(t, x, true), "pull_request": s.pullJSON(t, true)}})
	}
	return x
}

// newSHA is a commit's.
func newSHA() string { return randomText(20) }

// tellPush sends a push of one commit.
func (r *Repo) tellPush(by *account, ref, before, after, message string) {
	s := r.s
	who := object{"name": by.name, "email": by.login + "@users.noreply.github.com", "username": by.login}
	web := "https://github.com/" + r.full()
	c := object{"id": after, "tree_id": newSHA(), "distinct": true, "message": message, "timestamp": stamp(s.now()), "url": web + "/commit/" + after, "author": who, "committer": who,
		"added": []string{}, "removed": []string{}, "modified": []string{}}
	r.updated = s.now()
	s.emit(event{name: "push", repo: r, sender: by, permission: "contents", fields: object{
		"ref": ref, "before": before, "after": after, "created": before == noSHA, "deleted": false, "forced": false, "base_ref": nil, "compare": web + "/compare/" + before[:12] + "..." + after[:12],
		"commits": []object{c}, "head_commit": c, "pusher": object{"name": by.login, "email": by.login + "@users.noreply.github.com"}}})
}

// noSHA stands for no commit.
const noSHA = "0000000000000000000000000000000000000000"
