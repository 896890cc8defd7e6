package fakegithub

import (
	"fmt"
	"time"
)

// Push puts a commit on a branch, and gives its SHA. The pull requests of that branch move on.
func (r *Repo) Push(by, branch, message string) (sha string, err error) {
	err = r.act(by, "write", "push", func(a *account) error {
		before := r.head
		sha = newSHA()
		if branch == "main" {
			r.head = sha
		}
		r.tellPush(a, "refs/heads/"+branch, before, sha, message)
		for _, t := range r.threads {
			if t.pull == nil || t.closed || t.pull.head != branch {
				continue
			}
			old := t.pull.sha
			t.pull.sha = sha
			t.tell("synchronize", a, object{"before": old, "after": sha})
		}
		return nil
	})
	return sha, err
}

// inPull is inThread for a pull request.
func (r *Repo) inPull(by, right, what string, number int, do func(a *account, t *thread) error) error {
	return r.inThread(by, right, what, number, func(a *account, t *thread) error {
		if t.pull == nil {
			return fmt.Errorf("%w: %d is no pull request", ErrRefused, number)
		}
		return do(a, t)
	})
}

// Merge merges a pull request.
func (r *Repo) Merge(by string, number int) error {
	return r.inPull(by, "write", "merge", number, func(a *account, t *thread) error {
		if t.closed || t.pull.conflict || t.pull.checksFail || t.pull.draft {
			return fmt.Errorf("%w: it is not mergeable", ErrRefused)
		}
		t.merge(a, "merge")
		return nil
	})
}

// Review reviews a pull request: APPROVE, REQUEST_CHANGES or COMMENT.
func (r *Repo) Review(by string, number int, verdict, body string) error {
	return r.inPull(by, "read", "review", number, func(a *account, t *thread) error {
		state := reviewStates[verdict]
		if state == "" || state == "PENDING" || t.user == a && state != "COMMENTED" {
			return fmt.Errorf("%w: verdict %q", ErrRefused, verdict)
		}
		t.review(a, state, body, "")
		return nil
	})
}

// SetMergeable says whether a pull request has conflicts with its base, or a check that it needs fails.
func (r *Repo) SetMergeable(number int, conflict, checksFail bool) error {
	return r.fill(number, func(t *thread, _ time.Time) {
		if t.pull != nil {
			t.pull.conflict, t.pull.checksFail = conflict, checksFail
		}
	})
}

// Collaborate gives somebody rights: read, triage, write, maintain or admin.
func (r *Repo) Collaborate(by, who, right string) error {
	return r.act(by, "admin", "add a collaborator", func(a *account) error {
		r.collaborate(a, r.s.user(who), right)
		return nil
	})
}

// Uncollaborate takes them away.
func (r *Repo) Uncollaborate(by, who string) error {
	return r.act(by, "admin", "remove a collaborator", func(a *account) error {
		r.uncollaborate(a, r.s.user(who))
		return nil
	})
}

// AcceptCollaboration is somebody accepting an invitation to the repository.
func (r *Repo) AcceptCollaboration(who string) error {
	r.s.mu.Lock()
	a := r.s.user(who)
	i := invitationOf(r.invited, a)
	if i != nil {
		r.collaborate(i.by, a, i.role)
	}
	r.s.mu.Unlock()
	r.s.told()
	if i == nil {
		return fmt.Errorf("%w: %s is not invited", ErrRefused, who)
	}
	return nil
}
