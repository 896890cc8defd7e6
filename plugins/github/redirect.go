package github

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// maxHops is how often one request is sent on.
const maxHops = 3

// elsewhere is the other address of the API to which a request is to be sent, as it is; nil where there is none. GitHub answers so where a repository
// has another name (https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects, 2026-11). Nothing was
// done then. To another host nothing is sent: our token stays at GitHub.
func (a answer) elsewhere(r request) *url.URL {
	switch a.status {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	case http.StatusMovedPermanently, http.StatusFound:
		if r.method != http.MethodGet || r.direct && a.status == http.StatusFound {
			return nil
		}
	default:
		return nil
	}
	location := a.header.Get("Location")
	to, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, apiURL+"/") {
		return nil
	}
	return to
}

// within says whether a path of the API is of an account's own: below /repos/ACCOUNT/ or /orgs/ACCOUNT/. Names are compared without case, as GitHub does.
func within(account, path string) bool {
	parts := strings.Split(path, "/")
	return len(parts) > 2 && parts[0] == "" && (parts[1] == "repos" || parts[1] == "orgs") && account != "" && strings.EqualFold(parts[2], account)
}

// numberedRE is the address of a repository that has another name now, which says nothing of whose it is.
var numberedRE = regexp.MustCompile(`^/repositories/[0-9]+`)

// stays refuses a redirect that leads out of the account that the client is for: a repository keeps its number when it is given to somebody else.
// GitHub is asked whose it is.
func (c *client) stays(ctx context.Context, r request, to *url.URL, header http.Header) error {
	if c.account == "" || within(c.account, to.EscapedPath()) {
		return nil
	}
	repo := numberedRE.FindString(to.EscapedPath())
	if rest := strings.TrimPrefix(to.EscapedPath(), repo); repo != "" && (rest == "" || rest[0] == '/') {
		ask := request{method: http.MethodGet, path: repo}
		asking := header.Clone()
		asking.Del("Content-Type")
		a, err := exchange(pacing(ctx, c.who), c.http, ask.method, apiURL+ask.path, asking, nil)
		if err != nil {
			return lost(ask, err)
		}
		var now struct {
			FullName string `json:"full_name"`
		}
		if a.status == http.StatusOK && json.Unmarshal(a.body, &now) == nil && within(c.account, "/repos/"+now.FullName+"/") {
			return nil
		}
		if a.status != http.StatusOK && a.status != http.StatusNotFound {
			return refused(ask, a, c.now())
		}
	}
	return gateway.Errorf(gateway.Denied, "%s: it has moved, and where to is not known to belong to %s: on behalf of a person nothing is done elsewhere", r.what(), c.account)
}

// behalf says whether a call is done with a person's own credentials.
func behalf(ctx context.Context) bool {
	_, ok := gateway.ActingAs(ctx)
	return ok
}
