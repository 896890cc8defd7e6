package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// Ballot is what one voter says about one question of a process.
//
// It counts when the process is pending, its time is not after the process's closing time, the voter may vote, and the choices are
// among those that were asked. Of two ballots of one voter the one with the later time counts, whichever arrives first.
// What casting it returns otherwise: Conflict, the process takes no ballots (any more), or the voter has voted and votes may not be
// changed; Denied, the voter may not vote, and the message says why; NotFound, there is no such person; Invalid, the question or choice does not
// exist, or there are too few or too many. Nothing has changed then.
type Ballot struct {
	Voter    string         // who votes: a user ID on the process's own platform, or another account or a person ([AccountKey], [PersonKey])
	Question string         // "" where there is one question
	Choices  []string       // of a ranked vote in order; none, and no points: the vote is taken back
	Points   map[string]int // of score and dot votes, by option
	At       time.Time      // the platform's time; zero: now
}

// Receipt says what became of a ballot that was taken.
type Receipt struct {
	Changed bool // it moved the counts
	Stale   bool // the voter's later ballot is known already and stays
}

// asked is the voting standard of one process as ballots need it.
type asked struct {
	vote.Ask
	roll    *roll
	weights map[string]vote.Weight // by key, see roll.key
}

func newAsked(a vote.Ask, plugin, platform string) (*asked, error) {
	r, err := rollOf(&a, plugin, platform)
	if err != nil {
		return nil, err
	}
	out := &asked{Ask: a, roll: r}
	if len(a.Weights) > 0 {
		out.weights = make(map[string]vote.Weight, len(a.Weights))
		for _, w := range a.Weights {
			s, _ := r.subject(w.Voter)
			out.weights[r.key(s)] = w.Weight
		}
	}
	return out, nil
}

// weighedOnce refuses an Ask that weighs somebody twice, in two spellings: the standard compares the texts, and does not know what they name.
func (a *asked) weighedOnce() error {
	if len(a.weights) == len(a.Weights) {
		return nil
	}
	bad := &Error{Code: Invalid}
	seen := make(map[string]int, len(a.weights))
	for i, w := range a.Weights {
		s, _ := a.roll.subject(w.Voter)
		key := a.roll.key(s)
		if first, ok := seen[key]; ok {
			bad.Fields = append(bad.Fields, FieldError{fmt.Sprintf("/weights/%d/voter", i), fmt.Sprintf("is the same as number %d", first)})
			continue
		}
		seen[key] = i
	}
	return bad
}

// weight is what the ballot of a key weighs that belongs to a holder: of a person the heaviest that is listed for any of their accounts, so that it
// does not matter which of them they vote with, nor when they were linked.
func (a *asked) weight(tx store.Tx, community, holder, key string) (vote.Weight, error) {
	if len(a.weights) == 0 {
		return vote.One, nil
	}
	w, listed := a.weights[key]
	person, linked := strings.CutPrefix(holder, kindPerson+":")
	if !linked {
		if !listed {
			w = vote.One
		}
		return w, nil
	}
	consider := func(key string) {
		if n, ok := a.weights[key]; ok {
			w, listed = max(w, n), true
		}
	}
	accounts, err := tx.Accounts(community, person)
	if err != nil {
		return 0, err
	}
	for _, acc := range accounts {
		consider(a.roll.accountKey(acc))
	}
	members, err := family(tx, community, person)
	if err != nil {
		return 0, err
	}
	for _, id := range members {
		consider(PersonKey(id))
	}
	if !listed {
		w = vote.One
	}
	return w, nil
}

// lines turns a ballot into what the store keeps.
func (a *asked) lines(b Ballot, weight vote.Weight) ([]store.Choice, error) {
	if a == nil { // not a vote by the standard: what is chosen is the process's own affair
		if len(b.Choices) > 1 {
			return nil, Errorf(Invalid, "a ballot of a process without the voting standard takes one choice, not %d", len(b.Choices))
		}
		c := store.Choice{Question: b.Question, Weight: int64(vote.One)}
		if len(b.Choices) == 1 {
			c.Choice = b.Choices[0]
		}
		return []store.Choice{c}, nil
	}
	picked, err := a.Pick(b.Question, b.Choices...)
	if len(b.Points) > 0 {
		if picked, err = a.Points(b.Question, b.Points); len(b.Choices) > 0 {
			return nil, Errorf(Invalid, "a ballot has either choices or points")
		}
	}
	if err != nil {
		return nil, &Error{Code: Invalid, Err: err}
	}
	out := make([]store.Choice, len(picked))
	for i, p := range picked {
		out[i] = store.Choice{Question: p.Question, Choice: p.Choice, Weight: int64(weight)}
	}
	return out, nil
}

// cast checks a ballot and records it, in one transaction. Its cost does not grow with the number of voters.
func (g *Gateway) cast(tx store.Tx, row store.Process, a *asked, b Ballot) (Receipt, error) {
	now := g.now()
	if b.Voter == "" {
		return Receipt{}, Errorf(Invalid, "the ballot has no voter")
	}
	if b.At.IsZero() {
		b.At = now
	}
	if row.Status != store.Pending || !row.CloseAt.IsZero() && b.At.After(row.CloseAt) {
		return Receipt{}, Errorf(Conflict, "process %s takes no ballots any more", row.ID)
	}
	list, err := g.rollIn(tx, row, a)
	if err != nil {
		return Receipt{}, err
	}
	s, ok := list.subject(b.Voter)
	if !ok || s.kind != kindAccount && s.kind != kindPerson || s.id == anyone {
		return Receipt{}, Errorf(Invalid, "the voter %q is neither an account nor a person", b.Voter)
	}
	if s, err = s.complete(tx, row.Community); err != nil {
		return Receipt{}, err
	}
	if s.kind == kindPerson { // an ID that was never anybody's, or is erased, must not be one more voter
		p, err := standing(tx, row.Community, s.id)
		if err != nil {
			return Receipt{}, storeError(err, "person %s", s.id)
		}
		if p.Kind == AResource {
			return Receipt{}, Errorf(Invalid, "%s is a resource, which does not vote", s.id)
		}
	}
	b.Voter = list.key(s)
	holder, err := list.holder(tx, row.Community, b.Voter)
	if err != nil {
		return Receipt{}, err
	}
	may, err := list.allows(g, tx, row, holder)
	if err != nil {
		return Receipt{}, err
	}
	if !may {
		return Receipt{}, &Error{Code: Denied, Err: &vote.Refused{Code: vote.Ineligible, Message: row.Refusal}}
	}
	weight := vote.One
	if a != nil {
		if weight, err = a.weight(tx, row.Community, holder, b.Voter); err != nil {
			return Receipt{}, err
		}
	}
	lines, err := a.lines(b, weight)
	if err != nil {
		return Receipt{}, err
	}
	r, err := tx.Cast(store.Ballot{Process: row.ID, Voter: b.Voter, Holder: holder, Choices: lines, At: b.At.UTC().Truncate(time.Microsecond), Now: now, Final: a != nil && a.Final()})
	switch {
	case errors.Is(err, store.ErrNotOpen):
		return Receipt{}, &Error{Code: Conflict, Err: err}
	case err != nil:
		return Receipt{}, err
	case r.Kept:
		return Receipt{}, &Error{Code: Conflict, Err: &vote.Refused{Code: vote.NoChange, Message: "You have voted, and votes cannot be changed here."}}
	}
	if r.Changed {
		err = g.moved(tx, row, a)
	}
	return Receipt{Changed: r.Changed, Stale: r.Stale}, err
}

// moved is the part of a transaction that moves a tally: people and callbacks are to hear of it, and a vote that is decided by it may be over.
func (g *Gateway) moved(tx store.Tx, row store.Process, a *asked) error {
	now := g.now()
	if a != nil && a.CloseWhenDecided {
		if err := g.closeDecided(tx, row, a); err != nil {
			return err
		}
	}
	due := maxTime(now, row.Shown.Add(showEvery))
	return tx.Schedule(store.Task{Kind: taskShow, Key: row.ID, Community: row.Community, Instance: row.Instance, Due: due, Created: now})
}

// closeDecided has a vote closed that nobody who has not voted could change any more, when it has been open for the shortest time. Whether it still
// is decided then is looked at again.
func (g *Gateway) closeDecided(tx store.Tx, row store.Process, a *asked) error {
	decided, err := decidedNow(tx, row, a)
	if err != nil || !decided {
		return err
	}
	now := g.now()
	if over := !row.CloseAt.IsZero() && !row.CloseAt.After(now); over {
		return nil // its end is under way, and says so
	}
	if named, err := endsBySomebody(tx, row); err != nil || named {
		return err
	}
	why, err := json.Marshal(vote.Closing{By: vote.ByDecision})
	if err != nil {
		return err
	}
	earliest, err := a.earliest(tx, row)
	if err != nil {
		return err
	}
	return tx.Schedule(store.Task{
		Kind: taskClose, Key: row.ID, Community: row.Community, Instance: row.Instance, Due: maxTime(now, earliest), Payload: why, Created: now,
	})
}

// endsBySomebody says whether a process is about to be closed because somebody, or its platform, said so: that stands, whatever is decided meanwhile.
func endsBySomebody(tx store.Tx, row store.Process) (bool, error) {
	t, err := tx.Task(taskClose, row.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && len(t.Payload) == 0 {
		return false, nil
	}
	var why vote.Closing
	if err == nil {
		err = json.Unmarshal(t.Payload, &why)
	}
	return err == nil && why.By != vote.ByDecision, err
}

// decidedNow says whether a vote is decided as it stands.
func decidedNow(tx store.Tx, row store.Process, a *asked) (bool, error) {
	t, err := tally(tx, row)
	if err != nil {
		return false, err
	}
	return a.counted().Decided(a.known(t)), nil
}

// counted is the Ask as its votes are counted: how many may vote says the tally, for a list may name groups, and one person more than once.
func (a *asked) counted() vote.Ask {
	out := a.Ask
	out.EligibleVoters, out.IneligibleVoters = nil, nil
	return out
}

// known is a tally without what is not known of it.
func (a *asked) known(t vote.Tally) vote.Tally {
	if a.roll.uncounted() {
		t.Eligible = 0
	}
	return t
}

// showEvery is how often people, and process callbacks, hear of ballots at most.
const showEvery = time.Second

// Cast records a ballot for a voter in one of the community's processes: for drivers that have a ballot box of their own.
func (c *Community) Cast(ctx context.Context, process string, b Ballot) (Receipt, error) {
	row, def, err := c.process(ctx, process)
	if err != nil {
		return Receipt{}, err
	}
	inst, err := c.g.instanceOf(ctx, row)
	if err != nil {
		return Receipt{}, err // while an instance is paused its votes stand still
	}
	a, err := c.g.askedOf(row, def, inst.platform)
	if err != nil {
		return Receipt{}, err
	}
	var r Receipt
	err = c.g.update(ctx, func(tx store.Tx) error {
		row, err := tx.Process(process)
		if err != nil {
			return err
		}
		r, err = c.g.cast(tx, row, a, b)
		return err
	})
	return r, storeError(err, "casting a ballot in process %s", process)
}

// askedOf finds the voting standard of a process, from memory where it can: it does not change after the start. platform says which platform
// object the process's instance stands for, and is asked where that is not known.
func (g *Gateway) askedOf(row store.Process, def *process, platform func() (string, error)) (*asked, error) {
	if def.Ask == nil {
		return nil, nil
	}
	g.mu.Lock()
	a := g.asks[row.ID]
	g.mu.Unlock()
	if a != nil {
		return a, nil
	}
	ask, _, err := def.Ask(row.Input)
	if err != nil {
		return nil, Errorf(Internal, "reading what process %s asks: %w", row.ID, err)
	}
	where, err := platform()
	if err != nil {
		return nil, err
	}
	if a, err = newAsked(*ask, row.Plugin, where); err != nil {
		return nil, Errorf(Internal, "reading what process %s asks: %w", row.ID, err)
	}
	g.mu.Lock()
	if len(g.asks) >= maxAsks {
		clear(g.asks)
	}
	g.asks[row.ID] = a
	g.mu.Unlock()
	return a, nil
}

// platformIn reads which platform object the instance of a process stands for, "" where it was removed.
func platformIn(tx store.Tx, row store.Process) func() (string, error) {
	return func() (string, error) {
		inst, err := tx.Instance(row.Instance)
		if errors.Is(err, store.ErrNotFound) {
			return "", nil
		}
		return inst.PlatformID, err
	}
}

// platform is for who has the instance at hand.
func (o *opened) platform() (string, error) { return o.row.PlatformID, nil }

// maxAsks bounds the memory for running votes; beyond it they are read again.
const maxAsks = 4096

// tally reads the counts of a process.
func tally(tx store.Tx, row store.Process) (vote.Tally, error) {
	counts, err := tx.Counts(row.ID)
	if err != nil {
		return vote.Tally{}, err
	}
	var t vote.Tally
	for _, c := range counts {
		t.Counts = append(t.Counts, vote.Count{Question: c.Question, Choice: c.Choice, Ballots: c.Ballots, Weight: vote.Weight(c.Weight)})
	}
	if t.Voters, err = tx.Turnout(row.ID); err != nil {
		return t, err
	}
	if !row.Open {
		t.Eligible, err = tx.VotersAllowed(row.ID)
	}
	return t, err
}

// thatCount reads up to limit ballots that count, those after the given pair: passing by those of accounts whose person has voted with another.
func thatCount(tx store.Tx, process, voter, question string, limit int) (out []vote.Ballot, err error) {
	limit = positive(limit, 100)
	for len(out) < limit {
		held, err := tx.Ballots(process, voter, question, limit)
		if err != nil {
			return nil, err
		}
		for _, b := range ballotsOf(held) {
			if len(out) < limit {
				out = append(out, b)
			}
		}
		if len(held) < limit {
			break
		}
		last := held[len(held)-1]
		voter, question = last.Voter, last.Question
	}
	return out, nil
}

// listed reads the ballots of a small vote.
func listed(tx store.Tx, process string) ([]vote.Ballot, error) {
	var out []vote.Ballot
	var voter, question string
	for {
		held, err := tx.Ballots(process, voter, question, vote.MaxListed)
		if err != nil || len(held) == 0 {
			return out, err
		}
		out = append(out, ballotsOf(held)...)
		last := held[len(held)-1]
		voter, question = last.Voter, last.Question
		if len(held) < vote.MaxListed {
			return out, nil
		}
	}
}

func ballotsOf(held []store.Held) []vote.Ballot {
	var out []vote.Ballot
	for _, h := range held {
		if h.Counts && h.Choice != "" {
			out = append(out, vote.Ballot{Voter: h.Voter, Question: h.Question, Choice: h.Choice, Weight: vote.Weight(h.Weight), At: h.At})
		}
	}
	return out
}

// Ballots lists up to limit ballots of a public vote that count, by voter and question, those after the given pair. Denied: the vote
// does not show who voted for what.
func (c *Community) Ballots(ctx context.Context, process, afterVoter, afterQuestion string, limit int) ([]vote.Ballot, error) {
	row, def, err := c.process(ctx, process)
	if err != nil {
		return nil, err
	}
	var out []vote.Ballot
	err = c.g.view(ctx, func(tx store.Tx) error {
		a, err := c.g.askedOf(row, def, platformIn(tx, row))
		if err != nil {
			return err
		}
		if a != nil && !a.VotersVisible() {
			return Errorf(Denied, "process %s does not show who voted for what", process)
		}
		out, err = thatCount(tx, process, afterVoter, afterQuestion, limit)
		return err
	})
	return out, storeError(err, "listing the ballots of process %s", process)
}
