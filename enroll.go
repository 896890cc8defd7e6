package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// listPiece is how many entries of a list of voters are kept in one transaction: some ten milliseconds, for which others wait.
const listPiece = 2000

// simple says that the lists can be kept at once, with the process: nobody has to be asked for them, and they are short.
func (r *roll) simple() bool {
	return len(r.may.groups)+len(r.mayNot.groups) == 0 && len(r.may.plain)+len(r.mayNot.plain) <= listPiece
}

// enrollNow keeps simple lists, in the transaction that creates the process.
func (g *Gateway) enrollNow(tx store.Tx, row store.Process, ask *vote.Ask) error {
	platform, err := platformIn(tx, row)()
	if err != nil {
		return err
	}
	r, err := rollOf(ask, row.Plugin, platform)
	if err != nil || !r.simple() {
		return err
	}
	for _, list := range []struct {
		keys    []string
		allowed bool
	}{{r.may.plain, true}, {r.mayNot.plain, false}} {
		voters, err := r.voters(tx, row.Community, list.keys)
		if err != nil {
			return err
		}
		if err := tx.PutVoters(row.ID, list.allowed, voters); err != nil {
			return err
		}
	}
	return nil
}

// enroll works out who may vote before the process is started on its platform, keeps it in pieces so that nobody waits for long, and gives the input as
// the plugin is to see it: with the lists as accounts of its platform. An attempt that ended half-way counts for nothing: it begins anew, and
// the roles are read anew. No ballot is taken before the process is pending, so a list that is not whole decides nothing.
func (g *Gateway) enroll(ctx context.Context, s *Step) (json.RawMessage, error) {
	if s.asked == nil {
		return s.row.Input, nil
	}
	r := s.asked.roll
	if slices.ContainsFunc(r.mayClose, subject.onPlatform) {
		if err := g.readRoles(ctx, s.row.Community, r.mayClose); err != nil {
			return nil, err
		}
		s.schedule(taskRoll, s.Now().Add(rollEvery))
	}
	if !r.simple() {
		if err := g.enlistAll(ctx, s); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(slices.Concat(s.asked.EligibleVoters, s.asked.IneligibleVoters), func(text string) bool { return !bare(text) }) {
		return s.row.Input, nil
	}
	ask, put, err := s.def.Ask(s.row.Input)
	if err != nil {
		return nil, Errorf(Internal, "reading what process %s asks: %w", s.row.ID, err)
	}
	resolved := *ask
	if resolved.EligibleVoters, resolved.IneligibleVoters, err = g.onPlatform(ctx, s); err != nil {
		return nil, err
	}
	if s.asked.EligibleVoters == nil {
		resolved.EligibleVoters = nil // everybody, and not nobody
	}
	raw, err := put(resolved)
	if err != nil {
		return nil, Errorf(Internal, "process %s: %w", s.row.ID, err)
	}
	return raw, nil
}

func (g *Gateway) enlistAll(ctx context.Context, s *Step) error {
	for n := listPiece; n >= listPiece; {
		err := g.update(ctx, func(tx store.Tx) (err error) { n, err = tx.ClearVoters(s.row.ID, listPiece); return err })
		if err != nil {
			return storeError(err, "clearing the voters of process %s", s.row.ID)
		}
	}
	r := s.asked.roll
	for _, list := range []struct {
		electorate
		allowed bool
	}{{r.may, true}, {r.mayNot, false}} {
		if err := g.enlist(ctx, s, list.allowed, list.plain); err != nil {
			return err
		}
		if r.live {
			if err := g.readRoles(ctx, s.row.Community, list.groups); err != nil {
				return err
			}
			if slices.ContainsFunc(list.groups, subject.onPlatform) {
				s.schedule(taskRoll, s.Now().Add(rollEvery))
			}
			continue
		}
		for _, group := range list.groups {
			err := g.members(ctx, s.row.Community, group, func(keys []string) error {
				for i, key := range keys {
					if m, ok := parseSubject(key); ok {
						keys[i] = r.key(m)
					}
				}
				return g.enlist(ctx, s, list.allowed, keys)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// rollEvery is how often it is read who has a role while a vote is open to whoever has it at the ballot. A ballot is judged by what was read last.
const rollEvery = 5 * time.Minute

// readAgain reads the roles that a live vote is open to, and those that may close a vote.
func (g *Gateway) readAgain(ctx context.Context, process string) error {
	s, err := g.load(ctx, process, nil)
	if err != nil {
		return err
	}
	if s.row.Status != store.Pending || s.asked == nil {
		return nil
	}
	r := s.asked.roll
	roles := r.mayClose
	if r.live {
		roles = slices.Concat(roles, r.may.groups, r.mayNot.groups)
	}
	err = g.readRoles(ctx, s.row.Community, roles)
	if err != nil {
		if again(err) {
			return err
		}
		s.inst.Log.WarnContext(ctx, "who has a role that a vote is open to cannot be read any more; what was read last goes on counting", "process", process, "error", err)
	}
	return &nextRun{rollEvery}
}

// enlist keeps entries of a list of voters, a piece in each transaction, in which it is looked up whose they are: what is linked or parted in
// between moves those that are kept already, see [Gateway.rehold].
func (g *Gateway) enlist(ctx context.Context, s *Step, allowed bool, keys []string) error {
	for piece := range slices.Chunk(keys, listPiece) {
		err := g.update(ctx, func(tx store.Tx) error {
			r, err := g.rollIn(tx, s.row, s.asked)
			if err != nil {
				return err
			}
			voters, err := r.voters(tx, s.row.Community, piece)
			if err != nil {
				return err
			}
			return tx.PutVoters(s.row.ID, allowed, voters)
		})
		if err != nil {
			return storeError(err, "listing the voters of process %s", s.row.ID)
		}
	}
	return nil
}

// onPlatform lists who may and who may not vote as user IDs of the process's own platform: all accounts there of those who are on the lists.
// Invalid: there are more than the voting standard lists.
func (g *Gateway) onPlatform(ctx context.Context, s *Step) (may, mayNot []string, err error) {
	type place struct {
		allowed, denied bool
		users           []string
	}
	var holders []string // in their order
	places := map[string]*place{}
	after := ""
	pages := ahead(ctx, func(ctx context.Context) (listed []store.Listed, more bool, err error) {
		err = g.view(ctx, func(tx store.Tx) (err error) { listed, err = tx.Voters(s.row.ID, after, listPage); return err })
		if len(listed) > 0 {
			after = listed[len(listed)-1].Key
		}
		return listed, len(listed) >= listPage, err
	})
	for listed, err := range pages {
		if err != nil {
			return nil, nil, storeError(err, "reading the voters of process %s", s.row.ID)
		}
		fresh := len(holders)
		for _, l := range listed {
			at := places[l.Holder]
			if at == nil {
				at = new(place)
				places[l.Holder] = at
				holders = append(holders, l.Holder)
			}
			at.allowed, at.denied = at.allowed || l.Allowed, at.denied || l.Denied
		}
		users, err := g.usersOf(ctx, s, holders[fresh:])
		if err != nil {
			return nil, nil, err
		}
		for holder, theirs := range users {
			places[holder].users = theirs
		}
	}
	may, mayNot = []string{}, []string{}
	for _, holder := range holders {
		switch at := places[holder]; {
		case at.denied:
			mayNot = append(mayNot, at.users...)
		case at.allowed:
			may = append(may, at.users...)
		}
	}
	if len(may) > vote.MaxVoters || len(mayNot) > vote.MaxVoters {
		return nil, nil, Errorf(Invalid, "more than %d accounts are listed", vote.MaxVoters)
	}
	return may, mayNot, nil
}

// listPage is how many entries are read at once: nobody waits for who reads.
const listPage = 5000

// usersOf lists the accounts of some holders on the process's own platform.
func (g *Gateway) usersOf(ctx context.Context, s *Step, holders []string) (map[string][]string, error) {
	r := s.asked.roll
	out := make(map[string][]string, len(holders))
	var people []string
	for _, holder := range holders {
		if person, linked := strings.CutPrefix(holder, kindPerson+":"); linked {
			people = append(people, person)
		} else if bare(holder) {
			out[holder] = []string{holder}
		}
	}
	err := g.view(ctx, func(tx store.Tx) error {
		users, err := tx.UsersOf(s.row.Community, r.plugin, r.platform, people)
		for _, u := range users {
			holder := PersonKey(u.Person)
			out[holder] = append(out[holder], u.UserID)
		}
		return err
	})
	return out, storeError(err, "reading the accounts of those who may vote in process %s", s.row.ID)
}
