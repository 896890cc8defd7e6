package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/vote"
)

// The dice are a plugin without a platform.
type dice struct{ *gateway.Instance }

type diceConfig struct {
	Sides int `json:"sides" jsonschema:"minimum=2,default=6" jsonschema_description:"How many sides a die has."`
}

type throw struct {
	Times int `json:"times" jsonschema:"minimum=1,maximum=10,default=1" jsonschema_description:"How many dice to throw."`
}

type thrown struct {
	Sum int `json:"sum" jsonschema_description:"What they show together."`
}

func (d *dice) throw(_ context.Context, in throw) (thrown, error) { return thrown{4 * in.Times}, nil }

type poll2 struct{ vote.Ask }

type poll2State struct{}

func (*poll2State) Start(context.Context, *gateway.Run[*dice, vote.Outcome], poll2) error { return nil }

func newDice() gateway.Plugin {
	open := func(_ context.Context, i *gateway.Instance, _ diceConfig) (*dice, error) { return &dice{i}, nil }
	return gateway.Define("dice", "Throws dice.", open,
		gateway.ActionFunc("throw", "Throws some dice.", (*dice).throw),
		gateway.ProcessFunc("poll", "Asks everybody.", (*poll2State).Start, gateway.Can(vote.Can{ClosingAt: true})),
	)
}

// A driver enables a plugin in a community and asks for an action. Defaults are filled in, and what fails the schema is refused with every
// reason.
func ExampleInstance_Do() {
	ctx := context.Background()
	g, err := gateway.New(gateway.Options{Store: memory.New(), Plugins: []gateway.Plugin{newDice()}})
	if err != nil {
		panic(err)
	}
	town, _ := g.CreateCommunity(ctx, "town", "Our town")
	inst, err := town.Enable(ctx, "dice", nil)
	if err != nil {
		panic(err)
	}
	out, err := gateway.Do[thrown](ctx, inst, "throw", throw{Times: 3})
	fmt.Println(out.Sum, err)

	_, err = inst.Do(ctx, "throw", throw{Times: 30})
	fmt.Println(errors.Is(err, gateway.Invalid))
	// Output:
	// 12 <nil>
	// true
}

// A vote closes by itself; RunDue does what is due at the time that the clock shows.
func ExampleInstance_Start() {
	ctx := context.Background()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	g, err := gateway.New(gateway.Options{Store: memory.New(), Plugins: []gateway.Plugin{newDice()}, Now: func() time.Time { return now }})
	if err != nil {
		panic(err)
	}
	town, _ := g.CreateCommunity(ctx, "town", "Our town")
	inst, _ := town.Enable(ctx, "dice", nil)
	_ = g.OnProcess(ctx, "decisions", func(_ context.Context, _ *gateway.Community, p gateway.Process) error {
		var out vote.Outcome
		if p.Status == gateway.StatusCompleted && p.DecodeOutcome(&out) == nil {
			fmt.Println(out.Title, out.Result, "with", out.Turnout.Voters, "votes")
		}
		return nil
	})

	closing := now.Add(time.Hour)
	p, err := inst.Start(ctx, "poll", poll2{vote.Ask{Title: "Play on?", ClosingAt: &closing}})
	if err != nil {
		panic(err)
	}
	for _, voter := range []string{"ann", "bob", "cid"} {
		_, _ = town.Cast(ctx, p.ID, gateway.Ballot{Voter: voter, Choices: []string{vote.Yes}})
	}
	now = closing
	_, _ = g.RunDue(ctx)
	// Output:
	// Play on? passed with 3 votes
}
