package fakegithub

import (
	"slices"
	"strings"
	"time"
)

// The acts below change the state and send the events, whoever acts: the API and people both come here. Callers hold s.mu and have checked
// that the act is allowed.

// permission is the one without which the app is not told of a thread.
func (t *thread) permission() string {
	if t.pull != nil {
		return "pull_requests"
	}
	return "issues"
}

// tell sends an event about the thread: issues or pull_request.
func (t *thread) tell(action string, by *account, extra object) {
	fields, name := object{"issue": t.repo.s.issueJSON(t, true)}, "issues"
	if t.pull != nil {
		fields, name = object{"number": t.number, "pull_request": t.repo.s.wholePullJSON(t, true)}, "pull_request"
	}
	for k, v := range extra {
		fields[k] = v
	}
	t.repo.s.emit(event{name: name, action: action, repo: t.repo, sender: by, fields: fields, permission: t.permission()})
}

// note writes the thread's own history, which the API shows as events.
func (t *thread) note(what string, by *account, l *label) {
	s := t.repo.s
	t.updated = s.now()
	t.events = append(t.events, &issueEvent{id: s.id(), what: what, actor: by, at: s.now(), label: l, reason: t.lockReason})
}

// open puts an issue or pull request into the repository.
func (r *Repo) open(t *thread) {
	t.repo, t.id, t.number = r, r.s.id(), len(r.threads)+1
	t.created = r.s.now()
	t.updated = t.created
	r.threads = append(r.threads, t)
	t.tell("opened", t.user, nil)
	for _, l := range t.labels {
		t.note("labeled", t.user, l)
		t.tell("labeled", t.user, object{"label": r.s.labelJSON(r, l)})
	}
	for _, a := range t.assignees {
		t.note("assigned", t.user, nil)
		t.tell("assigned", t.user, object{"assignee": r.s.userJSON(a)})
	}
}

func (t *thread) edit(by *account, title, body *string) {
	changes := object{}
	if title != nil && *title != t.title {
		changes["title"] = object{"from": t.title}
		t.title = *title
	}
	if body != nil && *body != t.body {
		changes["body"] = object{"from": t.body}
		t.body = *body
	}
	if len(changes) == 0 {
		return
	}
	t.updated = t.repo.s.now()
	t.tell("edited", by, object{"changes": changes})
}

func (t *thread) close(by *account, reason string) {
	if t.closed {
		return
	}
	t.closed, t.closedBy, t.closedAt, t.reason = true, by, t.repo.s.now(), ""
	if t.pull == nil {
		t.reason = orElse(reason, "completed")
	}
	t.note("closed", by, nil)
	t.tell("closed", by, nil)
}

func (t *thread) reopen(by *account) {
	if !t.closed {
		return
	}
	t.closed, t.closedBy, t.reason = false, nil, ""
	t.closedAt = time.Time{}
	if t.pull == nil {
		t.reason = "reopened"
	}
	t.note("reopened", by, nil)
	t.tell("reopened", by, nil)
}

// lock locks or unlocks. GitHub says nothing where it is so already.
func (t *thread) lock(by *account, on bool, reason string) {
	if t.locked == on {
		return
	}
	t.locked, t.lockReason = on, reason
	what := "unlocked"
	if on {
		what = "locked"
	}
	t.note(what, by, nil)
	t.tell(what, by, nil)
}

// say adds a comment.
func (t *thread) say(by *account, body string, viaApp bool) *comment {
	s := t.repo.s
	c := &comment{id: s.id(), thread: t, body: body, user: by, byApp: viaApp, created: s.now(), updated: s.now()}
	t.comments = append(t.comments, c)
	t.repo.commentsBy[c.id] = c
	t.updated = c.created
	c.tell("created", by, nil)
	return c
}

func (c *comment) tell(action string, by *account, extra object) {
	s, t := c.thread.repo.s, c.thread
	fields := object{"issue": s.issueJSON(t, true), "comment": s.commentJSON(c)}
	for k, v := range extra {
		fields[k] = v
	}
	s.emit(event{name: "issue_comment", action: action, repo: t.repo, sender: by, fields: fields, permission: t.permission()})
}

func (c *comment) edit(by *account, body string) {
	if body == c.body {
		return
	}
	from := c.body
	c.body, c.updated = body, c.thread.repo.s.now()
	c.tell("edited", by, object{"changes": object{"body": object{"from": from}}})
}

func (c *comment) delete(by *account) {
	t := c.thread
	t.comments = slices.DeleteFunc(t.comments, func(x *comment) bool { return x == c })
	delete(t.repo.commentsBy, c.id)
	t.updated = t.repo.s.now()
	c.tell("deleted", by, nil)
}

// label finds a label of the repository, or makes it.
func (r *Repo) label(name string, by *account) *label {
	for _, l := range r.labels {
		if strings.EqualFold(l.name, name) {
			return l
		}
	}
	l := &label{id: r.s.id(), name: name, color: "ededed"}
	r.labels = append(r.labels, l)
	r.s.emit(event{name: "label", action: "created", repo: r, sender: by, fields: object{"label": r.s.labelJSON(r, l)}, permission: "issues"})
	return l
}

func (t *thread) addLabel(by *account, l *label) {
	if slices.Contains(t.labels, l) {
		return
	}
	t.labels = append(t.labels, l)
	t.note("labeled", by, l)
	t.tell("labeled", by, object{"label": t.repo.s.labelJSON(t.repo, l)})
}

func (t *thread) removeLabel(by *account, l *label) {
	t.labels = slices.DeleteFunc(t.labels, func(x *label) bool { return x == l })
	t.note("unlabeled", by, l)
	t.tell("unlabeled", by, object{"label": t.repo.s.labelJSON(t.repo, l)})
}

// react adds a reaction, once for each person and content. GitHub tells nobody of reactions.
func react(s *Server, list *[]*reaction, by *account, content string) (*reaction, bool) {
	for _, x := range *list {
		if x.user == by && x.content == content {
			return x, false
		}
	}
	x := &reaction{id: s.id(), user: by, content: content, created: s.now()}
	*list = append(*list, x)
	return x, true
}
