package github

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// kept is a vote comment that somebody else than its author has edited or deleted, as it was before: everybody with write access can
// (https://docs.github.com/en/communities/moderating-comments-and-conversations/managing-disruptive-comments, 2026-11), and nobody may vote in another's
// name, or take their vote from them. Only deliveries say who it was: who has edited a comment the REST API does not.
type kept struct {
	ID      int64     `json:"id"`
	Voter   string    `json:"voter"`
	Vote    bool      `json:"vote,omitempty"` // it was one
	Choices []string  `json:"choices,omitempty"`
	At      time.Time `json:"at"`    // since when it said so
	Since   time.Time `json:"since"` // when it was changed; what its author makes of it later is their word again
}

// aside is what is known of a vote by comments beside its state, which deliveries cannot change.
type aside struct {
	Looked time.Time `json:"looked,omitzero"` // when all comments were read last
	Kept   []kept    `json:"kept,omitempty"`
}

func asideOf(process string) gateway.Key[aside] { return gateway.Key[aside]("comments/" + process) }

// soon has all comments read again, not sooner than the least time after they were read last. That moment is the same whoever asks, so that
// deliveries which go on and on put nothing off.
func (b *commentBox) soon(ctx context.Context, r *voteRun) error {
	known, err := asideOf(r.ID()).Get(ctx, r.Plugin)
	if err != nil {
		return err
	}
	last := known.Looked
	if last.IsZero() {
		last = b.Since
	}
	r.UpdateAt(last.Add(commentLeast))
	return nil
}

// before is the text that a comment had before it was edited.
func (m *message) before() (string, bool) {
	var changes struct {
		Body *struct {
			From *string `json:"from"`
		} `json:"body"`
	}
	if json.Unmarshal(m.body.Changes, &changes) != nil || changes.Body == nil || changes.Body.From == nil {
		return "", false
	}
	return *changes.Body.From, true
}

// touched takes that a comment was edited or deleted. Where its author did it, it is what they say now.
func (b *commentBox) touched(ctx context.Context, r *voteRun, m *message) error {
	c := m.body.Comment
	if c == nil || c.User == nil || m.action != "edited" && m.action != "deleted" {
		return nil
	}
	if strings.EqualFold(m.by(), c.User.Login) {
		return b.letGo(ctx, r, func(k kept) bool { return k.ID == c.ID && (m.action == "deleted" || c.Updated.After(k.Since)) })
	}
	was, since := *c, c.Updated.Time
	if m.action == "edited" {
		from, ok := m.before()
		if !ok {
			return nil // its text is what it was
		}
		was.Body, was.Updated = from, c.Created
	}
	voter, s, ok := b.says(r, was)
	if voter == "" {
		return nil // it did not count
	}
	held, err := r.Held(ctx, voter)
	if err != nil {
		return err
	}
	if choices, at := chosen(r.Ask(), ownOf(held, voter)); slices.Equal(choices, s.choices) && at.After(s.at) {
		s.at = at // its author had edited it before
	}
	_, err = asideOf(r.ID()).Update(ctx, r.Plugin, func(a aside) (aside, error) {
		switch i := slices.IndexFunc(a.Kept, func(k kept) bool { return k.ID == c.ID }); {
		case i < 0:
			a.Kept = append(a.Kept, kept{c.ID, voter, ok, s.choices, s.at, since})
		case since.After(a.Kept[i].Since):
			a.Kept[i].Since = since
		}
		return a, nil
	})
	return err
}

// letGo forgets what is not to be kept any more.
func (b *commentBox) letGo(ctx context.Context, r *voteRun, fn func(kept) bool) error {
	known, err := asideOf(r.ID()).Get(ctx, r.Plugin)
	if err != nil || !slices.ContainsFunc(known.Kept, fn) {
		return err
	}
	_, err = asideOf(r.ID()).Update(ctx, r.Plugin, func(a aside) (aside, error) {
		a.Kept = slices.DeleteFunc(a.Kept, fn)
		return a, nil
	})
	return err
}
