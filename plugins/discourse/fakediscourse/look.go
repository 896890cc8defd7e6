package fakediscourse

import (
	"slices"
	"time"
)

// PostView is a post as it is now.
type PostView struct {
	ID, Topic, Author      int64
	Number, Version, Likes int
	Raw, Cooked            string
	Deleted, UserDeleted   bool
	Hidden, Locked         bool
	Polls                  []PollView
	Created, Updated       time.Time
}

// PollView is a poll as it is now.
type PollView struct {
	Name, Type, Status, Results, Title string
	Public                             bool
	Min, Max, Step                     int
	Close                              time.Time
	Groups                             string
	Options                            []OptionView
	Voters                             []string // in the order in which they voted
}

// OptionView is an option of a poll with its voters.
type OptionView struct {
	ID, HTML string
	Voters   []string
}

// Poll shows a post's poll; ok is false if there is none. Polls are those that Discourse made of the text.
func (f *Forum) Poll(postID int64, name string) (v PollView, ok bool) {
	p, ok := f.PostByID(postID)
	i := slices.IndexFunc(p.Polls, func(x PollView) bool { return x.Name == name })
	if !ok || i < 0 {
		return PollView{}, false
	}
	return p.Polls[i], true
}

// PostByID shows a post; ok is false if there never was one.
func (f *Forum) PostByID(id int64) (v PostView, ok bool) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	p := f.posts[id]
	if p == nil {
		return PostView{}, false
	}
	return f.viewPost(p), true
}

func (f *Forum) viewPost(p *post) PostView {
	v := PostView{ID: p.id, Topic: p.t.id, Author: p.user, Number: p.number, Version: p.version, Likes: len(p.likes), Raw: p.raw, Cooked: p.cooked,
		Deleted: !p.deletedAt.IsZero(), UserDeleted: p.userDeleted, Hidden: p.hidden, Locked: p.lockedBy != 0, Created: p.created, Updated: p.updated}
	for _, x := range p.polls {
		v.Polls = append(v.Polls, f.viewPoll(x))
	}
	return v
}

func (f *Forum) viewPoll(x *poll) PollView {
	v := PollView{Name: x.name, Type: x.typ, Status: x.status, Results: x.results, Title: x.title, Public: x.public, Min: x.min, Max: x.max,
		Step: x.step, Close: x.closeAt, Groups: x.groups, Voters: f.usernames(x.voted)}
	if x.over(f) {
		v.Status = "closed"
	}
	for _, o := range x.options {
		v.Options = append(v.Options, OptionView{ID: o.id, HTML: o.html, Voters: f.usernames(x.votersOf(o.id))})
	}
	return v
}

func (f *Forum) usernames(ids []int64) []string {
	var out []string
	for _, id := range ids {
		out = append(out, f.user0(id).username)
	}
	return out
}

// TopicView is a topic as it is now.
type TopicView struct {
	ID, Category, Author                int64
	Title, Archetype, ExternalID        string
	Tags, Recipients                    []string
	Posts                               []int64
	Closed, Archived, Pinned, PinnedAll bool
	Visible, Deleted                    bool
	PinnedUntil                         time.Time // zero: for ever
}

// Topic shows a topic; ok is false if there never was one.
func (f *Forum) Topic(id int64) (v TopicView, ok bool) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	t := f.topics[id]
	if t == nil {
		return TopicView{}, false
	}
	return f.viewOf(t), true
}

func (f *Forum) viewOf(t *topic) TopicView {
	v := TopicView{ID: t.id, Category: t.category, Author: t.user, Title: t.title, Archetype: t.archetype, ExternalID: t.externalID,
		Tags: slices.Clone(t.tags), Recipients: append(f.usernames(t.allowed), t.allowedGroups...), Closed: t.closed, Archived: t.archived,
		Pinned: !t.pinnedAt.IsZero(), PinnedAll: t.pinnedGlobal, Visible: !t.invisible, Deleted: !t.deletedAt.IsZero(), PinnedUntil: t.pinnedUntil}
	for _, p := range t.posts {
		v.Posts = append(v.Posts, p.id)
	}
	return v
}

// Topics lists all topics, private messages and deleted ones among them, by ID.
func (f *Forum) Topics() []TopicView {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	var out []TopicView
	for _, t := range f.topics {
		out = append(out, f.viewOf(t))
	}
	slices.SortFunc(out, func(a, b TopicView) int { return int(a.ID - b.ID) })
	return out
}

// UserView is an account as it is now.
type UserView struct {
	ID                           int64
	Username, Name, Email        string
	Admin, Moderator             bool
	Trust                        int
	Fields                       map[int64]string
	SuspendedTill, SilencedTill  time.Time // zero is not
	SuspendReason, SilenceReason string
	Groups                       []string
}

// User shows an account; ok is false if there is none.
func (f *Forum) User(username string) (v UserView, ok bool) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	u := f.userByName(username)
	if u == nil {
		return UserView{}, false
	}
	v = UserView{ID: u.id, Username: u.username, Name: u.name, Email: u.email, Admin: u.admin, Moderator: u.moderator, Trust: u.trust, Fields: map[int64]string{}}
	for id, value := range u.fields {
		v.Fields[num(id)] = value
	}
	if u.suspended(f.now()) {
		v.SuspendedTill, v.SuspendReason = u.suspendedTill, u.suspendReason
	}
	if u.silenced(f.now()) {
		v.SilencedTill, v.SilenceReason = u.silencedTill, u.silenceReason
	}
	for _, g := range f.sortedGroups() {
		if !g.automatic && f.inGroup(g, u) {
			v.Groups = append(v.Groups, g.name)
		}
	}
	return v, true
}

// Members lists a group's members by name.
func (f *Forum) Members(group string) []string {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	g := f.groupByName(group)
	if g == nil {
		return nil
	}
	var out []string
	for _, u := range f.membersOf(g) {
		out = append(out, u.username)
	}
	return out
}
