package fakegithub

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of GitHub's (https://docs.github.com/en/rest/issues, 2026-11; the length of texts is what its refusals say).
const (
	maxTitle = 256
	maxText  = 65536
)

func escape(name string) string { return url.PathEscape(name) }

// thread finds the issue or pull request that the path names.
func (r *request) thread() (*thread, error) {
	n, err := strconv.Atoi(r.vars["issue_number"])
	if err != nil {
		return nil, notFound()
	}
	t := r.repo.thread(n)
	switch {
	case t == nil:
		return nil, notFound()
	case t.deleted:
		return nil, refuse(http.StatusGone, "This issue was deleted")
	case t.moved != nil:
		_, rest, _ := strings.Cut(r.numbered(), "/issues/"+r.vars["issue_number"])
		return nil, r.moved(apiURL + "/repositories/" + text(t.moved.repo.id) + "/issues/" + strconv.Itoa(t.moved.number) + rest)
	}
	return t, r.forThread(t)
}

// forThread asks for the permission for issues where it is none of a pull request: the table takes either.
func (r *request) forThread(t *thread) error {
	public := !r.repo.private && !r.route.writes()
	if public || t.pull != nil || r.route.need == "" {
		return nil
	}
	level := "read"
	if r.route.writes() {
		level = "write"
	}
	if !enough(r.granted(r.repo.owner)["issues"], level) {
		return forbidden()
	}
	return nil
}

func checkText(field, v string, most int) error {
	if utf8.RuneCountInString(v) > most {
		return invalid("Issue", field, "custom", field+" is too long (maximum is "+strconv.Itoa(most)+" characters)")
	}
	return nil
}

func (r *request) listIssues() (any, error) {
	q := r.call.Query
	var list []*thread
	for _, t := range slices.Backward(r.repo.threads) { // newest first
		if !t.deleted && t.moved == nil && r.wanted(t, q) {
			list = append(list, t)
		}
	}
	if q.Get("direction") == "asc" {
		slices.Reverse(list)
	}
	return page(r, list, func(t *thread) object { return r.s.issueJSON(t, false) }), nil
}

func (r *request) wanted(t *thread, q url.Values) bool {
	if state := orElse(q.Get("state"), "open"); state != "all" && state != t.state() {
		return false
	}
	if creator := q.Get("creator"); creator != "" && !strings.EqualFold(creator, t.user.login) {
		return false
	}
	if since, err := time.Parse(time.RFC3339, q.Get("since")); err == nil && t.updated.Before(since) {
		return false
	}
	for _, name := range strings.Split(q.Get("labels"), ",") {
		if name != "" && !slices.ContainsFunc(t.labels, func(l *label) bool { return strings.EqualFold(l.name, name) }) {
			return false
		}
	}
	return true
}

// createIssue takes what GitHub takes of whoever may not set labels and people: it drops these silently.
func (r *request) createIssue() (any, error) {
	var in struct {
		Title     any
		Body      *string
		Labels    []any
		Assignees []string
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	title, _ := in.Title.(string)
	if title == "" {
		return nil, invalid("Issue", "title", "missing_field", "")
	}
	body := ""
	if in.Body != nil {
		body = *in.Body
	}
	if err := checkText("title", title, maxTitle); err != nil {
		return nil, err
	}
	if err := checkText("body", body, maxText); err != nil {
		return nil, err
	}
	t := &thread{title: title, body: body, user: r.actor, byApp: true}
	if r.repo.can(r.actor, "write") || r.tok.user == nil {
		for _, v := range in.Labels {
			t.labels = append(t.labels, r.repo.label(labelName(v), r.actor))
		}
		for _, login := range in.Assignees {
			if a := r.s.account(login); a != nil {
				t.assignees = append(t.assignees, a)
			}
		}
	}
	r.repo.open(t)
	return r.s.issueJSON(t, false), nil
}

// labelName reads a label, which is given by its name or as an object.
func labelName(v any) string {
	if o, ok := v.(object); ok {
		v = o["name"]
	}
	name, _ := v.(string)
	return name
}

func (r *request) getIssue() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	return r.s.issueJSON(t, false), nil
}

func (r *request) patchIssue() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	var in struct {
		Title       *string
		Body        *string
		State       string
		StateReason *string `json:"state_reason"`
		Labels      *[]any
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if r.tok.user != nil && t.user != r.actor && !r.repo.can(r.actor, "triage") {
		return nil, refuse(http.StatusForbidden, "Must have admin rights to Repository.")
	}
	if in.State != "" && in.State != "open" && in.State != "closed" {
		return nil, invalid("Issue", "state", "invalid", "")
	}
	if in.Title != nil && *in.Title == "" {
		return nil, invalid("Issue", "title", "missing_field", "")
	}
	if in.Title != nil || in.Body != nil {
		t.edit(r.actor, in.Title, in.Body)
	}
	if in.Labels != nil {
		r.setLabels(t, *in.Labels)
	}
	reason := ""
	if in.StateReason != nil {
		reason = *in.StateReason
	}
	switch in.State {
	case "closed":
		if !slices.Contains([]string{"", "completed", "not_planned", "duplicate"}, reason) {
			return nil, invalid("Issue", "state_reason", "invalid", "")
		}
		t.close(r.actor, reason)
	case "open":
		if t.pull != nil && t.pull.merged {
			return nil, invalid("PullRequest", "state", "invalid", "state cannot be changed. The pull request has been merged.")
		}
		t.reopen(r.actor)
	}
	return r.s.issueJSON(t, false), nil
}

func (r *request) listComments() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	list := t.comments
	if since, err := time.Parse(time.RFC3339, r.call.Query.Get("since")); err == nil {
		list = slices.DeleteFunc(slices.Clone(list), func(c *comment) bool { return c.updated.Before(since) })
	}
	return page(r, list, r.s.commentJSON), nil
}

func (r *request) postComment() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	body, err := r.commentBody()
	if err != nil {
		return nil, err
	}
	if t.locked && r.tok.user != nil && !r.repo.can(r.actor, "write") {
		return nil, refuse(http.StatusForbidden, "Unable to create comment because issue is locked.")
	}
	return r.s.commentJSON(t.say(r.actor, body, true)), nil
}

func (r *request) commentBody() (string, error) {
	var in struct{ Body *string }
	if err := r.into(&in); err != nil {
		return "", err
	}
	if in.Body == nil || strings.TrimSpace(*in.Body) == "" {
		return "", invalid("IssueComment", "body", "missing_field", "")
	}
	return *in.Body, checkText("body", *in.Body, maxText)
}

// comment finds the comment that the path names.
func (r *request) comment() (*comment, error) {
	id, err := strconv.ParseInt(r.vars["comment_id"], 10, 64)
	c := r.repo.commentsBy[id]
	if err != nil || c == nil || c.thread.deleted {
		return nil, notFound()
	}
	return c, r.forThread(c.thread)
}

func (r *request) getComment() (any, error) {
	c, err := r.comment()
	if err != nil {
		return nil, err
	}
	return r.s.commentJSON(c), nil
}

// ownComment is comment for changing it: one's own, or anybody's for whoever may write.
func (r *request) ownComment() (*comment, error) {
	c, err := r.comment()
	if err == nil && r.tok.user != nil && c.user != r.actor && !r.repo.can(r.actor, "write") {
		err = refuse(http.StatusForbidden, "Must have admin rights to Repository.")
	}
	return c, err
}

func (r *request) patchComment() (any, error) {
	c, err := r.ownComment()
	if err != nil {
		return nil, err
	}
	body, err := r.commentBody()
	if err != nil {
		return nil, err
	}
	c.edit(r.actor, body)
	return r.s.commentJSON(c), nil
}

func (r *request) deleteComment() (any, error) {
	c, err := r.ownComment()
	if err != nil {
		return nil, err
	}
	c.delete(r.actor)
	return nil, nil
}

func (r *request) listRepoComments() (any, error) {
	var list []*comment
	for _, t := range r.repo.threads {
		if !t.deleted {
			list = append(list, t.comments...)
		}
	}
	slices.SortFunc(list, func(a, b *comment) int { return int(a.id - b.id) })
	return page(r, list, r.s.commentJSON), nil
}

func (r *request) putLock() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	var in struct {
		Reason *string `json:"lock_reason"`
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	reason := ""
	if in.Reason != nil {
		reason = *in.Reason
		if !slices.Contains([]string{"off-topic", "too heated", "resolved", "spam"}, reason) {
			return nil, invalid("Issue", "lock_reason", "invalid", "")
		}
	}
	t.lock(r.actor, true, reason)
	return nil, nil
}

func (r *request) deleteLock() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	t.lock(r.actor, false, "")
	return nil, nil
}
