package fakegithub

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// act is what somebody does in a repository: with the lock held, and if they have the right to.
func (r *Repo) act(by, right, what string, do func(a *account) error) error {
	r.s.mu.Lock()
	a := r.s.user(by)
	err := r.allowed(a, right)
	if err == nil {
		err = do(a)
	}
	r.s.mu.Unlock()
	r.s.told()
	if err != nil {
		return fmt.Errorf("fakegithub: %s by %s in %s: %w", what, by, r.full(), err)
	}
	return nil
}

func (r *Repo) allowed(a *account, right string) error {
	if !r.can(a, right) {
		return fmt.Errorf("%w: it needs the right %q", ErrRefused, right)
	}
	if why := r.shuts(a); why != "" {
		return fmt.Errorf("%w: %s", ErrRefused, why)
	}
	return nil
}

// inThread is act for a thread of the repository.
func (r *Repo) inThread(by, right, what string, number int, do func(a *account, t *thread) error) error {
	return r.act(by, right, what, func(a *account) error {
		t := r.thread(number)
		if t == nil || t.deleted || t.moved != nil {
			return fmt.Errorf("%w: there is no issue %d", ErrRefused, number)
		}
		return do(a, t)
	})
}

// OpenIssue opens an issue and gives its number.
func (r *Repo) OpenIssue(by, title, body string) (number int, err error) {
	err = r.act(by, "read", "open an issue", func(a *account) error {
		t := &thread{title: title, body: body, user: a}
		r.open(t)
		number = t.number
		return nil
	})
	return number, err
}

// OpenPull opens a pull request of a branch and gives its number.
func (r *Repo) OpenPull(by, title, branch string) (number int, err error) {
	err = r.act(by, "read", "open a pull request", func(a *account) error {
		t := &thread{title: title, user: a, pull: &pull{head: branch, base: "main", sha: newSHA(), baseSHA: r.head}}
		r.open(t)
		number = t.number
		return nil
	})
	return number, err
}

// Comment comments, and gives the comment's ID.
func (r *Repo) Comment(by string, number int, body string) (id int64, err error) {
	err = r.inThread(by, "read", "comment", number, func(a *account, t *thread) error {
		if t.locked && !r.can(a, "write") {
			return fmt.Errorf("%w: the conversation is locked", ErrRefused)
		}
		id = t.say(a, body, false).id
		return nil
	})
	return id, err
}

// onComment is act for a comment, which is one's own, or whoever does it may write.
func (r *Repo) onComment(by, what string, id int64, do func(a *account, c *comment)) error {
	return r.act(by, "read", what, func(a *account) error {
		c := r.commentsBy[id]
		if c == nil || c.user != a && !r.can(a, "write") {
			return fmt.Errorf("%w: there is no comment %d, or it is somebody else's", ErrRefused, id)
		}
		do(a, c)
		return nil
	})
}

// EditComment changes a comment.
func (r *Repo) EditComment(by string, id int64, body string) error {
	return r.onComment(by, "edit a comment", id, func(a *account, c *comment) { c.edit(a, body) })
}

// DeleteComment deletes a comment.
func (r *Repo) DeleteComment(by string, id int64) error {
	return r.onComment(by, "delete a comment", id, func(a *account, c *comment) { c.delete(a) })
}

// React adds a reaction to an issue: +1, -1, laugh, confused, heart, hooray, rocket or eyes. GitHub tells no app.
func (r *Repo) React(by string, number int, content string) error {
	return r.inThread(by, "read", "react", number, func(a *account, t *thread) error {
		if !slices.Contains(contents, content) {
			return fmt.Errorf("%w: there is no reaction %q", ErrRefused, content)
		}
		react(r.s, &t.reactions, a, content)
		return nil
	})
}

// Unreact takes a reaction back.
func (r *Repo) Unreact(by string, number int, content string) error {
	return r.inThread(by, "read", "unreact", number, func(a *account, t *thread) error {
		t.reactions = slices.DeleteFunc(t.reactions, func(x *reaction) bool { return x.user == a && x.content == content })
		return nil
	})
}

// ReactToComment adds a reaction to a comment.
func (r *Repo) ReactToComment(by string, id int64, content string) error {
	return r.act(by, "read", "react", func(a *account) error {
		c := r.commentsBy[id]
		if c == nil || !slices.Contains(contents, content) {
			return fmt.Errorf("%w: there is no comment %d, or no such reaction", ErrRefused, id)
		}
		react(r.s, &c.reactions, a, content)
		return nil
	})
}

// FillComments adds n comments as if they had been there before the app: it is told of none.
func (r *Repo) FillComments(number, n int, each func(i int) (login, body string)) error {
	return r.fill(number, func(t *thread, now time.Time) {
		for i := range n {
			login, body := each(i)
			c := &comment{id: r.s.id(), thread: t, body: body, user: r.s.user(login), created: now, updated: now}
			t.comments = append(t.comments, c)
			r.commentsBy[c.id] = c
		}
	})
}

// FillReactions adds n reactions at once.
func (r *Repo) FillReactions(number, n int, each func(i int) (login, content string)) error {
	return r.fill(number, func(t *thread, now time.Time) {
		for i := range n {
			login, content := each(i)
			t.reactions = append(t.reactions, &reaction{id: r.s.id(), user: r.s.user(login), content: content, created: now})
		}
	})
}

func (r *Repo) fill(number int, do func(t *thread, now time.Time)) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	t := r.thread(number)
	if t == nil {
		return fmt.Errorf("%w: there is no issue %d", ErrRefused, number)
	}
	do(t, r.s.now())
	return nil
}

// Label puts a label on an issue, which is made if the repository has none of that name.
func (r *Repo) Label(by string, number int, name string) error {
	return r.inThread(by, "triage", "label", number, func(a *account, t *thread) error {
		t.addLabel(a, r.label(name, a))
		return nil
	})
}

// Unlabel takes a label away.
func (r *Repo) Unlabel(by string, number int, name string) error {
	return r.inThread(by, "triage", "unlabel", number, func(a *account, t *thread) error {
		for _, l := range t.labels {
			if strings.EqualFold(l.name, name) {
				t.removeLabel(a, l)
				return nil
			}
		}
		return fmt.Errorf("%w: it has no label %q", ErrRefused, name)
	})
}

// own is the right that somebody needs for an issue: none beyond reading for their own.
func (r *Repo) own(by string, number int) string {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if t := r.thread(number); t != nil && strings.EqualFold(t.user.login, by) {
		return "read"
	}
	return "triage"
}

// EditIssue changes title and text.
func (r *Repo) EditIssue(by string, number int, title, body string) error {
	return r.inThread(by, r.own(by, number), "edit", number, func(a *account, t *thread) error {
		t.edit(a, &title, &body)
		return nil
	})
}

// Close closes an issue or pull request.
func (r *Repo) Close(by string, number int) error {
	return r.inThread(by, r.own(by, number), "close", number, func(a *account, t *thread) error {
		t.close(a, "")
		return nil
	})
}

// Reopen opens it again.
func (r *Repo) Reopen(by string, number int) error {
	return r.inThread(by, r.own(by, number), "reopen", number, func(a *account, t *thread) error {
		if t.pull != nil && t.pull.merged {
			return fmt.Errorf("%w: it is merged", ErrRefused)
		}
		t.reopen(a)
		return nil
	})
}

// Lock locks a conversation.
func (r *Repo) Lock(by string, number int, reason string) error {
	return r.inThread(by, "write", "lock", number, func(a *account, t *thread) error {
		t.lock(a, true, reason)
		return nil
	})
}

// Unlock unlocks it.
func (r *Repo) Unlock(by string, number int) error {
	return r.inThread(by, "write", "unlock", number, func(a *account, t *thread) error {
		t.lock(a, false, "")
		return nil
	})
}

// DeleteIssue deletes an issue: the API answers 410 from now on.
func (r *Repo) DeleteIssue(by string, number int) error {
	return r.inThread(by, "admin", "delete an issue", number, func(a *account, t *thread) error {
		t.tell("deleted", a, nil)
		t.deleted = true
		return nil
	})
}

// Transfer moves an issue to another repository of the same owner, and gives its number there. The API redirects.
func (r *Repo) Transfer(by string, number int, to *Repo) (moved int, err error) {
	err = r.inThread(by, "write", "transfer an issue", number, func(a *account, t *thread) error {
		n := *t
		n.repo, n.id, n.number = to, r.s.id(), len(to.threads)+1
		n.comments = nil
		to.threads = append(to.threads, &n)
		for _, c := range t.comments {
			c.thread = &n
			n.comments = append(n.comments, c)
			to.commentsBy[c.id] = c
			delete(r.commentsBy, c.id)
		}
		t.tell("transferred", a, object{"changes": object{"new_issue": r.s.issueJSON(&n, true), "new_repository": r.s.repoJSON(to, true)}})
		t.moved, moved = &n, n.number
		return nil
	})
	return moved, err
}
