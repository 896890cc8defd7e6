package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/vote"
)

// rule is the name and version under which the policy's decisions stand in the audit record.
const rule = "bans 1"

// policy: who is banned on one platform is banned on the others, at once where it is verified that the accounts are one person's, by a vote of the
// moderators where it is only asserted, and not at all where it is less.
type policy struct {
	reasons    []string      // a ban is an offence where its reason begins with one of these, or its platform knows none
	channel    string        // the Discord channel in which moderators vote
	moderators string        // the subject whose people vote, such as gateway.RoleKey("discord", "role/Moderator")
	approvals  int           // how many of them have to be for it
	open       time.Duration // how long they have
	appeal     string        // where the person can appeal
}

// register tells the gateway what the policy wants to hear.
func (p *policy) register(ctx context.Context, g *gateway.Gateway) error {
	if err := g.OnEvent(ctx, "offences", p.heard, gateway.Filter{Types: offences}); err != nil {
		return err
	}
	return g.OnProcess(ctx, "decisions", p.decided, gateway.Filter{Plugin: "discord"})
}

// heard does everything about an offence that need not wait for a vote. It may run again at any time, after a crash for example: what was decided is in the
// record, and each act has a name.
func (p *policy) heard(ctx context.Context, c *gateway.Community, e gateway.Event) error {
	o, ok := offenceOf(e)
	if !ok || e.Bot || e.Cause != "" || !p.counts(o) { // our own bans come back as events too
		return nil
	}
	inst, err := c.Instance(ctx, e.Plugin)
	if err != nil {
		return err
	}
	o.Account.PlatformID = inst.PlatformID()
	who, err := c.WhoIs(ctx, o.Account)
	if errors.Is(err, gateway.NotFound) {
		return nil // nobody knows of other accounts
	}
	if err != nil {
		return err
	}
	ctx = gateway.WithReason(ctx, gateway.Reason{By: "bans", Rule: rule, Text: orNone(o.Reason)})
	k, err := judge(ctx, c, who, e, o)
	if err != nil {
		return err
	}
	var failed []error // one platform that is away keeps none of the others waiting
	for i := range k.Verdicts {
		if v := &k.Verdicts[i]; v.Does == bans && v.Result == "" {
			failed = append(failed, enforce(ctx, c, k, v))
		}
	}
	if err := p.finish(ctx, c, k); err != nil {
		return err
	}
	for _, v := range k.Verdicts {
		if v.Does == votes && v.Result == "" {
			_, err := p.ask(ctx, c, k, v)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// counts says whether a ban is an offence by its reason. GitHub has none. Elsewhere a ban without one is nobody's offence: the moderator gave none, or the
// forum did not say, since the suspension was taken back before it was asked.
func (p *policy) counts(o offence) bool {
	return o.Account.Plugin == "github" || slices.ContainsFunc(p.reasons, func(r string) bool { return strings.HasPrefix(strings.ToLower(o.Reason), r) })
}

// enforce bans an account as it was decided, if what the decision rests on still holds: somebody may have found out meanwhile that the account is
// somebody else's.
func enforce(ctx context.Context, c *gateway.Community, k *record, v *verdict) error {
	least := gateway.Asserted
	if v.Does == bans {
		least = gateway.Verified
	}
	err := c.Require(ctx, k.Offence.Account, v.Account, least)
	switch {
	case gateway.CodeOf(err) == gateway.Denied:
		v.Result = "left alone: that it is theirs does not hold any more"
	case err != nil:
		return err
	default:
		if v.Result, err = ban(ctx, c, k, v.Account); err != nil {
			return err
		}
	}
	return k.settle(ctx, c, *v)
}

// ask has the moderators vote on one account. Neither the person nor anybody who is linked to them has a say, by whatever account. Asked again it
// gives the vote that there is.
func (p *policy) ask(ctx context.Context, c *gateway.Community, k *record, v verdict) (gateway.Process, error) {
	inst, err := c.Instance(ctx, "discord")
	if err != nil {
		return gateway.Process{}, err
	}
	closing := c.Now().Add(p.open) // of the vote that this name has already, if there is one, nothing changes
	return inst.Start(ctx, "vote", discord.Vote{Channel: p.channel, Ask: vote.Ask{
		Title: fmt.Sprintf("Ban the %s account %s too?", v.Account.Plugin, v.Account.UserID),
		Details: fmt.Sprintf("Its person was banned on %s: %s.\nThat it is theirs is only %s.\n%s",
			k.Offence.Account.Plugin, orNone(k.Offence.Reason), v.Strength, reference{k.Person, k.ID, v.Account}),
		EligibleVoters: []string{p.moderators}, IneligibleVoters: []string{gateway.PersonKey(k.Person)},
		Quorum: p.approvals, CloseWhenDecided: true, ClosingAt: &closing,
	}}, k.act("vote", v.Account))
}

// decided acts on the moderators' decision.
func (p *policy) decided(ctx context.Context, c *gateway.Community, proc gateway.Process) error {
	var in discord.Vote
	if !proc.Done() || json.Unmarshal(proc.Input, &in) != nil {
		return nil
	}
	ref, ok := referenceIn(in.Details)
	if !ok {
		return nil // somebody else's vote
	}
	k, err := recordOf(ctx, c, ref.Person, ref.ID)
	if err != nil || k == nil {
		return err
	}
	i := slices.IndexFunc(k.Verdicts, func(v verdict) bool { return v.Account == ref.Account && v.Does == votes && v.Result == "" })
	ctx = gateway.WithReason(ctx, gateway.Reason{By: "bans", Rule: rule, Text: orNone(k.Offence.Reason)})
	if i < 0 {
		return p.finish(ctx, c, k) // we were here before, and were killed perhaps
	}
	v := &k.Verdicts[i]
	own, err := p.ask(ctx, c, k, *v)
	if err != nil || own.ID != proc.ID { // anybody's vote can have details that look like ours
		return err
	}
	yes, err := approvals(proc)
	switch {
	case err != nil:
	case yes < p.approvals:
		v.Result = fmt.Sprintf("spared: %d of %d moderators were for it", yes, p.approvals)
		err = k.settle(ctx, c, *v)
	default:
		err = enforce(ctx, c, k, v)
	}
	if err != nil {
		return err
	}
	return p.finish(ctx, c, k)
}

// approvals are the votes for a ban, none where the vote came to nothing.
func approvals(proc gateway.Process) (int, error) {
	if proc.Status != gateway.StatusCompleted {
		return 0, nil
	}
	var out vote.Outcome
	if err := proc.DecodeOutcome(&out); err != nil {
		return 0, err
	}
	if out.Result != vote.Passed {
		return 0, nil
	}
	for _, option := range out.Questions[0].Options {
		if option.Option == vote.Yes {
			return int(option.Ballots), nil
		}
	}
	return 0, nil
}

// finish tells the person when nothing is open any more. It reads the record again: the other callback may have settled the rest meanwhile.
func (p *policy) finish(ctx context.Context, c *gateway.Community, k *record) error {
	k, err := recordOf(ctx, c, k.Person, k.ID)
	if err != nil || k == nil || k.Told != "" || k.open() {
		return err
	}
	if k.Told, err = p.tell(ctx, c, k); err != nil {
		return err
	}
	return k.keep(ctx, c)
}
