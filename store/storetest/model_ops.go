package storetest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/metagov/gateway-go/store"
)

// drawOp draws a verb and its parameters from worlds so small that they meet.
func drawOp() *rapid.Generator[op] {
	return rapid.Custom(func(rt *rapid.T) op {
		d := drawer{rt}
		return rapid.SampledFrom([]func(drawer) op{
			drawer.community, drawer.instance, drawer.instance, drawer.lookups, drawer.state, drawer.state, drawer.ticket,
			drawer.process, drawer.process, drawer.ref, drawer.voters, drawer.cast, drawer.cast, drawer.cast, drawer.rehold, drawer.rehold, drawer.clearVoters, drawer.setCounts,
			drawer.accept, drawer.event, drawer.sub, drawer.call, drawer.echo, drawer.echo, drawer.people, drawer.people, drawer.peopleBy, drawer.accountsBy, drawer.evidence, drawer.claims, drawer.changes, drawer.token,
			drawer.schedule, drawer.schedule, drawer.claim, drawer.claim, drawer.settle, drawer.settle, drawer.unpark, drawer.lease,
			drawer.prune, drawer.deleteThings, drawer.endpoint, drawer.audit, drawer.audit, drawer.rows, drawer.standing, drawer.places,
		}).Draw(rt, "verb")(d)
	})
}

type drawer struct{ rt *rapid.T }

func (d drawer) of(from ...string) string { return draw(d.rt, from...) }
func (d drawer) id() string               { return d.of("a", "b", "c") }
func (d drawer) int(lo, hi int) int       { return rapid.IntRange(lo, hi).Draw(d.rt, "int") }
func (d drawer) yes() bool                { return rapid.Bool().Draw(d.rt, "yes") }
func (d drawer) at() time.Time            { return finer(d.int(0, 9)) }
func (d drawer) limit() int               { return d.int(-1, 4) }

func (d drawer) atOrZero() time.Time {
	if d.yes() {
		return time.Time{}
	}
	return d.at()
}

func (d drawer) bytes() []byte {
	return rapid.SampledFrom([][]byte{nil, {}, []byte(`{"a":1}`), json()}).Draw(d.rt, "bytes")
}

// off is added to the Rev that is there; mostly it is right.
func (d drawer) off() int64 { return rapid.SampledFrom([]int64{0, 0, 0, 0, 1, -1}).Draw(d.rt, "off") }

func (d drawer) community() op {
	c, off := store.Community{Slug: d.id(), Name: d.id(), Created: d.atOrZero()}, d.off()
	return op{"PutCommunity", func(_ *side, tx store.Tx) any {
		old, _ := tx.Community(c.Slug)
		c := c
		c.Rev = old.Rev + off
		return failed(tx.PutCommunity(c))
	}}
}

func (d drawer) instance() op {
	i := store.Instance{
		ID: d.id(), Community: d.of("a", "b"), Plugin: d.of("p", "p2"), Name: d.of("a", "b", "c"), PlatformID: d.of("", "T-a", "T-b"),
		Config: d.bytes(), Sealed: d.bytes(), Status: d.id(), Created: d.atOrZero(),
	}
	off := d.off()
	return op{"PutInstance", func(_ *side, tx store.Tx) any {
		old, _ := tx.Instance(i.ID)
		i := i
		i.Rev = old.Rev + off
		return failed(tx.PutInstance(i))
	}}
}

func (d drawer) lookups() op {
	community, plugin, platform, limit, after := d.id(), d.of("p", "p2"), d.of("", "T-a", "T-b"), d.limit(), d.of("", "a", "b")
	pq := store.ProcessQuery{Community: d.of("", "a", "b"), Instance: d.of("", "a", "b"), Name: d.of("", "", "n")}
	if d.yes() {
		pq.Status = []string{store.Pending, store.Completed}
	}
	eq := store.EventQuery{After: int64(d.int(0, 5)), Community: d.of("", "a"), Instance: d.of("", "a"), Process: d.of("", "", "a")}
	tq := store.TaskQuery{Kind: d.of("", "k"), Community: d.of("", "", "a"), Instance: d.of("", "a"), Ref: d.of("", "", "a"), Group: d.of("", "", "g"), Parked: d.yes()}
	return op{"lists", func(_ *side, tx store.Tx) any {
		tasks, err := tx.Tasks(tq, "k", after, limit)
		n, size, cerr := tx.CountTasks(tq, 0)
		return []any{
			answered(tx.Communities(after, limit)), answered(tx.Instances(community, limit)),
			answered(tx.InstancesByPlatform(plugin, platform, limit)), answered(tx.InstancesByPlugin(plugin, after, limit)),
			answered(tx.Processes(pq, after, limit)), answered(tx.Ballots(community, after, "q", limit)),
			answered(tx.Events(eq, limit)), answered(revless(tasks), err), answered([]int64{int64(n), size}, cerr),
		}
	}}
}

func (d drawer) state() op {
	i, value, read := d.id(), d.bytes(), d.yes()
	return op{"State", func(s *side, tx store.Tx) any {
		if read {
			got, rev, err := tx.State(i, "key")
			s.revs[i] = rev
			return answered(state{got, rev != 0}, err)
		}
		return failed(tx.PutState(i, "key", value, s.revs[i]))
	}}
}

func (d drawer) ticket() op {
	k, take, now := store.Ticket{Kind: d.of("k", "k2"), ID: d.id(), Data: d.bytes(), Until: d.at()}, d.yes(), d.at()
	return op{"Ticket", func(_ *side, tx store.Tx) any {
		if take {
			return answered(tx.TakeTicket(k.Kind, k.ID, now))
		}
		return failed(tx.PutTicket(k))
	}}
}

func (d drawer) process() op {
	p := store.Process{
		ID: d.id(), Community: d.of("a", "b"), Instance: d.of("a", "b"), Name: d.of("n", "m"), Status: d.of(store.Pending, store.Pending, store.Closing, store.Completed),
		State: d.bytes(), Open: d.yes(), CloseAt: d.atOrZero(), Ended: d.atOrZero(),
	}
	off := d.off()
	return op{"PutProcess", func(_ *side, tx store.Tx) any {
		old, _ := tx.Process(p.ID)
		p := p
		p.Rev = old.Rev + off
		return failed(tx.PutProcess(p))
	}}
}

func (d drawer) ref() op {
	i, p := d.id(), d.id()
	return op{"PutRef", func(_ *side, tx store.Tx) any { return failed(tx.PutRef(i, "ref", p)) }}
}

func (d drawer) voters() op {
	p, allowed := d.id(), d.yes()
	voters := []store.Voter{{Key: d.of("v", "w", "x"), Holder: d.holder()}, {Key: d.of("v", "w", "x"), Holder: d.holder()}}
	return op{"PutVoters", func(_ *side, tx store.Tx) any { return failed(tx.PutVoters(p, allowed, voters)) }}
}

func (d drawer) cast() op {
	b := store.Ballot{Process: d.id(), Voter: d.of("v", "w", "x"), Holder: d.holder(), At: d.at(), Now: d.at(), Final: d.int(0, 4) == 0}
	for _, q := range []string{"q", "r"} {
		if d.yes() {
			weight := rapid.SampledFrom([]int64{0, 1, 2, 1<<63 - 2, -1}).Draw(d.rt, "weight")
			b.Choices = append(b.Choices, store.Choice{Question: q, Choice: d.of("", "yes", "no"), Weight: weight})
		}
	}
	return op{"Cast", func(_ *side, tx store.Tx) any { return answered(tx.Cast(b)) }}
}

// holder draws whose something is: mostly the key's own.
func (d drawer) holder() string { return d.of("", "", "v", "w", "h", "h2") }

func (d drawer) rehold() op {
	p, final, from, to, rename := d.id(), d.yes(), d.of("v", "w", "h"), d.of("y", "z", "v"), d.int(0, 5) == 0
	var holds []store.Hold
	for _, v := range []string{"v", "w", "x"} {
		if d.yes() {
			holds = append(holds, store.Hold{Voter: v, Holder: d.holder(), Weight: int64(d.int(-1, 3))})
		}
	}
	barred := d.int(0, 4) == 0
	for i := range holds { // all of a holder's say the same
		holds[i].Barred = barred
	}
	return op{"Rehold", func(_ *side, tx store.Tx) any {
		if rename {
			return failed(tx.RenameVoter(p, from, to))
		}
		return answered(tx.Rehold(p, holds, final))
	}}
}

func (d drawer) clearVoters() op {
	p, limit, after := d.id(), d.limit(), d.of("", "v", "w")
	return op{"ClearVoters", func(_ *side, tx store.Tx) any {
		return []any{answered(tx.Voters(p, after, limit)), answered(tx.ClearVoters(p, limit))}
	}}
}

func (d drawer) setCounts() op {
	p, turnout := d.id(), int64(d.int(0, 2))
	var counts []store.Count
	if d.yes() {
		counts = append(counts, store.Count{Question: "q", Choice: d.of("yes", "no", ""), Ballots: int64(d.int(-1, 2)), Weight: int64(d.int(0, 2))})
	}
	return op{"SetCounts", func(_ *side, tx store.Tx) any { return failed(tx.SetCounts(p, counts, turnout)) }}
}

func (d drawer) accept() op {
	v := store.Delivery{ID: d.id(), Plugin: d.of("p", "p2"), Fact: d.of("", "f", "g"), Header: d.bytes(), Body: d.bytes(), At: d.at()}
	return op{"Accept", func(_ *side, tx store.Tx) any { return answered(tx.Accept(v)) }}
}

func (d drawer) event() op {
	e := store.Event{
		ID: d.of("", "a", "b"), Community: d.of("a", "b"), Instance: d.of("a", "b"), Type: d.of("t", "u"), Process: d.of("", "a"),
		Bot: d.yes(), Data: d.bytes(), At: d.at(),
	}
	return op{"Append", func(_ *side, tx store.Tx) any {
		seq, fresh, err := tx.Append(e)
		return answered(answer{Value: []any{seq, fresh}}, err)
	}}
}

func (d drawer) sub() op {
	s, l := store.Sub{Name: d.id(), Cursor: int64(d.int(0, 9)), Created: d.atOrZero()}, store.Lane{Sub: d.id(), Community: d.id(), Attempts: d.int(0, 3), Due: d.atOrZero()}
	lane := d.yes()
	return op{"PutSub", func(_ *side, tx store.Tx) any {
		if lane {
			return failed(tx.PutLane(l))
		}
		return failed(tx.PutSub(s))
	}}
}

func (d drawer) call() op {
	c := store.Call{ID: d.id(), Community: d.of("a", "b"), Once: d.of("", "a", "b"), Status: d.id(), Input: d.bytes(), Saved: d.bytes(), Started: d.at(), Ended: d.atOrZero()}
	off := d.off()
	return op{"PutCall", func(_ *side, tx store.Tx) any {
		old, _ := tx.Call(c.ID)
		c := c
		c.Rev = old.Rev + off
		return failed(tx.PutCall(c))
	}}
}

func (d drawer) echo() op {
	e := store.Echo{Instance: d.id(), Key: d.id(), Call: d.id(), Caused: d.yes(), Until: d.atOrZero()}
	return op{"PutEcho", func(_ *side, tx store.Tx) any { return failed(tx.PutEcho(e)) }}
}

func (d drawer) endpoint() op {
	e, off, gone := store.Endpoint{
		ID: d.id(), Community: d.of("", "a", "b"), URL: d.id(), Filters: d.bytes(), Sealed: d.bytes(), Ordered: d.yes(), From: int64(d.int(0, 3)),
		FailingSince: d.atOrZero(),
	}, d.off(), d.int(0, 4) == 0
	community, after, limit := d.of("", "a", "b"), d.of("", "a", "b"), d.limit()
	return op{"Endpoint", func(_ *side, tx store.Tx) any {
		if gone {
			return failed(tx.DeleteEndpoint(e.ID))
		}
		old, _ := tx.Endpoint(e.ID)
		e := e
		e.Rev = old.Rev + off
		return []any{failed(tx.PutEndpoint(e)), answered(tx.Endpoints(community, after, limit))}
	}}
}

func (d drawer) audit() op {
	a, off := store.Audit{Community: d.of("a", "b"), Kind: d.of("k", "l"), Process: d.of("", "a"), Decision: d.of("", "a"), At: d.at(), Hash: d.bytes()}, d.off()
	q := store.AuditQuery{Community: d.of("a", "b"), After: int64(d.int(0, 3)), To: int64(d.int(0, 3)), Process: d.of("", "a"), Kinds: []string{d.of("k", "l")}}
	what, before, limit := d.int(0, 3), d.at(), d.limit()
	return op{"Audit", func(_ *side, tx store.Tx) any {
		switch what {
		case 0:
			return answered(tx.Audits(q, limit))
		case 1:
			return answered(tx.PruneAudits(a.Community, before, limit))
		}
		head, _ := tx.AuditHead(a.Community)
		a := a
		a.Seq = head.Seq + 1 + off
		return failed(tx.AppendAudit(a))
	}}
}

func (d drawer) prune() op {
	what, before, upTo := d.int(0, 4), d.at(), int64(d.int(0, 20))
	// With a limit two stores might choose differently.
	return op{"prune", func(_ *side, tx store.Tx) any {
		switch what {
		case 0:
			return answered(tx.PruneTickets(before, 0))
		case 1:
			return answered(tx.PruneProcesses(before, 0))
		case 2:
			return answered(tx.PruneDeliveries(before, 0))
		case 3:
			return answered(tx.PruneEvents(before, upTo, 0))
		default:
			return answered(tx.PruneCalls(before, 0))
		}
	}}
}

func (d drawer) deleteThings() op {
	what, id, other := d.int(0, 7), d.id(), d.id()
	seq, data := int64(d.int(0, 9)), d.bytes()
	return op{"delete", func(_ *side, tx store.Tx) any {
		switch what {
		case 0:
			return failed(tx.DeleteInstance(id))
		case 1:
			return failed(tx.DeleteSub(id))
		case 2:
			return failed(tx.DeleteLane(id, other))
		case 3:
			return failed(tx.DeleteEchoes(id))
		case 4:
			return failed(tx.DeleteEchoes(id, other))
		case 5:
			return failed(tx.BlankDelivery(id))
		case 6:
			return failed(tx.RedactEvent(seq, other, data))
		default:
			return failed(tx.Unschedule("k", id))
		}
	}}
}
