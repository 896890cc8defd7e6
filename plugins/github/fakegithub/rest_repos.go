package fakegithub

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

func (r *request) getRepo() (any, error) {
	o := r.s.repoJSON(r.repo, false)
	o["network_count"], o["subscribers_count"] = 0, 0
	o["permissions"] = permissionsJSON(r.repo, r.actor)
	if r.repo.owner.kind == "Organization" {
		o["organization"] = r.s.userJSON(r.repo.owner)
	}
	return o, nil
}

// roleNames are what collaborators may do, by the names that the API takes.
var roleNames = map[string]string{"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}

// everyone lists who may do something in the repository: its owner or the organisation's owners and members, and its collaborators.
func (r *Repo) everyone() []*account {
	var out []*account
	if o := r.s.orgOf(r.owner); o != nil {
		for _, m := range o.members {
			out = append(out, m.who)
		}
	} else {
		out = append(out, r.owner)
	}
	for _, m := range r.people {
		if !slices.Contains(out, m.who) {
			out = append(out, m.who)
		}
	}
	return out
}

func (r *request) listCollaborators() (any, error) {
	list := r.repo.everyone()
	if wants := r.call.Query.Get("permission"); wants != "" {
		list = slices.DeleteFunc(list, func(a *account) bool { return !r.repo.can(a, roleNames[wants]) })
	}
	return page(r, list, func(a *account) object {
		o := r.s.userJSON(a)
		o["role_name"] = r.repo.rights(a)
		o["permissions"] = permissionsJSON(r.repo, a)
		return o
	}), nil
}

func permissionsJSON(r *Repo, a *account) object {
	o := object{}
	for name, role := range roleNames {
		o[name] = r.can(a, role)
	}
	return o
}

func (r *request) getCollaborator() (any, error) {
	a, err := r.person()
	if err != nil || !slices.Contains(r.repo.everyone(), a) {
		return nil, notFound()
	}
	return nil, nil
}

func (r *request) getCollaboratorPermission() (any, error) {
	a, err := r.person()
	if err != nil {
		return nil, err
	}
	role := r.repo.rights(a)
	legacy := map[string]string{"triage": "read", "maintain": "write"}
	u := r.s.userJSON(a)
	u["role_name"], u["permissions"] = role, permissionsJSON(r.repo, a)
	return object{"permission": orElse(legacy[role], role), "role_name": role, "user": u}, nil
}

// putCollaborator answers 201 with an invitation, and 204 where somebody is a collaborator already or in the organisation.
func (r *request) putCollaborator() (any, error) {
	a, err := r.person()
	if err != nil {
		return nil, err
	}
	var in struct{ Permission string }
	if err := r.into(&in); err != nil {
		return nil, err
	}
	role, known := roleNames[orElse(in.Permission, "push")]
	if !known {
		return nil, unprocessable("Validation Failed")
	}
	if o := r.s.orgOf(r.repo.owner); of(r.repo.people, a) != nil || o != nil && of(o.members, a) != nil {
		r.repo.collaborate(r.actor, a, role)
		return nil, nil
	}
	i := invitationOf(r.repo.invited, a)
	if i == nil {
		i = &invitation{id: r.s.id(), who: a, by: r.actor, created: r.s.now()}
		r.repo.invited = append(r.repo.invited, i)
	}
	i.role = role
	r.status = http.StatusCreated
	return r.s.repoInvitationJSON(r.repo, i), nil
}

func (s *Server) repoInvitationJSON(r *Repo, i *invitation) object {
	return object{
		"id": i.id, "node_id": node("RepositoryInvitation", i.id), "repository": s.repoJSON(r, false), "invitee": s.userJSON(i.who), "inviter": s.userJSON(i.by), "permissions": i.role, "created_at": stamp(i.created),
		"url": apiURL + "/user/repository_invitations/" + text(i.id), "html_url": "https://github.com/" + r.full() + "/invitations", "expired": false,
	}
}

func (r *request) deleteCollaborator() (any, error) {
	a, err := r.person()
	if err != nil {
		return nil, err
	}
	r.repo.uncollaborate(r.actor, a)
	return nil, nil
}

func (r *request) listAssignees() (any, error) {
	list := slices.DeleteFunc(r.repo.everyone(), func(a *account) bool { return !r.repo.can(a, "read") })
	return page(r, list, r.s.userJSON), nil
}

// getContent shows a file, or what a folder holds.
func (r *request) getContent() (any, error) {
	dir, under := []object{}, strings.TrimSuffix(r.vars["path"], "/")+"/"
	if under == "/" {
		under = ""
	}
	for _, f := range r.repo.files {
		if f.path == r.vars["path"] {
			return r.contentJSON(f, true), nil
		}
		if strings.HasPrefix(f.path, under) {
			dir = append(dir, r.contentJSON(f, false))
		}
	}
	if len(dir) == 0 {
		return nil, notFound()
	}
	return dir, nil
}

func (r *request) contentJSON(f *file, whole bool) object {
	api := apiURL + "/repos/" + r.repo.full()
	u, web := api+"/contents/"+f.path+"?ref=main", "https://github.com/"+r.repo.full()+"/blob/main/"+f.path
	git := api + "/git/blobs/" + f.sha
	o := object{
		"name": f.path[strings.LastIndex(f.path, "/")+1:], "path": f.path, "sha": f.sha, "size": len(f.content), "url": u, "html_url": web, "git_url": git,
		"download_url": "https://raw.githubusercontent.com/" + r.repo.full() + "/main/" + f.path, "type": "file", "_links": object{"self": u, "git": git, "html": web},
	}
	if whole {
		o["content"], o["encoding"] = base64.StdEncoding.EncodeToString(f.content)+"\n", "base64"
	}
	return o
}

// putContent writes a file. Changing one needs the SHA of what it was.
func (r *request) putContent() (any, error) {
	var in struct{ Message, Content, SHA string }
	if err := r.into(&in); err != nil {
		return nil, err
	}
	content, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(in.Content, "\n", ""))
	switch {
	case in.Message == "":
		return nil, unprocessable("Invalid request.\n\n\"message\" wasn't supplied.")
	case err != nil:
		return nil, unprocessable("content is not valid Base64")
	}
	f := r.file(r.vars["path"])
	switch {
	case f == nil:
		f = &file{path: r.vars["path"]}
		r.repo.files = append(r.repo.files, f)
		r.status = http.StatusCreated
	case in.SHA == "":
		return nil, unprocessable("Invalid request.\n\n\"sha\" wasn't supplied.")
	case in.SHA != f.sha:
		return nil, refuse(http.StatusConflict, f.path+" does not match "+in.SHA)
	}
	f.content, f.sha = content, newSHA()
	commit := r.commit(in.Message)
	return object{"content": r.contentJSON(f, false), "commit": commit}, nil
}

func (r *request) file(path string) *file {
	for _, f := range r.repo.files {
		if f.path == path {
			return f
		}
	}
	return nil
}

func (r *request) deleteContent() (any, error) {
	var in struct{ Message, SHA string }
	if err := r.into(&in); err != nil {
		return nil, err
	}
	f := r.file(r.vars["path"])
	switch {
	case f == nil:
		return nil, notFound()
	case in.SHA != f.sha:
		return nil, refuse(http.StatusConflict, f.path+" does not match "+in.SHA)
	}
	r.repo.files = slices.DeleteFunc(r.repo.files, func(x *file) bool { return x == f })
	return object{"content": nil, "commit": r.commit(in.Message)}, nil
}

// commit puts a commit on the default branch.
func (r *request) commit(message string) object {
	before, sha := r.repo.head, newSHA()
	r.repo.head = sha
	r.repo.tellPush(r.actor, "refs/heads/main", before, sha, message)
	api, web := apiURL+"/repos/"+r.repo.full()+"/git", "https://github.com/"+r.repo.full()+"/commit/"
	who := object{"name": r.actor.name, "email": r.actor.login + "@users.noreply.github.com", "date": stamp(r.s.now())}
	tree := newSHA()
	return object{
		"sha": sha, "node_id": node("Commit", r.s.id()), "url": api + "/commits/" + sha, "html_url": web + sha, "author": who, "committer": who, "message": message, "tree": object{"url": api + "/trees/" + tree, "sha": tree},
		"parents":      []object{{"url": api + "/commits/" + before, "html_url": web + before, "sha": before}},
		"verification": object{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil},
	}
}
