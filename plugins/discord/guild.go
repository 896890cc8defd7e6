package discord

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// Guild is the server.
type Guild struct {
	ID          string `json:"id" jsonschema_description:"By which it is known for ever."`
	Name        string `json:"name" jsonschema_description:"Its name."`
	Description string `json:"description,omitempty" jsonschema_description:"What it says of itself."`
	OwnerID     string `json:"owner_id" jsonschema_description:"Who owns it."`
	Members     int    `json:"approximate_member_count,omitempty" jsonschema_description:"About how many are in it."`
	Present     int    `json:"approximate_presence_count,omitempty" jsonschema_description:"About how many of them are online."`
	Locale      string `json:"preferred_locale,omitempty" jsonschema_description:"Its language."`
	Roles       []Role `json:"roles,omitempty" jsonschema_description:"Its roles."`
}

func (d *Discord) getGuild(ctx context.Context, _ struct{}) (out Guild, err error) {
	return out, d.call(ctx, call{path: d.in(), query: url.Values{"with_counts": {"true"}}}, &out)
}

// Roles are the server's roles.
type Roles struct {
	Roles []Role `json:"roles" jsonschema_description:"The roles."`
}

func (d *Discord) listAllRoles(ctx context.Context, _ struct{}) (Roles, error) {
	out := Roles{Roles: []Role{}}
	return out, d.call(ctx, call{path: d.in("roles")}, &out.Roles)
}

// CreateRole is the input of create-role.
type CreateRole struct {
	Name        string   `json:"name" jsonschema:"minLength=1,maxLength=100" jsonschema_description:"The name."`
	Permissions []string `json:"permissions,omitempty" jsonschema:"uniqueItems=true" jsonschema_description:"What it allows in the whole server, by Discord's names. Absent: nothing more than everybody's."`
	Mentionable bool     `json:"mentionable,omitempty" jsonschema_description:"Whether everybody may mention it."`
	Hoist       bool     `json:"hoist,omitempty" jsonschema_description:"Whether its members are listed apart."`
	Reasoned
}

func (d *Discord) createRole(ctx context.Context, in CreateRole) (out Role, err error) {
	set, err := bits(in.Permissions)
	if err != nil {
		return out, invalid("/permissions", err.Error())
	}
	body := map[string]any{"name": in.Name, "permissions": set, "mentionable": in.Mentionable, "hoist": in.Hoist}
	if err := d.create(ctx, call{method: http.MethodPost, path: d.in("roles"), body: body, reason: in.Reason, needs: "MANAGE_ROLES"}, &out, &out.ID); err != nil {
		return out, err
	}
	gateway.CallOf(ctx).Caused(auditRef(30, out.ID))
	return out, nil
}

// findRole is the look-up of create-role.
func (d *Discord) findRole(ctx context.Context, in CreateRole) (Role, gateway.Found, error) {
	list, err := d.listAllRoles(ctx, struct{}{})
	if err != nil {
		return Role{}, gateway.CannotTell, err
	}
	out, found, err := made(ctx, d, list.Roles, func(r Role) (string, bool) { return r.ID, !r.Managed && r.Name == strings.TrimSpace(in.Name) })
	if found == gateway.Happened {
		gateway.CallOf(ctx).Caused(auditRef(30, out.ID))
	}
	return out, found, err
}

// DeleteRole is the input of delete-role.
type DeleteRole struct {
	Role string `json:"role" choices:"roles" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"The role, by its ID."`
	Reasoned
}

func (d *Discord) deleteRole(ctx context.Context, in DeleteRole) (Done, error) {
	return d.done(ctx, act{
		call:   call{method: http.MethodDelete, path: d.in("roles", in.Role), reason: in.Reason, needs: "MANAGE_ROLES"},
		echoes: []string{auditRef(32, in.Role)}, gone: []int{10011},
	})
}

// ListAudit is the input of list-audit-log.
type ListAudit struct {
	User   string `json:"user,omitempty" choices:"members" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Only what they did. Absent: everybody."`
	Action int    `json:"action_type,omitempty" jsonschema:"minimum=0,maximum=1000" jsonschema_description:"Only what has this number of Discord's: 20 kick, 22 ban, 23 unban, and so on. 0: everything."`
	Before string `json:"before,omitempty" jsonschema:"pattern=^[0-9]+$,maxLength=20" jsonschema_description:"Only what was done before this entry. Absent: the last."`
	Limit  int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=100,default=50" jsonschema_description:"How many at the most."`
}

// AuditLog is what was done.
type AuditLog struct {
	Entries []AuditEntry `json:"entries" jsonschema_description:"The entries, the newest first."`
}

// AuditEntry is one of the audit log.
type AuditEntry struct {
	ID         string `json:"id" jsonschema_description:"By which it is known for ever."`
	ActionType int    `json:"action_type" jsonschema_description:"Discord's number of what was done."`
	TargetID   string `json:"target_id,omitempty" jsonschema_description:"To whom or what."`
	UserID     string `json:"user_id,omitempty" jsonschema_description:"Who did it."`
	Reason     string `json:"reason,omitempty" jsonschema_description:"Why."`
	Changes    []free `json:"changes,omitempty" jsonschema_description:"What was changed: key, old_value and new_value."`
	Options    free   `json:"options,omitempty" jsonschema_description:"What else there is to know."`
}

func (d *Discord) listAudit(ctx context.Context, in ListAudit) (AuditLog, error) {
	q := url.Values{"limit": {itoa(in.Limit)}}
	for name, v := range map[string]string{"user_id": in.User, "before": in.Before} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if in.Action > 0 {
		q.Set("action_type", itoa(in.Action))
	}
	var page struct {
		Entries []AuditEntry `json:"audit_log_entries"`
	}
	err := d.call(ctx, call{path: d.in("audit-logs"), query: q, needs: "VIEW_AUDIT_LOG"}, &page)
	if page.Entries == nil {
		page.Entries = []AuditEntry{}
	}
	return AuditLog{page.Entries}, err
}
