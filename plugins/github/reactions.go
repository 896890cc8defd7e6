package github

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// reactions are all that GitHub has (https://docs.github.com/en/rest/reactions/reactions, 2026-11), in the order in which choices take them, and as
// people see them.
var reactions = [...]struct{ name, shown string }{
	{"+1", "👍"}, {"-1", "👎"}, {"laugh", "😄"}, {"hooray", "🎉"}, {"confused", "😕"}, {"heart", "❤️"}, {"rocket", "🚀"}, {"eyes", "👀"},
}

func shown(reaction string) string {
	for _, r := range reactions {
		if r.name == reaction {
			return r.shown
		}
	}
	return ""
}

// reactBox is the state of an issue-react-vote.
type reactBox struct {
	box
	Reactions []string `json:"reactions,omitempty" jsonschema_description:"What stands for each choice."`
}

// assign says which reaction stands for which choice.
func assign(ask *vote.Ask, wanted []string) ([]string, error) {
	choices := ask.Choices()
	if len(wanted) == 0 {
		if ask.PollType == vote.Consent {
			return []string{"+1", "eyes", "-1"}, nil
		}
		for i := range min(len(choices), len(reactions)) {
			wanted = append(wanted, reactions[i].name)
		}
	}
	if len(wanted) != len(choices) {
		return nil, invalid("/reactions", fmt.Sprintf("are %d, and there are %d choices", len(wanted), len(choices)))
	}
	for i, w := range wanted {
		if shown(w) == "" || slices.Contains(wanted[:i], w) {
			return nil, invalid(fmt.Sprintf("/reactions/%d", i), "is none of GitHub's, or stands twice")
		}
	}
	return slices.Clone(wanted), nil
}

func invalid(path, message string) error {
	return &gateway.Error{Code: gateway.Invalid, Fields: []gateway.FieldError{{Path: path, Message: message}}}
}

// Start opens the issue.
func (b *reactBox) Start(ctx context.Context, r *voteRun, in ReactVote) (err error) {
	if b.Reactions, err = assign(r.Ask(), in.Reactions); err != nil {
		return err
	}
	how := "Vote with a reaction to this text:\n"
	if several(r.Ask()) {
		how = "Vote with reactions to this text, as many as you like to choose:\n"
	}
	for i, c := range r.Ask().Choices() {
		how += "\n- " + shown(b.Reactions[i]) + " " + inline(c)
	}
	return b.begin(ctx, r, in.Place, how)
}

// Receive takes what happens to the issue.
func (b *reactBox) Receive(_ context.Context, r *voteRun, m *message) (gateway.Reply, error) {
	b.heard(r, m)
	return gateway.Reply{}, nil
}

// Update reads all reactions. Somebody who has given several where one counts has said what they gave last.
func (b *reactBox) Update(ctx context.Context, r *voteRun) error {
	l, err := b.look(ctx, r)
	if err != nil || !l.there {
		return err
	}
	began := r.Now()
	says, err := whole(l.reactions, func() (map[string]stand, int, error) { return b.read(ctx, r) })
	if err != nil {
		return err
	}
	return b.settle(ctx, r, says, nil, began, l.closer)
}

// reaction is one as GitHub lists it.
type reaction struct {
	ID      int64    `json:"id"`
	User    *account `json:"user"` // null: the account is deleted
	Content string   `json:"content"`
	Created stamp    `json:"created_at"`
}

// read lists once who says what, and says how many reactions there were. Of each voter it keeps their choices only, so that ten thousand fit easily; those of bots, and later ones than
// the closing time, do not count.
func (b *reactBox) read(ctx context.Context, r *voteRun) (says map[string]stand, n int, err error) {
	says, ask := map[string]stand{}, r.Ask()
	choices := ask.Choices()
	err = each(ctx, r.Plugin.own(), issuePath(b.Repo, b.Number)+"/reactions", url.Values{}, maxPages, func(x reaction) (bool, error) {
		n++
		i := slices.Index(b.Reactions, x.Content)
		late := !b.ClosesAt.IsZero() && x.Created.After(b.ClosesAt)
		if i < 0 || i >= len(choices) || !counts(r, x.User) || late {
			return false, nil
		}
		says[x.User.Login] = added(ask, says[x.User.Login], choices[i], stand{at: x.Created.Time, id: x.ID})
		return false, nil
	})
	return says, n, err
}

// added is what a voter says with one reaction more.
func added(ask *vote.Ask, before stand, choice string, s stand) stand {
	last := newer(s, before)
	if !last {
		s.at, s.id = before.at, before.id
	}
	switch {
	case several(ask):
		s.choices = ordered(ask, append(slices.Clone(before.choices), choice))
	case last:
		s.choices = []string{choice}
	default:
		s.choices = before.choices
	}
	return s
}

// ordered puts choices in the order of the ask, each once.
func ordered(ask *vote.Ask, choices []string) []string {
	var out []string
	for _, c := range ask.Choices() {
		if slices.Contains(choices, c) {
			out = append(out, c)
		}
	}
	return out
}
