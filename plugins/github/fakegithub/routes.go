package fakegithub

import (
	"net/http"
	"net/url"
	"strings"
)

type auth int

const (
	authToken   auth = iota // an installation's token, or a person's
	authInstall             // an installation's
	authUser                // a person's
	authApp                 // the app's JSON web token
	authClient              // the app's client ID and secret
	authNone                // none is needed
)

// route is one line of the table of what the fake can do.
type route struct {
	method, path string
	parts        []string
	status       int // of success; 0 is 200, and 204 where there is nothing to say
	auth         auth
	// need are the permissions of which one is enough, as "issues:write pull_requests:write"; "" for none. Reading something public needs none.
	need string
	// right is what a person has to be in the repository ("write") or the organisation ("owner", "member"), "" where everybody who sees it may.
	right string
	run   func(*request) (any, error)
}

func (r *route) name() string { return r.method + " " + r.path }

func (r *route) writes() bool { return r.method != http.MethodGet }

// findRoute finds the route of a path, with what stands in its braces. {path} takes the rest.
func findRoute(method, escaped string) (*route, map[string]string) {
	given := strings.Split(strings.Trim(escaped, "/"), "/")
	for _, r := range routes {
		if r.method != method {
			continue
		}
		if vars := match(r.parts, given); vars != nil {
			return r, vars
		}
	}
	return nil, nil
}

func match(parts, given []string) map[string]string {
	vars := map[string]string{}
	for i, p := range parts {
		if p == "{path}" && i < len(given) {
			v, err := url.PathUnescape(strings.Join(given[i:], "/"))
			vars["path"] = v
			return orNil(vars, err)
		}
		if i >= len(given) {
			return nil
		}
		if !strings.HasPrefix(p, "{") {
			if p != given[i] {
				return nil
			}
			continue
		}
		v, err := url.PathUnescape(given[i])
		if err != nil || v == "" {
			return nil
		}
		vars[strings.Trim(p, "{}")] = v
	}
	if len(parts) != len(given) {
		return nil
	}
	return vars
}

func orNil(vars map[string]string, err error) map[string]string {
	if err != nil {
		return nil
	}
	return vars
}

// locate finds the repository or organisation that the path names, and asks whether the token may do this there.
func (r *request) locate() error {
	if r.route.need != "" {
		r.header.Set("X-Accepted-GitHub-Permissions", strings.ReplaceAll(strings.ReplaceAll(r.route.need, " ", "; "), ":", "="))
	}
	if owner, ok := r.vars["owner"]; ok && r.route.auth == authToken {
		r.repo = r.s.repo(owner, r.vars["repo"])
		if old := r.s.renamed(owner, r.vars["repo"]); r.repo == nil && old != nil && r.sees(old) {
			r.repo = old
			return r.moved(apiURL + r.numbered())
		}
		if r.repo == nil || !r.sees(r.repo) {
			return notFound()
		}
		return r.mayInRepo()
	}
	if name, ok := r.vars["org"]; ok && r.route.auth == authToken {
		if r.org = r.s.orgOf(r.s.account(name)); r.org == nil {
			return notFound()
		}
		return r.mayInOrg()
	}
	return nil
}

func (r *request) mayInRepo() error {
	public := !r.repo.private && !r.route.writes()
	if r.tok.user == nil && !public && !r.reaches(r.repo) {
		return forbidden()
	}
	if r.route.need != "" && !public && !r.has(r.repo.owner) {
		return forbidden()
	}
	if r.tok.user == nil {
		return nil
	}
	switch {
	case r.route.right != "" && !r.repo.can(r.tok.user, r.route.right):
		return refuse(http.StatusForbidden, "Must have admin rights to Repository.")
	case r.route.writes() && r.repo.shuts(r.tok.user) != "":
		return refuse(http.StatusForbidden, r.repo.shuts(r.tok.user))
	}
	return nil
}

func (r *request) mayInOrg() error {
	if r.route.need != "" && !r.has(r.org.acc) {
		return forbidden()
	}
	if r.tok.user == nil || r.route.right == "" {
		return nil
	}
	m := of(r.org.members, r.tok.user)
	switch {
	case m == nil:
		return notFound()
	case r.route.right == "owner" && m.role != "admin":
		return refuse(http.StatusForbidden, "You must be an admin to access this resource.")
	}
	return nil
}

// has says whether the token has one of the permissions that the route needs, on an account.
func (r *request) has(on *account) bool {
	granted := r.granted(on)
	for _, n := range strings.Fields(r.route.need) {
		name, level, _ := strings.Cut(n, ":")
		if enough(granted[name], level) {
			return true
		}
	}
	return false
}

func splitPattern(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }
