package fakegithub

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// defaultPermissions are what a gateway's app asks for.
func defaultPermissions() map[string]string {
	return map[string]string{
		"metadata": "read", "issues": "write", "pull_requests": "write", "contents": "write", "checks": "write", "administration": "write", "members": "write",
		"organization_user_blocking": "write", "organization_administration": "write",
	}
}

// AddUser adds a person. Adding one again gives them other addresses.
func (s *Server) AddUser(login string, emails ...Email) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user(login).emails = emails
}

// user finds a person, or adds them.
func (s *Server) user(login string) *account {
	if a := s.account(login); a != nil {
		return a
	}
	return s.addAccount(login, "User")
}

// RenameUser gives a person another login. Everything of theirs has it from now on, and the old one is nobody's.
func (s *Server) RenameUser(login, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(login)
	if a == nil || a.kind != "User" || s.account(to) != nil {
		return fmt.Errorf("%w: rename %q to %q", ErrRefused, login, to)
	}
	delete(s.accounts, strings.ToLower(login))
	a.login = to
	s.accounts[strings.ToLower(to)] = a
	return nil
}

// DeleteUser is somebody deleting their account. What they wrote is @ghost's from now on, their reactions are nobody's, and the app is told of neither.
func (s *Server) DeleteUser(login string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(login)
	if a == nil || a.kind != "User" {
		return fmt.Errorf("%w: delete %q", ErrRefused, login)
	}
	s.endGrant(a)
	delete(s.accounts, strings.ToLower(login))
	ghost := s.user("ghost")
	for _, o := range s.orgs {
		o.forget(a)
	}
	for _, r := range s.repos {
		r.forget(a, ghost)
	}
	return nil
}

// AddOrg adds an organisation with its owners.
func (s *Server) AddOrg(login string, owners ...string) *Org {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &Org{s: s, acc: s.addAccount(login, "Organization")}
	for _, name := range owners {
		o.members = append(o.members, &member{s.user(name), "admin"})
	}
	s.orgs = append(s.orgs, o)
	return o
}

// AddRepo adds a public repository to an organisation or a person, who is added if need be.
func (s *Server) AddRepo(owner, name string) *Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Repo{s: s, id: s.id(), owner: s.user(owner), name: name, created: s.now(), updated: s.now(), head: newSHA(), commentsBy: map[int64]*comment{}}
	r.firstLabels()
	s.repos = append(s.repos, r)
	return r
}

// Private makes the repository private: whoever has no access is told that it does not exist.
func (r *Repo) Private() *Repo {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.private = true
	return r
}

// AllowEmails gives the app the account permission "Email addresses: read".
func (s *Server) AllowEmails() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emails = true
}

// Installing says how the app is installed, for [Server.Install]. The zero value is for all repositories, with all that a gateway needs.
type Installing struct {
	By           string            // nothing: the first owner of the account
	Permissions  map[string]string // nil: everything that the plugin can use
	Repositories []string          // by name; nil: all
}

// Install puts the app on an account, as if somebody had done it on GitHub, and gives the installation's number.
func (s *Server) Install(on string, how Installing) (int64, error) {
	s.mu.Lock()
	target := s.account(on)
	if target == nil || target.kind == "Bot" || s.installOn(target) != nil {
		s.mu.Unlock()
		return 0, fmt.Errorf("%w: install on %q: there is no such account, or the app is installed there", ErrRefused, on)
	}
	by := s.ownerOf(target)
	if how.By != "" {
		by = s.user(how.By)
	}
	var selected []*Repo
	for _, name := range how.Repositories {
		if r := s.repo(on, name); r != nil {
			selected = append(selected, r)
		}
	}
	permissions := how.Permissions
	if permissions == nil {
		permissions = defaultPermissions()
	}
	i := s.newInstallation(target, by, maps.Clone(permissions), selected)
	s.mu.Unlock()
	s.told()
	return i.id, nil
}

// ownerOf is who acts for an account.
func (s *Server) ownerOf(a *account) *account {
	if o := s.orgOf(a); o != nil {
		for _, m := range o.members {
			if m.role == "admin" {
				return m.who
			}
		}
	}
	return a
}

// withInstall does something to an installation, as its account's owner.
func (s *Server) withInstall(id int64, what string, act func(i *installation, owner *account)) error {
	s.mu.Lock()
	i := s.install(text(id))
	if i == nil {
		s.mu.Unlock()
		return fmt.Errorf("%w: %s: there is no installation %d", ErrRefused, what, id)
	}
	act(i, s.ownerOf(i.account))
	s.mu.Unlock()
	s.told()
	return nil
}

// Uninstall ends an installation: its tokens stop working at once.
func (s *Server) Uninstall(id int64) error {
	return s.withInstall(id, "uninstall", func(i *installation, owner *account) { s.uninstall(i, owner) })
}

// Suspend suspends an installation: nothing works, and nothing is delivered, until [Server.Unsuspend].
func (s *Server) Suspend(id int64) error {
	return s.withInstall(id, "suspend", func(i *installation, owner *account) { s.suspend(i, owner, true) })
}

// Unsuspend ends what [Server.Suspend] began.
func (s *Server) Unsuspend(id int64) error {
	return s.withInstall(id, "unsuspend", func(i *installation, owner *account) { s.suspend(i, owner, false) })
}

// SetPermissions changes what an installation lets the app do, also for the tokens that there are.
func (s *Server) SetPermissions(id int64, permissions map[string]string) error {
	return s.withInstall(id, "set permissions", func(i *installation, owner *account) {
		i.permissions = maps.Clone(permissions)
		for _, t := range s.tokens {
			if t.install == i {
				t.permissions = i.permissions
			}
		}
		s.emitInstall(i, "installation", "new_permissions_accepted", owner, nil)
	})
}

// SelectRepositories changes which repositories an installation is for.
func (s *Server) SelectRepositories(id int64, names ...string) error {
	return s.withInstall(id, "select repositories", func(i *installation, owner *account) {
		before := slices.DeleteFunc(slices.Clone(s.repos), func(r *Repo) bool { return !i.covers(r) })
		i.selected = []*Repo{}
		for _, r := range s.repos {
			if r.owner == i.account && slices.Contains(names, r.name) {
				i.selected = append(i.selected, r)
			}
		}
		s.tellSelection(i, owner, "added", missingFrom(i.selected, before))
		s.tellSelection(i, owner, "removed", missingFrom(before, i.selected))
	})
}

// missingFrom lists what is in a and not in b.
func missingFrom(a, b []*Repo) []*Repo {
	return slices.DeleteFunc(slices.Clone(a), func(r *Repo) bool { return slices.Contains(b, r) })
}

func (s *Server) tellSelection(i *installation, by *account, action string, list []*Repo) {
	if len(list) == 0 {
		return
	}
	lite := []object{}
	for _, r := range list {
		lite = append(lite, object{"id": r.id, "node_id": node("Repository", r.id), "name": r.name, "full_name": r.full(), "private": r.private})
	}
	fields := object{"repository_selection": "selected", "repositories_added": []object{}, "repositories_removed": []object{}, "requester": nil}
	fields["repositories_"+action] = lite
	s.emitInstall(i, "installation_repositories", action, by, fields)
}

// EndTokens makes every installation token that there is stop working, as GitHub does with leaked ones. New ones can be had.
func (s *Server) EndTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.install != nil {
			t.ended = true
		}
	}
}

// LogIn makes a token of a person's, without the web, for tests of the API.
func (s *Server) LogIn(login string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newUserToken(s.user(login)).text
}

// Revoke is a person taking back their authorization of the app: their tokens end, and the app is told.
func (s *Server) Revoke(login string) {
	s.mu.Lock()
	a := s.user(login)
	s.endGrant(a)
	d := s.newDelivery("github_app_authorization", "revoked", rawJSON(object{"action": "revoked", "sender": s.userJSON(a)}))
	s.queue.add(d, false)
	s.mu.Unlock()
	s.told()
}

// Ping says hello to the webhook, as GitHub does when it is made.
func (s *Server) Ping() {
	s.mu.Lock()
	now := stamp(s.now())
	hook := object{"type": "App", "id": hookID, "name": "web", "active": true, "events": allEvents, "app_id": s.app.ID, "created_at": now, "updated_at": now, "deliveries_url": apiURL + "/app/hook/deliveries", "url": apiURL + "/app/hook", "ping_url": apiURL + "/app/hook/pings",
		"config": object{"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": "https://example.com/webhook"}}
	s.queue.add(s.newDelivery("ping", "", rawJSON(object{"zen": "Keep it logically awesome.", "hook_id": hookID, "hook": hook})), false)
	s.mu.Unlock()
	s.told()
}

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
