package fakediscourse

import (
	"slices"
	"time"
)

// NewTopic is a topic that somebody opens. Category 0 is "Uncategorized".
type NewTopic struct {
	Title, Raw string
	Category   int64
	Tags       []string
}

// Post opens a topic, and returns its ID and that of its first post.
func (f *Forum) Post(by string, n NewTopic) (topicID, postID int64, err error) {
	err = f.as(by, func(u *user) error {
		p, err := f.post(draft{by: u, title: n.Title, raw: n.Raw, category: n.Category, tags: n.Tags})
		if err == nil {
			topicID, postID = p.t.id, p.id
		}
		return err
	})
	return topicID, postID, err
}

// Message writes a private message to accounts and groups, and returns the topic's ID and that of its first post.
func (f *Forum) Message(by string, to []string, title, raw string) (topicID, postID int64, err error) {
	err = f.as(by, func(u *user) error {
		p, err := f.post(draft{by: u, title: title, raw: raw, pm: true, users: to})
		if err == nil {
			topicID, postID = p.t.id, p.id
		}
		return err
	})
	return topicID, postID, err
}

// Reply answers in a topic, and returns the post's ID.
func (f *Forum) Reply(by string, topicID int64, raw string) (postID int64, err error) {
	err = f.onTopic(by, topicID, func(u *user, t *topic) error {
		p, err := f.post(draft{by: u, topic: t, raw: raw})
		if err == nil {
			postID = p.id
		}
		return err
	})
	return postID, err
}

// EditPost changes a post's text.
func (f *Forum) EditPost(by string, postID int64, raw string) error {
	return f.onPost(by, postID, func(u *user, p *post) error {
		if !f.mayEdit(u, p) {
			return notAllowed("%s may not edit post %d", by, postID)
		}
		return f.revise(p, u, raw, "")
	})
}

// EditTopic changes a topic's title, and with a category other than 0 moves it.
func (f *Forum) EditTopic(by string, topicID int64, title string, category int64) error {
	return f.onTopic(by, topicID, func(u *user, t *topic) error {
		if !u.staff() && u.id != t.user {
			return notAllowed("%s may not edit topic %d", by, topicID)
		}
		in := object{"title": title}
		if category != 0 {
			in["category_id"] = itoa(category)
		}
		f.editTopic(t, u, in)
		return nil
	})
}

// DeletePost deletes a post; of an opening post the whole topic. An author who is not staff only marks a post as deleted.
func (f *Forum) DeletePost(by string, postID int64) error {
	return f.onPost(by, postID, func(u *user, p *post) error {
		if !u.staff() && (u.id != p.user || p.number == 1) || !p.deletedAt.IsZero() {
			return notAllowed("%s may not delete post %d", by, postID)
		}
		f.remove(p, u)
		return nil
	})
}

// MovePost moves a post into another topic, to its end, where it keeps its ID; nobody is told. An opening post cannot be moved so: Discourse
// copies it, and its polls go with the copy.
func (f *Forum) MovePost(by string, postID, topicID int64) error {
	return f.onPost(by, postID, func(u *user, p *post) error {
		t := f.topics[topicID]
		if !u.staff() || p.number == 1 || t == nil || t == p.t || !t.deletedAt.IsZero() {
			return notAllowed("%s may not move post %d to topic %d", by, postID, topicID)
		}
		p.t.posts = slices.DeleteFunc(p.t.posts, func(q *post) bool { return q == p })
		t.highest++
		p.t, p.number, p.replyTo = t, t.highest, 0
		t.posts = append(t.posts, p)
		return nil
	})
}

// DeleteTopic deletes a topic.
func (f *Forum) DeleteTopic(by string, topicID int64) error {
	return f.onTopic(by, topicID, func(u *user, t *topic) error {
		if !u.staff() || !t.deletedAt.IsZero() {
			return notAllowed("%s may not delete topic %d", by, topicID)
		}
		f.remove(t.firstPost(), u)
		return nil
	})
}

// Recover takes the deletion of a post back; of an opening post that of the topic.
func (f *Forum) Recover(by string, postID int64) error {
	return f.onPost(by, postID, func(u *user, p *post) error {
		if p.deletedAt.IsZero() && !p.userDeleted || !u.staff() && u.id != p.user {
			return notAllowed("%s cannot recover post %d", by, postID)
		}
		f.restore(p)
		return nil
	})
}

// Erase removes a post for good, as if it had never been; it tells nobody. It is for forums that were restored from a backup.
func (f *Forum) Erase(postID int64) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	p := f.posts[postID]
	if p == nil {
		return
	}
	delete(f.posts, postID)
	if p.number == 1 {
		for _, q := range p.t.posts {
			delete(f.posts, q.id)
		}
		delete(f.topics, p.t.id)
		return
	}
	for i, q := range p.t.posts {
		if q == p {
			p.t.posts = append(p.t.posts[:i:i], p.t.posts[i+1:]...)
			return
		}
	}
}

// Like likes a post.
func (f *Forum) Like(by string, postID int64) error {
	return f.onPost(by, postID, func(u *user, p *post) error { return f.like(p, u) })
}

// The kinds of flags.
const (
	FlagOffTopic      = 3
	FlagInappropriate = 4
	FlagModerators    = 7
	FlagSpam          = 8
	FlagIllegal       = 10
)

// Flag flags a post for review, and returns the ID of the thing to review.
func (f *Forum) Flag(by string, postID int64, kind int, message string) (reviewableID int64, err error) {
	err = f.onPost(by, postID, func(u *user, p *post) error {
		if err := f.flag(p, u, kind, message); err != nil {
			return err
		}
		for id, v := range f.reviewed {
			if v.p == p && v.status == 0 {
				reviewableID = id
			}
		}
		return nil
	})
	return reviewableID, err
}

// Review decides on a flagged post, which is hidden if the flags are right, or on one that waits for approval, which is posted if it is.
func (f *Forum) Review(by string, reviewableID int64, right bool) error {
	return f.as(by, func(u *user) error {
		v := f.reviewed[reviewableID]
		if v == nil || v.status != 0 || !u.staff() {
			return notAllowed("%s cannot review %d", by, reviewableID)
		}
		return f.review(v, map[bool]int{true: 1, false: 2}[right], right)
	})
}

// SetStatus closes a topic ("closed"), or pins ("pinned", "pinned_globally"), archives ("archived") or lists ("visible") it, or takes that back.
func (f *Forum) SetStatus(by string, topicID int64, status string, on bool) error {
	return f.onTopic(by, topicID, func(u *user, t *topic) error {
		if !u.staff() && u.trust < 4 {
			return notAllowed("%s may not change topic %d", by, topicID)
		}
		return f.setStatus(t, u, status, on, time.Time{})
	})
}

// VoteInPoll votes in a post's poll for options by their place, the first being 1; with ranked choice they are in the order of
// preference. Without options the vote is taken back. The poll's name is "poll" where it has none. Discourse tells no
// webhook of votes.
func (f *Forum) VoteInPoll(by string, postID int64, name string, options ...int) error {
	return f.onPost(by, postID, func(u *user, _ *post) error {
		x, err := f.pollToActOn(postID, name, closedTopicVote)
		if err != nil {
			return err
		}
		if len(options) == 0 {
			if err := f.mayVote(u, x); err != nil {
				return err
			}
			x.withdraw(u)
			return nil
		}
		chosen, err := x.choose(options)
		if err != nil {
			return err
		}
		return f.cast(u, x, chosen)
	})
}

// ClosePoll closes a poll, as its author or staff do. Discourse tells no webhook of it.
func (f *Forum) ClosePoll(by string, postID int64, name string) error {
	return f.setPoll(by, postID, name, "closed")
}

// OpenPoll opens a poll again.
func (f *Forum) OpenPoll(by string, postID int64, name string) error {
	return f.setPoll(by, postID, name, "open")
}

func (f *Forum) setPoll(by string, postID int64, name, status string) error {
	return f.onPost(by, postID, func(u *user, _ *post) error {
		x, err := f.pollToActOn(postID, name, "The topic must be open to toggle status.")
		if err != nil {
			return err
		}
		return f.toggle(u, x, status)
	})
}

// VoteMany lets many people vote in a poll at once, each for the option whose place, from 1, choose says for their place in the list.
func (f *Forum) VoteMany(postID int64, name string, usernames []string, choose func(i int) []int) error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	x, err := f.pollToActOn(postID, name, closedTopicVote)
	if err != nil {
		return err
	}
	for i, username := range usernames {
		u := f.userByName(username)
		if u == nil {
			return notAllowed("there is no %s", username)
		}
		chosen, err := x.choose(choose(i))
		if err != nil {
			return err
		}
		if err := f.cast(u, x, chosen); err != nil {
			return err
		}
	}
	return nil
}

// choose makes votes of options' places.
func (p *poll) choose(places []int) (map[string]int, error) {
	chosen := map[string]int{}
	ranked := p.typ == "ranked_choice"
	if ranked { // the page sends every option, with rank 0 for those that were left out
		for _, o := range p.options {
			chosen[o.id] = 0
		}
	}
	for rank, n := range places {
		if n < 1 || n > len(p.options) {
			return nil, notAllowed("there is no option %d", n)
		}
		chosen[p.options[n-1].id] = 1
		if ranked {
			chosen[p.options[n-1].id] = rank + 1
		}
	}
	return chosen, nil
}
