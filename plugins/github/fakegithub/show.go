package fakegithub

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// What follows writes the state as GitHub does. Fields that differ between the API and deliveries are told apart by a parameter hook. Callers hold s.mu.

const apiURL = "https://api.github.com"

// node is a global ID, as GraphQL has it.
func node(kind string, id int64) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "0%d:%s%d", len(kind), kind, id))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// stampOrNull is null for no time.
func stampOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

func (s *Server) userJSON(a *account) object {
	api, web := apiURL+"/users/"+a.login, "https://github.com/"+a.login
	if a.kind == "Bot" {
		api, web = apiURL+"/users/"+strings.NewReplacer("[", "%5B", "]", "%5D").Replace(a.login), "https://github.com/apps/"+strings.TrimSuffix(a.login, "[bot]")
	}
	return object{
		"login": a.login, "id": a.id, "node_id": node(a.kind, a.id), "avatar_url": fmt.Sprintf("https://avatars.githubusercontent.com/u/%d?v=4", a.id), "gravatar_id": "",
		"url": api, "html_url": web, "followers_url": api + "/followers", "following_url": api + "/following{/other_user}", "gists_url": api + "/gists{/gist_id}",
		"starred_url": api + "/starred{/owner}{/repo}", "subscriptions_url": api + "/subscriptions", "organizations_url": api + "/orgs", "repos_url": api + "/repos",
		"events_url": api + "/events{/privacy}", "received_events_url": api + "/received_events", "type": a.kind, "site_admin": false,
	}
}

// userOrNull is null for nobody.
func (s *Server) userOrNull(a *account) any {
	if a == nil {
		return nil
	}
	return s.userJSON(a)
}

// publicUserJSON is a person's page.
func (s *Server) publicUserJSON(a *account) object {
	o := s.userJSON(a)
	for _, k := range []string{"company", "location", "email", "hireable", "bio"} {
		o[k] = nil
	}
	o["name"], o["blog"], o["created_at"], o["updated_at"] = a.name, "", stamp(a.since), stamp(a.since)
	o["public_repos"], o["public_gists"], o["followers"], o["following"], o["user_view_type"] = 0, 0, 0, 0, "public"
	return o
}

func (s *Server) orgJSON(o *Org) object {
	api := apiURL + "/orgs/" + o.acc.login
	return object{
		"login": o.acc.login, "id": o.acc.id, "node_id": node("Organization", o.acc.id), "url": api, "repos_url": api + "/repos", "events_url": api + "/events", "hooks_url": api + "/hooks",
		"issues_url": api + "/issues", "members_url": api + "/members{/member}", "public_members_url": api + "/public_members{/member}",
		"avatar_url": fmt.Sprintf("https://avatars.githubusercontent.com/u/%d?v=4", o.acc.id), "description": "",
	}
}

// fullOrgJSON is an organisation's page.
func (s *Server) fullOrgJSON(o *Org) object {
	j := s.orgJSON(o)
	j["name"], j["html_url"], j["type"] = o.acc.name, "https://github.com/"+o.acc.login, "Organization"
	j["has_organization_projects"], j["has_repository_projects"] = true, true
	j["public_repos"], j["public_gists"], j["followers"], j["following"] = 0, 0, 0, 0
	j["created_at"], j["updated_at"], j["archived_at"] = stamp(o.acc.since), stamp(o.acc.since), nil
	return j
}

// repoLinks are the addresses below a repository, by the name of their field.
var repoLinks = map[string]string{
	"forks_url": "/forks", "keys_url": "/keys{/key_id}", "collaborators_url": "/collaborators{/collaborator}", "teams_url": "/teams", "hooks_url": "/hooks",
	"issue_events_url": "/issues/events{/number}", "events_url": "/events", "assignees_url": "/assignees{/user}", "branches_url": "/branches{/branch}", "tags_url": "/tags",
	"blobs_url": "/git/blobs{/sha}", "git_tags_url": "/git/tags{/sha}", "git_refs_url": "/git/refs{/sha}", "trees_url": "/git/trees{/sha}", "statuses_url": "/statuses/{sha}",
	"languages_url": "/languages", "stargazers_url": "/stargazers", "contributors_url": "/contributors", "subscribers_url": "/subscribers", "subscription_url": "/subscription",
	"commits_url": "/commits{/sha}", "git_commits_url": "/git/commits{/sha}", "comments_url": "/comments{/number}", "issue_comment_url": "/issues/comments{/number}",
	"contents_url": "/contents/{+path}", "compare_url": "/compare/{base}...{head}", "merges_url": "/merges", "archive_url": "/{archive_format}{/ref}", "downloads_url": "/downloads",
	"issues_url": "/issues{/number}", "pulls_url": "/pulls{/number}", "milestones_url": "/milestones{/number}", "notifications_url": "/notifications{?since,all,participating}",
	"labels_url": "/labels{/name}", "releases_url": "/releases{/id}", "deployments_url": "/deployments",
}

func (s *Server) repoJSON(r *Repo, hook bool) object {
	api, web := apiURL+"/repos/"+r.full(), "https://github.com/"+r.full()
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	open := 0
	for _, t := range r.threads {
		if !t.closed && !t.deleted {
			open++
		}
	}
	o := object{
		"id": r.id, "node_id": node("Repository", r.id), "name": r.name, "full_name": r.full(), "private": r.private, "owner": s.userJSON(r.owner), "html_url": web, "description": textOrNull(r.about), "fork": false, "url": api,
		"created_at": stamp(r.created), "updated_at": stamp(r.updated), "pushed_at": stamp(r.updated), "git_url": "git://github.com/" + r.full() + ".git", "ssh_url": "git@github.com:" + r.full() + ".git",
		"clone_url": web + ".git", "svn_url": web, "homepage": nil, "size": 0, "stargazers_count": 0, "watchers_count": 0, "language": nil, "has_issues": true, "has_projects": true, "has_downloads": true,
		"has_wiki": true, "has_pages": false, "has_discussions": false, "forks_count": 0, "mirror_url": nil, "archived": false, "disabled": false, "open_issues_count": open, "license": nil, "allow_forking": true,
		"is_template": false, "web_commit_signoff_required": false, "topics": []string{}, "visibility": visibility, "forks": 0, "open_issues": open, "watchers": 0, "default_branch": "main",
	}
	for field, rest := range repoLinks {
		o[field] = api + rest
	}
	if hook {
		o["custom_properties"] = object{}
	}
	return o
}

func (s *Server) labelJSON(r *Repo, l *label) object {
	var about any
	if l.about != "" {
		about = l.about
	}
	return object{"id": l.id, "node_id": node("Label", l.id), "url": apiURL + "/repos/" + r.full() + "/labels/" + escape(l.name), "name": l.name, "color": l.color, "default": l.byGitHub, "description": about}
}

func (s *Server) reactionJSON(x *reaction) object {
	return object{"id": x.id, "node_id": node("Reaction", x.id), "user": s.userOrNull(x.user), "content": x.content, "created_at": stamp(x.created)}
}

// rollup counts reactions.
func rollup(url string, list []*reaction) object {
	o := object{"url": url, "total_count": len(list)}
	counts := map[string]int{}
	for _, x := range list {
		counts[x.content]++
	}
	for _, c := range contents {
		o[c] = counts[c]
	}
	return o
}

// contents are the reactions that there are.
var contents = []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}

// association is what somebody is to a repository.
func (r *Repo) association(a *account) string {
	o := r.s.orgOf(r.owner)
	switch {
	case a == r.owner:
		return "OWNER"
	case o != nil && of(o.members, a) != nil:
		return "MEMBER"
	case of(r.people, a) != nil:
		return "COLLABORATOR"
	}
	return "NONE"
}

func (t *thread) url() string {
	return fmt.Sprintf("%s/repos/%s/issues/%d", apiURL, t.repo.full(), t.number)
}

func (t *thread) web() string {
	kind := "issues"
	if t.pull != nil {
		kind = "pull"
	}
	return fmt.Sprintf("https://github.com/%s/%s/%d", t.repo.full(), kind, t.number)
}

func (t *thread) state() string {
	if t.closed {
		return "closed"
	}
	return "open"
}

func (s *Server) usersJSON(list []*account) []object {
	out := []object{}
	for _, a := range list {
		out = append(out, s.userJSON(a))
	}
	return out
}

func (s *Server) labelsJSON(r *Repo, list []*label) []object {
	out := []object{}
	for _, l := range list {
		out = append(out, s.labelJSON(r, l))
	}
	return out
}

func textOrNull(v string) any {
	if v == "" {
		return nil
	}
	return v
}

func (s *Server) firstOrNull(list []*account) any {
	if len(list) == 0 {
		return nil
	}
	return s.userJSON(list[0])
}

// viaApp says by which app something was written.
func (s *Server) viaApp(by bool) any {
	if !by {
		return nil
	}
	return s.appJSON()
}

func (s *Server) issueJSON(t *thread, hook bool) object {
	u := t.url()
	o := object{
		"url": u, "repository_url": apiURL + "/repos/" + t.repo.full(), "labels_url": u + "/labels{/name}", "comments_url": u + "/comments", "events_url": u + "/events", "html_url": t.web(), "id": t.id,
		"node_id": node("Issue", t.id), "number": t.number, "title": t.title, "user": s.userJSON(t.user), "labels": s.labelsJSON(t.repo, t.labels), "state": t.state(), "locked": t.locked,
		"assignee": s.firstOrNull(t.assignees), "assignees": s.usersJSON(t.assignees), "milestone": nil, "comments": len(t.comments), "created_at": stamp(t.created), "updated_at": stamp(t.updated),
		"closed_at": stampOrNull(t.closedAt), "author_association": t.repo.association(t.user), "active_lock_reason": textOrNull(t.lockReason), "body": textOrNull(t.body),
		"reactions": rollup(u+"/reactions", t.reactions), "timeline_url": u + "/timeline", "performed_via_github_app": s.viaApp(t.byApp), "state_reason": textOrNull(t.reason),
	}
	if t.pull != nil {
		p := fmt.Sprintf("%s/repos/%s/pulls/%d", apiURL, t.repo.full(), t.number)
		o["draft"] = t.pull.draft
		o["pull_request"] = object{"url": p, "html_url": t.web(), "diff_url": t.web() + ".diff", "patch_url": t.web() + ".patch", "merged_at": stampOrNull(t.pull.mergedAt)}
	}
	if !hook {
		o["closed_by"] = s.userOrNull(t.closedBy)
	}
	return o
}

func (s *Server) commentJSON(c *comment) object {
	u := fmt.Sprintf("%s/repos/%s/issues/comments/%d", apiURL, c.thread.repo.full(), c.id)
	return object{
		"url": u, "html_url": fmt.Sprintf("%s#issuecomment-%d", c.thread.web(), c.id), "issue_url": c.thread.url(), "id": c.id, "node_id": node("IssueComment", c.id), "user": s.userJSON(c.user),
		"created_at": stamp(c.created), "updated_at": stamp(c.updated), "author_association": c.thread.repo.association(c.user), "body": c.body, "reactions": rollup(u+"/reactions", c.reactions),
		"performed_via_github_app": s.viaApp(c.byApp),
	}
}

func (s *Server) teamJSON(o *Org, t *team) object {
	u := fmt.Sprintf("%s/organizations/%d/team/%d", apiURL, o.acc.id, t.id)
	return object{
		"name": t.name, "id": t.id, "node_id": node("Team", t.id), "slug": t.slug, "description": "", "privacy": "closed", "notification_setting": "notifications_enabled", "url": u,
		"html_url": "https://github.com/orgs/" + o.acc.login + "/teams/" + t.slug, "members_url": u + "/members{/member}", "repositories_url": u + "/repos", "permission": "pull", "parent": nil,
	}
}

func (s *Server) membershipJSON(o *Org, who *account, state, role string) object {
	return object{"url": apiURL + "/orgs/" + o.acc.login + "/memberships/" + who.login, "state": state, "role": role, "organization_url": apiURL + "/orgs/" + o.acc.login, "user": s.userJSON(who)}
}

func (s *Server) appJSON() object {
	return object{
		"id": s.app.ID, "slug": s.app.Slug, "node_id": node("Integration", s.app.ID), "owner": s.userJSON(s.ownerOfApp()), "name": s.app.Slug, "description": "", "external_url": "https://gateway.example",
		"html_url": "https://github.com/apps/" + s.app.Slug, "created_at": stamp(s.started), "updated_at": stamp(s.started), "permissions": object{}, "events": allEvents,
	}
}

// ownerOfApp is whoever registered the app: nobody that a test needs to know.
func (s *Server) ownerOfApp() *account {
	return &account{id: 1, login: "app-owner", kind: "Organization", since: s.started}
}

func (s *Server) installJSON(i *installation, hook bool) object {
	selection := "all"
	if i.selected != nil {
		selection = "selected"
	}
	web := "https://github.com/settings/installations/" + text(i.id)
	if i.account.kind == "Organization" {
		web = "https://github.com/organizations/" + i.account.login + "/settings/installations/" + text(i.id)
	}
	events := i.events
	if events == nil {
		events = []string{}
	}
	o := object{
		"id": i.id, "account": s.userJSON(i.account), "repository_selection": selection, "access_tokens_url": apiURL + "/app/installations/" + text(i.id) + "/access_tokens", "repositories_url": apiURL + "/installation/repositories",
		"html_url": web, "app_id": s.app.ID, "app_slug": s.app.Slug, "target_id": i.account.id, "target_type": i.account.kind, "permissions": i.permissions, "events": events, "created_at": stamp(i.created),
		"updated_at": stamp(i.created), "single_file_name": nil, "has_multiple_single_files": false, "single_file_paths": []string{}, "suspended_at": stampOrNull(i.suspended), "suspended_by": s.userOrNull(i.suspendedBy),
	}
	if !hook {
		o["client_id"] = s.app.ClientID
	}
	return o
}
