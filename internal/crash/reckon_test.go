package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

// reckon reads the file when all are dead and compares it with what was said and heard.
func (r *rig) reckon() string {
	s, err := sqlite.Open(r.file)
	require.NoError(r.t, err)
	defer func() { require.NoError(r.t, s.Close()) }()
	var events []store.Event
	var elections []store.Process
	var parked []store.Task
	require.NoError(r.t, s.View(context.Background(), func(tx store.Tx) error {
		events, elections = nil, nil
		for {
			var after int64
			if n := len(events); n > 0 {
				after = events[n-1].Seq
			}
			more, err := tx.Events(store.EventQuery{After: after}, 1000)
			if err != nil {
				return err
			}
			if len(more) == 0 {
				break
			}
			events = append(events, more...)
		}
		var err error
		if elections, err = tx.Processes(store.ProcessQuery{}, "", 1_000_000); err != nil {
			return err
		}
		parked, err = tx.Tasks(store.TaskQuery{Parked: true}, "", "", 1000)
		return err
	}))
	w := r.w
	w.mu.Lock()
	wrong := slices.Concat(w.reckonEvents(events), w.reckonElections(events, elections), w.hooks.reckon(events))
	w.mu.Unlock()
	for _, t := range parked {
		wrong = append(wrong, fmt.Sprintf("a task waits for ever: %+v", t))
	}
	if len(wrong) > 0 {
		r.fail("promises were broken:\n" + first(wrong))
	}
	counted := 0
	for _, p := range w.polls {
		counted += len(p.ballots)
	}
	calls := 0
	for _, h := range w.heard {
		calls += len(h)
	}
	posts := 0
	for _, p := range w.hooks {
		posts += len(p.got)
	}
	return fmt.Sprintf("%d events (heard in %d calls), %d posts to endpoints, %d elections with %d ballots", len(w.order), calls, posts, len(elections), counted)
}

// reckonEvents looks for facts that are not in the log exactly once, and for callbacks that did not hear the log.
func (w *world) reckonEvents(events []store.Event) (wrong []string) {
	logged := map[string]int{}
	log := map[string][]int64{} // by community
	for i, e := range events {
		if e.Seq != int64(i+1) {
			wrong = append(wrong, fmt.Sprintf("the log has a gap: entry %d has the number %d", i+1, e.Seq))
		}
		if e.Process != "" {
			continue
		}
		var data happened
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return append(wrong, fmt.Sprintf("event %d: %v", e.Seq, err))
		}
		logged[data.Fact]++
		log[e.Community] = append(log[e.Community], e.Seq)
		f := w.facts[data.Fact]
		switch {
		case f == nil:
			wrong = append(wrong, fmt.Sprintf("event %d (%s) is of nothing that happened", e.Seq, data.Fact))
		case f.m.Site != e.Community || f.m.Kind != e.Type || !f.m.At.Equal(e.At):
			wrong = append(wrong, fmt.Sprintf("event %d of %s is not what happened: %s", e.Seq, e.Community, f))
		}
	}
	for _, name := range w.order {
		if n := logged[name]; n != 1 {
			wrong = append(wrong, fmt.Sprintf("in the log %d times: %s", n, w.facts[name]))
		}
		if f := w.facts[name]; f.m.Kind == "once" && w.effects["act:"+name] != 1 {
			wrong = append(wrong, fmt.Sprintf("done %d times: %s", w.effects["act:"+name], f))
		}
	}
	for _, town := range towns {
		at, last := 0, int64(0) // how much of the community's log was heard
		for _, h := range w.heard[town] {
			switch {
			case h.Seq <= last: // a repetition
			case at == len(log[town]) || h.Seq != log[town][at]:
				return append(wrong, fmt.Sprintf("%s heard event %d (%s) after %d, where the log goes on with %v", town, h.Seq, h.Fact, last, log[town][at:min(at+1, len(log[town]))]))
			default:
				at, last = at+1, h.Seq
			}
		}
		if at != len(log[town]) {
			wrong = append(wrong, fmt.Sprintf("%s has heard %d of %d events", town, at, len(log[town])))
		}
	}
	return wrong
}

// reckonElections looks for elections that were not held exactly once, and counts them again.
func (w *world) reckonElections(events []store.Event, elections []store.Process) (wrong []string) {
	completed, titles := map[string]int{}, map[string]int{}
	for _, e := range events {
		if e.Process != "" && string(e.Data) == `{"status":"completed"}` {
			completed[e.Process]++
		}
	}
	for _, row := range elections {
		var in election
		if err := json.Unmarshal(row.Input, &in); err != nil {
			return append(wrong, err.Error())
		}
		titles[in.Title]++
		p := w.polls[row.ID]
		blame := func(format string, args ...any) {
			wrong = append(wrong, fmt.Sprintf("election %s (%s of %s): ", row.ID, in.Title, row.Community)+fmt.Sprintf(format, args...))
		}
		switch {
		case p == nil:
			blame("nobody ever saw it")
			continue
		case row.Status != store.Completed:
			blame("it is %s: %s", row.Status, row.Reason)
			continue
		case completed[row.ID] != 1:
			blame("it was closed %d times", completed[row.ID])
		case w.effects["post:"+row.ID] != 1 || w.effects["close:"+row.ID] != 1:
			blame("it was posted %d times and closed on the platform %d times", w.effects["post:"+row.ID], w.effects["close:"+row.ID])
		case w.outcomes[row.ID] != string(row.Outcome):
			blame("the callback heard %s, and the file says %s", w.outcomes[row.ID], row.Outcome)
		}
		for i, over := range w.shows[row.ID] {
			if i > 0 && w.shows[row.ID][i-1] && !over {
				blame("it was shown as running after it was shown as over: %v", w.shows[row.ID])
			}
		}
		wrong = append(wrong, p.recount(row, in.Ask, blame)...)
	}
	for _, name := range w.order {
		if n := titles[name]; w.facts[name].m.Kind == "vote" && n != 1 {
			wrong = append(wrong, fmt.Sprintf("%d elections: %s", n, w.facts[name]))
		}
	}
	return wrong
}

// recount counts an election anew from what people were told was taken.
func (p *poll) recount(row store.Process, ask vote.Ask, blame func(string, ...any)) (wrong []string) {
	var out vote.Outcome
	var why vote.Closing
	if err := json.Unmarshal(row.Outcome, &out); err != nil {
		return []string{err.Error()}
	}
	if err := json.Unmarshal(row.Closing, &why); err != nil {
		return []string{err.Error()}
	}
	got := map[string]string{}
	for _, o := range out.Questions[0].Options {
		for _, u := range o.Users {
			got[u] = o.Option
		}
	}
	sure, perhaps := map[string]*fact{}, map[string][]*fact{}
	for _, f := range p.ballots {
		v := f.m.Voter
		early := margin
		if f.early {
			early = parkedMargin
		}
		switch {
		case f.m.At.After(p.closing): // never
		case !f.ackAt.Before(p.closing.Add(-early)):
			perhaps[v] = append(perhaps[v], f)
		case sure[v] == nil || f.m.At.After(sure[v].m.At):
			sure[v] = f
		}
		if _, ok := sure[v]; !ok {
			sure[v] = nil
		}
	}
	for v := range got {
		if _, ok := sure[v]; !ok {
			blame("%s is counted and has not voted", v)
		}
	}
	var c vote.Counter
	for v, f := range sure {
		want := ""
		if f != nil {
			want = f.m.Choice
		}
		if got[v] != want {
			taken := f
			f = nil
			for _, other := range perhaps[v] {
				if other.m.Choice == got[v] && (taken == nil || other.m.At.After(taken.m.At)) {
					f = other
				}
			}
			if f == nil {
				blame("%s is counted for %q; their last ballot that had to be counted: %v", v, got[v], taken)
				continue
			}
		}
		if f == nil {
			continue
		}
		if _, err := c.Cast(vote.Ballot{Voter: v, Choice: f.m.Choice, Weight: vote.One, At: f.m.At}); err != nil {
			return []string{err.Error()}
		}
	}
	t := c.Tally()
	t.Ballots = c.Ballots()
	again := ask.Decide(t, why)
	if len(perhaps) > 0 { // who voted twice for the same may have a later place in the list
		for _, q := range append(again.Questions, out.Questions...) {
			for _, o := range q.Options {
				slices.Sort(o.Users)
			}
		}
	}
	want, err := json.Marshal(again)
	if err != nil {
		return []string{err.Error()}
	}
	have, err := json.Marshal(out)
	if err != nil {
		return []string{err.Error()}
	}
	if string(have) != string(want) {
		blame("a recount gives another outcome:\n%s, and it is\n%s", want, have)
	}
	return nil
}
