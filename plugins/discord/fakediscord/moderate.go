package fakediscord

import (
	"slices"
	"time"
)

// This file is what moderators and the bot alike do to members. All its functions are called with s.mu held, and check that the
// actor may.

const maxTimeout = 28 * 24 * time.Hour

// may wants a permission, and for a member that the actor is above it.
func (g *Guild) may(actor string, perms uint64, target string) error {
	if g.guildPerms(actor)&perms != perms {
		return refuse(50013)
	}
	if target != "" && g.members[target] != nil && !g.above(actor, target) {
		return refuse(50013)
	}
	return nil
}

// ban bans, whether the target is a member or not; who is banned already stays so, and nobody is told.
func (g *Guild) ban(actor, target, reason string, seconds int) error {
	if err := g.may(actor, PermBanMembers, target); err != nil {
		return err
	}
	if g.s.users[target] == nil {
		return refuse(10013)
	}
	if target == g.owner || actor == target {
		return refuse(50013)
	}
	if _, already := g.bans[target]; already {
		return nil
	}
	g.bans[target] = ban{reason}
	if g.members[target] != nil {
		g.remove(target)
	}
	g.log(auditEntry{action: AuditBanAdd, user: actor, target: target, reason: reason})
	g.emit("GUILD_BAN_ADD", object{"guild_id": g.id, "user": g.s.showUser(target)}, nil)
	g.deleteRecent(target, seconds)
	return nil
}

// deleteRecent deletes what somebody wrote in the last seconds, as a ban may.
func (g *Guild) deleteRecent(author string, seconds int) {
	if seconds <= 0 {
		return
	}
	since := g.s.opt.Now().Add(-time.Duration(seconds) * time.Second)
	for _, c := range g.sortedChannels() {
		var gone []*message
		for _, m := range c.order {
			if m.author == author && !m.posted.Before(since) {
				gone = append(gone, m)
			}
		}
		c.deleteMany(gone)
	}
}

func (g *Guild) unban(actor, target, reason string) error {
	if err := g.may(actor, PermBanMembers, ""); err != nil {
		return err
	}
	if _, banned := g.bans[target]; !banned {
		return refuse(10026)
	}
	delete(g.bans, target)
	g.log(auditEntry{action: AuditBanRemove, user: actor, target: target, reason: reason})
	g.emit("GUILD_BAN_REMOVE", object{"guild_id": g.id, "user": g.s.showUser(target)}, nil)
	return nil
}

func (g *Guild) kick(actor, target, reason string) error {
	if g.members[target] == nil {
		return refuse(10007)
	}
	if err := g.may(actor, PermKickMembers, target); err != nil {
		return err
	}
	g.log(auditEntry{action: AuditMemberKick, user: actor, target: target, reason: reason})
	g.remove(target)
	return nil
}

// remove takes a member out: by a kick, a ban or of their own will.
func (g *Guild) remove(id string) {
	m := g.members[id]
	g.leaveVoice(m)
	if id == g.s.app.BotUser {
		g.removeBot()
		return
	}
	delete(g.members, id)
	for _, c := range g.channels {
		if c.thread != nil {
			c.thread.members = slices.DeleteFunc(c.thread.members, func(x string) bool { return x == id })
		}
	}
	g.emit("GUILD_MEMBER_REMOVE", object{"guild_id": g.id, "user": g.s.showUser(id)}, nil)
}

// removeBot takes the bot out, with its role; the app hears GUILD_DELETE, and nothing more of the guild.
func (g *Guild) removeBot() {
	me := g.s.app.BotUser
	g.emit("GUILD_DELETE", object{"id": g.id}, nil)
	delete(g.members, me)
	for id, r := range g.roles {
		if r.bot == me {
			delete(g.roles, id)
		}
	}
	g.bot, g.commands = false, false
}

// setRole gives or takes a role. A role that the member has already, or has not, changes nothing.
func (g *Guild) setRole(actor, target, roleID, reason string, give bool) error {
	m, role := g.members[target], g.roles[roleID]
	switch {
	case m == nil:
		return refuse(10007)
	case role == nil || roleID == g.id:
		return refuse(10011)
	case g.guildPerms(actor)&PermManageRoles == 0, role.managed, actor != g.owner && role.position >= g.rank(actor):
		return refuse(50013)
	}
	has := slices.Contains(m.roles, roleID)
	if has == give {
		return nil
	}
	key := "$add"
	if give {
		m.roles = append(slices.Clone(m.roles), roleID)
	} else {
		key = "$remove"
		m.roles = slices.DeleteFunc(slices.Clone(m.roles), func(x string) bool { return x == roleID })
	}
	g.log(auditEntry{action: AuditMemberRoleUpdate, user: actor, target: target, reason: reason,
		change: []object{change(key, nil, []object{{"id": role.id, "name": role.name}})}})
	g.updated(m)
	return nil
}

// updated tells of a changed member.
func (g *Guild) updated(m *member) {
	o := m.show()
	o["guild_id"] = g.id
	g.emit("GUILD_MEMBER_UPDATE", o, nil)
}

// timeOut silences a member until a time, or lets them speak again (the zero time).
func (g *Guild) timeOut(actor, target string, until time.Time, reason string) error {
	m := g.members[target]
	if m == nil {
		return refuse(10007)
	}
	if err := g.may(actor, PermModerateMembers, target); err != nil {
		return err
	}
	now := g.s.opt.Now()
	if until.After(now.Add(maxTimeout)) {
		return invalid("communication_disabled_until", "DATE_TIME_TOO_FAR", "Timeout cannot be longer than 28 days.")
	}
	if until.After(now) && g.guildPerms(target)&PermAdministrator != 0 {
		return refuse(50013)
	}
	before := m.timeout
	m.timeout = until
	g.log(auditEntry{action: AuditMemberUpdate, user: actor, target: target, reason: reason,
		change: []object{change("communication_disabled_until", iso(before), iso(until))}})
	g.updated(m)
	return nil
}

// rename sets a nickname; an empty one takes it away.
func (g *Guild) rename(actor, target, nick, reason string) error {
	m := g.members[target]
	if m == nil {
		return refuse(10007)
	}
	if len([]rune(nick)) > 32 {
		return tooLong("nick", 32)
	}
	need, on := PermManageNicknames, target
	if actor == target {
		need, on = PermChangeNickname, ""
	}
	if err := g.may(actor, need, on); err != nil {
		return err
	}
	if m.nick == nick {
		return nil
	}
	before := m.nick
	m.nick = nick
	g.log(auditEntry{action: AuditMemberUpdate, user: actor, target: target, reason: reason,
		change: []object{change("nick", nullable(before), nullable(nick))}})
	g.updated(m)
	return nil
}
