package fakediscord

// This file is voice: who is where, muted, deafened, and moved. All its functions but those of people are called with s.mu held.

func (m *member) showVoice(g *Guild) object {
	o := object{
		"guild_id": g.id, "channel_id": nil, "user_id": m.user.id, "member": m.show(), "session_id": "fake-voice-" + m.user.id,
		"deaf": m.deaf, "mute": m.mute, "self_deaf": false, "self_mute": false, "self_video": false, "self_stream": false, "suppress": false,
		"request_to_speak_timestamp": nil,
	}
	if v := m.voice; v != nil {
		o["channel_id"], o["self_deaf"], o["self_mute"] = v.channel, v.selfDeaf, v.selfMute
		o["self_video"], o["self_stream"] = v.selfVideo, v.selfStream
	}
	return o
}

func (g *Guild) voiceChanged(m *member) { g.emit("VOICE_STATE_UPDATE", m.showVoice(g), nil) }

func (g *Guild) leaveVoice(m *member) {
	if m == nil || m.voice == nil {
		return
	}
	m.voice = nil
	g.voiceChanged(m)
}

// silence mutes or deafens in voice, or ends that. It is refused for who is not in voice.
func (g *Guild) silence(actor, target, reason string, need uint64, on bool) error {
	m := g.members[target]
	if m == nil {
		return refuse(10007)
	}
	if m.voice == nil {
		return refuse(40032)
	}
	if g.perms(actor, g.channels[m.voice.channel])&need == 0 {
		return refuse(50013)
	}
	flag, key := &m.mute, "mute"
	if need == PermDeafenMembers {
		flag, key = &m.deaf, "deaf"
	}
	if *flag == on {
		return nil
	}
	*flag = on
	g.log(auditEntry{action: AuditMemberUpdate, user: actor, target: target, reason: reason, change: []object{change(key, !on, on)}})
	g.voiceChanged(m)
	g.updated(m)
	return nil
}

// move moves a member to another voice channel, or out of voice (an empty ID).
func (g *Guild) move(actor, target, to, reason string) error {
	m := g.members[target]
	if m == nil {
		return refuse(10007)
	}
	if m.voice == nil {
		return refuse(40032)
	}
	if g.perms(actor, g.channels[m.voice.channel])&PermMoveMembers == 0 {
		return refuse(50013)
	}
	if to == "" {
		g.log(auditEntry{action: AuditMemberDisconnect, user: actor, reason: reason, option: object{"count": "1"}})
		g.leaveVoice(m)
		return nil
	}
	c := g.channels[to]
	if c == nil || !isVoice(c.typ) {
		return invalid("channel_id", "CHANNEL_INVALID", "Must be a voice channel in the guild.")
	}
	if g.perms(actor, c)&(PermMoveMembers|PermConnect) != PermMoveMembers|PermConnect {
		return refuse(50013)
	}
	m.voice.channel = to
	g.log(auditEntry{action: AuditMemberMove, user: actor, reason: reason, option: object{"channel_id": to, "count": "1"}})
	g.voiceChanged(m)
	return nil
}

func (r *request) getVoiceState() (any, error) {
	g, err := r.guild()
	if err != nil {
		return nil, err
	}
	m := g.members[r.vars["user_id"]]
	if m == nil || m.voice == nil {
		return nil, &apiError{status: 404, code: 10065, message: "Unknown Voice State"}
	}
	return m.showVoice(g), nil
}
