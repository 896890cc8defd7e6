package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/vote"
)

// driver is the governance of this example: whoever writes "propose: …" in a channel starts a vote there, in which the
// proposer has no say; what passes is announced.
type driver struct {
	gateway *gateway.Gateway
	open    time.Duration // how long a vote is open
	say     func(format string, args ...any)
}

// proposal is what the driver reads of a message.
type proposal struct {
	Channel string `json:"channel"`
	Text    string `json:"text"`
}

// register tells the gateway what the driver wants to hear. The names make it go on after a restart where it stopped.
func (d *driver) register(ctx context.Context) error {
	if err := d.gateway.OnEvent(ctx, "proposals", d.heard, gateway.Filter{Types: []string{"message"}}); err != nil {
		return err
	}
	return d.gateway.OnProcess(ctx, "decisions", d.moved)
}

// heard starts a vote on a proposal. It may be called twice for one event: Once makes that one vote.
func (d *driver) heard(ctx context.Context, c *gateway.Community, e gateway.Event) error {
	var p proposal
	if err := json.Unmarshal(e.Data, &p); err != nil {
		return err
	}
	title, ok := strings.CutPrefix(p.Text, "propose: ")
	if !ok || e.Bot {
		return nil
	}
	d.say("The driver hears that %s proposes %q, and starts a vote.", e.Initiator, title)
	inst, err := c.Instance(ctx, "slack")
	if err != nil {
		return err
	}
	closing := time.Now().Add(d.open)
	_, err = inst.Start(ctx, "emoji-vote", slack.Vote{Channel: p.Channel, Ask: vote.Ask{
		Title: title, ClosingAt: &closing, IneligibleVoters: []string{e.Initiator},
		IneligibleVoterMessage: "You proposed this, so it is for the others to decide.",
	}}, gateway.Once("vote on "+e.ID))
	return err
}

// moved acts on the outcome of a vote.
func (d *driver) moved(ctx context.Context, c *gateway.Community, p gateway.Process) error {
	if p.Status != gateway.StatusCompleted {
		return nil
	}
	var out vote.Outcome
	if err := p.DecodeOutcome(&out); err != nil {
		return err
	}
	d.say("The vote on %q is over: %s, %d voted.", out.Title, out.Result, out.Turnout.Voters)
	if out.Result != vote.Passed {
		return nil
	}
	var in slack.Vote
	if err := json.Unmarshal(p.Input, &in); err != nil {
		return err
	}
	inst, err := c.Instance(ctx, "slack")
	if err != nil {
		return err
	}
	_, err = inst.Do(ctx, "post-message", slack.Message{Channel: in.Channel, Text: fmt.Sprintf("Decided: %s", out.Title)}, gateway.Once("announce "+p.ID))
	return err
}
