package fakediscourse

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// user is an account. All of state.go is guarded by Server.mu.
type user struct {
	id                    int64
	username, name, email string
	admin, moderator      bool
	active                bool
	trust                 int
	title                 string
	fields                map[string]string // by the field's ID in text
	created, seen         time.Time
	externalID            string // of DiscourseConnect, where the forum takes its logins from elsewhere

	suspendedAt, suspendedTill, silencedAt, silencedTill time.Time
	suspendReason, silenceReason                         string
	suspendedBy, silencedBy                              int64
}

func (u *user) staff() bool                  { return u.admin || u.moderator }
func (u *user) suspended(now time.Time) bool { return now.Before(u.suspendedTill) }
func (u *user) silenced(now time.Time) bool  { return now.Before(u.silencedTill) }

type userField struct {
	id   int64
	name string
}

type category struct {
	id, parent               int64
	name, slug, color, descr string
	groups                   []string // who sees it; empty is everybody
}

type tag struct {
	id   int64
	name string
}

type group struct {
	id                          int64
	name, fullName, bio         string
	automatic                   bool
	publicAdmission, publicExit bool
	owners                      map[int64]bool
	members                     []int64 // in the order in which they came
	in                          map[int64]bool
}

func (g *group) add(id int64) {
	if !g.in[id] {
		g.in[id] = true
		g.members = append(g.members, id)
	}
}

func (g *group) remove(id int64) {
	if g.in[id] {
		delete(g.in, id)
		delete(g.owners, id)
		g.members = slices.DeleteFunc(g.members, func(m int64) bool { return m == id })
	}
}

type topic struct {
	id                                        int64
	title, archetype, externalID              string
	category, user                            int64
	tags                                      []string
	created, bumped, pinnedAt, pinnedUntil    time.Time
	closed, archived, invisible, pinnedGlobal bool
	posts                                     []*post
	highest                                   int
	deletedAt                                 time.Time
	deletedBy                                 int64
	allowed                                   []int64  // private messages: who reads it
	allowedGroups                             []string // private messages
}

func (t *topic) pm() bool { return t.archetype == "private_message" }

type post struct {
	id                  int64
	t                   *topic
	number, replyTo     int
	user                int64
	raw, cooked         string
	created, updated    time.Time
	version             int
	lastEditor          int64
	lastVersion         time.Time // when the version was made
	editReason          string
	deletedAt           time.Time
	deletedBy           int64
	userDeleted, hidden bool
	undeletedRaw        string // what its author deleted
	lockedBy            int64
	likes               []int64
	flaggedBy           map[int64]int // by whom, and as what
	polls               []*poll
	typ                 int // 1 regular, 2 moderator action, 3 small action
	action              string
}

type reviewable struct {
	id             int64
	p              *post
	queued         *draft // a post that waits for approval, instead of a flagged one
	by             int64
	flag           int
	status         int // 0 pending, 1 approved, 2 rejected, 3 ignored, 4 deleted
	created, acted time.Time
	score          float64
	message        string
}

// The kinds of users that always exist.
const (
	systemID = -1
	botID    = -2
)

func (f *Forum) userByName(name string) *user {
	return f.names[strings.ToLower(strings.TrimSpace(name))]
}

func (f *Forum) groupByName(name string) *group {
	for _, g := range f.groups {
		if strings.EqualFold(g.name, name) {
			return g
		}
	}
	return nil
}

func (f *Forum) sortedGroups() []*group {
	out := make([]*group, 0, len(f.groups))
	for _, g := range f.groups {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *group) int { return cmp.Compare(a.id, b.id) })
	return out
}

// inGroup says whether somebody is in a group, of which some are a matter of rank.
func (f *Forum) inGroup(g *group, u *user) bool {
	switch {
	case u == nil:
		return g.name == "everyone"
	case g.name == "everyone":
		return true
	case g.name == "admins":
		return u.admin
	case g.name == "moderators":
		return u.moderator
	case g.name == "staff":
		return u.staff()
	case g.automatic:
		return u.trust >= int(g.id-10)
	}
	return g.in[u.id]
}

// membersOf lists a group's members except the forum's own accounts, by name.
func (f *Forum) membersOf(g *group) []*user {
	var out []*user
	if g.automatic {
		for _, u := range f.users {
			if u.id > 0 && g.name != "everyone" && f.inGroup(g, u) {
				out = append(out, u)
			}
		}
	} else {
		for _, id := range g.members {
			if u := f.users[id]; u != nil && id > 0 {
				out = append(out, u)
			}
		}
	}
	slices.SortFunc(out, func(a, b *user) int {
		if x := f.owns(g, a) - f.owns(g, b); x != 0 {
			return -x
		}
		return cmp.Compare(strings.ToLower(a.username), strings.ToLower(b.username))
	})
	return out
}

// countOf is how many members a group has.
func (f *Forum) countOf(g *group) int {
	n := 0
	switch {
	case g.name == "everyone":
	case !g.automatic:
		n = len(g.members)
	default:
		for _, u := range f.users {
			if u.id > 0 && f.inGroup(g, u) {
				n++
			}
		}
	}
	return n
}

func (f *Forum) owns(g *group, u *user) int {
	if g.owners[u.id] {
		return 1
	}
	return 0
}

func (f *Forum) sortedUsers() []*user {
	out := make([]*user, 0, len(f.users))
	for _, u := range f.users {
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b *user) int { return cmp.Compare(a.id, b.id) })
	return out
}

func (f *Forum) sortedCategories() []*category {
	out := make([]*category, 0, len(f.categories))
	for _, c := range f.categories {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *category) int { return cmp.Compare(a.id, b.id) })
	return out
}

func (f *Forum) sortedTopics() []*topic {
	out := make([]*topic, 0, len(f.topics))
	for _, t := range f.topics {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *topic) int {
		if c := b.bumped.Compare(a.bumped); c != 0 {
			return c
		}
		return cmp.Compare(b.id, a.id)
	})
	return out
}

// firstPost is a topic's opening post.
func (t *topic) firstPost() *post { return t.posts[0] }

// live lists the posts that are not deleted.
func (t *topic) live() []*post {
	var out []*post
	for _, p := range t.posts {
		if p.deletedAt.IsZero() {
			out = append(out, p)
		}
	}
	return out
}

// sees says whether somebody, nil being nobody in particular, may see a topic.
func (f *Forum) sees(u *user, t *topic) bool {
	if u != nil && u.admin {
		return true
	}
	if !t.deletedAt.IsZero() && (u == nil || !u.staff()) {
		return false
	}
	if t.pm() {
		return u != nil && f.invited(u, t)
	}
	return f.seesCategory(u, f.categories[t.category])
}

func (f *Forum) invited(u *user, t *topic) bool {
	if slices.Contains(t.allowed, u.id) {
		return true
	}
	return slices.ContainsFunc(t.allowedGroups, func(name string) bool {
		g := f.groupByName(name)
		return g != nil && f.inGroup(g, u)
	})
}

func (f *Forum) seesCategory(u *user, c *category) bool {
	if c == nil || len(c.groups) == 0 || u != nil && u.admin {
		return true
	}
	return slices.ContainsFunc(c.groups, func(name string) bool {
		g := f.groupByName(name)
		return g != nil && f.inGroup(g, u)
	})
}
