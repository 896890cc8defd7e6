package fakegithub

import "time"

// checkRun is a check of a commit, which only apps make.
type checkRun struct {
	id                                int64
	name, sha, status, conclusion     string
	title, summary, details, external string
	started, completed                time.Time
}

type checkIn struct {
	Name, Status, Conclusion *string
	HeadSHA                  string  `json:"head_sha"`
	DetailsURL               *string `json:"details_url"`
	ExternalID               *string `json:"external_id"`
	Output                   *struct{ Title, Summary string }
}

func set(to *string, v *string) {
	if v != nil {
		*to = *v
	}
}

// apply changes a check. A conclusion makes it completed.
func (c *checkRun) apply(in checkIn, now time.Time) error {
	set(&c.name, in.Name)
	set(&c.status, in.Status)
	set(&c.conclusion, in.Conclusion)
	set(&c.details, in.DetailsURL)
	set(&c.external, in.ExternalID)
	if in.Output != nil {
		c.title, c.summary = in.Output.Title, in.Output.Summary
	}
	if in.Conclusion != nil {
		c.status = "completed"
	}
	if c.status == "completed" && c.conclusion == "" {
		return unprocessable("Invalid request.\n\nNo subschema in \"oneOf\" matched.")
	}
	if c.status == "completed" && c.completed.IsZero() {
		c.completed = now
	}
	return nil
}

func (r *request) postCheckRun() (any, error) {
	var in checkIn
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if in.Name == nil || *in.Name == "" || in.HeadSHA == "" {
		return nil, unprocessable("Invalid request.\n\n\"name\", \"head_sha\" weren't supplied.")
	}
	c := &checkRun{id: r.s.id(), sha: in.HeadSHA, status: "queued", started: r.s.now()}
	if err := c.apply(in, r.s.now()); err != nil {
		return nil, err
	}
	r.repo.checks = append(r.repo.checks, c)
	return r.checkJSON(c), nil
}

func (r *request) checkRun() (*checkRun, error) {
	for _, c := range r.repo.checks {
		if text(c.id) == r.vars["check_run_id"] {
			return c, nil
		}
	}
	return nil, notFound()
}

func (r *request) getCheckRun() (any, error) {
	c, err := r.checkRun()
	if err != nil {
		return nil, err
	}
	return r.checkJSON(c), nil
}

func (r *request) patchCheckRun() (any, error) {
	c, err := r.checkRun()
	if err != nil {
		return nil, err
	}
	var in checkIn
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if err := c.apply(in, r.s.now()); err != nil {
		return nil, err
	}
	return r.checkJSON(c), nil
}

func (r *request) checkJSON(c *checkRun) object {
	u := apiURL + "/repos/" + r.repo.full() + "/check-runs/" + text(c.id)
	return object{
		"id": c.id, "node_id": node("CheckRun", c.id), "head_sha": c.sha, "external_id": c.external, "url": u, "html_url": "https://github.com/" + r.repo.full() + "/runs/" + text(c.id), "details_url": textOrNull(c.details),
		"status": c.status, "conclusion": textOrNull(c.conclusion), "started_at": stamp(c.started), "completed_at": stampOrNull(c.completed), "name": c.name, "check_suite": object{"id": c.id}, "app": r.s.appJSON(), "pull_requests": []object{},
		"output": object{"title": textOrNull(c.title), "summary": textOrNull(c.summary), "text": nil, "annotations_count": 0, "annotations_url": u + "/annotations"},
	}
}

// listIssueEvents is an issue's history.
func (r *request) listIssueEvents() (any, error) {
	t, err := r.thread()
	if err != nil {
		return nil, err
	}
	return page(r, t.events, func(e *issueEvent) object {
		o := object{"id": e.id, "node_id": node("IssueEvent", e.id), "url": apiURL + "/repos/" + r.repo.full() + "/issues/events/" + text(e.id), "actor": r.s.userJSON(e.actor), "event": e.what, "commit_id": nil, "commit_url": nil,
			"created_at": stamp(e.at), "performed_via_github_app": nil}
		switch {
		case e.label != nil:
			o["label"] = object{"name": e.label.name, "color": e.label.color}
		case e.what == "locked":
			o["lock_reason"] = textOrNull(e.reason)
		}
		return o
	}), nil
}
