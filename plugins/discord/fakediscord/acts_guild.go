package fakediscord

import "time"

// Rename gives the guild another name.
func (g *Guild) Rename(actor, name string) error {
	return g.do(func() error {
		if g.guildPerms(actor)&PermManageGuild == 0 {
			return refuse(50013)
		}
		before := g.name
		g.name = name
		g.log(auditEntry{action: AuditGuildUpdate, user: actor, target: g.id, change: []object{change("name", before, name)}})
		g.emit("GUILD_UPDATE", g.show(), nil)
		return nil
	})
}

// Join is somebody joining; who is banned cannot.
func (g *Guild) Join(user string) error {
	return g.do(func() error {
		if _, banned := g.bans[user]; banned {
			return refuse(40007)
		}
		if g.members[user] != nil {
			return nil
		}
		o := g.add(user).show()
		o["guild_id"] = g.id
		g.emit("GUILD_MEMBER_ADD", o, nil)
		return nil
	})
}

// Leave is a member leaving.
func (g *Guild) Leave(user string) error {
	return g.do(func() error {
		switch {
		case g.members[user] == nil:
			return refuse(10007)
		case user == g.owner:
			return notAllowed("owners cannot leave their guilds")
		}
		g.remove(user)
		return nil
	})
}

// Ban is a moderator banning somebody; seconds says how far back the messages are deleted.
func (g *Guild) Ban(actor, target, reason string, seconds int) error {
	return g.do(func() error { return g.ban(actor, target, reason, seconds) })
}

// Unban is a moderator lifting a ban.
func (g *Guild) Unban(actor, target, reason string) error {
	return g.do(func() error { return g.unban(actor, target, reason) })
}

// Kick is a moderator removing a member. Kicking the bot removes it from the guild.
func (g *Guild) Kick(actor, target, reason string) error {
	return g.do(func() error { return g.kick(actor, target, reason) })
}

// RemoveBot is somebody removing the app from the guild, in the guild's integrations.
func (g *Guild) RemoveBot(actor string) error {
	return g.do(func() error {
		if g.guildPerms(actor)&PermManageGuild == 0 {
			return refuse(50013)
		}
		if g.bot {
			g.removeBot()
		}
		return nil
	})
}

// Outage makes the guild unavailable to the app, or available again. Nothing else changes.
func (g *Guild) Outage(out bool) error {
	return g.do(func() error {
		if out {
			g.emit("GUILD_DELETE", object{"id": g.id, "unavailable": true}, nil)
		} else {
			g.s.joined(g)
		}
		return nil
	})
}

// GiveRole gives somebody a role.
func (g *Guild) GiveRole(actor, target, role string) error {
	return g.do(func() error { return g.setRole(actor, target, role, "", true) })
}

// TakeRole takes a role from somebody.
func (g *Guild) TakeRole(actor, target, role string) error {
	return g.do(func() error { return g.setRole(actor, target, role, "", false) })
}

// DeleteRole deletes a role.
func (g *Guild) DeleteRole(actor, id string) error {
	return g.do(func() error {
		r := g.roles[id]
		if r == nil || id == g.id || r.managed {
			return refuse(10011)
		}
		if g.guildPerms(actor)&PermManageRoles == 0 || actor != g.owner && r.position >= g.rank(actor) {
			return refuse(50013)
		}
		g.deleteRole(actor, r, "")
		return nil
	})
}

// Timeout silences a member for some time; 0 ends it.
func (g *Guild) Timeout(actor, target, reason string, d time.Duration) error {
	return g.do(func() error {
		var until time.Time
		if d > 0 {
			until = g.s.opt.Now().Add(d)
		}
		return g.timeOut(actor, target, until, reason)
	})
}

// Nick changes somebody's nickname in the guild.
func (g *Guild) Nick(actor, target, nick string) error {
	return g.do(func() error { return g.rename(actor, target, nick, "") })
}
