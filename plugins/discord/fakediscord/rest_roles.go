package fakediscord

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

func (r *request) listRoles() (any, error) {
	g, err := r.guild()
	if err != nil {
		return nil, err
	}
	return g.showRoles(), nil
}

// role is the role of the path, with the permissions that changing it needs.
func (r *request) role(perms uint64) (*Guild, *role, error) {
	g, err := r.guildWith(perms)
	if err != nil {
		return nil, nil, err
	}
	role := g.roles[r.vars["role_id"]]
	if role == nil {
		return nil, nil, refuse(10011)
	}
	return g, role, nil
}

func (r *request) getRole() (any, error) {
	_, role, err := r.role(0)
	if err != nil {
		return nil, err
	}
	return role.show(), nil
}

type roleForm struct {
	Name        *string         `json:"name"`
	Permissions json.RawMessage `json:"permissions"`
	Color       *int            `json:"color"`
	Hoist       *bool           `json:"hoist"`
	Mentionable *bool           `json:"mentionable"`
}

// apply changes a role. Nobody gives permissions that they have not.
func (f *roleForm) apply(g *Guild, actor string, to *role) error {
	if f.Name != nil {
		if n := utf8.RuneCountInString(*f.Name); n < 1 || n > 100 {
			return badLength("name", 1, 100)
		}
		to.name = *f.Name
	}
	if len(f.Permissions) > 0 {
		p, ok := permissionBits(f.Permissions)
		if !ok {
			return invalid("permissions", "NUMBER_TYPE_COERCE", "Value is not int.")
		}
		if (p^to.perms)&^g.guildPerms(actor) != 0 {
			return refuse(50013)
		}
		to.perms = p
	}
	if f.Color != nil {
		to.color = *f.Color
	}
	if f.Hoist != nil {
		to.hoist = *f.Hoist
	}
	if f.Mentionable != nil {
		to.mentionable = *f.Mentionable
	}
	return nil
}

func (r *request) postRole() (any, error) {
	g, err := r.guildWith(PermManageRoles)
	if err != nil {
		return nil, err
	}
	var in roleForm
	if err := r.into(&in); err != nil {
		return nil, err
	}
	made := &role{id: r.s.snowflake(), name: "new role", perms: g.roles[g.id].perms & g.guildPerms(r.me())}
	if err := in.apply(g, r.me(), made); err != nil {
		return nil, err
	}
	// New roles are the lowest, above @everyone alone.
	for _, x := range g.roles {
		if x.position > 0 {
			x.position++
		}
	}
	made.position = 1
	g.roles[made.id] = made
	g.log(auditEntry{action: AuditRoleCreate, user: r.me(), target: made.id, reason: r.call.Reason, change: []object{change("name", nil, made.name)}})
	g.emit("GUILD_ROLE_CREATE", object{"guild_id": g.id, "role": made.show()}, nil)
	return made.show(), nil
}

func (r *request) patchRole() (any, error) {
	g, role, err := r.role(PermManageRoles)
	if err != nil {
		return nil, err
	}
	if role.position >= g.rank(r.me()) {
		return nil, refuse(50013)
	}
	var in roleForm
	if err := r.into(&in); err != nil {
		return nil, err
	}
	before := role.name
	if err := in.apply(g, r.me(), role); err != nil {
		return nil, err
	}
	g.log(auditEntry{action: AuditRoleUpdate, user: r.me(), target: role.id, reason: r.call.Reason,
		change: []object{change("name", before, role.name)}})
	g.emit("GUILD_ROLE_UPDATE", object{"guild_id": g.id, "role": role.show()}, nil)
	return role.show(), nil
}

func (r *request) deleteRole() (any, error) {
	g, role, err := r.role(PermManageRoles)
	if err != nil {
		return nil, err
	}
	switch {
	case role.id == g.id || role.managed:
		return nil, refuse(50028)
	case role.position >= g.rank(r.me()):
		return nil, refuse(50013)
	}
	g.deleteRole(r.me(), role, r.call.Reason)
	return nil, nil
}

func (g *Guild) deleteRole(actor string, gone *role, reason string) {
	delete(g.roles, gone.id)
	for _, m := range g.members {
		m.roles = slices.DeleteFunc(slices.Clone(m.roles), func(x string) bool { return x == gone.id })
	}
	g.log(auditEntry{action: AuditRoleDelete, user: actor, target: gone.id, reason: reason, change: []object{change("name", gone.name, nil)}})
	g.emit("GUILD_ROLE_DELETE", object{"guild_id": g.id, "role_id": gone.id}, nil)
}
