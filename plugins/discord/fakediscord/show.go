package fakediscord

import (
	"slices"
	"strconv"
	"strings"
)

// This file writes the state as Discord's objects. All its functions are called with s.mu held.

func (u *user) show() object {
	o := object{
		"id": u.id, "username": u.name, "avatar": nil, "discriminator": "0", "public_flags": 0, "flags": 0,
		"global_name": nullable(u.global), "banner": nil, "accent_color": nil, "avatar_decoration_data": nil,
		"collectibles": nil, "primary_guild": nil,
	}
	if u.bot {
		o["bot"] = true
		o["discriminator"] = "0001"
	}
	return o
}

// showUser is an account by its ID, also one that is gone.
func (s *Server) showUser(id string) object {
	if u := s.users[id]; u != nil {
		return u.show()
	}
	return (&user{id: id, name: "Deleted User"}).show()
}

func (m *member) show() object {
	o := m.bare()
	o["user"] = m.user.show()
	return o
}

// bare is a member without its user, as in messages.
func (m *member) bare() object {
	return object{
		"avatar": nil, "banner": nil, "communication_disabled_until": iso(m.timeout), "flags": 0, "joined_at": iso(m.joined),
		"nick": nullable(m.nick), "pending": false, "premium_since": nil, "roles": list(m.roles), "mute": m.mute, "deaf": m.deaf,
	}
}

func bits(p uint64) string { return strconv.FormatUint(p, 10) }

func (r *role) show() object {
	o := object{
		"id": r.id, "name": r.name, "description": nil, "permissions": bits(r.perms), "position": r.position, "color": r.color,
		"colors": object{"primary_color": r.color, "secondary_color": nil, "tertiary_color": nil}, "hoist": r.hoist,
		"managed": r.managed, "mentionable": r.mentionable, "icon": nil, "unicode_emoji": nil, "flags": 0,
	}
	if r.bot != "" {
		o["tags"] = object{"bot_id": r.bot}
	}
	return o
}

func (g *Guild) showRoles() []object {
	var all []*role
	for _, r := range g.roles {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *role) int {
		if a.position != b.position {
			return a.position - b.position
		}
		return strings.Compare(a.id, b.id)
	})
	out := []object{}
	for _, r := range all {
		out = append(out, r.show())
	}
	return out
}

// show is the guild as GET answers it.
func (g *Guild) show() object {
	return object{
		"id": g.id, "name": g.name, "icon": nil, "description": nil, "home_header": nil, "splash": nil, "discovery_splash": nil,
		"features": []string{}, "banner": nil, "owner_id": g.owner, "application_id": nil, "region": "us-east",
		"afk_channel_id": nil, "afk_timeout": 300, "system_channel_id": nil, "system_channel_flags": 0, "widget_enabled": false,
		"widget_channel_id": nil, "verification_level": 0, "roles": g.showRoles(), "default_message_notifications": 0,
		"mfa_level": 0, "explicit_content_filter": 0, "max_presences": nil, "max_members": 500000,
		"max_stage_video_channel_users": 50, "max_video_channel_users": 25, "vanity_url_code": nil, "premium_tier": 0,
		"premium_subscription_count": 0, "preferred_locale": "en-US", "rules_channel_id": nil, "safety_alerts_channel_id": nil,
		"public_updates_channel_id": nil, "premium_progress_bar_enabled": false, "nsfw": false, "nsfw_level": 0,
		"emojis": []any{}, "stickers": []any{}, "incidents_data": nil, "hub_type": nil,
	}
}

func (c *channel) show() object {
	if c.g == nil {
		o := object{"id": c.id, "type": c.typ, "flags": 0, "last_message_id": c.last(),
			"recipients": []object{c.srv.showUser(c.recipient)}}
		return o
	}
	o := object{"id": c.id, "type": c.typ, "flags": 0, "guild_id": c.g.id, "name": c.name, "parent_id": nullable(c.parent)}
	if c.typ != Category {
		o["last_message_id"], o["last_pin_timestamp"], o["rate_limit_per_user"] = c.last(), iso(c.lastPin), c.slow
	}
	if isVoice(c.typ) {
		o["bitrate"], o["user_limit"], o["rtc_region"] = c.bitrate, c.userLimit, nil
	}
	if c.thread != nil {
		t := c.thread
		o["owner_id"], o["message_count"], o["total_message_sent"], o["member_count"] = t.owner, len(c.order), t.sent, min(len(t.members), 50)
		o["thread_metadata"] = object{"archived": t.archived, "archive_timestamp": iso(t.archivedAt), "auto_archive_duration": t.minutes,
			"locked": t.locked, "create_timestamp": iso(t.begun)}
		if c.typ == privateThread {
			o["thread_metadata"].(object)["invitable"] = t.invitable
		}
		return o
	}
	o["position"], o["nsfw"], o["topic"] = c.position, c.nsfw, nullable(c.topic)
	over := []object{}
	for _, x := range c.overwrites {
		typ := 0
		if x.member {
			typ = 1
		}
		over = append(over, object{"id": x.id, "type": typ, "allow": bits(x.allow), "deny": bits(x.deny)})
	}
	o["permission_overwrites"] = over
	return o
}

func (c *channel) last() any {
	if len(c.order) == 0 {
		return nil
	}
	return c.order[len(c.order)-1].id
}

// show is a message as somebody sees it: "me" in reactions and polls.
func (m *message) show(me string) object {
	s := m.c.srv
	author := s.showUser(m.author)
	o := object{
		"id": m.id, "type": m.typ, "channel_id": m.c.id, "author": author, "content": m.content, "embeds": list(m.embeds),
		"components": list(m.components), "attachments": []any{}, "mentions": []object{}, "mention_roles": list(m.mentionRoles),
		"mention_everyone": m.mentionAll, "pinned": !m.pinned.IsZero(), "tts": m.tts, "timestamp": iso(m.posted),
		"edited_timestamp": iso(m.edited), "flags": m.flags,
	}
	mentions := []object{}
	for _, id := range m.mentions {
		mentions = append(mentions, s.showUser(id))
	}
	o["mentions"] = mentions
	if m.nonce != nil {
		o["nonce"] = m.nonce
	}
	if m.webhook != "" {
		o["webhook_id"], o["application_id"] = m.webhook, s.app.AppID
	}
	if m.interaction != nil {
		o["interaction_metadata"] = m.interaction
	}
	if len(m.reactions) > 0 {
		o["reactions"] = m.showReactions(me)
	}
	if m.poll != nil {
		o["poll"] = m.poll.show(me, s.opt.HidePollResults)
	}
	if m.reference != nil {
		o["message_reference"] = m.reference
	}
	if m.typ == 19 {
		o["referenced_message"] = nil
		if m.replyTo != nil && !m.replyTo.deleted {
			ref := m.replyTo.show(me)
			delete(ref, "referenced_message")
			o["referenced_message"] = ref
		}
	}
	if c := m.threadChannel(); c != nil {
		o["thread"] = c.show()
	}
	return o
}

func (m *message) threadChannel() *channel {
	if m.thread == "" || m.c.g == nil {
		return nil
	}
	return m.c.g.channels[m.thread]
}

func (m *message) showReactions(me string) []object {
	out := []object{}
	for _, r := range m.reactions {
		out = append(out, object{
			"emoji": r.emoji(), "count": len(r.users), "count_details": object{"normal": len(r.users), "burst": 0},
			"burst_colors": []string{}, "me_burst": false, "me": r.has[me], "burst_me": false, "burst_count": 0,
		})
	}
	return out
}

func (r *reaction) emoji() object { return object{"id": nullable(r.id), "name": r.name} }

// event is a message as the Gateway tells it: with the guild and the author as a member.
func (m *message) event() object {
	o := m.show(m.c.srv.app.BotUser)
	o["channel_type"] = m.c.typ
	if g := m.c.g; g != nil {
		o["guild_id"] = g.id
		if a := g.members[m.author]; a != nil {
			o["member"] = a.bare()
		}
	}
	return o
}
