package fakediscourse

import (
	"slices"
	"strings"
	"time"
)

// userKey is a user API key: what one person gave one application.
type userKey struct {
	text, client, app string
	user              int64
	scopes            []string
	revoked           bool
}

// userScopes are what user API keys may do, apart from reading and writing everything.
var userScopes = map[string][]string{
	"session_info": {"session#current", "users#show"},
}

func (k *userKey) permits(r *request) bool {
	if r.route == nil {
		return true
	}
	return slices.ContainsFunc(k.scopes, func(s string) bool {
		switch s {
		case "read":
			return r.http.Method == "GET"
		case "write":
			return r.http.Method != "GET"
		}
		return slices.Contains(userScopes[s], r.route.action)
	}) || r.route.action == "user_api_keys#revoke"
}

// byUserKey authenticates with a user API key. Administrators' pages are not for these.
func (r *request) byUserKey(text string) error {
	r.call.Key = "invalid"
	if after := max(r.f.tooMany("userkey:"+text, 20, time.Minute), r.f.tooMany("userkeyday:"+text, 2880, 24*time.Hour)); after > 0 {
		return limited(after, "user_api_key_limiter_60_secs")
	}
	k := r.f.userKeys[text]
	if k == nil || k.revoked || !k.permits(r) {
		return refuse("invalid_access")
	}
	u := r.f.users[k.user]
	if u == nil || u.suspended(r.f.now()) || !u.active || r.route != nil && strings.HasPrefix(r.route.path, "/admin/") {
		return refuse("invalid_access")
	}
	r.call.Key, r.call.User = "user", u.username
	r.user = u
	return nil
}
