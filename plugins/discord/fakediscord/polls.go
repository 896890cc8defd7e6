package fakediscord

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

type poll struct {
	question  string
	answers   []pollAnswer
	multi     bool
	expiry    time.Time
	ended     bool
	finalized bool
	votes     [][]string        // by answer
	has       []map[string]bool // by answer
}

type pollAnswer struct {
	text  string
	emoji object
}

// pollForm is a poll as the app makes it.
type pollForm struct {
	Question struct{ Text string } `json:"question"`
	Answers  []pollAnswerForm      `json:"answers"`
	Duration *int                  `json:"duration"`
	Multi    *bool                 `json:"allow_multiselect"`
	Layout   *int                  `json:"layout_type"`
}

type pollAnswerForm struct {
	Media struct {
		Text  string `json:"text"`
		Emoji object `json:"emoji"`
	} `json:"poll_media"`
}

const maxPollHours = 768

func (f *pollForm) check(now time.Time) (*poll, error) {
	if n := utf8.RuneCountInString(f.Question.Text); n < 1 || n > 300 {
		return nil, badLength("poll.question.text", 1, 300)
	}
	if n := len(f.Answers); n < 1 || n > 10 {
		return nil, badLength("poll.answers", 1, 10)
	}
	hours := 24
	if f.Duration != nil {
		hours = *f.Duration
	}
	if hours < 1 || hours > maxPollHours {
		return nil, outside("poll.duration", 1, maxPollHours)
	}
	if f.Layout != nil && *f.Layout != 1 {
		return nil, invalid("poll.layout_type", "BASE_TYPE_CHOICES", "Value must be one of (1,).")
	}
	p := &poll{question: f.Question.Text, multi: deref(f.Multi), expiry: now.Add(time.Duration(hours) * time.Hour)}
	for i, a := range f.Answers {
		if n := utf8.RuneCountInString(a.Media.Text); n < 1 || n > 55 {
			return nil, badLength("poll.answers."+strconv.Itoa(i)+".poll_media.text", 1, 55)
		}
		if e := a.Media.Emoji; e != nil && e["id"] == nil {
			e["id"] = nil // Discord names it in any case
		}
		p.answers = append(p.answers, pollAnswer{a.Media.Text, a.Media.Emoji})
		p.votes = append(p.votes, nil)
		p.has = append(p.has, map[string]bool{})
	}
	return p, nil
}

func (p *poll) show(me string, hide bool) object {
	answers, counts := []object{}, []object{}
	for i, a := range p.answers {
		media := object{"text": a.text}
		if a.emoji != nil {
			media["emoji"] = a.emoji
		}
		answers = append(answers, object{"answer_id": i + 1, "poll_media": media})
		if n := len(p.votes[i]); n > 0 {
			counts = append(counts, object{"id": i + 1, "count": n, "me_voted": p.has[i][me]})
		}
	}
	o := object{"question": object{"text": p.question}, "answers": answers, "expiry": iso(p.expiry), "allow_multiselect": p.multi, "layout_type": 1}
	if p.finalized || !hide {
		o["results"] = object{"answer_counts": counts, "is_finalized": p.finalized}
	}
	return o
}

// over says whether nobody can vote any more.
func (p *poll) over(now time.Time) bool { return p.ended || !now.Before(p.expiry) }

// vote votes or takes the vote back, for a person. The caller holds s.mu.
func (m *message) vote(who string, answer int, on bool) error {
	p := m.poll
	switch {
	case p == nil:
		return notAllowed("the message has no poll")
	case p.over(m.c.srv.opt.Now()):
		return refuse(520001)
	case answer < 1 || answer > len(p.answers):
		return notAllowed("no answer %d", answer)
	}
	if on && !p.multi {
		for i := range p.answers {
			if i != answer-1 && p.has[i][who] {
				m.setVote(who, i, false)
			}
		}
	}
	m.setVote(who, answer-1, on)
	return nil
}

func (m *message) setVote(who string, i int, on bool) {
	p := m.poll
	if p.has[i][who] == on {
		return
	}
	name := "MESSAGE_POLL_VOTE_ADD"
	if on {
		p.has[i][who] = true
		p.votes[i] = append(p.votes[i], who)
	} else {
		name = "MESSAGE_POLL_VOTE_REMOVE"
		delete(p.has[i], who)
		p.votes[i] = slices.DeleteFunc(p.votes[i], func(x string) bool { return x == who })
	}
	m.c.emit(name, withGuild(m.c, object{"user_id": who, "channel_id": m.c.id, "message_id": m.id, "answer_id": i + 1}), nil)
}

// pollVoters pages by user ID.
func (r *request) pollVoters() (any, error) {
	m, err := r.message(PermReadMessageHistory)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(r.vars["answer_id"])
	if err != nil {
		return nil, invalid("answer_id", "NUMBER_TYPE_COERCE", "Value is not int.")
	}
	if m.poll == nil || n < 1 || n > len(m.poll.answers) {
		return nil, refuse(10008)
	}
	users, err := r.userPage(m.poll.votes[n-1])
	return object{"users": users}, err
}

// expirePoll ends one of the app's own polls at once.
func (r *request) expirePoll() (any, error) {
	m, err := r.message(0)
	if err != nil {
		return nil, err
	}
	switch {
	case m.poll == nil:
		return nil, refuse(520006)
	case m.author != r.me():
		return nil, refuse(50013)
	case m.poll.over(r.s.opt.Now()):
		return nil, refuse(520001)
	}
	if err := m.c.archivedErr(); err != nil {
		return nil, err
	}
	m.poll.expiry = r.s.opt.Now()
	m.finishPoll()
	return m.show(r.me()), nil
}

// finishPoll ends a poll: its results are final, which is told, and a message with the result is posted. The caller holds s.mu.
func (m *message) finishPoll() {
	p := m.poll
	p.ended, p.finalized = true, true
	m.tell()
	best, total, tie := -1, 0, false
	for i, v := range p.votes {
		total += len(v)
		switch {
		case best < 0 || len(v) > len(p.votes[best]):
			best, tie = i, false
		case len(v) == len(p.votes[best]):
			tie = true
		}
	}
	field := func(name string, value any) object { return object{"name": name, "value": value, "inline": false} }
	fields := []object{field("poll_question_text", p.question), field("total_votes", strconv.Itoa(total))}
	if total > 0 {
		fields = append(fields, field("victor_answer_votes", strconv.Itoa(len(p.votes[best]))))
		if !tie {
			fields = append(fields, field("victor_answer_id", strconv.Itoa(best+1)), field("victor_answer_text", p.answers[best].text))
		}
	}
	result := &message{c: m.c, typ: 46, author: m.author, embeds: []any{object{"type": "poll_result", "fields": fields}},
		reference: withGuild(m.c, object{"type": 0, "message_id": m.id, "channel_id": m.c.id})}
	m.c.post(result)
}

// FinishPolls ends every poll whose time has come, with its final results, as Discord does some time after the expiry: until
// then nobody can vote any more, and the results are not final. It returns how many there were.
func (s *Server) FinishPolls() int {
	s.mu.Lock()
	n := 0
	var places []*channel
	for _, g := range s.guilds {
		places = append(places, g.sortedChannels()...)
	}
	for _, c := range s.dms {
		places = append(places, c)
	}
	for _, c := range places {
		for _, m := range slices.Clone(c.order) {
			if m.poll != nil && !m.poll.finalized && m.poll.over(s.opt.Now()) {
				m.finishPoll()
				n++
			}
		}
	}
	s.mu.Unlock()
	s.settle()
	return n
}
