package discourse

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// account is what an administrator reads of one (GET /admin/users/{id}.json).
type account struct {
	ID            int64     `json:"id"`
	Username      string    `json:"username"`
	Name          string    `json:"name"`
	Active        bool      `json:"active"`
	Admin         bool      `json:"admin"`
	Moderator     bool      `json:"moderator"`
	TrustLevel    int       `json:"trust_level"`
	Suspended     bool      `json:"suspended"`
	SuspendedAt   time.Time `json:"suspended_at"`
	SuspendedTill time.Time `json:"suspended_till"`
	SuspendReason string    `json:"suspend_reason"`
	FullReason    string    `json:"full_suspend_reason"`
	SuspendedBy   *person   `json:"suspended_by"`
	Silenced      bool      `json:"silenced"`
	SilencedAt    time.Time `json:"silenced_at"`
	SilencedTill  time.Time `json:"silenced_till"`
	SilenceReason string    `json:"silence_reason"`
	SilencedBy    *person   `json:"silenced_by"`
}

// account asks for one.
func (c client) account(ctx context.Context, id int64) (account, error) {
	var out account
	err := c.needs(global).do(ctx, http.MethodGet, "/admin/users/"+strconv.FormatInt(id, 10)+".json", nil, nil, &out)
	return out, err
}

// suspended says whether it is now. Until when is said of a suspension that holds, and so is why; by whom also of one that is over
// (app/serializers/admin_detailed_user_serializer.rb of Discourse, checked 2026-11).
func (a account) suspended(now time.Time) bool {
	if a.SuspendedTill.IsZero() {
		return a.Suspended || a.FullReason != ""
	}
	return a.SuspendedTill.After(now)
}

// silenced says whether it is now.
func (a account) silenced(now time.Time) bool {
	if a.SilencedTill.IsZero() {
		return a.Silenced || a.SilenceReason != ""
	}
	return a.SilencedTill.After(now)
}

// suspension is the one that holds; the zero value where none does.
func (a account) suspension(now time.Time) suspension {
	if !a.suspended(now) {
		return suspension{}
	}
	s := suspension{By: a.SuspendedBy, Reason: reasonOf(first(a.FullReason, a.SuspendReason))}
	if !a.SuspendedTill.IsZero() {
		s.Until = &a.SuspendedTill
	}
	return s
}

// reasonOf is the reason alone of what the log of the staff says of a penalty: behind an empty line there follows what was written to the person
// (app/services/staff_message_format.rb of Discourse, checked 2026-11).
func reasonOf(details string) string {
	reason, _, _ := strings.Cut(details, "\n\n")
	return strings.TrimSpace(reason)
}

// says tells whether the log says of a penalty what was asked for.
func (in Suspend) says(details string) bool {
	details = strings.TrimSpace(details)
	return details == strings.TrimSpace(in.Reason) || details == strings.TrimSpace(in.Reason+"\n\n"+in.Message)
}

const (
	// slack is how much shorter a penalty may be that is taken for the one that is wanted.
	slack = 24 * time.Hour
	// lifetime is, in years, how far off an end is that is none (suspended_forever? of Discourse).
	lifetime = 100
)

// met says that a penalty that holds until then is at least as long as the one that is wanted. Of some it is not known until when they hold.
func (in Suspend) met(holds, now time.Time) bool {
	return holds.IsZero() || holds.After(now.AddDate(lifetime, 0, 0)) || !holds.Add(slack).Before(in.till())
}
