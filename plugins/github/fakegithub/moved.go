package fakegithub

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// GitHub has a second address for what has a name that may change: /repositories/ID and /organizations/ID. Links to further pages have it,
// and redirects of what was renamed.

// named gives the address by name of one by number; what it does not know it leaves as it is. The caller holds s.mu.
func (s *Server) named(path string) string {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	id, rest, more := strings.Cut(rest, "/")
	if more {
		rest = "/" + rest
	}
	switch kind {
	case "repositories":
		if n := slices.IndexFunc(s.repos, func(r *Repo) bool { return text(r.id) == id }); n >= 0 {
			return "/repos/" + s.repos[n].full() + rest
		}
	case "organizations":
		if n := slices.IndexFunc(s.orgs, func(o *Org) bool { return text(o.acc.id) == id }); n >= 0 {
			return "/orgs/" + s.orgs[n].acc.login + rest
		}
	}
	return path
}

// numbered is the other way round: the request's own address by number.
func (r *request) numbered() string {
	parts := strings.SplitN(strings.TrimPrefix(r.call.Path, "/"), "/", 4)
	switch {
	case r.repo != nil && len(parts) > 3 && parts[0] == "repos":
		return "/repositories/" + text(r.repo.id) + "/" + parts[3]
	case r.repo != nil && parts[0] == "repos":
		return "/repositories/" + text(r.repo.id)
	case r.org != nil && len(parts) > 2 && parts[0] == "orgs":
		return "/organizations/" + text(r.org.acc.id) + "/" + strings.Join(parts[2:], "/")
	}
	return r.call.Path
}

// moved is the redirect to what has another address now. Other methods than GET keep theirs with 307.
func (r *request) moved(to string) error {
	e := &apiError{status: http.StatusTemporaryRedirect, message: "Moved Permanently", header: http.Header{}, url: to}
	if r.http.Method == http.MethodGet {
		e.status = http.StatusMovedPermanently
	}
	e.header.Set("Location", to)
	return e
}

// renamed finds a repository by a name that it had.
func (s *Server) renamed(owner, name string) *Repo {
	was := func(now string, before []string, is string) bool {
		return strings.EqualFold(now, is) || slices.ContainsFunc(before, func(n string) bool { return strings.EqualFold(n, is) })
	}
	for _, r := range s.repos {
		if was(r.owner.login, r.owner.names, owner) && was(r.name, r.names, name) {
			return r
		}
	}
	return nil
}

// Rename gives the organisation another login. The old addresses of its repositories redirect, and its own are gone
// (https://docs.github.com/en/organizations/managing-organization-settings/renaming-an-organization, 2026-11). The app is told of it.
func (o *Org) Rename(by, login string) error {
	return o.act(by, "rename the organisation", func(a *account) error {
		if o.s.account(login) != nil {
			return fmt.Errorf("%w: the name %q is taken", ErrRefused, login)
		}
		from := o.acc.login
		delete(o.s.accounts, strings.ToLower(from))
		o.acc.names, o.acc.login = append(o.acc.names, from), login
		o.s.accounts[strings.ToLower(login)] = o.acc
		if i := o.s.installOn(o.acc); i != nil {
			o.s.emitInstall(i, "installation_target", "renamed", a, object{
				"account": o.s.userJSON(o.acc), "changes": object{"login": object{"from": from}}, "target_type": "Organization",
				"installation": object{"id": i.id, "node_id": node("Integration", i.id)},
			})
		}
		return nil
	})
}

// rename gives the repository another name. The old one redirects. Callers hold s.mu.
func (r *Repo) rename(by *account, name string) {
	from := r.name
	r.names, r.name = append(r.names, from), name
	r.s.emit(event{name: "repository", action: "renamed", repo: r, sender: by, permission: "metadata",
		fields: object{"changes": object{"repository": object{"name": object{"from": from}}}}})
}

// Rename renames the repository. Its old address redirects to the new one.
func (r *Repo) Rename(by, name string) error {
	return r.act(by, "admin", "rename", func(a *account) error {
		if r.s.repo(r.owner.login, name) != nil {
			return fmt.Errorf("%w: the name %q is taken", ErrRefused, name)
		}
		r.rename(a, name)
		return nil
	})
}

func (r *request) patchRepo() (any, error) {
	var in struct {
		Name        *string
		Description *string
		Private     *bool
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if in.Name != nil && *in.Name != r.repo.name {
		if r.s.repo(r.repo.owner.login, *in.Name) != nil {
			return nil, invalid("Repository", "name", "custom", "name already exists on this account")
		}
		r.repo.rename(r.actor, *in.Name)
	}
	if in.Private != nil {
		r.repo.private = *in.Private
	}
	set(&r.repo.about, in.Description)
	return r.getRepo()
}

func (r *request) listRepoInvitations() (any, error) {
	return page(r, r.repo.invited, func(i *invitation) object { return r.s.repoInvitationJSON(r.repo, i) }), nil
}

// myInvitation finds an invitation to a repository that is for who asks.
func (r *request) myInvitation() (*Repo, *invitation, error) {
	for _, repo := range r.s.repos {
		for _, i := range repo.invited {
			if text(i.id) == r.vars["invitation_id"] && i.who == r.actor {
				return repo, i, nil
			}
		}
	}
	return nil, nil, notFound()
}

func (r *request) acceptRepoInvitation() (any, error) {
	repo, i, err := r.myInvitation()
	if err != nil {
		return nil, err
	}
	repo.collaborate(i.by, i.who, i.role)
	return nil, nil
}

func (r *request) declineRepoInvitation() (any, error) {
	repo, i, err := r.myInvitation()
	if err != nil {
		return nil, err
	}
	repo.invited = slices.DeleteFunc(repo.invited, func(x *invitation) bool { return x == i })
	return nil, nil
}
