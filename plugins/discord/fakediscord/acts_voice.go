package fakediscord

// JoinVoice is a member connecting to a voice channel.
func (g *Guild) JoinVoice(user, channelID string) error {
	return g.in(channelID, user, func(c *channel) error {
		if !isVoice(c.typ) || g.perms(user, c)&PermConnect == 0 {
			return refuse(50013)
		}
		m := g.members[user]
		if m.voice == nil {
			m.voice = &voice{}
		}
		m.voice.channel = channelID
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
func (g *Guild) Move(actor, target, channelID string) error {
	return g.do(func() error { return g.move(actor, target, channelID, "") })
}
