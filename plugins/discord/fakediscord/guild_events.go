package fakediscord

import "slices"

// joined tells of a guild that is there from now on. The caller holds s.mu.
func (s *Server) joined(g *Guild) {
	log := s.note("GUILD_CREATE", g.id, "")
	if s.faults.Delivery("GUILD_CREATE").Drop {
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
