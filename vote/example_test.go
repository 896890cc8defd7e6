package vote_test

import (
	"fmt"
	"time"

	"github.com/metagov/gateway-go/vote"
)

// A voting process normalises and checks what it was asked when it starts, casts the lines of each pick, and decides
// when it closes. Here a Counter stands for the store.
func Example() {
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)

	// Start.
	ask, err := vote.Ask{
		Title: "What do we drink?", PollType: vote.Choice, Options: []string{"Tea", "Coffee", "Water"},
		Threshold: ">1/2", Quorum: 3, IneligibleVoters: []string{"zoe"},
	}.Normalize(now)
	if err != nil {
		fmt.Println(err)
		return
	}
	can := vote.Can{PollTypes: []vote.PollType{vote.Boolean, vote.Choice}, Eligibility: true}
	if err := can.Check(ask); err != nil {
		fmt.Println(err)
		return
	}

	// Clicks: buttons carry the index of an option.
	var store vote.Counter
	click := func(voter string, button int, at time.Time) {
		option, ok := ask.ChoiceAt(button)
		if !ok || !ask.Eligible(voter) {
			fmt.Printf("%s: %s\n", voter, ask.IneligibleVoterMessage)
			return
		}
		lines, err := ask.Pick("", option)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, l := range lines {
			b := vote.Ballot{Voter: voter, Question: l.Question, Choice: l.Choice, Weight: ask.WeightOf(voter), At: at}
			if _, err := store.Cast(b); err != nil {
				fmt.Println(err)
			}
		}
	}
	click("ann", 0, now.Add(1*time.Minute))
	click("bob", 1, now.Add(2*time.Minute))
	click("zoe", 1, now.Add(3*time.Minute))
	click("cid", 0, now.Add(4*time.Minute))

	// Close.
	out := ask.Decide(vote.Tally{Counts: store.Counts(), Ballots: store.Ballots()}, vote.Closing{By: vote.ByTime, At: now.Add(time.Hour)})
	fmt.Println(out.Result, out.Winner)
	for _, o := range out.Questions[0].Options {
		fmt.Println(o.Option, o.Weight, o.Users)
	}
	// Output:
	// zoe: You are not among the people who can vote here, so your vote was not counted.
	// passed Tea
	// Tea 2 [ann cid]
	// Coffee 1 [bob]
	// Water 0 []
}

func ExampleCan_Check() {
	reactions := vote.Can{ClosingAt: true} // A vote by reactions on a comment.
	err := reactions.Check(vote.Ask{Title: "Merge?", Secrecy: vote.Hidden, EligibleVoters: []string{"ann", "bob"}})
	fmt.Println(err)
	// Output:
	// this vote cannot be held as asked: /eligible_voters cannot be enforced here: who may vote; /secrecy cannot be enforced here: hidden, only public
}
