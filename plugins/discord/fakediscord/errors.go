package fakediscord

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ErrRefused is wrapped by what people do when Discord would not let them.
var ErrRefused = errors.New("fakediscord: refused")

// apiError is a refusal, with Discord's code and words for it.
type apiError struct {
	status  int
	code    int
	message string
	errors  object // of an invalid form, by field
	header  http.Header
	extra   object
	raw     object // the whole body, where it is not Discord's usual one
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s", e.code, e.message) }

func (e *apiError) Is(target error) bool { return target == ErrRefused }

// words are Discord's error codes with their statuses and messages (JSON error codes, checked 2026-11).
var words = map[int]struct {
	status  int
	message string
}{
	10003:  {404, "Unknown Channel"},
	10004:  {404, "Unknown Guild"},
	10007:  {404, "Unknown Member"},
	10008:  {404, "Unknown Message"},
	10009:  {404, "Unknown permission overwrite"},
	10011:  {404, "Unknown Role"},
	10013:  {404, "Unknown User"},
	10014:  {400, "Unknown Emoji"},
	10015:  {404, "Unknown Webhook"},
	10026:  {404, "Unknown Ban"},
	10062:  {404, "Unknown interaction"},
	10063:  {404, "Unknown application command"},
	20012:  {403, "You are not authorized to perform this action on this application"},
	20016:  {429, "This action cannot be performed due to slowmode rate limit"},
	20028:  {429, "The channel you are writing has hit the write rate limit"},
	30003:  {400, "Maximum number of pins reached (250)"},
	30010:  {400, "Maximum number of reactions reached (20)"},
	30032:  {400, "Maximum number of application commands reached (100)."},
	30035:  {400, "Maximum number of bans for non-guild members have been exceeded"},
	40001:  {401, "Unauthorized"},
	40007:  {403, "The user is banned from this guild."},
	40032:  {400, "Target user is not connected to voice."},
	40060:  {400, "Interaction has already been acknowledged."},
	40333:  {403, "internal network error"},
	50001:  {403, "Missing Access"},
	50003:  {403, "Cannot execute action on a DM channel"},
	50005:  {403, "Cannot edit a message authored by another user"},
	50006:  {400, "Cannot send an empty message"},
	50007:  {403, "Cannot send messages to this user"},
	50008:  {400, "Cannot send messages in a non-text channel"},
	50013:  {403, "Missing Permissions"},
	50016:  {400, "Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100 messages to delete."},
	50021:  {403, "Cannot execute action on a system message"},
	50024:  {403, "Cannot execute action on this channel type"},
	50027:  {401, "Invalid Webhook Token"},
	50028:  {400, "Invalid Role"},
	50033:  {400, "Invalid Recipient(s)"},
	50034:  {400, "You can only bulk delete messages that are under 14 days old."},
	50035:  {400, "Invalid Form Body"},
	50041:  {400, "Invalid API version provided"},
	50083:  {400, "Thread is archived"},
	50109:  {400, "The request body contains invalid JSON."},
	90001:  {403, "Reaction was blocked"},
	160002: {400, "Cannot reply without permission to read message history"},
	160004: {400, "A thread has already been created for this message"},
	160005: {403, "Thread is locked"},
	500000: {400, "Failed to ban users"},
	520000: {403, "Poll voting blocked"},
	520001: {400, "Poll expired"},
	520002: {400, "Invalid channel type for poll creation"},
	520003: {403, "Cannot edit a poll message"},
	520006: {400, "Cannot expire a non-poll message"},
}

// refuse is one of Discord's refusals by its code.
func refuse(code int) error {
	w := words[code]
	return &apiError{status: w.status, code: code, message: w.message}
}

// plain is a refusal without a code of its own, such as 404: Not Found.
func plain(status int) error {
	return &apiError{status: status, message: fmt.Sprintf("%d: %s", status, http.StatusText(status))}
}

// invalid refuses a form for one field; the path of nested fields has dots.
func invalid(field, code, message string) error {
	e := refuse(50035).(*apiError)
	at := object{}
	e.errors = at
	for part := range strings.SplitSeq(field, ".") {
		next := object{}
		at[part] = next
		at = next
	}
	at["_errors"] = []object{{"code": code, "message": message}}
	return e
}

func tooLong(field string, most int) error {
	return invalid(field, "BASE_TYPE_MAX_LENGTH", fmt.Sprintf("Must be %d or fewer in length.", most))
}

func badLength(field string, least, most int) error {
	return invalid(field, "BASE_TYPE_BAD_LENGTH", fmt.Sprintf("Must be between %d and %d in length.", least, most))
}

func required(field string) error {
	return invalid(field, "BASE_TYPE_REQUIRED", "This field is required")
}

func outside(field string, least, most int) error {
	return invalid(field, "NUMBER_TYPE_RANGE", fmt.Sprintf("Value should be between %d and %d.", least, most))
}

func notSnowflake(field, value string) error {
	return invalid(field, "NUMBER_TYPE_COERCE", fmt.Sprintf("Value %q is not snowflake.", value))
}

// notAllowed is for what people do that Discord's pages would not offer.
func notAllowed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}
