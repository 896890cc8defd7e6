package vote_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/vote"
)

var now = time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)

func TestNormalizeDefaults(t *testing.T) {
	a, err := vote.Ask{Title: " Shall we? "}.Normalize(now)
	require.NoError(t, err)
	require.Equal(t, vote.Ask{
		Title: "Shall we?", PollType: vote.Boolean, Eligibility: vote.Snapshot, MinChoices: 1, MaxChoices: 1, Threshold: ">1/2", TieRule: vote.TieNone,
		Secrecy: vote.Public, MayChange: new(true), IneligibleVoterMessage: vote.DefaultIneligibleVoterMessage,
	}, a)

	a, err = vote.Ask{Title: "Which?", PollType: vote.Multiple, Options: []string{"a", "b", "c"}}.Normalize(now)
	require.NoError(t, err)
	require.Equal(t, 1, a.MinChoices)
	require.Equal(t, 3, a.MaxChoices)
	require.Empty(t, a.Threshold, "most votes win")
}

func TestNormalizeLimits(t *testing.T) {
	many := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = strings.Repeat("x", i+1)
		}
		return out
	}
	long := func(n int) string { return strings.Repeat("é", n) }
	choice := vote.Ask{Title: "t", PollType: vote.Choice, Options: []string{"a", "b"}}
	for name, c := range map[string]struct {
		edit func(a *vote.Ask, over int)
		path string
	}{
		"title":     {func(a *vote.Ask, o int) { a.Title = long(vote.MaxTitle + o) }, "/title"},
		"details":   {func(a *vote.Ask, o int) { a.Details = long(vote.MaxDetails + o) }, "/details"},
		"option":    {func(a *vote.Ask, o int) { a.Options = []string{"a", long(vote.MaxOption + o)} }, "/options/1"},
		"options":   {func(a *vote.Ask, o int) { a.Options = many(vote.MaxOptions + o) }, "/options"},
		"ranked":    {func(a *vote.Ask, o int) { a.PollType, a.Options = vote.Ranked, many(vote.MaxRanked+o) }, "/options"},
		"questions": {func(a *vote.Ask, o int) { a.Questions = many(vote.MaxQuestions + o) }, "/questions"},
		"message":   {func(a *vote.Ask, o int) { a.IneligibleVoterMessage = long(vote.MaxMessage + o) }, "/ineligible_voter_message"},
		"eligible":  {func(a *vote.Ask, o int) { a.EligibleVoters = make2(vote.MaxVoters + o) }, "/eligible_voters"},
		"may close": {func(a *vote.Ask, o int) { a.MayClose = make2(vote.MaxVoters + o) }, "/may_close"},
		"closing":   {func(a *vote.Ask, o int) { a.ClosingAt = new(now.Add(vote.MaxOpen + time.Duration(o)*time.Second)) }, "/closing_at"},
	} {
		t.Run(name, func(t *testing.T) {
			a := choice
			c.edit(&a, 0)
			_, err := a.Normalize(now)
			require.NoError(t, err)
			c.edit(&a, 1)
			_, err = a.Normalize(now)
			var invalid *vote.Invalid
			require.ErrorAs(t, err, &invalid)
			require.Len(t, invalid.Fields, 1)
			require.Equal(t, c.path, invalid.Fields[0].Path)
		})
	}
}

func make2(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "U"
	}
	return out
}

func TestNormalizeText(t *testing.T) {
	_, err := vote.Ask{
		Title: "\xff", Details: "\xff", PollType: vote.Choice, Options: []string{"a", "\xff"}, EligibleVoters: []string{"\xff"},
		IneligibleVoterMessage: "\xff", Weights: []vote.VoterWeight{{Voter: "\xff"}, {Voter: "ann", Weight: -1}},
	}.Normalize(now)
	require.EqualError(t, err, "this vote cannot be held as asked: /title is not valid UTF-8; /details is not valid UTF-8; "+
		"/options/1 is not valid UTF-8; /eligible_voters/0 is not a user ID; /ineligible_voter_message is not valid UTF-8; "+
		"/weights/0/voter is not a user ID; /weights/1/weight is not between 0 and 1000000000")
}

func TestNormalizeLeavesItsInputAlone(t *testing.T) {
	at := now.Add(time.Hour).In(time.FixedZone("", 3600)).Add(999)
	in := vote.Ask{Title: "t", ClosingAt: &at, EligibleVoters: []string{"a", "a", "b"}}
	out, err := in.Normalize(now)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "a", "b"}, in.EligibleVoters)
	require.Equal(t, []string{"a", "b"}, out.EligibleVoters)
	require.Equal(t, 999, in.ClosingAt.Nanosecond())
	require.Equal(t, now.Add(time.Hour), *out.ClosingAt, "microseconds, UTC")
	require.Nil(t, in.MayChange)
}

func TestNobodyIsNotEverybody(t *testing.T) {
	for raw, want := range map[string]bool{`{"title":"t"}`: true, `{"title":"t","eligible_voters":[]}`: false} {
		var a vote.Ask
		require.NoError(t, json.Unmarshal([]byte(raw), &a))
		for range 3 { // It survives being stored and read again.
			a, _ = a.Normalize(now)
			require.Equal(t, want, a.Eligible("ann"))
			b, err := json.Marshal(a)
			require.NoError(t, err)
			a = vote.Ask{}
			require.NoError(t, json.Unmarshal(b, &a))
		}
	}
}

// TestEmbedded holds Ask to having no JSON methods: they would hide the fields of what embeds it.
func TestEmbedded(t *testing.T) {
	type input struct {
		vote.Ask
		Channel string `json:"channel"`
	}
	var in input
	require.NoError(t, json.Unmarshal([]byte(`{"title":"t","channel":"C1","weights":[{"voter":"a","weight":0.5}]}`), &in))
	require.Equal(t, "C1", in.Channel)
	require.Equal(t, "t", in.Title)
	out, err := json.Marshal(in)
	require.NoError(t, err)
	require.JSONEq(t, `{"title":"t","channel":"C1","weights":[{"voter":"a","weight":0.5}]}`, string(out))
}

func TestHelpers(t *testing.T) {
	a := vote.Ask{PollType: vote.Choice, Options: []string{"x", "y"}, Questions: []string{"q"}, MayClose: []string{"dan"}}
	text, ok := a.ChoiceAt(1)
	require.True(t, ok)
	require.Equal(t, "y", text)
	q, ok := a.QuestionAt(0)
	require.True(t, ok)
	require.Equal(t, "q", q)
	for _, i := range []int{-1, 2} {
		_, ok = a.ChoiceAt(i)
		require.False(t, ok)
	}
	require.True(t, a.ClosableBy("dan"))
	require.False(t, a.ClosableBy("ann"))
	require.False(t, vote.Ask{MayClose: []string{""}}.ClosableBy(""), "a person without a name may nothing")
	require.False(t, vote.Ask{}.Eligible(""))

	require.True(t, a.CountsVisible(false))
	require.True(t, a.VotersVisible())
	a.Secrecy = vote.Hidden
	require.False(t, a.CountsVisible(false))
	require.True(t, a.CountsVisible(true))
	require.False(t, a.VotersVisible())

	a.PollType = vote.Multiple
	lines, err := a.Pick("q", "y")
	require.NoError(t, err)
	require.Equal(t, []vote.Picked{{Question: "q\nx", Choice: "no"}, {Question: "q\ny", Choice: "yes"}}, lines)
	question, option := vote.SplitKey(lines[1].Question)
	require.Equal(t, "q", question)
	require.Equal(t, "y", option)
	_, option = vote.SplitKey("y")
	require.Equal(t, "y", option)

	a.Options[0] = "z"
	require.Equal(t, "z", a.Choices()[0])
	a.Choices()[0] = "changed"
	require.Equal(t, "z", a.Options[0], "a copy")
}

func FuzzAsk(f *testing.F) {
	cases, err := vote.Cases()
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		raw, err := json.Marshal(c.Ask)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw), "yes")
	}
	f.Fuzz(func(t *testing.T, raw, choice string) {
		var a vote.Ask
		if json.Unmarshal([]byte(raw), &a) != nil {
			return
		}
		a.Decide(vote.Tally{Counts: []vote.Count{vote.Votes("", choice, 1)}}, vote.Closing{}) // Not normalised: no panic.
		_, _ = a.Pick("", choice)
		_ = vote.Can{}.Check(a)
		once, err := a.Normalize(now)
		if err != nil {
			return
		}
		twice, err := once.Normalize(now)
		require.NoError(t, err)
		require.Equal(t, once, twice)
		stored, err := json.Marshal(once)
		require.NoError(t, err)
		var back vote.Ask
		require.NoError(t, json.Unmarshal(stored, &back))
		back, err = back.Normalize(now)
		require.NoError(t, err, "an Ask that was stored is still valid")
		for i, c := range once.Choices() {
			require.Equal(t, c, back.Choices()[i], "options are kept exactly as given")
		}
		if lines, err := once.Pick(once.Asked()[0], choice); err == nil {
			require.NotEmpty(t, lines)
		}
	})
}
