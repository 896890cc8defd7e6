package vote_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/vote"
)

var everything = vote.Can{
	PollTypes: []vote.PollType{vote.Boolean, vote.Choice, vote.Multiple}, Secrecy: []vote.Secrecy{vote.Public, vote.CountsOnly, vote.Hidden},
	MaxQuestions: 5, AnyMinChoice: true, AnyMaxChoice: true, Eligibility: true, EligibleCount: true, Weights: true, NoChange: true,
	CloseByPeople: true, ClosingAt: true,
}

func TestCanCheck(t *testing.T) {
	boolean := vote.Ask{Title: "t"}
	multiple := vote.Ask{Title: "t", PollType: vote.Multiple, Options: []string{"aa", "bb", "cc"}}
	for name, c := range map[string]struct {
		ask  vote.Ask
		edit func(*vote.Ask)
		can  func(*vote.Can)
		path string
	}{
		"poll type":       {multiple, nil, func(c *vote.Can) { c.PollTypes = []vote.PollType{vote.Boolean, vote.Choice} }, "/poll_type"},
		"poll type, none": {multiple, nil, func(c *vote.Can) { c.PollTypes = nil }, "/poll_type"},
		"options":         {multiple, nil, func(c *vote.Can) { c.MaxOptions = 2 }, "/options"},
		"option length":   {multiple, nil, func(c *vote.Can) { c.MaxOption = 1 }, "/options"},
		"question length": {boolean, func(a *vote.Ask) { a.Questions = []string{"pp"} }, func(c *vote.Can) { c.MaxOption = 1 }, "/questions"},
		"title length":    {vote.Ask{Title: "éé"}, nil, func(c *vote.Can) { c.MaxTitle = 1 }, "/title"},
		"questions":       {boolean, func(a *vote.Ask) { a.Questions = []string{"p", "q"} }, func(c *vote.Can) { c.MaxQuestions = 0 }, "/questions"},
		"min":             {multiple, func(a *vote.Ask) { a.MinChoices = 2 }, func(c *vote.Can) { c.AnyMinChoice = false }, "/min_choices"},
		"max":             {multiple, func(a *vote.Ask) { a.MaxChoices = 2 }, func(c *vote.Can) { c.AnyMaxChoice = false }, "/max_choices"},
		"eligible":        {boolean, func(a *vote.Ask) { a.EligibleVoters = []string{} }, func(c *vote.Can) { c.Eligibility = false }, "/eligible_voters"},
		"ineligible":      {boolean, func(a *vote.Ask) { a.IneligibleVoters = []string{"U"} }, func(c *vote.Can) { c.Eligibility = false }, "/ineligible_voters"},
		"weights":         {boolean, func(a *vote.Ask) { a.Weights = []vote.VoterWeight{{}} }, func(c *vote.Can) { c.Weights = false }, "/weights"},
		"quorum share":    {boolean, func(a *vote.Ask) { a.QuorumShare = "1/2" }, func(c *vote.Can) { c.EligibleCount = false }, "/quorum_share"},
		"secrecy":         {boolean, func(a *vote.Ask) { a.Secrecy = vote.Hidden }, func(c *vote.Can) { c.Secrecy = nil }, "/secrecy"},
		"public":          {boolean, nil, func(c *vote.Can) { c.Secrecy = []vote.Secrecy{vote.CountsOnly} }, "/secrecy"},
		"no change":       {boolean, func(a *vote.Ask) { a.MayChange = new(false) }, func(c *vote.Can) { c.NoChange = false }, "/may_change"},
		"change":          {boolean, nil, func(c *vote.Can) { c.AlwaysFinal = true }, "/may_change"},
		"may close":       {boolean, func(a *vote.Ask) { a.MayClose = []string{"U"} }, func(c *vote.Can) { c.CloseByPeople = false }, "/may_close"},
		"closing":         {boolean, func(a *vote.Ask) { a.ClosingAt = &now }, func(c *vote.Can) { c.ClosingAt = false }, "/closing_at"},
		"no closing":      {boolean, nil, func(c *vote.Can) { c.NeedsClosing = true }, "/closing_at"},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.ask
			if c.edit != nil {
				c.edit(&a)
			}
			require.NoError(t, everything.Check(a))
			can := everything
			c.can(&can)
			var invalid *vote.Invalid
			require.ErrorAs(t, can.Check(a), &invalid)
			require.Len(t, invalid.Fields, 1, "%v", invalid)
			require.Equal(t, c.path, invalid.Fields[0].Path)
		})
	}
}

func TestCanZero(t *testing.T) {
	require.NoError(t, vote.Can{}.Check(vote.Ask{Title: "t"}), "an open boolean vote needs nothing")
	require.NoError(t, vote.Can{Eligibility: true}.Check(vote.Ask{Title: "t", QuorumShare: "1/2", EligibleVoters: []string{"U"}}),
		"the list says how many there are")

	err := vote.Can{}.Check(vote.Ask{
		Title: "t", PollType: vote.Choice, Options: []string{"a", "b"}, Secrecy: vote.Hidden, MayChange: new(false),
		EligibleVoters: []string{}, ClosingAt: &now,
	})
	var invalid *vote.Invalid
	require.ErrorAs(t, err, &invalid)
	require.Len(t, invalid.Fields, 5, "each of them is named: %v", err)
}
