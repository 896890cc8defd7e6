package discourse

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// count makes the ballots what the forum says, and takes back those of accounts that have none there any more. Discourse does not say when
// somebody voted: a ballot has the time at which it was read, or of the end.
func (b *pollBox) count(ctx context.Context, r *pollRun, marks map[int64][]byte) error {
	at := r.Now()
	if !b.ClosesAt.IsZero() && at.After(b.ClosesAt) {
		at = b.ClosesAt // a ballot of this very moment still counts
	}
	known, err := b.known(ctx, r)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(known)) { // first: the person's other account may have voted
		if len(choices(r.Ask(), marks[id])) > 0 {
			continue
		}
		if err := takeBack(ctx, r, id, at); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(marks)) {
		want := choices(r.Ask(), marks[id])
		if len(want) == 0 || slices.Equal(known[id], want) {
			continue
		}
		if other, err := b.other(ctx, r, id, marks); other || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := cast(ctx, r, id, want, at); err != nil {
			return err
		}
	}
	return nil
}

// known are the ballots that count, by account. Those of other accounts and of persons were not cast here.
func (b *pollBox) known(ctx context.Context, r *pollRun) (map[int64][]string, error) {
	const some = 1000
	out := map[int64][]string{}
	var lines []vote.Ballot // of one voter
	add := func() {
		if len(lines) == 0 {
			return
		}
		if id, ok := accountOf(lines[0].Voter); ok {
			out[id] = held(r.Ask(), lines)
		}
		lines = nil
	}
	var voter, question string
	for {
		page, err := r.Ballots(ctx, voter, question, some)
		if err != nil {
			return nil, err
		}
		for _, l := range page {
			if len(lines) > 0 && lines[0].Voter != l.Voter {
				add()
			}
			lines = append(lines, l)
			voter, question = l.Voter, l.Question
		}
		if len(page) < some {
			add()
			return out, nil
		}
	}
}

// accountOf reads an account's ID out of a voter's name.
func accountOf(voter string) (int64, bool) {
	id, err := strconv.ParseInt(voter, 10, 64)
	return id, err == nil && idOf(id) == voter
}

// other says that a person's vote is that of another of their accounts in this poll. Of two the newer account's counts, always: the forum does not
// say which of them voted last.
func (b *pollBox) other(ctx context.Context, r *pollRun, id int64, marks map[int64][]byte) (bool, error) {
	lines, err := r.Held(ctx, idOf(id))
	if err != nil {
		return false, err
	}
	for _, l := range lines {
		holder, ok := accountOf(l.Voter)
		if ok && holder > id && len(choices(r.Ask(), marks[holder])) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// takeBack takes a ballot back a moment before those are cast that are new, for of two of one person with the same time either may count.
func takeBack(ctx context.Context, r *pollRun, id int64, at time.Time) error {
	receipt, err := r.Cast(ctx, gateway.Ballot{Voter: idOf(id), At: at.Add(-time.Microsecond)})
	if err == nil && receipt.Stale { // it was cast at this very moment
		return cast(ctx, r, id, nil, at)
	}
	return harmless(err)
}

// harmless passes over a ballot that does not count: of somebody who may not vote, or after the end.
func harmless(err error) error {
	var refused *vote.Refused
	if errors.As(err, &refused) || gateway.CodeOf(err) == gateway.Conflict {
		return nil
	}
	return err
}

// cast records one ballot. One that does not count is passed over: of somebody who may not vote, of too many options, or after the end.
func cast(ctx context.Context, r *pollRun, id int64, options []string, at time.Time) error {
	_, err := r.Cast(ctx, gateway.Ballot{Voter: idOf(id), Choices: options, At: at})
	var refused *vote.Refused
	if errors.As(err, &refused) && len(options) > 0 && (refused.Code == vote.TooMany || refused.Code == vote.TooFew) {
		return cast(ctx, r, id, nil, at) // what they say is no vote, and what they said before is not what they say
	}
	return harmless(err)
}
