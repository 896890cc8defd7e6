package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// Show says the result under the issue and closes it. Before the end there is nothing to show: reactions and comments show themselves.
func (b *box) Show(ctx context.Context, r *voteRun) error {
	if !r.Ended() || deleted(r) {
		return nil
	}
	if there, err := b.find(ctx, r); err != nil || !there {
		return b.over(ctx, r, err)
	}
	if err := b.over(ctx, r, b.sayResult(ctx, r)); err != nil {
		return err
	}
	g := r.Plugin
	_, err := g.perform(ctx, act{
		request: request{method: http.MethodPatch, path: issuePath(b.Repo, b.Number), body: map[string]any{"state": "closed"}, repeat: true},
		echoes:  []string{ref("thread", "closed", issueRef(b.Repo, b.Number))},
	}, nil)
	return b.over(ctx, r, err)
}

// find says whether there is an issue. Where the vote ended while it was being opened it is looked for: it asks people to vote.
func (b *box) find(ctx context.Context, r *voteRun) (bool, error) {
	if b.Number != 0 || !b.Sent {
		return b.Number != 0, nil
	}
	i, ok, err := r.Plugin.issueWith(ctx, b.Repo, r.ID(), b.Since, newIssue{})
	switch {
	case err != nil:
		return false, err
	case !ok && r.Now().Before(b.Since.Add(settles)):
		return false, gateway.Errorf(gateway.Unavailable, "the issue may have been opened, and cannot be seen yet")
	}
	b.Number, b.IssueID, b.URL = i.Number, i.ID, i.URL
	return ok, nil
}

// deleted says that the vote ended because there was no issue any more.
func deleted(r *voteRun) bool { return outcome(r).ClosedBy == vote.ByDeletion }

// outcome is the vote's, the zero value where it has none.
func outcome(r *voteRun) (out vote.Outcome) {
	if json.Unmarshal(r.Outcome(), &out) != nil {
		return vote.Outcome{}
	}
	return out
}

// over lets go of an issue that will not be changed any more, however often it is tried.
func (b *box) over(ctx context.Context, r *voteRun, err error) error {
	switch gateway.CodeOf(err) {
	case gateway.NotFound, gateway.Denied, gateway.Invalid, gateway.Conflict:
		if err != nil {
			r.Plugin.Log.WarnContext(ctx, "the issue of a vote cannot be changed any more", "process", r.ID(), "repo", b.Repo, "issue", b.Number, "error", err)
		}
		return nil
	}
	return err
}

// sayResult comments once, however often it is tried.
func (b *box) sayResult(ctx context.Context, r *voteRun) error {
	if b.Said {
		return nil
	}
	g, id := r.Plugin, r.ID()+".result"
	if b.Saying {
		_, ok, err := g.commentWith(ctx, b.Repo, b.Number, id, later(b.Since, outcome(r).ClosedAt))
		if err != nil {
			return err
		}
		b.Said = ok
	}
	if !b.Said {
		words, err := result(r)
		if err != nil {
			return err
		}
		b.Saying = true
		if err := r.Save(ctx); err != nil {
			return err
		}
		if _, err := g.say(ctx, b.Repo, b.Number, marked(words, id)); err != nil {
			if gateway.CodeOf(err) == gateway.Unknown {
				return gateway.Errorf(gateway.Unavailable, "the result may have been said, and is looked for again: %w", err)
			}
			return err
		}
		b.Said = true
	}
	return r.Save(ctx)
}

// result puts the outcome into words.
func result(r *voteRun) (string, error) {
	if len(r.Outcome()) == 0 {
		return "The vote is over without a result: " + first(r.Reason(), "it failed") + ".", nil
	}
	var out vote.Outcome
	if err := json.Unmarshal(r.Outcome(), &out); err != nil {
		return "", gateway.Errorf(gateway.Internal, "decoding an outcome: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The vote is closed. Result: **%s**", strings.ReplaceAll(string(out.Result), "_", " "))
	if out.Winner != "" {
		fmt.Fprintf(&b, ", %s", inline(out.Winner))
	}
	b.WriteString(".\n")
	for _, q := range out.Questions {
		for _, o := range q.Options {
			fmt.Fprintf(&b, "\n- %s: %d", inline(o.Option), o.Ballots)
			if len(r.Ask().Weights) > 0 {
				fmt.Fprintf(&b, " (weight %s)", o.Weight)
			}
		}
	}
	return b.String(), nil
}

// inline writes a driver's text so that it stays on its line, mentions nobody and links to nothing.
func inline(text string) string {
	return "`" + strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "`", "'") + "`"
}
