package discourse

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// Close closes the poll, if that was not done before, and makes the outcome. Where the forum cannot be reached the outcome does not wait for it: what
// people still choose there is counted nowhere, and Show closes the poll later. Of a poll that the forum counts the last count is taken.
func (b *pollBox) Close(ctx context.Context, r *pollRun) error {
	if err := b.shut(ctx, r); err != nil {
		r.Plugin.Log.WarnContext(ctx, "a poll could not be closed yet", "process", r.ID(), "error", err)
	} else if !r.Ask().VotersVisible() && b.Post.ID != 0 {
		b.countAgain(ctx, r)
	}
	out, err := r.Decide(ctx)
	if err != nil {
		return err
	}
	return r.Complete(out)
}

// countAgain takes the forum's count once more, if it can be had.
func (b *pollBox) countAgain(ctx context.Context, r *pollRun) {
	p, err := r.Plugin.pollPost(ctx, b.Post.ID)
	if v, ok := p.poll(); err == nil && ok && b.same(r.Ask(), v) {
		err = b.read(ctx, r, v)
	}
	if err != nil {
		r.Plugin.Log.WarnContext(ctx, "a poll could not be read once more", "process", r.ID(), "error", err)
	}
}

// Show closes the poll, where that is still to be done, and says the result in the topic: the poll itself shows everybody's votes, and not what they
// are worth. Before the end there is nothing to show.
func (b *pollBox) Show(ctx context.Context, r *pollRun) error {
	if !r.Ended() || !b.Post.Sent {
		return nil
	}
	if b.Post.ID == 0 { // it ended while it was being posted
		if err := b.Post.find(ctx, r.Plugin, r.ID()); err != nil || b.Post.ID == 0 {
			return passing(err)
		}
	}
	if deleted(r) {
		return nil
	}
	if err := b.shut(ctx, r); err != nil {
		return err
	}
	if b.Quiet {
		return nil
	}
	words, err := result(r)
	if err != nil {
		return err
	}
	err = b.Result.write(ctx, r, r.ID()+".result", b.Post.Topic, map[string]any{"raw": words})
	if lasting(err) {
		r.Plugin.Log.WarnContext(ctx, "the result of a vote cannot be said", "process", r.ID(), "topic", b.Post.Topic, "error", err)
	}
	return passing(err)
}

// passing is an error after which it is worth trying again.
func passing(err error) error {
	if lasting(err) {
		return nil
	}
	return err
}

// deleted says that the vote ended because there was no poll any more.
func deleted(r *pollRun) bool {
	var out vote.Outcome
	return json.Unmarshal(r.Outcome(), &out) == nil && out.ClosedBy == vote.ByDeletion
}

// result puts the outcome into words.
func result(r *pollRun) (string, error) {
	if len(r.Outcome()) == 0 {
		return "The vote is over without a result: " + plain(first(r.Reason(), "it failed")) + ".", nil
	}
	var out vote.Outcome
	if err := json.Unmarshal(r.Outcome(), &out); err != nil {
		return "", gateway.Errorf(gateway.Internal, "decoding an outcome: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The vote %s is closed. Result: **%s**", plain(out.Title), strings.ReplaceAll(string(out.Result), "_", " "))
	if out.Winner != "" {
		b.WriteString(", " + plain(out.Winner))
	}
	b.WriteString(".\n")
	for _, q := range out.Questions {
		for _, o := range q.Options {
			fmt.Fprintf(&b, "\n* %s: %d", plain(o.Option), o.Ballots)
			if len(r.Ask().Weights) > 0 {
				fmt.Fprintf(&b, " (weight %s)", o.Weight)
			}
		}
	}
	return b.String(), nil
}
