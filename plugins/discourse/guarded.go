package discourse

import (
	"net/url"
	"path"
	"slices"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// closedRoutes make credentials, end them, show them, or let somebody be somebody else. They belong to the forum's administrators and to the gateway
// (config/routes.rb of Discourse, checked 2026-11). A star is anything in its part; what is below a route is closed with it.
var closedRoutes = [][]string{
	{"admin"}, {"user-api-key"}, {"user-api-keys"}, {"session"}, {"auth"}, {"associate"}, {"logs"}, {"sidekiq"}, {"wizard"}, {"finish-installation"},
	{"u", "password-reset"}, {"u", "email-login"}, {"u", "admin-login"}, {"u", "confirm-admin"}, {"u", "confirm-email-token"}, {"u", "confirm-new-email"},
	{"u", "confirm-old-email"}, {"u", "confirm-session"}, {"u", "activate-account"}, {"u", "update-activation-email"}, {"u", "*second_factor*"},
	{"u", "*security_key*"}, {"u", "*passkey*"}, {"u", "*", "preferences", "*second-factor*"}, {"u", "*", "preferences", "revoke-account"},
	{"u", "*", "preferences", "*auth-token"}, {"u", "*", "*auth-token"},
	{"*", "preferences", "*email"}, {"*", "*", "preferences", "*email"},
}

// openRoutes are open although they are below those: of /admin, where there are settings, backups, keys, webhooks and queries, what one governs people by.
// They end where they end. A # is a number.
var openRoutes = [][]string{
	{"session", "current"},
	{"admin", "users", "list", "*"}, {"admin", "users", "#"},
	{"admin", "users", "#", "suspend"}, {"admin", "users", "#", "unsuspend"}, {"admin", "users", "#", "silence"}, {"admin", "users", "#", "unsilence"},
	{"admin", "users", "#", "log_out"}, {"admin", "users", "#", "approve"}, {"admin", "users", "#", "activate"}, {"admin", "users", "#", "deactivate"},
	{"admin", "users", "#", "anonymize"}, {"admin", "users", "#", "trust_level"}, {"admin", "users", "#", "trust_level_lock"},
	{"admin", "users", "#", "grant_moderation"}, {"admin", "users", "#", "revoke_moderation"}, {"admin", "users", "#", "penalty_history"},
	{"admin", "groups"}, {"admin", "groups", "#"}, {"admin", "groups", "#", "members"}, {"admin", "groups", "#", "owners"}, {"admin", "groups", "#", "primary"},
	{"admin", "badges"}, {"admin", "badges", "#"}, {"admin", "reports"}, {"admin", "reports", "*"},
	{"admin", "customize", "watched_words"}, {"admin", "customize", "watched_words", "#"},
}

// open refuses a route that deals with credentials or settings, however it is written. The path is escaped.
func open(escaped string) error {
	parts := partsOf(escaped)
	if slices.ContainsFunc(openRoutes, func(r []string) bool { return len(r) == len(parts) && below(r, parts) }) {
		return nil
	}
	for _, r := range closedRoutes {
		if below(r, parts) {
			return gateway.Errorf(gateway.Denied, "discourse: /%s deals with credentials or settings and cannot be called this way", strings.Join(parts[:len(r)], "/"))
		}
	}
	return nil
}

// partsOf takes a path apart as any server on the way might read it: unescaped, also twice, in lower case, and without the format at its end.
func partsOf(escaped string) []string {
	for strings.Contains(escaped, "%") {
		once, err := url.PathUnescape(escaped)
		if err != nil {
			break
		}
		escaped = once
	}
	parts := strings.FieldsFunc(strings.ToLower(escaped), func(r rune) bool { return r == '/' || r == '\\' })
	if n := len(parts); n > 0 {
		parts[n-1], _, _ = strings.Cut(parts[n-1], ".")
	}
	if len(parts) > 0 && parts[0] == "users" { // the old name of the same routes
		parts[0] = "u"
	}
	return parts
}

// below says that a path is a route, or below it.
func below(route, parts []string) bool {
	if len(parts) < len(route) {
		return false
	}
	for i, want := range route {
		if want == "#" {
			if parts[i] == "" || strings.Trim(parts[i], "0123456789") != "" {
				return false
			}
			continue
		}
		if ok, err := path.Match(want, parts[i]); err != nil || !ok {
			return false
		}
	}
	return true
}
