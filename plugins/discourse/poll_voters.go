package discourse

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/metagov/gateway-go/vote"
)

// voter is one of those who chose an option. ID is 0 where the account is gone. Mark is 1, or of a ranking the option's rank, or 0 where they did not rank it.
type voter struct {
	ID   int64
	Mark byte
}

// rawVoter is a voter as the API has it: an account, or, of a ranking, a rank and an account.
type rawVoter struct {
	ID   int64           `json:"id"`
	Rank json.RawMessage `json:"rank"`
	User *person         `json:"user"`
}

// parseVoters reads the voters of one option: null where there are none, a list for a poll of numbers, and otherwise lists by the options' IDs. Of one
// option of a ranking older versions of Discourse do not say the ranks, which is refused. They also say null of voters whose accounts were deleted.
func parseVoters(raw json.RawMessage, option string, ranked bool) ([]voter, error) {
	var list []*rawVoter
	if err := json.Unmarshal(raw, &list); err != nil {
		var by map[string][]*rawVoter
		if err := json.Unmarshal(raw, &by); err != nil {
			return nil, fmt.Errorf("decoding voters: %w", err)
		}
		list = by[option]
	}
	out := make([]voter, 0, len(list))
	for _, x := range list {
		if x == nil || x.User == nil && len(x.Rank) > 0 {
			out = append(out, voter{}) // counted, for the page's length
			continue
		}
		v := voter{ID: x.ID, Mark: 1}
		if ranked && x.User == nil {
			return nil, fmt.Errorf("the forum names voters of a ranking without their ranks, as older versions of Discourse do")
		}
		if x.User != nil {
			v.ID = x.User.ID
			mark, err := rank(x.Rank)
			if err != nil {
				return nil, err
			}
			v.Mark = mark
		}
		if v.ID == 0 {
			return nil, fmt.Errorf("a voter has no ID")
		}
		out = append(out, v)
	}
	return out, nil
}

// rank reads "1", 1 or "Abstain".
func rank(raw json.RawMessage) (byte, error) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	if text == "Abstain" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > math.MaxUint8 {
		return 0, fmt.Errorf("%.20q is no rank", text)
	}
	return byte(n), nil
}

// choices are the ballot that an account's marks are.
func choices(ask *vote.Ask, marks []byte) []string {
	all := ask.Choices()
	var chosen []int
	for i, m := range marks {
		if m > 0 && i < len(all) {
			chosen = append(chosen, i)
		}
	}
	switch {
	case len(chosen) == 0:
		return nil
	case ask.PollType == vote.Ranked:
		slices.SortStableFunc(chosen, func(a, b int) int { return int(marks[a]) - int(marks[b]) })
	case !severalChoices(ask):
		chosen = chosen[len(chosen)-1:] // it was changed while the lists were read
	}
	out := make([]string, len(chosen))
	for i, n := range chosen {
		out[i] = all[n]
	}
	return out
}

// held reads the ballot back that lines of the store are.
func held(ask *vote.Ask, lines []vote.Ballot) []string {
	var named []string
	for _, l := range lines {
		switch _, option := vote.SplitKey(l.Question); {
		case ask.PollType == vote.Ranked:
			named, _ = ask.Ranking(l.Choice)
		case !severalChoices(ask):
			named = []string{l.Choice}
		case l.Choice == vote.Yes:
			named = append(named, option)
		}
	}
	if severalChoices(ask) {
		all := ask.Choices()
		slices.SortFunc(named, func(a, b string) int { return slices.Index(all, a) - slices.Index(all, b) })
	}
	return named
}
