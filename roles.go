package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// RoleDef is a kind of role that people have on a platform: a user group, a team, the members of a channel.
type RoleDef struct {
	Name  string   `json:"name"` // the first part of a role: "usergroup" of "usergroup/S1"
	Doc   string   `json:"doc"`
	Needs []string `json:"needs,omitempty"` // permissions on the platform

	// Members lists who has a role, a page at a time: the user IDs, and where to go on, "" at the end. role is what comes after the name and a slash.
	Members func(ctx context.Context, self any, role, cursor string) (users []string, next string, err error) `json:"-"`
}

// RoleFunc makes a kind of role. Votes can then be open to whoever has it, by [RoleKey] of the instance's name and "name/role", and policies can ask for it.
// fn may call the platform; it runs on the goroutine of whoever asked, or on one of [Gateway.Run].
func RoleFunc[T Owner](name, doc string, fn func(t T, ctx context.Context, role, cursor string) (users []string, next string, err error), opts ...Option) Feature[T] {
	return featureFunc[T](func(b *builder) {
		b.m.Roles = append(b.m.Roles, RoleDef{Name: name, Doc: doc, Needs: collect(opts).needs, Members: func(ctx context.Context, self any, role, cursor string) ([]string, string, error) {
			return fn(self.(T), ctx, role, cursor)
		}})
	})
}

// Reading is when, and with how many members, a role was last read whole from its platform.
type Reading struct {
	Members int       `json:"members"`
	At      time.Time `json:"at"`
}

// rolePiece is how many members of a role are kept, or dropped, in one transaction.
const rolePiece = 500

// rolePages bounds the reading of one role: a platform that never ends would be read for ever.
const rolePages = 10_000

// roleKey is where the reading of a role stands among its instance's state.
func roleStateKey(role string) string { return "gateway/role/" + role }

// ReadRole reads who has a role on its platform, unless that was done within maxAge, and keeps it as claims about the accounts. A reading that
// fails leaves what was read before, with its age. NotFound: there is no such instance or kind of role. role is a [RoleKey].
func (c *Community) ReadRole(ctx context.Context, role string, maxAge time.Duration) (Reading, error) {
	s, ok := parseSubject(role)
	if !ok || s.kind != kindRole || s.plugin == local {
		return Reading{}, Errorf(Invalid, "%q is no role of a platform", role)
	}
	return c.g.readRole(ctx, c.row.Slug, s, maxAge)
}

func (g *Gateway) readRole(ctx context.Context, community string, s subject, maxAge time.Duration) (Reading, error) {
	row, last, err := g.lastReading(ctx, community, s)
	if err != nil || last.within(g.now(), maxAge) {
		return last, err
	}
	err = g.exclusive(ctx, "role:"+row.ID+":"+s.id, func(ctx context.Context) error {
		if row, last, err = g.lastReading(ctx, community, s); err != nil || last.within(g.now(), maxAge) {
			return err // somebody else has just read it
		}
		last, err = g.readMembers(ctx, row, s, last)
		return err
	})
	return last, err
}

func (r Reading) within(now time.Time, maxAge time.Duration) bool {
	return maxAge > 0 && !r.At.IsZero() && now.Sub(r.At) <= maxAge
}

// lastReading finds the instance of a role, and when it was read whole; the zero Reading: never.
func (g *Gateway) lastReading(ctx context.Context, community string, s subject) (row store.Instance, last Reading, err error) {
	err = g.view(ctx, func(tx store.Tx) (err error) {
		if row, err = tx.InstanceByName(community, s.plugin); err != nil {
			return err
		}
		raw, _, err := tx.State(row.ID, roleStateKey(s.id))
		if err == nil && raw != nil {
			err = json.Unmarshal(raw, &last)
		}
		return err
	})
	return row, last, storeError(err, "role %s of community %s", s, community)
}

// readMembers reads a role whole: each page is kept as it comes, and who was not on any is dropped in the end.
func (g *Gateway) readMembers(ctx context.Context, row store.Instance, s subject, last Reading) (Reading, error) {
	if row.Status != statusActive {
		return Reading{}, errPaused{row.ID, Errorf(Conflict, "instance %s is %s: %s", row.Name, row.Status, row.Reason)}
	}
	inst, err := g.open(ctx, row)
	if err != nil {
		return Reading{}, err
	}
	kind, role, _ := strings.Cut(s.id, "/")
	_, name := s.claim()
	var def *RoleDef
	for i := range inst.p.m.Roles {
		if inst.p.m.Roles[i].Name == kind {
			def = &inst.p.m.Roles[i]
		}
	}
	if def == nil || role == "" || !named(name) {
		return Reading{}, Errorf(NotFound, "plugin %s has no role %q", row.Plugin, s.id)
	}
	begun := g.now()
	seen := map[string]bool{"": true}
	for cursor := ""; ; {
		var users []string
		var next string
		err := g.guard("role "+s.id, func() (err error) {
			ctx, cancel := context.WithTimeout(ctx, g.o.Timeout)
			defer cancel()
			users, next, err = def.Members(ctx, inst.self, role, cursor)
			return err
		})
		if err != nil {
			return Reading{}, err
		}
		if err := g.keepMembers(ctx, row, name, users, begun, !last.At.IsZero()); err != nil {
			return Reading{}, err
		}
		if next == "" {
			break
		}
		if seen[next] || len(seen) >= rolePages {
			return Reading{}, Errorf(Unavailable, "the members of role %s have no end: after %d pages they go on, or round in a circle", s, len(seen))
		}
		cursor, seen[next] = next, true
	}
	mark := Reading{At: begun}
	if mark.Members, err = g.dropMembers(ctx, row, name, begun); err != nil {
		return Reading{}, err
	}
	raw, err := json.Marshal(mark)
	if err != nil {
		return mark, Errorf(Internal, "encoding the reading of role %s: %w", s, err)
	}
	return mark, storeError(g.update(ctx, func(tx store.Tx) error {
		_, rev, err := tx.State(row.ID, roleStateKey(s.id))
		if err != nil {
			return err
		}
		return tx.PutState(row.ID, roleStateKey(s.id), raw, rev)
	}), "keeping the reading of role %s", s)
}

// keepMembers keeps who has a role, a piece in each transaction. Who has it anew is told of, but not at the first reading, at which all have.
func (g *Gateway) keepMembers(ctx context.Context, row store.Instance, name string, users []string, begun time.Time, tell bool) error {
	for piece := range slices.Chunk(users, rolePiece) {
		err := g.update(ctx, func(tx store.Tx) error {
			for _, user := range piece {
				c := store.Claim{Community: row.Community, Subject: AccountKey(row.Plugin, row.PlatformID, user), Kind: ClaimRole, Name: name, Issuer: row.Name, At: begun, Checked: begun}
				if user == "" {
					return Errorf(Unavailable, "one of those who have it has no user ID")
				}
				old, err := tx.ClaimOf(c.Community, c.Subject, c.Kind, c.Name, c.Issuer)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				fresh := err != nil || !old.Revoked.IsZero()
				if !fresh {
					c.At = old.At
				}
				if err := tx.PutClaim(c); err != nil {
					return err
				}
				if fresh && tell {
					if err := g.memberEvent(ctx, tx, ClaimGranted, c); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return storeError(err, "keeping who has role %s", name)
		}
	}
	return nil
}

// memberEvent tells that an account has a role of its platform, or has it no more. It is no entry of the audit record: the platform did it.
func (g *Gateway) memberEvent(ctx context.Context, tx store.Tx, kind string, c store.Claim) error {
	person, err := personOf(tx, c.Community, c.Subject)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return g.claimEvent(ctx, tx, kind, c, person)
}

// dropMembers deletes who was not found by the reading that began at a time, and counts who was.
func (g *Gateway) dropMembers(ctx context.Context, row store.Instance, name string, begun time.Time) (members int, err error) {
	q := store.ClaimQuery{Community: row.Community, Kind: ClaimRole, Name: name, Issuer: row.Name}
	for after, n := "", rolePiece; n >= rolePiece; {
		found := 0
		last := after
		err := g.update(ctx, func(tx store.Tx) error {
			found, last = 0, after
			rows, err := tx.ClaimsBy(q, after, row.Name, rolePiece)
			n = len(rows)
			for _, c := range rows {
				last = c.Subject
				if c.Checked.Equal(begun.Truncate(time.Microsecond)) {
					found++
					continue
				}
				if err := tx.DeleteClaim(c.Community, c.Subject, c.Kind, c.Name, c.Issuer); err != nil {
					return err
				}
				if err := g.memberEvent(ctx, tx, ClaimRevoked, c); err != nil {
					return err
				}
			}
			return err
		})
		if err != nil {
			return 0, storeError(err, "dropping who has role %s no more", name)
		}
		after = last
		members += found
	}
	return members, nil
}

// onPlatform says that a platform has to be asked who belongs to a group.
func (s subject) onPlatform() bool { return s.kind == kindRole && s.plugin != local }

// readRoles reads those of some groups that are roles of platforms.
func (g *Gateway) readRoles(ctx context.Context, community string, groups []subject) error {
	for _, s := range groups {
		if s.onPlatform() {
			if _, err := g.readRole(ctx, community, s, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// members gives the accounts and people who belong to a group now, in pieces. Roles are read from their platforms for it.
func (g *Gateway) members(ctx context.Context, community string, group subject, each func(keys []string) error) error {
	if err := g.readRoles(ctx, community, []subject{group}); err != nil {
		return err
	}
	var kind string
	var names []string
	err := g.view(ctx, func(tx store.Tx) (err error) { kind, names, err = group.claims(tx, community); return err })
	if err != nil {
		return storeError(err, "listing who belongs to %s", group)
	}
	for _, name := range names {
		if err := g.holders(ctx, store.ClaimQuery{Community: community, Kind: kind, Name: name}, each); err != nil {
			return err
		}
	}
	return nil
}

// holders gives the accounts and people about whom there is a claim that counts, in pieces. The next piece is read while each has the last.
func (g *Gateway) holders(ctx context.Context, q store.ClaimQuery, each func(keys []string) error) error {
	var last store.Claim
	pieces := ahead(ctx, func(ctx context.Context) (keys []string, more bool, err error) {
		var rows []store.Claim
		err = g.view(ctx, func(tx store.Tx) error {
			keys = nil
			s, err := settingsOf(tx, q.Community)
			if err != nil {
				return err
			}
			rows, err = tx.ClaimsBy(q, last.Subject, last.Issuer, listPiece)
			now := g.now()
			for _, c := range rows {
				about, ok := parseSubject(c.Subject)
				if ok && (about.kind == kindAccount || about.kind == kindPerson) && g.wrong(now, s, c, ClaimQuery{}) == nil {
					keys = append(keys, c.Subject)
				}
			}
			return err
		})
		if len(rows) > 0 {
			last = rows[len(rows)-1]
		}
		return keys, len(rows) >= listPiece, err
	})
	for keys, err := range pieces {
		if err != nil {
			return storeError(err, "listing who holds %s %s", q.Kind, q.Name)
		}
		if err := each(keys); err != nil {
			return err
		}
	}
	return nil
}

// claims are the claims by any of which somebody belongs to a group: of an organization also to those that were merged into it.
func (s subject) claims(tx store.Tx, community string) (kind string, names []string, err error) {
	kind, name := s.claim()
	if s.kind != kindOrganization {
		return kind, []string{name}, nil
	}
	org, err := standing(tx, community, s.id)
	if errors.Is(err, store.ErrNotFound) {
		return kind, []string{name}, nil // nobody belongs to it
	}
	if err != nil {
		return "", nil, err
	}
	names, err = family(tx, community, org.ID)
	return kind, names, err
}
