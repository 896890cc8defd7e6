package github

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// commentBox is the state of an issue-comment-vote.
type commentBox struct{ box }

// Start opens the issue.
func (b *commentBox) Start(ctx context.Context, r *voteRun, in CommentVote) error {
	how := "Vote with a comment that has a line such as\n\n    /vote " + strings.Join(strings.Fields(r.Ask().Choices()[0]), " ") + "\n\n"
	if several(r.Ask()) {
		how += "and one such line for each of your choices. "
	}
	how += "Your latest comment with such a line counts; a comment with the line /unvote takes your vote back. A number stands for a choice too:\n"
	for i, c := range r.Ask().Choices() {
		how += "\n" + strconv.Itoa(i+1) + ". " + inline(c)
	}
	return b.begin(ctx, r, in.Place, how)
}

// Receive takes comments as they are written. What was deleted, and what was edited so that it says nothing any more, needs all of them read
// again: an earlier comment of the same person counts then.
func (b *commentBox) Receive(ctx context.Context, r *voteRun, m *message) (gateway.Reply, error) {
	if m.event != "issue_comment" {
		b.heard(r, m)
		return gateway.Reply{}, nil
	}
	if r.Ended() || m.body.Issue == nil || b.IssueID != 0 && m.body.Issue.ID != b.IssueID {
		return gateway.Reply{}, nil
	}
	if m.action != "created" {
		if err := b.touched(ctx, r, m); err != nil {
			return gateway.Reply{}, err
		}
		return gateway.Reply{}, b.soon(ctx, r)
	}
	c := m.body.Comment
	voter, s, ok := b.says(r, *c)
	if !ok {
		return gateway.Reply{}, nil
	}
	if err := b.cast(ctx, r, voter, s, time.Time{}); err != nil {
		return gateway.Reply{}, err
	}
	return gateway.Reply{}, b.full(ctx, r)
}

// Update reads all comments.
func (b *commentBox) Update(ctx context.Context, r *voteRun) error {
	l, err := b.look(ctx, r)
	if err != nil || !l.there {
		return err
	}
	began, leave := r.Now(), map[string]bool{}
	says, err := whole(l.comments, func() (map[string]stand, int, error) { return b.read(ctx, r, leave) })
	if err != nil {
		return err
	}
	for voter := range leave {
		delete(says, voter)
	}
	return b.settle(ctx, r, says, leave, began, l.closer)
}

// read reads all comments once, and gives who says what and how many there were. It adds to leave of whom nothing can be said: what is known of them stands.
func (b *commentBox) read(ctx context.Context, r *voteRun, leave map[string]bool) (map[string]stand, int, error) {
	known, err := asideOf(r.ID()).Update(ctx, r.Plugin, func(a aside) (aside, error) {
		a.Looked = r.Now()
		return a, nil
	})
	if err != nil {
		return nil, 0, err
	}
	was, says, n := known.Kept, map[string]stand{}, 0
	at := func(id int64) int { return slices.IndexFunc(was, func(k kept) bool { return k.ID == id }) }
	err = each(ctx, r.Plugin.own(), issuePath(b.Repo, b.Number)+"/comments", url.Values{}, maxPages, func(c comment) (bool, error) {
		n++
		if i := at(c.ID); i >= 0 { // what it says now somebody else says
			if was[i].Vote = was[i].Vote && counts(r, c.User); was[i].Vote {
				was[i].Voter = c.User.Login
			}
			return false, nil
		}
		if !b.ClosesAt.IsZero() && c.Updated.After(b.ClosesAt) && !c.Created.After(b.ClosesAt) && c.User != nil {
			leave[c.User.Login] = true // nobody can say what it said when the vote closed
		}
		if voter, s, ok := b.says(r, c); ok && newer(s, says[voter]) {
			says[voter] = s
		}
		return false, nil
	})
	if err != nil {
		return nil, 0, err
	}
	for _, k := range was {
		if s := (stand{k.Choices, k.At, k.ID}); k.Vote && newer(s, says[k.Voter]) {
			says[k.Voter] = s
		}
	}
	if known, err = asideOf(r.ID()).Get(ctx, r.Plugin); err != nil {
		return nil, 0, err
	}
	for _, k := range known.Kept {
		if at(k.ID) < 0 {
			leave[k.Voter] = true // somebody else has changed it while it was read
		}
	}
	return says, n, nil
}

// ghost is whose GitHub says everything is that deleted accounts wrote.
const ghost = "ghost"

// says reads a comment as a vote. Programs' do not count, nor those of accounts that are deleted, as their reactions do not, and what was written or changed after the closing time does not.
func (b *commentBox) says(r *voteRun, c comment) (voter string, s stand, ok bool) {
	at := c.Updated
	if at.IsZero() {
		at = c.Created
	}
	if !counts(r, c.User) || !b.ClosesAt.IsZero() && at.After(b.ClosesAt) {
		return "", stand{}, false
	}
	choices, ok := spoken(r.Ask(), c.Body)
	return c.User.Login, stand{choices: choices, at: at.Time, id: c.ID}, ok
}

// counts says whether what an account writes counts.
func counts(r *voteRun, who *account) bool {
	return who != nil && who.Login != "" && who.Type != "Bot" && !strings.EqualFold(who.Login, r.Plugin.app.bot()) && !strings.EqualFold(who.Login, ghost)
}
