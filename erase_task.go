package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/metagov/gateway-go/store"
)

// eraseEvery is how often it is looked whether the processes have ended in which somebody who was erased had voted.
const eraseEvery = time.Hour

// erasePiece bounds what one transaction of erasing looks at.
const erasePiece = 500

// eraseMore does a piece of what erasing somebody leaves to be done, and has itself go on, in one transaction.
func (g *Gateway) eraseMore(ctx context.Context, t store.Task) error {
	var e erasing
	if err := json.Unmarshal(t.Payload, &e); err != nil {
		return Errorf(Internal, "decoding what is to be erased: %w", err)
	}
	return storeError(g.store.Update(ctx, func(tx store.Tx) error {
		next := e
		next.Open = slices.Clone(e.Open)
		if err := g.erasePiece(tx, t.Community, &next); err != nil {
			return err
		}
		if next.waits() && len(next.Open) == 0 {
			return g.eraseKept(ctx, tx, t.Community, next)
		}
		return next.schedule(g, tx, t.Community, next.People[0])
	}), "erasing a person of community %s", t.Community)
}

// erasePiece does a piece of one kind.
func (g *Gateway) erasePiece(tx store.Tx, community string, e *erasing) error {
	switch {
	case !e.Left:
		return e.leave(tx, community)
	case !e.Walked:
		return g.eraseVotes(tx, community, e)
	case e.Seq < e.UpTo:
		return g.eraseEvents(tx, community, e)
	}
	return g.eraseEnded(tx, e)
}

// eraseKept deletes what was remembered of accounts while votes were open. In those that have begun since each votes by itself.
func (g *Gateway) eraseKept(ctx context.Context, tx store.Tx, community string, e erasing) error {
	var gone []store.Account
	for _, a := range e.Accounts {
		row, err := tx.Account(community, a.Plugin, a.PlatformID, a.UserID)
		if errors.Is(err, store.ErrNotFound) || err == nil && (row.LinkType != linkErased || row.Person != e.People[0]) {
			continue
		}
		if err != nil {
			return err
		}
		if err := tx.DeleteAccount(community, a.Plugin, a.PlatformID, a.UserID); err != nil {
			return err
		}
		gone = append(gone, row)
	}
	if len(gone) == 0 {
		return nil
	}
	return g.rehold(ctx, tx, community, gone, e.People, false)
}

// leave deletes who belonged to an organization that was erased.
func (e *erasing) leave(tx store.Tx, community string) error {
	for _, id := range e.People {
		rows, err := tx.ClaimsBy(store.ClaimQuery{Community: community, Kind: ClaimMember, Name: id}, "", "", erasePiece)
		if err != nil {
			return err
		}
		for _, c := range rows {
			if err := dropClaim(tx, c); err != nil {
				return err
			}
		}
		if len(rows) == erasePiece {
			return nil
		}
	}
	e.Left = true
	return nil
}

// eraseVotes goes through the community's processes.
func (g *Gateway) eraseVotes(tx store.Tx, community string, e *erasing) error {
	some := max(erasePiece/(len(e.Accounts)+len(e.People)), 1)
	rows, err := tx.Processes(store.ProcessQuery{Community: community}, e.After, some)
	if err != nil {
		return err
	}
	for _, row := range rows {
		e.After = row.ID
		if row.Ended.IsZero() {
			e.Open = append(e.Open, row.ID)
			continue
		}
		if err := g.eraseIn(tx, row, e); err != nil {
			return err
		}
	}
	e.Walked = len(rows) < some
	return nil
}

// eraseEnded looks again at the processes that ran.
func (g *Gateway) eraseEnded(tx store.Tx, e *erasing) error {
	n := min(len(e.Open), erasePiece)
	look := e.Open[:n]
	e.Open = e.Open[n:] // next time
	for _, id := range look {
		row, err := tx.Process(id)
		switch {
		case errors.Is(err, store.ErrNotFound): // it is too old, and deleted
		case err != nil:
			return err
		case row.Ended.IsZero():
			e.Open = append(e.Open, id)
		default:
			if err := g.eraseIn(tx, row, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// eraseIn has other names stand for somebody in a process that has ended: for ballots, lists, and in what was asked and came out.
func (g *Gateway) eraseIn(tx store.Tx, row store.Process, e *erasing) error {
	r, err := g.rollIn(tx, row, nil)
	if err != nil {
		return err
	}
	names := map[string]string{}
	rename := func(key, full string) error {
		name := pseudonym()
		names[key], names[full] = name, name
		return tx.RenameVoter(row.ID, key, name)
	}
	for _, a := range e.Accounts {
		s := subject{kind: kindAccount, plugin: a.Plugin, platform: a.PlatformID, id: a.UserID}
		full := s.String()
		if r.platform == "" && s.plugin == r.plugin {
			s.platform = "" // the instance was removed, and it is not known of which platform it was
		}
		if err := rename(r.key(s), full); err != nil {
			return err
		}
	}
	for _, id := range e.People {
		if err := rename(PersonKey(id), PersonKey(id)); err != nil {
			return err
		}
	}
	changed := false
	for _, text := range []*[]byte{&row.Input, &row.Outcome, &row.Closing} {
		raw, ok, err := renamed(*text, names)
		if err != nil {
			return Errorf(Internal, "process %s: %w", row.ID, err)
		}
		*text = raw
		changed = changed || ok
	}
	if !changed {
		return nil
	}
	g.mu.Lock()
	delete(g.asks, row.ID)
	g.mu.Unlock()
	return tx.PutProcess(row)
}

// namesPeople says that a field of the voting standard, of an Ask, an outcome or a closing, holds who somebody is: one, or a list.
func namesPeople(field string) bool {
	return slices.Contains([]string{"users", "user", "voter", "eligible_voters", "ineligible_voters", "may_close", "closed_by_user"}, field)
}

// renamed replaces the names of people in JSON, and says whether there were any. Titles and options are not names of people, whatever they say.
func renamed(raw []byte, names map[string]string) (out []byte, changed bool, err error) {
	if len(raw) == 0 {
		return raw, false, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // an ID of 64 bits must not be rounded
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, false, err
	}
	if !rename(v, names) {
		return raw, false, nil
	}
	out, err = json.Marshal(v)
	return out, true, err
}

func rename(v any, names map[string]string) (changed bool) {
	replace := func(v any, put func(string)) {
		if s, ok := v.(string); ok && names[s] != "" {
			put(names[s])
			changed = true
		}
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			changed = rename(e, names) || changed
		}
	case map[string]any:
		for field, e := range v {
			if namesPeople(field) {
				replace(e, func(s string) { v[field] = s })
				if list, ok := e.([]any); ok {
					for i := range list {
						replace(list[i], func(s string) { list[i] = s })
					}
				}
			}
			changed = rename(e, names) || changed
		}
	}
	return changed
}

// eraseEvents goes through the community's events: those that the person did, and those that tell of them.
func (g *Gateway) eraseEvents(tx store.Tx, community string, e *erasing) error {
	rows, err := tx.Instances(community, 1000)
	if err != nil {
		return err
	}
	where := map[string]string{}
	for _, row := range rows {
		where[row.ID] = row.PlatformID
	}
	did := func(ev store.Event) bool {
		platform, there := where[ev.Instance]
		return ev.Actor != "" && slices.ContainsFunc(e.Accounts, func(a AccountRef) bool {
			return a.Plugin == ev.Plugin && a.UserID == ev.Actor && (a.PlatformID == platform || !there) // of an instance that was removed it is not known
		})
	}
	_, keys := e.subjects()
	events, err := tx.Events(store.EventQuery{After: e.Seq, Community: community}, erasePiece)
	if err != nil {
		return err
	}
	for _, ev := range events {
		if e.Seq = ev.Seq; ev.Seq > e.UpTo {
			break
		}
		switch {
		case ev.Plugin == ourPlugin && ev.Instance == "" && ev.Process == "":
			err = e.eraseTold(tx, ev, keys)
		case did(ev):
			if err = tx.RedactEvent(ev.Seq, "", []byte(`{}`)); err == nil && ev.Delivery != "" {
				err = g.blank(tx, ev.Delivery)
			}
		}
		if err != nil {
			return err
		}
	}
	if len(events) < erasePiece {
		e.Seq = max(e.Seq, e.UpTo)
	}
	return nil
}

// eraseTold takes out of an event of ours what it says of the person.
func (e *erasing) eraseTold(tx store.Tx, ev store.Event, keys map[string]bool) error {
	var c IdentityChange
	if err := json.Unmarshal(ev.Data, &c); err != nil { // the community does not want it kept whole
		return tx.RedactEvent(ev.Seq, "", []byte(`{}`))
	}
	if !keys[c.Subject] && !keys[c.About] && !slices.Contains(e.People, c.Person) {
		return nil
	}
	raw, err := anonymous(ev.Data)
	if err != nil {
		return err
	}
	return tx.RedactEvent(ev.Seq, "", raw)
}
