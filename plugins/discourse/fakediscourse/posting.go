package fakediscourse

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// draft is what somebody wants to post.
type draft struct {
	by            *user
	title, raw    string
	topic         *topic // to reply in; nil is a new one
	category      int64
	tags          []string
	pm            bool
	users, groups []string // to whom a private message goes
	replyTo       int
	externalID    string
	approved      bool // it waited for that
}

// post checks and makes a post, and a topic if it is to be a new one, and tells the webhooks. The caller holds s.mu.
func (f *Forum) post(d draft) (*post, error) {
	if errs := f.draftErrors(d); len(errs) > 0 {
		return nil, &apiError{status: 422, errors: errs, raw: object{"action": "create_post", "errors": errs}}
	}
	if err := f.mayPost(d); err != nil {
		return nil, err
	}
	now := f.now()
	d.title, d.raw = f.cleanTitle(d.title), cleanRaw(d.raw)
	p := &post{user: d.by.id, raw: d.raw, created: now, updated: now, version: 1, lastEditor: d.by.id, lastVersion: now, replyTo: d.replyTo, typ: 1,
		flaggedBy: map[int64]int{}}
	polls, err := f.polls(p, p.raw, d.by)
	if err != nil {
		return nil, asCreate(err)
	}
	if f.settings.ApprovePosts && !d.approved && !d.by.staff() {
		return nil, f.enqueue(d)
	}
	t, isNew := d.topic, d.topic == nil
	if isNew {
		if t, err = f.newTopic(d); err != nil {
			return nil, err
		}
	}
	p.id = f.nextID("post")
	t.highest++
	p.t, p.number = t, t.highest
	for _, x := range polls {
		x.id = f.nextID("poll")
	}
	p.polls = polls
	p.cooked = cook(p.raw, polls)
	t.posts = append(t.posts, p)
	t.bumped = now
	f.posts[p.id] = p
	if isNew {
		f.tellTopic("topic_created", t)
	}
	f.tellPost("post_created", p)
	f.notify(p)
	return p, nil
}

// systemMessage writes to an account in the name of the system.
func (f *Forum) systemMessage(u *user, title, raw string) {
	// It cannot fail: staff may write to everybody, and the text is long enough unless the forum's settings are strange.
	_, _ = f.post(draft{by: f.users[systemID], title: title, raw: raw, pm: true, users: []string{u.username}})
}

// asCreate makes a refusal of a form one of a post: its body has an action then.
func asCreate(err error) error {
	var e *apiError
	if errors.As(err, &e) && e.status == 422 && e.raw == nil {
		e.raw = object{"action": "create_post", "errors": e.errors}
	}
	return err
}

// draftErrors is what is wrong with the text itself.
func (f *Forum) draftErrors(d draft) []string {
	set := f.settings
	var errs []string
	pm := d.pm || d.topic != nil && d.topic.pm()
	if d.topic == nil {
		errs = f.titleErrors(d.title, pm, 0)
	}
	least := set.MinPostLength
	switch {
	case pm:
		least = set.MinPersonalMessagePostLength
	case d.topic == nil:
		least = set.MinFirstPostLength
	}
	errs = append(errs, f.rawErrors(d.raw, least)...)
	if len(errs) == 0 && !d.by.staff() && f.saidBefore(d) {
		errs = append(errs, "Body is too similar to what you recently posted")
	}
	if pm && d.topic == nil && len(d.users)+len(d.groups) == 0 {
		errs = append(errs, "You must select a valid user")
	}
	return errs
}

func (f *Forum) titleErrors(title string, pm bool, self int64) []string {
	set := f.settings
	n := len([]rune(strings.TrimSpace(title)))
	least := set.MinTopicTitleLength
	if pm {
		least = set.MinPersonalMessageTitleLength
	}
	var errs []string
	switch {
	case n == 0:
		errs = append(errs, "Title can't be blank")
		fallthrough
	case n < least:
		errs = append(errs, fmt.Sprintf("Title is too short (minimum is %d characters)", least))
	case n > set.MaxTopicTitleLength:
		errs = append(errs, fmt.Sprintf("Title is too long (maximum is %d characters)", set.MaxTopicTitleLength))
	}
	if !pm && !set.AllowDuplicateTopicTitles && n > 0 && f.titleUsed(title, self) {
		errs = append(errs, "Title has already been used")
	}
	return errs
}

func (f *Forum) titleUsed(title string, self int64) bool {
	for _, t := range f.topics {
		if t.id != self && !t.pm() && t.deletedAt.IsZero() && strings.EqualFold(t.title, f.cleanTitle(title)) {
			return true
		}
	}
	return false
}

func (f *Forum) rawErrors(raw string, least int) []string {
	raw = strings.TrimSpace(raw)
	n := len([]rune(raw))
	switch {
	case n == 0:
		return []string{"Body can't be blank", fmt.Sprintf("Body is too short (minimum is %d characters)", least)}
	case n < least:
		return []string{fmt.Sprintf("Body is too short (minimum is %d characters)", least)}
	case n > f.settings.MaxPostLength:
		return []string{fmt.Sprintf("Body is limited to %d characters; you entered %d.", f.settings.MaxPostLength, n)}
	case !strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsSymbol(r) }):
		return []string{"Body seems unclear, is it a complete sentence?"}
	}
	return nil
}

// saidBefore says whether somebody posted the same within the time for which that is refused.
func (f *Forum) saidBefore(d draft) bool {
	since := f.now().Add(-time.Duration(f.settings.UniquePostsMins) * time.Minute)
	for _, p := range f.posts {
		if p.user == d.by.id && p.created.After(since) && p.deletedAt.IsZero() && p.raw == cleanRaw(d.raw) {
			return true
		}
	}
	return false
}

// mayPost says whether somebody may post there.
func (f *Forum) mayPost(d draft) error {
	if d.by.silenced(f.now()) && !d.by.staff() {
		return refuse("invalid_access")
	}
	if t := d.topic; t != nil {
		switch {
		case !f.sees(d.by, t), !t.deletedAt.IsZero():
			return refuse("invalid_access")
		case (t.closed || t.archived) && !d.by.staff() && d.by.trust < 4:
			return refuse("invalid_access")
		}
		return nil
	}
	if d.pm && !d.by.staff() && d.by.trust < 1 {
		return refuse("invalid_access")
	}
	if !d.pm && !f.seesCategory(d.by, f.categories[d.category]) {
		return refuse("invalid_access")
	}
	return nil
}

func (f *Forum) newTopic(d draft) (*topic, error) {
	now := f.now()
	t := &topic{title: d.title, archetype: "regular", externalID: d.externalID, user: d.by.id, created: now, category: d.category}
	for _, old := range f.topics {
		if d.externalID != "" && old.externalID == d.externalID {
			return nil, asCreate(invalid("External has already been taken"))
		}
	}
	if d.pm {
		t.archetype, t.category = "private_message", 0
		t.allowed = []int64{d.by.id}
		for _, name := range d.users {
			if u := f.userByName(name); u != nil && !slices.Contains(t.allowed, u.id) {
				t.allowed = append(t.allowed, u.id)
			} else if g := f.groupByName(name); u == nil && g != nil {
				t.allowedGroups = append(t.allowedGroups, g.name)
			} else if u == nil {
				return nil, asCreate(invalid("You must select a valid user"))
			}
		}
		t.allowedGroups = append(t.allowedGroups, d.groups...)
	} else if err := f.place(t); err != nil {
		return nil, err
	}
	if err := f.setTags(t, d.tags); err != nil {
		return nil, asCreate(err)
	}
	t.id = f.nextID("topic")
	f.topics[t.id] = t
	return t, nil
}

// place puts a topic into the category that it names, or into none.
func (f *Forum) place(t *topic) error {
	const none = 1
	switch {
	case t.category == 0 || t.category == none:
		if !f.settings.AllowUncategorizedTopics {
			return asCreate(invalid("Category can't be blank"))
		}
		t.category = none
	case f.categories[t.category] == nil:
		return asCreate(invalid("Category can't be found"))
	}
	return nil
}

// setTags puts tags on a topic, and makes those that there are not.
func (f *Forum) setTags(t *topic, names []string) error {
	if len(names) > f.settings.MaxTagsPerTopic {
		return invalid(fmt.Sprintf("You can't use more than %d tags on a topic", f.settings.MaxTagsPerTopic))
	}
	t.tags = nil
	for _, name := range names {
		name = strings.ToLower(strings.Join(strings.Fields(name), "-"))
		if name == "" || slices.Contains(t.tags, name) {
			continue
		}
		f.tag(name)
		t.tags = append(t.tags, name)
	}
	return nil
}

// tag finds or makes a tag.
func (f *Forum) tag(name string) *tag {
	if f.tags[name] == nil {
		f.tags[name] = &tag{id: f.nextID("tag"), name: name}
		f.tell("tag_created", f.showTag(f.tags[name]), nil)
	}
	return f.tags[name]
}

// revise changes a post's text. What changes nothing is passed over. The caller holds s.mu.
func (f *Forum) revise(p *post, by *user, raw, reason string) error {
	least := f.settings.MinPostLength
	if p.t.pm() {
		least = f.settings.MinPersonalMessagePostLength
	}
	if errs := f.rawErrors(raw, least); len(errs) > 0 {
		return invalid(errs...)
	}
	raw = cleanRaw(raw)
	if raw == p.raw && reason == "" {
		return nil
	}
	polls, err := f.polls(p, raw, by)
	if err != nil {
		return err
	}
	if polls, err = f.mergePolls(p, polls); err != nil {
		return err
	}
	f.count(p, by, reason != "" || abs(len([]rune(raw))-len([]rune(p.raw))) > 100)
	p.raw, p.polls, p.editReason = raw, polls, reason
	p.cooked = cook(p.raw, polls)
	f.tellPost("post_edited", p)
	return nil
}

// count makes a new version of a post, unless the same person edited it a moment ago: then an edit is part of the version that there is.
func (f *Forum) count(p *post, by *user, always bool) {
	now := f.now()
	p.updated = now
	if !always && by.id == p.lastEditor && now.Sub(p.lastVersion) <= f.settings.EditingGracePeriod {
		return
	}
	p.version++
	p.lastEditor, p.lastVersion = by.id, now
}

// mergePolls keeps what is known of a post's polls when its text changes: one that did not change keeps its votes. One with votes cannot
// be changed once the time for that is over; if it is changed, its votes are gone.
func (f *Forum) mergePolls(p *post, now []*poll) ([]*poll, error) {
	window := f.settings.PollEditWindowMins
	for i, x := range now {
		old := p.pollNamed(x.name)
		switch {
		case old == nil:
			x.id = f.nextID("poll")
		case old.same(x):
			now[i] = old
		case len(old.voted) > 0 && window > 0 && old.created.Before(f.now().Add(-time.Duration(window)*time.Minute)):
			words := "a poll"
			if x.name != "poll" {
				words = "the poll named <strong>" + x.name + "</strong>"
			}
			return nil, invalid(fmt.Sprintf("You cannot change %s after the first %d minutes.", words, window))
		default:
			x.id, x.created, x.status = old.id, old.created, old.status
		}
	}
	return now, nil
}

func (p *poll) same(q *poll) bool {
	return p.typ == q.typ && p.results == q.results && p.title == q.title && p.groups == q.groups && p.public == q.public &&
		p.min == q.min && p.max == q.max && p.step == q.step && p.closeAt.Equal(q.closeAt) && slices.Equal(p.options, q.options)
}

func (p *post) pollNamed(name string) *poll {
	for _, x := range p.polls {
		if x.name == name {
			return x
		}
	}
	return nil
}

// remove deletes a post, and with an opening post its topic. Its author, without being staff, only marks it as deleted. Webhooks are
// told what there was before.
func (f *Forum) remove(p *post, by *user) {
	now := f.now()
	if !by.staff() {
		p.undeletedRaw, p.userDeleted = p.raw, true
		p.raw = "(post deleted by author)"
		p.cooked = cook(p.raw, nil)
		p.version++
		p.updated = now
		f.tellPost("post_edited", p)
		f.tellPost("post_destroyed", p)
		return
	}
	before, beforeTopic := f.postPayload(p), f.topicPayload(p.t)
	p.deletedAt, p.deletedBy = now, by.id
	f.tellPostAs("post_destroyed", p, before)
	if p.number == 1 {
		p.t.deletedAt, p.t.deletedBy = now, by.id
		f.tellTopicAs("topic_destroyed", p.t, beforeTopic)
	}
}

// restore takes a deletion back.
func (f *Forum) restore(p *post) {
	if p.userDeleted && p.deletedAt.IsZero() {
		p.raw, p.userDeleted = p.undeletedRaw, false
		p.cooked = cook(p.raw, p.polls)
		p.version++
	}
	p.deletedAt, p.deletedBy = time.Time{}, 0
	p.updated = f.now()
	if p.number == 1 {
		p.t.deletedAt, p.t.deletedBy = time.Time{}, 0
	}
	f.tellPost("post_recovered", p)
	if p.number == 1 {
		f.tellTopic("topic_recovered", p.t)
	}
}
