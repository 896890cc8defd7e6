package fakediscourse

import (
	"regexp"
	"strings"
)

// The kinds of notifications that the fake makes.
const (
	notifyMentioned = 1
	notifyReplied   = 2
	notifyQuoted    = 3
	notifyLiked     = 5
	notifyMessage   = 6
)

var (
	mentionPattern = regexp.MustCompile(`(?:^|[^\w@&;/])@([a-zA-Z0-9_][\w.-]*)`)
	quotePattern   = regexp.MustCompile(`\[quote="([^,"\]]+)`)
)

// notify notifies the people whom a new post concerns, each of them once, for the first reason that fits: they were written to,
// mentioned, quoted or replied to. Where [Settings].Notifications is off, nobody is.
func (f *Forum) notify(p *post) {
	if !f.settings.Notifications || p.typ != 1 {
		return
	}
	told := map[int64]bool{p.user: true}
	to := func(u *user, kind int) {
		if u != nil && u.id > 0 && !told[u.id] && f.sees(u, p.t) {
			told[u.id] = true
			f.notification(u, kind, p, f.user0(p.user))
		}
	}
	if p.t.pm() {
		for _, id := range p.t.allowed {
			to(f.users[id], notifyMessage)
		}
	}
	for _, m := range mentionPattern.FindAllStringSubmatch(p.raw, -1) {
		to(f.userByName(strings.TrimRight(m[1], ".-")), notifyMentioned)
	}
	for _, m := range quotePattern.FindAllStringSubmatch(p.raw, -1) {
		to(f.userByName(m[1]), notifyQuoted)
	}
	for _, q := range p.t.posts {
		if q.number == p.replyTo || p.number > 1 && q.number == 1 {
			to(f.users[q.user], notifyReplied)
		}
	}
}

// notification tells webhooks of one notification.
func (f *Forum) notification(u *user, kind int, p *post, by *user) {
	f.tell("notification_created", object{
		"id": f.nextID("notification"), "user_id": u.id, "external_id": nil, "notification_type": kind, "read": false, "high_priority": kind == notifyMessage,
		"created_at": iso(f.now()), "post_number": p.number, "topic_id": p.t.id, "fancy_title": escape(p.t.title), "slug": slug(p.t.title),
		"data": object{"topic_title": p.t.title, "original_post_id": p.id, "original_post_type": p.typ, "original_username": by.username,
			"revision_number": nil, "display_username": by.username},
	}, nil)
}
