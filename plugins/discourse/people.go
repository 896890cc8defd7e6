package discourse

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// Person names an account, by its ID or its name. The ID is what the gateway knows accounts by: names change.
type Person struct {
	UserID   string `json:"user_id,omitempty" jsonschema:"pattern=^-?[0-9]+$,maxLength=19" jsonschema_description:"The account's ID."`
	Username string `json:"username,omitempty" jsonschema:"maxLength=100,pattern=^[^/?#]+$" jsonschema_description:"The account's name, where no ID is given."`
}

// systemID is the ID of the account that every forum has for itself.
const systemID = "-1"

// id gives an account's ID, and asks the forum where it is not given.
func (d *Discourse) id(ctx context.Context, p Person) (int64, error) {
	if p.UserID == "" {
		u, err := d.who(ctx, p)
		return u.ID, err
	}
	n, err := strconv.ParseInt(p.UserID, 10, 64)
	if err != nil || n == 0 {
		return 0, gateway.Errorf(gateway.Invalid, "%q is no account's ID", p.UserID)
	}
	return n, nil
}

// who gives an account's ID and name, as the forum has them now.
func (d *Discourse) who(ctx context.Context, p Person) (person, error) {
	if p.UserID != "" {
		id, err := d.id(ctx, p)
		if err != nil {
			return person{}, err
		}
		u, err := d.client().account(ctx, id)
		return person{u.ID, u.Username}, err
	}
	if p.Username == "" || p.Username == "." || p.Username == ".." {
		return person{}, gateway.Errorf(gateway.Invalid, "give user_id or username")
	}
	var said struct {
		User person `json:"user"`
	}
	err := d.client().needs("users:show").do(ctx, http.MethodGet, "/u/"+url.PathEscape(p.Username)+".json", nil, nil, &said)
	if err == nil && said.User.ID == 0 {
		err = gateway.Errorf(gateway.Unavailable, "discourse: GET /u/{username}.json: the answer names no account")
	}
	return said.User, err
}

// Account is the answer of get-user.
type Account struct {
	UserID        string     `json:"user_id" jsonschema_description:"The account's ID."`
	Username      string     `json:"username" jsonschema_description:"Its name."`
	Name          string     `json:"name,omitempty" jsonschema_description:"The name for people, if there is one."`
	Admin         bool       `json:"admin" jsonschema_description:"Whether it is an administrator's."`
	Moderator     bool       `json:"moderator" jsonschema_description:"Whether it is a moderator's."`
	TrustLevel    int        `json:"trust_level" jsonschema_description:"How far the forum trusts it, 0 to 4."`
	Suspended     bool       `json:"suspended" jsonschema_description:"Whether it is suspended now."`
	SuspendedTill *time.Time `json:"suspended_till,omitempty" jsonschema_description:"Until when, if the forum says so."`
	SuspendReason string     `json:"suspend_reason,omitempty" jsonschema_description:"Why."`
	SuspendedBy   string     `json:"suspended_by,omitempty" jsonschema_description:"The ID of the account that suspended it."`
	Silenced      bool       `json:"silenced" jsonschema_description:"Whether it is silenced now."`
	SilenceReason string     `json:"silence_reason,omitempty" jsonschema_description:"Why."`
}

func (d *Discourse) getUser(ctx context.Context, in Person) (Account, error) {
	id, err := d.id(ctx, in)
	if err != nil {
		return Account{}, err
	}
	a, err := d.client().account(ctx, id)
	if err != nil {
		return Account{}, err
	}
	s := a.suspension(d.Now())
	out := Account{
		UserID: idOf(a.ID), Username: a.Username, Name: a.Name, Admin: a.Admin, Moderator: a.Moderator, TrustLevel: a.TrustLevel,
		Suspended: a.suspended(d.Now()), SuspendedTill: s.Until, SuspendReason: s.Reason, Silenced: a.silenced(d.Now()), SilenceReason: reasonOf(a.SilenceReason),
	}
	if s.By != nil {
		out.SuspendedBy = idOf(s.By.ID)
	}
	return out, nil
}

// Suspend is the input of suspend.
type Suspend struct {
	Person
	Reason  string     `json:"reason" jsonschema:"minLength=1,maxLength=300" jsonschema_description:"Why. The person sees it."`
	Until   *time.Time `json:"until,omitempty" jsonschema_description:"Until when. Absent: for ever."`
	Message string     `json:"message,omitempty" jsonschema:"maxLength=5000" jsonschema_description:"What the forum writes to them by e-mail. Absent: nothing."`
}

// till is until when it is to hold.
func (in Suspend) till() time.Time {
	if in.Until == nil {
		return forever
	}
	return in.Until.UTC()
}

// ahead refuses an end that is past: a forum would take it and do nothing. What was tried before that is not judged again.
func (in Suspend) ahead(ctx context.Context, now time.Time) error {
	var before attempted
	if in.Until == nil || in.Until.After(now) || gateway.CallOf(ctx).Saved(&before) {
		return nil
	}
	return invalid("/until", "is past")
}

// penalty is the body of both penalties.
func (in Suspend) penalty(until string) map[string]any {
	body := map[string]any{until: in.till().Format(time.RFC3339), "reason": in.Reason}
	if in.Message != "" {
		body["message"] = in.Message
	}
	return body
}

// suspend refuses nothing by itself: who belongs to the staff, the forum does not let be suspended. Nor does it change a penalty that holds: where that one
// ends before the one that is wanted, its refusal stands.
func (d *Discourse) suspend(ctx context.Context, in Suspend) (Done, error) {
	if err := in.ahead(ctx, d.Now()); err != nil {
		return Done{}, err
	}
	id, err := d.id(ctx, in.Person)
	if err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		method: http.MethodPut, path: userPath(id) + "/suspend.json", body: in.penalty("suspend_until"), scope: scopeSuspend, echoes: []string{told(suspended, id)},
		already: func() (bool, error) {
			a, err := d.client().account(ctx, id)
			return a.suspended(d.Now()) && in.met(a.SuspendedTill, d.Now()), err
		},
	})
}

// findSuspended looks whether the account is suspended as we would have suspended it.
func (d *Discourse) findSuspended(ctx context.Context, in Suspend) (Done, gateway.Found, error) {
	a, err := d.look(ctx, in.Person)
	if err != nil {
		return Done{}, gateway.CannotTell, err
	}
	s := a.suspension(d.Now())
	if s.By == nil || !strings.EqualFold(s.By.Username, d.config.username()) || !in.says(first(a.FullReason, a.SuspendReason)) {
		return Done{}, gateway.DidNot, nil
	}
	gateway.CallOf(ctx).Caused(told(suspended, a.ID))
	return Done{}, gateway.Happened, nil
}

// unsuspend asks first: where there is no suspension, newer forums do nothing and tell nobody, and what somebody takes back later would be taken for ours.
func (d *Discourse) unsuspend(ctx context.Context, in Person) (Done, error) {
	id, err := d.id(ctx, in)
	if err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		method: http.MethodPut, path: userPath(id) + "/unsuspend.json", scope: scopeUnsuspend, echoes: []string{told("user_unsuspended", id)},
		first: true, already: func() (bool, error) {
			a, err := d.client().account(ctx, id)
			return !a.suspended(d.Now()), err
		},
	})
}

func (d *Discourse) findUnsuspended(ctx context.Context, in Person) (Done, gateway.Found, error) {
	a, err := d.look(ctx, in)
	if err != nil {
		return Done{}, gateway.CannotTell, err
	}
	if a.suspended(d.Now()) {
		return Done{}, gateway.DidNot, nil
	}
	gateway.CallOf(ctx).Caused(told("user_unsuspended", a.ID))
	return Done{}, gateway.Happened, nil
}

// look asks for the account that an input names.
func (d *Discourse) look(ctx context.Context, p Person) (account, error) {
	id, err := d.id(ctx, p)
	if err != nil {
		return account{}, err
	}
	return d.client().account(ctx, id)
}

// silence has no delivery of its own: Discourse tells of user_updated at the most, which tells nobody what changed.
func (d *Discourse) silence(ctx context.Context, in Suspend) (Done, error) {
	if err := in.ahead(ctx, d.Now()); err != nil {
		return Done{}, err
	}
	id, err := d.id(ctx, in.Person)
	if err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		method: http.MethodPut, path: userPath(id) + "/silence.json", body: in.penalty("silenced_till"), scope: scopeSilence,
		already: func() (bool, error) {
			a, err := d.client().account(ctx, id)
			return a.silenced(d.Now()) && in.met(a.SilencedTill, d.Now()), err
		},
	})
}

func (d *Discourse) unsilence(ctx context.Context, in Person) (Done, error) {
	id, err := d.id(ctx, in)
	if err != nil {
		return Done{}, err
	}
	return d.done(ctx, act{
		method: http.MethodPut, path: userPath(id) + "/unsilence.json", scope: scopeUnsilence,
		first: true, already: func() (bool, error) {
			a, err := d.client().account(ctx, id)
			return !a.silenced(d.Now()), err
		},
	})
}

func userPath(id int64) string { return "/admin/users/" + strconv.FormatInt(id, 10) }
