package slack

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// refusal is an answer {"ok":false}. Code is Slack's word for the reason.
type refusal struct {
	Method string
	Code   string
	Needed string   // with missing_scope: the scope
	Detail []string // what else Slack says, about arguments mostly
	Each   []each   // what Slack says of each of several people
}

// each is what became of one of several people.
type each struct {
	User  string `json:"user"`
	Error string `json:"error"`
}

func (e *refusal) Error() string {
	text := fmt.Sprintf("slack: %s: %s", e.Method, e.Code)
	if e.Needed != "" {
		text += ": the app needs the scope " + e.Needed
	}
	if len(e.Detail) > 0 {
		text += ": " + strings.Join(e.Detail, "; ")
	}
	return text
}

// refusedAs reports whether Slack refused a call for one of these reasons.
func refusedAs(err error, codes ...string) bool {
	var r *refusal
	return errors.As(err, &r) && slices.Contains(codes, r.Code)
}

// credentialCodes say that a token will not work again.
var credentialCodes = []string{"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "invalid_refresh_token"}

// badCredentials reports whether an error says that the token does not work any more.
func badCredentials(err error) bool { return refusedAs(err, credentialCodes...) }

// refused gives a refusal its code.
func refused(method, code, needed string, detail []string, of ...each) error {
	return &gateway.Error{Code: codeOf(method, code), Err: &refusal{Method: method, Code: code, Needed: needed, Detail: detail, Each: of}}
}

// codeOf sorts Slack's reasons, as the pages of the methods at https://docs.slack.dev/reference/methods list them.
func codeOf(method, code string) gateway.Code {
	switch code {
	case "missing_scope", "no_permission", "not_allowed_token_type", "access_denied", "ekm_access_denied", "team_access_not_granted",
		"enterprise_is_restricted", "user_is_restricted", "user_is_ultra_restricted", "cant_update_message", "cant_delete_message",
		"not_authorized", "not_admin", "bad_client_secret", "invalid_client_id", "invalid_code", "code_already_used", "cannot_dm_bot":
		return gateway.Denied
	case "request_timeout", "service_unavailable", "team_added_to_org", "org_login_required", "accesslimited":
		return gateway.Unavailable
	case "internal_error", "fatal_error": // "some aspect of the operation may have succeeded before the error was raised"
		return after(method)
	case "thread_not_found", "channel_not_found", "message_not_found", "users_not_found", "user_not_found":
		return gateway.NotFound
	case "no_text", "msg_too_long", "msg_blocks_too_long", "unknown_method", "markdown_text_conflict":
		return gateway.Invalid
	}
	switch {
	case slices.Contains(credentialCodes, code), strings.HasPrefix(code, "restricted_action"):
		return gateway.Denied
	case strings.HasSuffix(code, "_not_found"), strings.HasPrefix(code, "no_such_"):
		return gateway.NotFound
	case strings.HasPrefix(code, "invalid_"), strings.HasPrefix(code, "missing_"), strings.HasPrefix(code, "bad_"), strings.HasPrefix(code, "too_many_"):
		return gateway.Invalid
	}
	return gateway.Conflict // not_in_channel, is_archived, already_pinned, name_taken, cant_kick_self, …
}
