package fakediscord

import (
	"slices"
	"strings"
	"time"
)

// do is what every act of people is: the state changes, and the app is told.
func (g *Guild) do(f func() error) error {
	g.s.mu.Lock()
	err := f()
	g.s.mu.Unlock()
	g.s.settle()
	return err
}

// in does something in a channel that somebody sees.
func (g *Guild) in(channel, user string, f func(*channelAct) error) error {
	return g.do(func() error {
		c, err := g.s.seen(channel, user)
		if err != nil {
			return err
		}
		return f(&channelAct{c: c, user: user})
	})
}

type channelAct struct {
	c    *channel
	user string
}

// on does something with a message.
func (g *Guild) on(channel, id, user string, f func(*message) error) error {
	return g.in(channel, user, func(a *channelAct) error {
		m := a.c.messages[id]
		if m == nil || m.whisperTo != "" && m.whisperTo != user {
			return refuse(10008)
		}
		return f(m)
	})
}

// Post writes a message, and returns its ID.
func (g *Guild) Post(channel, user, text string) (id string, err error) {
	return g.post(channel, user, text, nil)
}

// PostPoll posts a poll of a person.
func (g *Guild) PostPoll(channel, user, question string, answers ...string) (id string, err error) {
	f := pollForm{}
	f.Question.Text = question
	for range answers {
		f.Answers = append(f.Answers, struct {
			Media struct {
				Text  string `json:"text"`
				Emoji object `json:"emoji"`
			} `json:"poll_media"`
		}{})
	}
	for i, a := range answers {
		f.Answers[i].Media.Text = a
	}
	return g.post(channel, user, "", &f)
}

// Reply writes a message that replies to another.
func (g *Guild) Reply(channel, to, user, text string) (id string, err error) {
	err = g.on(channel, to, user, func(m *message) error {
		if err := m.c.writable(user); err != nil {
			return err
		}
		n := &message{c: m.c, author: user, typ: 19, replyTo: m,
			reference: withGuild(m.c, object{"type": 0, "message_id": m.id, "channel_id": m.c.id})}
		n.apply(draft{content: text})
		m.c.post(n)
		id = n.id
		return nil
	})
	return id, err
}

func (g *Guild) post(channel, user, text string, p *pollForm) (id string, err error) {
	err = g.in(channel, user, func(a *channelAct) error {
		if err := a.c.writable(user); err != nil {
			return err
		}
		if !hasNonSpace(text) && p == nil {
			return refuse(50006)
		}
		m := &message{c: a.c, author: user}
		d := draft{content: text}
		if p != nil {
			if err := a.c.need(user, PermSendPolls); err != nil {
				return err
			}
			checked, err := p.check(g.s.opt.Now())
			if err != nil {
				return err
			}
			d.poll = checked
		}
		m.apply(d)
		a.c.post(m)
		id = m.id
		return nil
	})
	return id, err
}

// Edit changes somebody's own message.
func (g *Guild) Edit(channel, id, user, text string) error {
	return g.on(channel, id, user, func(m *message) error {
		if m.author != user {
			return refuse(50005)
		}
		m.edit(draft{content: text, embeds: m.embeds, components: m.components})
		return nil
	})
}

// Delete deletes a message, with MANAGE_MESSAGES also another's.
func (g *Guild) Delete(channel, id, user string) error {
	return g.on(channel, id, user, func(m *message) error { return m.deleteBy(user, "") })
}

// React adds a reaction: an emoji of Unicode, or name:id.
func (g *Guild) React(channel, id, user, emoji string) error {
	return g.on(channel, id, user, func(m *message) error { return m.react(user, emoji) })
}

// ReactMany adds the same reaction of n people with IDs from first on, without telling anybody: for large votes.
func (g *Guild) ReactMany(channel, message, emoji string, first uint64, n int) error {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	c := g.channels[channel]
	if c == nil || c.messages[message] == nil {
		return refuse(10008)
	}
	name, id, err := parseEmoji(emoji)
	if err != nil {
		return err
	}
	m := c.messages[message]
	r := m.reaction(name, id)
	if r == nil {
		r = &reaction{name: name, id: id, has: map[string]bool{}}
		m.reactions = append(m.reactions, r)
	}
	for i := range n {
		who := idText(first + uint64(i))
		if !r.has[who] {
			r.has[who] = true
			r.users = append(r.users, who)
		}
	}
	return nil
}

// Unreact takes somebody's reaction away.
func (g *Guild) Unreact(channel, id, user, emoji string) error {
	return g.on(channel, id, user, func(m *message) error { return m.unreact(user, emoji) })
}

// Pin pins or unpins a message.
func (g *Guild) Pin(channel, id, user string, on bool) error {
	return g.on(channel, id, user, func(m *message) error { return m.pin(user, "", on) })
}

// VoteInPoll votes for an answer of a poll, counted from 1; in a poll with one choice it replaces the vote before.
func (g *Guild) VoteInPoll(channel, id, user string, answer int) error {
	return g.on(channel, id, user, func(m *message) error { return m.vote(user, answer, true) })
}

// UnvoteInPoll takes a vote back.
func (g *Guild) UnvoteInPoll(channel, id, user string, answer int) error {
	return g.on(channel, id, user, func(m *message) error { return m.vote(user, answer, false) })
}

// VoteMany adds the votes of n people with IDs from first on, without telling anybody: for large polls.
func (g *Guild) VoteMany(channel, message string, answer int, first uint64, n int) error {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	c := g.channels[channel]
	if c == nil || c.messages[message] == nil || c.messages[message].poll == nil {
		return refuse(10008)
	}
	p := c.messages[message].poll
	if answer < 1 || answer > len(p.answers) {
		return notAllowed("no answer %d", answer)
	}
	for i := range n {
		who := idText(first + uint64(i))
		if !p.has[answer-1][who] {
			p.has[answer-1][who] = true
			p.votes[answer-1] = append(p.votes[answer-1], who)
		}
	}
	return nil
}

// EndPoll is its author ending a poll early.
func (g *Guild) EndPoll(channel, id, user string) error {
	return g.on(channel, id, user, func(m *message) error {
		if m.poll == nil || m.author != user {
			return refuse(520006)
		}
		if m.poll.over(g.s.opt.Now()) {
			return refuse(520001)
		}
		m.poll.expiry = g.s.opt.Now()
		m.finishPoll()
		return nil
	})
}

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

// JoinVoice is a member connecting to a voice channel.
func (g *Guild) JoinVoice(user, channel string) error {
	return g.in(channel, user, func(a *channelAct) error {
		if !isVoice(a.c.typ) || g.perms(user, a.c)&PermConnect == 0 {
			return refuse(50013)
		}
		m := g.members[user]
		if m.voice == nil {
			m.voice = &voice{}
		}
		m.voice.channel = channel
		g.voiceChanged(m)
		return nil
	})
}

// LeaveVoice is a member hanging up.
func (g *Guild) LeaveVoice(user string) error {
	return g.do(func() error {
		g.leaveVoice(g.members[user])
		return nil
	})
}

// VoiceState is what a member does to themselves in voice.
type VoiceState struct{ Mute, Deaf, Video, Stream bool }

// SetVoice changes what a member does in voice: Stream needs the permission STREAM, Video too.
func (g *Guild) SetVoice(user string, v VoiceState) error {
	return g.do(func() error {
		m := g.members[user]
		if m == nil || m.voice == nil {
			return refuse(40032)
		}
		if (v.Stream || v.Video) && g.perms(user, g.channels[m.voice.channel])&PermStream == 0 {
			return refuse(50013)
		}
		m.voice.selfMute, m.voice.selfDeaf, m.voice.selfVideo, m.voice.selfStream = v.Mute, v.Deaf, v.Video, v.Stream
		g.voiceChanged(m)
		return nil
	})
}

// Mute is a moderator muting a member in voice, or ending that.
func (g *Guild) Mute(actor, target string, on bool) error {
	return g.do(func() error { return g.silence(actor, target, "", PermMuteMembers, on) })
}

// Deafen is a moderator deafening a member in voice, or ending that.
func (g *Guild) Deafen(actor, target string, on bool) error {
	return g.do(func() error { return g.silence(actor, target, "", PermDeafenMembers, on) })
}

// Move is a moderator moving a member to another voice channel, or disconnecting them (an empty channel).
func (g *Guild) Move(actor, target, channel string) error {
	return g.do(func() error { return g.move(actor, target, channel, "") })
}

// CreateChannel makes a channel, and returns its ID.
func (g *Guild) CreateChannel(actor, name string, typ int) (id string, err error) {
	err = g.do(func() error {
		if g.guildPerms(actor)&PermManageChannels == 0 {
			return refuse(50013)
		}
		id = g.createChannel(actor, channelName(name, typ), typ, "", nil).id
		return nil
	})
	return id, err
}

// RenameChannel renames a channel or thread.
func (g *Guild) RenameChannel(actor, channel, name string) error {
	return g.in(channel, actor, func(a *channelAct) error {
		need := PermManageChannels
		if a.c.thread != nil {
			need = PermManageThreads
		}
		if err := a.c.need(actor, need); err != nil {
			return err
		}
		g.renameChannel(actor, a.c, &name, "")
		return nil
	})
}

// DeleteChannel deletes a channel or thread.
func (g *Guild) DeleteChannel(actor, channel string) error {
	return g.in(channel, actor, func(a *channelAct) error {
		need := PermManageChannels
		if a.c.thread != nil {
			need = PermManageThreads
		}
		if err := a.c.need(actor, need); err != nil {
			return err
		}
		g.deleteChannel(actor, a.c, "")
		return nil
	})
}

// StartThread begins a public thread, at a message or without one (an empty ID), and returns its ID.
func (g *Guild) StartThread(channel, message, user, name string) (id string, err error) {
	err = g.in(channel, user, func(a *channelAct) error {
		if err := a.c.need(user, PermPublicThreads); err != nil {
			return err
		}
		if a.c.thread != nil || !a.c.textual() || strings.TrimSpace(name) == "" {
			return refuse(50024)
		}
		id = message
		if m := a.c.messages[message]; message != "" && (m == nil || m.thread != "") {
			return refuse(160004)
		} else if m != nil {
			m.thread = id
		} else {
			id = g.s.snowflake()
		}
		a.c.begin(user, name, publicThread, id, nil, "")
		return nil
	})
	return id, err
}

// ArchiveThread archives a thread or opens it again, and locks it if lock is set.
func (g *Guild) ArchiveThread(thread, user string, archived, lock bool) error {
	return g.in(thread, user, func(a *channelAct) error {
		t := a.c.thread
		if t == nil {
			return refuse(50024)
		}
		if t.owner != user || lock {
			if err := a.c.need(user, PermManageThreads); err != nil {
				return err
			}
		}
		t.locked = lock
		a.c.setArchived(archived)
		return nil
	})
}

// Write is somebody writing to the bot in direct messages.
func (s *Server) Write(user, text string) (id string, err error) {
	s.mu.Lock()
	if s.users[user] == nil {
		err = refuse(10013)
	} else {
		c := s.dm(user)
		m := &message{c: c, author: user}
		m.apply(draft{content: text})
		c.post(m)
		id = m.id
	}
	s.mu.Unlock()
	s.settle()
	return id, err
}

// joined tells of a guild that is there from now on. The caller holds s.mu.
func (s *Server) joined(g *Guild) {
	log := s.note("GUILD_CREATE", g.id, "")
	if fault := s.deliveryFault("GUILD_CREATE"); fault != nil && fault.f.Drop {
		log.Dropped = "lost on purpose"
		return
	}
	log.Body = rawJSON(g.created(allIntents))
	told := false
	for _, se := range s.sessions {
		if se.intents&IntentGuilds != 0 && se.has(g) {
			told = true
			se.send("GUILD_CREATE", g.created(se.intents))
		}
	}
	if !told {
		log.Dropped = "no session with the intent GUILDS"
	}
}

// created is a guild as GUILD_CREATE tells it: without the intent GUILD_MEMBERS, only with the bot and who is in voice.
func (g *Guild) created(intents int) object {
	me := g.s.app.BotUser
	o := g.show()
	members, voices, channels, threads := []object{}, []object{}, []object{}, []object{}
	for _, m := range g.sortedMembers() {
		inVoice := m.voice != nil && intents&IntentVoiceStates != 0
		if m.user.id == me || inVoice || intents&IntentGuildMembers != 0 && len(g.members) <= 250 {
			members = append(members, m.show())
		}
		if inVoice {
			v := m.showVoice(g)
			delete(v, "guild_id")
			voices = append(voices, v)
		}
	}
	for _, c := range g.sortedChannels() {
		switch {
		case c.thread == nil:
			channels = append(channels, c.show())
		case !c.thread.archived && (c.typ != privateThread || slices.Contains(c.thread.members, me)):
			threads = append(threads, c.show())
		}
	}
	for k, v := range (object{"joined_at": iso(g.members[me].joined), "large": len(g.members) > 250, "unavailable": false,
		"member_count": len(g.members), "voice_states": voices, "members": members, "channels": channels, "threads": threads,
		"presences": []any{}, "stage_instances": []any{}, "guild_scheduled_events": []any{}, "soundboard_sounds": []any{}}) {
		o[k] = v
	}
	return o
}
