package fakediscord

import "slices"

// The permissions that the fake knows, as Discord numbers them (checked 2026-11).
const (
	PermKickMembers        uint64 = 1 << 1
	PermBanMembers         uint64 = 1 << 2
	PermAdministrator      uint64 = 1 << 3
	PermManageChannels     uint64 = 1 << 4
	PermManageGuild        uint64 = 1 << 5
	PermAddReactions       uint64 = 1 << 6
	PermViewAuditLog       uint64 = 1 << 7
	PermStream             uint64 = 1 << 9
	PermViewChannel        uint64 = 1 << 10
	PermSendMessages       uint64 = 1 << 11
	PermManageMessages     uint64 = 1 << 13
	PermEmbedLinks         uint64 = 1 << 14
	PermAttachFiles        uint64 = 1 << 15
	PermReadMessageHistory uint64 = 1 << 16
	PermMentionEveryone    uint64 = 1 << 17
	PermConnect            uint64 = 1 << 20
	PermSpeak              uint64 = 1 << 21
	PermMuteMembers        uint64 = 1 << 22
	PermDeafenMembers      uint64 = 1 << 23
	PermMoveMembers        uint64 = 1 << 24
	PermChangeNickname     uint64 = 1 << 26
	PermManageNicknames    uint64 = 1 << 27
	PermManageRoles        uint64 = 1 << 28
	PermUseCommands        uint64 = 1 << 31
	PermManageThreads      uint64 = 1 << 34
	PermPublicThreads      uint64 = 1 << 35
	PermPrivateThreads     uint64 = 1 << 36
	PermSendInThreads      uint64 = 1 << 38
	PermModerateMembers    uint64 = 1 << 40
	PermSendPolls          uint64 = 1 << 49
	PermPinMessages        uint64 = 1 << 51
	PermBypassSlowmode     uint64 = 1 << 52

	// PermEveryone is what @everyone has in a new guild.
	PermEveryone = PermAddReactions | PermStream | PermViewChannel | PermSendMessages | PermEmbedLinks | PermAttachFiles |
		PermReadMessageHistory | PermConnect | PermSpeak | PermChangeNickname | PermUseCommands | PermPublicThreads |
		PermSendInThreads | PermSendPolls

	permAll uint64 = 1<<53 - 1
)

// overwrite is a channel's exception for a role or a member.
type overwrite struct {
	id          string
	member      bool
	allow, deny uint64
}

// guildPerms are a member's permissions by roles. Nobody else has any. The caller holds s.mu.
func (g *Guild) guildPerms(id string) uint64 {
	m := g.members[id]
	if m == nil {
		return 0
	}
	if g.owner == id {
		return permAll
	}
	p := g.roles[g.id].perms
	for _, r := range m.roles {
		if role := g.roles[r]; role != nil {
			p |= role.perms
		}
	}
	if p&PermAdministrator != 0 {
		return permAll
	}
	if m.timedOut(g.s.opt.Now()) {
		p &= PermViewChannel | PermReadMessageHistory
	}
	return p
}

// perms are a member's permissions in a channel, with its overwrites: those of @everyone, then of all roles together, then
// of the member. Threads have their parent's. The caller holds s.mu.
func (g *Guild) perms(id string, c *channel) uint64 {
	p := g.guildPerms(id)
	if c == nil || p&PermAdministrator != 0 || p == 0 {
		return p
	}
	if c.thread != nil {
		if parent := g.channels[c.parent]; parent != nil {
			c = parent
		}
	}
	m := g.members[id]
	var allow, deny uint64
	for _, o := range c.overwrites {
		switch {
		case o.id == g.id:
			p = p&^o.deny | o.allow
		case !o.member && slices.Contains(m.roles, o.id):
			allow |= o.allow
			deny |= o.deny
		}
	}
	p = p&^deny | allow
	for _, o := range c.overwrites {
		if o.member && o.id == id {
			p = p&^o.deny | o.allow
		}
	}
	if m.timedOut(g.s.opt.Now()) {
		p &= PermViewChannel | PermReadMessageHistory
	}
	switch {
	case p&PermViewChannel == 0:
		return 0
	case isVoice(c.typ) && p&PermConnect == 0:
		return p & PermViewChannel
	case p&PermSendMessages == 0:
		p &^= PermMentionEveryone | PermAttachFiles | PermEmbedLinks | PermSendPolls
	}
	return p
}

// rank is the position of a member's highest role; the owner's is above all. The caller holds s.mu.
func (g *Guild) rank(id string) int {
	if id == g.owner {
		return 1 << 30
	}
	top := 0
	if m := g.members[id]; m != nil {
		for _, r := range m.roles {
			if role := g.roles[r]; role != nil {
				top = max(top, role.position)
			}
		}
	}
	return top
}

// above says whether one may act on another by the order of their roles. The caller holds s.mu.
func (g *Guild) above(actor, target string) bool {
	return target != g.owner && (actor == g.owner || g.rank(actor) > g.rank(target))
}
