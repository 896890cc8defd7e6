package randomness

import (
	"context"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// Vote is the input of delayed-stochastic-vote.
type Vote struct {
	Options []string `json:"options" jsonschema:"minItems=1" jsonschema_description:"What one is drawn from. An option that stands twice has two chances."`
	Delay   int64    `json:"delay" jsonschema:"minimum=0,maximum=5256000" jsonschema_description:"Minutes until the draw, ten years at the most."`
}

// Winner is its outcome.
type Winner struct {
	Winner string `json:"winner" jsonschema_description:"The option that was drawn."`
}

// vote is the durable state of one vote: it outlives the program.
type vote struct {
	Options []string `json:"options" jsonschema_description:"What one is drawn from."`
}

type run = gateway.Run[*Randomness, Winner]

// Start keeps the options and says when to close. From then on nothing has to stay in memory.
func (v *vote) Start(_ context.Context, r *run, in Vote) error {
	v.Options = in.Options
	r.CloseAt(r.Now().Add(time.Duration(in.Delay) * time.Minute))
	return nil
}

// Close draws the winner. It may be called again after a failure, but only one outcome is ever kept.
func (v *vote) Close(_ context.Context, r *run) error {
	return r.Complete(Winner{v.Options[r.Plugin.draw(uint64(len(v.Options)))]})
}
