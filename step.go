package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// Step is what a process may ask of the gateway during one call of one of its methods; [Run] embeds it. It belongs to that
// call's goroutine. What it asks for is committed together with the state when the call returns nil, unless a method says otherwise.
type Step struct {
	g     *Gateway
	inst  *Instance
	self  any
	def   *process
	row   store.Process
	base  store.Process // as it was read
	state any
	quick bool // Receive: inside a transaction, and not the place to change the state
	timed bool // UpdateAt was called

	update  int64 // the Rev of the task that is to call Update, as this step knows it; 0: there was none
	updated int64 // what the commit under way makes of it

	asked  *asked
	refs   []string
	tasks  []store.Task
	effect []func(store.Tx) error
}

// ID is the process's identifier. It is known before anybody can click: put it into what the platform sends back (a
// block_id, a custom_id) and give it as Target.Process.
func (s *Step) ID() string { return s.row.ID }

// Now is the gateway's time.
func (s *Step) Now() time.Time { return s.g.now() }

// Status is the process's status.
func (s *Step) Status() Status { return Status(s.row.Status) }

// Ended says whether the process is over: no ballot counts any more. Show is called once more, when the outcome is there.
func (s *Step) Ended() bool { return s.row.Status != store.Created && s.row.Status != store.Pending }

// Outcome is the outcome, where the process has one already.
func (s *Step) Outcome() json.RawMessage { return s.row.Outcome }

// Reason says why the process failed.
func (s *Step) Reason() string { return s.row.Reason }

// Ask is what was asked, normalised; nil where the process is not a vote. All steps of the process share it: do not change it.
func (s *Step) Ask() *vote.Ask {
	if s.asked == nil {
		return nil
	}
	return &s.asked.Ask
}

// Ref says that deliveries about this platform object are for this process, as they may be for others too. Where more than a hundred processes have said
// so, those of the instance that began last hear.
func (s *Step) Ref(ref string) { s.refs = append(s.refs, ref) }

// SetURL says where people see the process. It has no effect in Receive.
func (s *Step) SetURL(url string) { s.row.URL = url }

// CloseAt says when the process is to be closed. The zero time: not by itself. It is not for Receive, which cannot change until when
// ballots count; CloseNow is.
func (s *Step) CloseAt(t time.Time) {
	s.row.CloseAt = t.UTC().Truncate(time.Microsecond)
	id := s.row.ID
	s.effect = append(s.effect, func(tx store.Tx) error {
		err := tx.Unschedule(taskClose, id)
		if err != nil || s.asked == nil || !s.asked.CloseWhenDecided || s.row.Status != store.Pending {
			return err
		}
		return s.g.closeDecided(tx, s.row, s.asked) // where it is decided already
	})
	if !t.IsZero() {
		s.schedule(taskClose, t)
	}
	if s.row.Status == store.Pending {
		s.lookAgain()
	}
}

// UpdateAt says when Update is to be called next; the last word counts. What Receive has asked for while a slow step ran stands where that is
// earlier. A process whose Update reads the platform need not say, see [Least].
func (s *Step) UpdateAt(t time.Time) {
	s.timed = true
	s.effect = append(s.effect, func(tx store.Tx) error { return s.updateNext(tx, t) })
}

// CloseNow has the process closed as soon as this step is over, because nothing can change its outcome any more or somebody who
// may ended it. It works in Receive too. Where the vote has a shortest time, a person's word, and that it is decided, hold only from then on.
func (s *Step) CloseNow(why vote.Closing) {
	if why.At.IsZero() {
		why.At = s.Now()
	}
	s.effect = append(s.effect, func(tx store.Tx) error { return s.closeNow(tx, why) })
}

func (s *Step) closeNow(tx store.Tx, why vote.Closing) error {
	due := s.Now()
	if s.asked != nil && (why.By == vote.ByPerson || why.By == vote.ByDecision) {
		earliest, err := s.asked.earliest(tx, s.row)
		if err != nil {
			return err
		}
		if earliest.After(due) && !s.row.CloseAt.IsZero() && earliest.After(s.row.CloseAt) {
			return nil // its time comes before, and must not be put off
		}
		due = maxTime(due, earliest)
		why.At = maxTime(why.At, earliest) // until then ballots count
	}
	t := s.task(taskClose, due)
	t.Payload, _ = json.Marshal(why) // plain fields
	if err := tx.Unschedule(taskClose, s.row.ID); err != nil {
		return err
	}
	return tx.Schedule(t)
}

func (s *Step) schedule(kind string, due time.Time) { s.tasks = append(s.tasks, s.task(kind, due)) }

func (s *Step) task(kind string, due time.Time) store.Task {
	return store.Task{Kind: kind, Key: s.row.ID, Community: s.row.Community, Instance: s.row.Instance, Due: due, Created: s.Now()}
}

// Fail ends the process without an outcome when the step returns. It has no effect in Receive; use CloseNow there.
func (s *Step) Fail(reason string) {
	s.row.Status, s.row.Reason, s.row.Ended = store.Failed, reason, s.Now()
}

func (s *Step) complete(out any) error {
	if s.quick {
		return Errorf(Internal, "process %s: Receive does not end a process; it has it closed, with CloseNow", s.row.ID)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return Errorf(Internal, "encoding the outcome of process %s: %w", s.row.ID, err)
	}
	if raw, err = s.def.out.Apply(raw); err != nil {
		return Errorf(Internal, "the outcome of process %s fails its own schema: %w", s.row.ID, err)
	}
	s.row.Status, s.row.Outcome, s.row.Ended = store.Completed, raw, s.Now()
	return nil
}

// Save commits the state, and what was asked for so far, in the middle of a slow step.
func (s *Step) Save(ctx context.Context) error {
	if s.quick {
		return Errorf(Internal, "process %s: Receive does not change the state", s.row.ID)
	}
	return s.commit(ctx, nil)
}

// Eligible says who may vote: voters, or everybody where voters is nil; never those in not. refusal is what somebody else
// is told. A process whose input embeds vote.Ask need not call it: the gateway has. The lists are committed at once and only grow; whether
// there is one, and the refusal, when the step returns. It is not for Receive.
func (s *Step) Eligible(ctx context.Context, voters, not []string, refusal string) error {
	s.row.Open, s.row.Refusal = voters == nil, refusal
	for _, list := range []struct {
		allowed bool
		keys    []string
	}{{true, voters}, {false, not}} {
		if err := s.g.enlist(ctx, s, list.allowed, list.keys); err != nil {
			return err
		}
	}
	return nil
}

// Tally is how the votes stand.
func (s *Step) Tally(ctx context.Context) (t vote.Tally, err error) {
	err = s.g.view(ctx, func(tx store.Tx) error { t, err = tally(tx, s.row); return err })
	return t, storeError(err, "counting process %s", s.row.ID)
}

// Decide counts the votes out by the voting standard. While the process is open it says how the vote stands; in Close it
// is the outcome, with what closed it, and with the voters listed where they may be.
func (s *Step) Decide(ctx context.Context) (out vote.Outcome, err error) {
	if s.asked == nil {
		return out, Errorf(Internal, "process %s is not a vote", s.row.ID)
	}
	err = s.g.view(ctx, func(tx store.Tx) error {
		t, err := tally(tx, s.row)
		if err != nil {
			return err
		}
		if s.asked.VotersVisible() && t.Voters <= vote.MaxListed {
			if t.Ballots, err = listed(tx, s.row.ID); err != nil {
				return err
			}
		}
		out = s.asked.counted().Decide(s.asked.known(t), closing(s.row))
		return nil
	})
	return out, storeError(err, "deciding process %s", s.row.ID)
}

// Ballots lists up to limit ballots that count, by voter and question, those after the given pair: for lists that people see. Ask
// [vote.Ask.VotersVisible] first.
func (s *Step) Ballots(ctx context.Context, afterVoter, afterQuestion string, limit int) (out []vote.Ballot, err error) {
	err = s.g.view(ctx, func(tx store.Tx) error {
		out, err = thatCount(tx, s.row.ID, afterVoter, afterQuestion, limit)
		return err
	})
	return out, storeError(err, "listing the ballots of process %s", s.row.ID)
}

// Held lists what one voter has chosen, by whichever account of theirs.
func (s *Step) Held(ctx context.Context, voter string) (out []vote.Ballot, err error) {
	err = s.g.view(ctx, func(tx store.Tx) error {
		list, err := s.g.rollIn(tx, s.row, s.asked)
		if err != nil {
			return err
		}
		holder, err := list.holder(tx, s.row.Community, voter)
		if err != nil {
			return err
		}
		held, err := tx.BallotsOf(s.row.ID, holder)
		out = ballotsOf(held)
		return err
	})
	return out, storeError(err, "listing a voter's ballots of process %s", s.row.ID)
}

// SetTally replaces the counts of a process that its platform counts by itself. It is committed at once. Once the process has completed
// or failed it has no effect.
func (s *Step) SetTally(ctx context.Context, counts []vote.Count, voters int64) error {
	rows := make([]store.Count, len(counts))
	for i, c := range counts {
		rows[i] = store.Count{Question: c.Question, Choice: c.Choice, Ballots: c.Ballots, Weight: int64(c.Weight)}
	}
	return storeError(s.g.update(ctx, func(tx store.Tx) error { return s.setTally(tx, rows, voters) }), "keeping the tally of process %s", s.row.ID)
}

func (s *Step) setTally(tx store.Tx, counts []store.Count, voters int64) error {
	row, err := tx.Process(s.row.ID)
	if err != nil || ended(row) {
		return err
	}
	before, err := tally(tx, row)
	if err != nil {
		return err
	}
	if err := tx.SetCounts(row.ID, counts, voters); err != nil {
		return err
	}
	after, err := tally(tx, row)
	if err != nil || row.Status != store.Pending || after.Voters == before.Voters && slices.Equal(after.Counts, before.Counts) {
		return err
	}
	return s.g.moved(tx, row, s.asked)
}

// MayClose says whether somebody may close the vote on the platform: whether MayClose of the Ask names them, one of their other accounts, or a
// role or claim that they hold. The driver always may. It is quick.
func (s *Step) MayClose(ctx context.Context, user string) (may bool, err error) {
	if s.asked == nil || user == "" {
		return false, nil
	}
	err = s.g.view(ctx, func(tx store.Tx) error {
		may, err = s.asked.roll.closes(s.g, tx, s.row.Community, user)
		return err
	})
	return may, storeError(err, "whether %s may close process %s", user, s.row.ID)
}

// Cast records a ballot; see [Ballot] for the rules and the errors.
func (s *Step) Cast(ctx context.Context, b Ballot) (Receipt, error) {
	var r Receipt
	err := s.g.update(ctx, func(tx store.Tx) (err error) { r, err = s.g.cast(tx, s.row, s.asked, b); return err })
	err = storeError(err, "casting a ballot in process %s", s.row.ID)
	s.g.sight.ballot(ctx, s.row.Plugin, err)
	return r, err
}

// commit keeps the state, what was asked for, and more, in one transaction. Where nothing changed it writes nothing.
func (s *Step) commit(ctx context.Context, more func(store.Tx) error) error {
	state, err := json.Marshal(s.state)
	if err != nil {
		return Errorf(Internal, "encoding the state of process %s: %w", s.row.ID, err)
	}
	s.row.State = state
	var now store.Process
	err = s.g.update(ctx, func(tx store.Tx) error {
		old, err := tx.Process(s.row.ID)
		if err != nil {
			return err
		}
		if !bytes.Equal(old.State, s.base.State) { // the lease was lost, and this program slept through it
			return Errorf(Unavailable, "process %s was changed by somebody else meanwhile", s.row.ID)
		}
		if now = s.merge(old); !sameProcess(old, now) {
			now.Updated = s.Now()
			if err := tx.PutProcess(now); err != nil {
				return err
			}
			now.Rev++
			if old.Status != now.Status {
				if err := s.g.changed(tx, now); err != nil {
					return err
				}
			}
		}
		if err := s.ask(tx, old.Status); err != nil {
			return err
		}
		if ended(now) && !ended(old) {
			if err := s.g.finished(tx, old, s.def.Show != nil); err != nil {
				return err
			}
			if err := s.g.auditEnded(tx, trailOf(ctx, now.Origin), now, s.asked != nil); err != nil {
				return err
			}
		}
		if more == nil {
			return nil
		}
		return more(tx)
	})
	if err != nil {
		return storeError(err, "keeping process %s", s.row.ID)
	}
	s.row, s.base = now, now
	s.refs, s.effect, s.tasks = nil, nil, nil
	if s.updated != 0 {
		s.update, s.updated = s.updated, 0
	}
	return nil
}

// ask keeps what the step asked for about its future. A process that is being closed meanwhile has none: the task that makes its outcome
// must not be moved.
func (s *Step) ask(tx store.Tx, status string) error {
	for _, ref := range s.refs {
		if err := tx.PutRef(s.row.Instance, ref, s.row.ID); err != nil {
			return err
		}
	}
	if status != store.Created && status != store.Pending {
		return nil
	}
	for _, fn := range s.effect {
		if err := fn(tx); err != nil {
			return err
		}
	}
	for _, t := range s.tasks {
		if err := tx.Schedule(t); err != nil {
			return err
		}
	}
	return nil
}

// merge puts what this step changed into the row as it is now. Only one slow step runs at a time, but closing does not wait
// for it: what closing changed stays.
func (s *Step) merge(now store.Process) store.Process {
	out := s.row
	// A step changes neither what closed it nor what was asked.
	out.Rev, out.Updated, out.Closing, out.Input = now.Rev, now.Updated, now.Closing, now.Input
	if ended(now) { // the first end counts, whoever made it
		out.Status, out.Reason, out.Outcome, out.Ended = now.Status, now.Reason, now.Outcome, now.Ended
		return out
	}
	if s.row.Status == s.base.Status || now.Status == store.Closing && s.row.Status == store.Pending {
		out.Status = now.Status
	}
	return out
}

func ended(p store.Process) bool { return p.Status == store.Completed || p.Status == store.Failed }

// sameProcess compares what a step can change.
func sameProcess(a, b store.Process) bool {
	return a.Status == b.Status && a.URL == b.URL && a.Reason == b.Reason && a.Open == b.Open && a.Refusal == b.Refusal &&
		a.CloseAt.Equal(b.CloseAt) && a.Shown.Equal(b.Shown) && a.Version == b.Version &&
		string(a.State) == string(b.State) && string(a.Outcome) == string(b.Outcome)
}
