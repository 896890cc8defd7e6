package fakediscord

import (
	"slices"
	"strconv"
)

// What the audit log calls what was done (Discord's audit log events).
const (
	AuditGuildUpdate      = 1
	AuditChannelCreate    = 10
	AuditChannelUpdate    = 11
	AuditChannelDelete    = 12
	AuditOverwriteCreate  = 13
	AuditOverwriteUpdate  = 14
	AuditOverwriteDelete  = 15
	AuditMemberKick       = 20
	AuditBanAdd           = 22
	AuditBanRemove        = 23
	AuditMemberUpdate     = 24
	AuditMemberRoleUpdate = 25
	AuditMemberMove       = 26
	AuditMemberDisconnect = 27
	AuditBotAdd           = 28
	AuditRoleCreate       = 30
	AuditRoleUpdate       = 31
	AuditRoleDelete       = 32
	AuditMessageDelete    = 72
	AuditBulkDelete       = 73
	AuditPin              = 74
	AuditUnpin            = 75
	AuditThreadCreate     = 110
	AuditThreadUpdate     = 111
	AuditThreadDelete     = 112
)

// auditEntry is one line of a guild's audit log.
type auditEntry struct {
	id     string
	action int
	user   string
	target string // "" is null
	reason string
	change []object
	option object
}

func (e *auditEntry) show() object {
	o := object{"id": e.id, "action_type": e.action, "user_id": nullable(e.user), "target_id": nullable(e.target)}
	if e.reason != "" {
		o["reason"] = e.reason
	}
	if e.change != nil {
		o["changes"] = e.change
	}
	if e.option != nil {
		o["options"] = e.option
	}
	return o
}

// change is one changed field; a value that is nil is left out, as Discord does.
func change(key string, before, after any) object {
	o := object{"key": key}
	if before != nil {
		o["old_value"] = before
	}
	if after != nil {
		o["new_value"] = after
	}
	return o
}

// log writes the audit log and tells the app, if it may see it. The caller holds s.mu.
func (g *Guild) log(e auditEntry) {
	e.id = g.s.snowflake()
	g.audit = append(g.audit, &e)
	if g.guildPerms(g.s.app.BotUser)&PermViewAuditLog == 0 {
		g.s.note("GUILD_AUDIT_LOG_ENTRY_CREATE", g.id, "missing permission VIEW_AUDIT_LOG")
		return
	}
	o := e.show()
	o["guild_id"] = g.id
	g.emit("GUILD_AUDIT_LOG_ENTRY_CREATE", o, nil)
}

// getAuditLog lists entries, newest first, or with "after" oldest first.
func (r *request) getAuditLog() (any, error) {
	g, err := r.guildWith(PermViewAuditLog)
	if err != nil {
		return nil, err
	}
	q := r.call.Query
	limit, err := count(q, 1, 100, 50)
	if err != nil {
		return nil, err
	}
	before, err := cursor(q, "before")
	if err != nil {
		return nil, err
	}
	after, err := cursor(q, "after")
	if err != nil {
		return nil, err
	}
	entries := slices.Clone(g.audit)
	if !q.Has("after") {
		slices.Reverse(entries)
	}
	out, users := []object{}, map[string]bool{}
	for _, e := range entries {
		switch {
		case len(out) == limit:
		case q.Get("user_id") != "" && e.user != q.Get("user_id"),
			q.Get("target_id") != "" && e.target != q.Get("target_id"),
			q.Get("action_type") != "" && strconv.Itoa(e.action) != q.Get("action_type"),
			before != 0 && num(e.id) >= before, q.Has("after") && num(e.id) <= after:
		default:
			out = append(out, e.show())
			users[e.user] = true
			if e.action >= AuditMemberKick && e.action <= AuditBotAdd && e.target != "" {
				users[e.target] = true
			}
		}
	}
	people := []object{}
	for id := range users {
		if id != "" {
			people = append(people, r.s.showUser(id))
		}
	}
	none := []any{}
	return object{"audit_log_entries": out, "users": people, "integrations": none, "webhooks": none, "guild_scheduled_events": none,
		"threads": none, "application_commands": none, "auto_moderation_rules": none}, nil
}
