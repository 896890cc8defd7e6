package fakediscord

import "unicode/utf8"

// do is what every act of people is: the state changes, and the app is told.
func (g *Guild) do(f func() error) error {
	g.s.mu.Lock()
	err := f()
	g.s.mu.Unlock()
	g.s.settle()
	return err
}

// in does something in a channel that somebody sees.
func (g *Guild) in(channelID, user string, f func(*channel) error) error {
	return g.do(func() error {
		c, err := g.s.seen(channelID, user)
		if err != nil {
			return err
		}
		return f(c)
	})
}

// on does something with a message.
func (g *Guild) on(channelID, id, user string, f func(*message) error) error {
	return g.in(channelID, user, func(c *channel) error {
		m := c.messages[id]
		if m == nil || m.whisperTo != "" && m.whisperTo != user {
			return refuse(10008)
		}
		return f(m)
	})
}

// Post writes a message, and returns its ID.
func (g *Guild) Post(channelID, user, text string) (id string, err error) {
	return g.post(channelID, user, text, nil)
}

// PostPoll posts a poll of a person.
func (g *Guild) PostPoll(channelID, user, question string, answers ...string) (id string, err error) {
	f := pollForm{Answers: make([]pollAnswerForm, len(answers))}
	f.Question.Text = question
	for i, a := range answers {
		f.Answers[i].Media.Text = a
	}
	return g.post(channelID, user, "", &f)
}

// Reply writes a message that replies to another.
func (g *Guild) Reply(channelID, to, user, text string) (id string, err error) {
	err = g.on(channelID, to, user, func(m *message) error {
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

func (g *Guild) post(channelID, user, text string, p *pollForm) (id string, err error) {
	err = g.in(channelID, user, func(c *channel) error {
		if err := c.writable(user); err != nil {
			return err
		}
		if c.slowFor(user) > 0 {
			return refuse(20016)
		}
		d, err := c.written(user, text, p)
		if err != nil {
			return err
		}
		m := &message{c: c, author: user}
		m.apply(d)
		c.post(m)
		id = m.id
		return nil
	})
	return id, err
}

// written checks what somebody writes.
func (c *channel) written(user, text string, p *pollForm) (draft, error) {
	switch {
	case utf8.RuneCountInString(text) > maxContent:
		return draft{}, tooLong("content", maxContent)
	case p == nil && !hasNonSpace(text):
		return draft{}, refuse(50006)
	case p == nil:
		return draft{content: text}, nil
	}
	if err := c.need(user, PermSendPolls); err != nil {
		return draft{}, err
	}
	checked, err := p.check(c.srv.opt.Now())
	return draft{content: text, poll: checked}, err
}

// Edit changes somebody's own message.
func (g *Guild) Edit(channelID, id, user, text string) error {
	return g.on(channelID, id, user, func(m *message) error {
		if m.author != user {
			return refuse(50005)
		}
		m.edit(draft{content: text, embeds: m.embeds, components: m.components})
		return nil
	})
}

// Delete deletes a message, with MANAGE_MESSAGES also another's.
func (g *Guild) Delete(channelID, id, user string) error {
	return g.on(channelID, id, user, func(m *message) error { return m.deleteBy(user, "") })
}

// React adds a reaction: an emoji of Unicode, or name:id.
func (g *Guild) React(channelID, id, user, emoji string) error {
	return g.on(channelID, id, user, func(m *message) error {
		if g.members[user].timedOut(g.s.opt.Now()) {
			return refuse(50013)
		}
		return m.react(user, emoji)
	})
}

// ReactMany adds the same reaction of n people with IDs from first on, without telling anybody: for large votes.
func (g *Guild) ReactMany(channelID, message, emoji string, first uint64, n int) error {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	c := g.channels[channelID]
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
func (g *Guild) Unreact(channelID, id, user, emoji string) error {
	return g.on(channelID, id, user, func(m *message) error { return m.unreact(user, emoji) })
}

// Pin pins or unpins a message.
func (g *Guild) Pin(channelID, id, user string, on bool) error {
	return g.on(channelID, id, user, func(m *message) error { return m.pin(user, "", on) })
}

// VoteInPoll votes for an answer of a poll, counted from 1; in a poll with one choice it replaces the vote before.
func (g *Guild) VoteInPoll(channelID, id, user string, answer int) error {
	return g.on(channelID, id, user, func(m *message) error { return m.vote(user, answer, true) })
}

// UnvoteInPoll takes a vote back.
func (g *Guild) UnvoteInPoll(channelID, id, user string, answer int) error {
	return g.on(channelID, id, user, func(m *message) error { return m.vote(user, answer, false) })
}

// VoteMany adds the votes of n people with IDs from first on, without telling anybody: for large polls.
func (g *Guild) VoteMany(channelID, message string, answer int, first uint64, n int) error {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	c := g.channels[channelID]
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
func (g *Guild) EndPoll(channelID, id, user string) error {
	return g.on(channelID, id, user, func(m *message) error {
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
