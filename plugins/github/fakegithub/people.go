package fakegithub

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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

// SetPermissions changes what an installation lets the app do. The tokens that there are lose what is taken away, and gain nothing: what is granted
// later only later tokens may do.
func (s *Server) SetPermissions(id int64, permissions map[string]string) error {
	return s.withInstall(id, "set permissions", func(i *installation, owner *account) {
		i.permissions = maps.Clone(permissions)
		for _, t := range s.tokens {
			if t.install == i {
				t.permissions = lesser(t.permissions, i.permissions)
			}
		}
		s.emitInstall(i, "installation", "new_permissions_accepted", owner, nil)
	})
}

// lesser is what both let.
func lesser(a, b map[string]string) map[string]string {
	out := map[string]string{}
	for name, level := range a {
		if other, ok := b[name]; ok && enough(level, other) {
			out[name] = other
		} else if ok {
			out[name] = level
		}
	}
	return out
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
