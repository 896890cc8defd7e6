package gateway

import (
	"errors"
	"fmt"
	"strings"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// roll is who may vote in a process, as its Ask says it: on one platform, where bare entries are user IDs. What can be kept as an entry for
// each voter is in the store; the rest is here.
type roll struct {
	plugin, platform string

	may, mayNot electorate
	live        bool // groups are asked at each ballot, and not only at the start
	mayClose    []subject
}

// electorate is one list of voters.
type electorate struct {
	plain  []string  // accounts and people, by their keys
	groups []subject // roles, organizations and holders of claims
	linked bool      // everybody who has a linked account
}

// rollOf reads the lists of an Ask. Its error names the paths of what cannot be meant.
func rollOf(ask *vote.Ask, plugin, platform string) (*roll, error) {
	r := &roll{plugin: plugin, platform: platform, live: ask.Eligibility == vote.Live}
	bad := &Error{Code: Invalid}
	r.may = r.read(bad, "/eligible_voters", ask.EligibleVoters)
	r.mayNot = r.read(bad, "/ineligible_voters", ask.IneligibleVoters)
	closers := r.read(bad, "/may_close", ask.MayClose)
	for _, key := range closers.plain {
		s, _ := r.subject(key)
		r.mayClose = append(r.mayClose, s)
	}
	r.mayClose = append(r.mayClose, closers.groups...)
	if closers.linked {
		r.mayClose = append(r.mayClose, subject{kind: kindPerson, id: anyone})
	}
	for i, w := range ask.Weights {
		if s, ok := r.subject(w.Voter); !ok || s.kind != kindAccount && s.kind != kindPerson || s.id == anyone {
			bad.Fields = append(bad.Fields, FieldError{fmt.Sprintf("/weights/%d/voter", i), "is neither an account nor a person"})
		}
	}
	for path, needs := range map[string]bool{"/quorum_share": ask.QuorumShare != "", "/close_when_decided": ask.CloseWhenDecided} {
		if needs && r.uncounted() {
			bad.Fields = append(bad.Fields, FieldError{path, "how many people may vote is not known beforehand: list them, or ask for eligibility snapshot"})
		}
	}
	if len(bad.Fields) > 0 {
		return nil, bad
	}
	return r, nil
}

// uncounted says that nobody knows how many may vote: some are only known when they vote.
func (r *roll) uncounted() bool {
	return r.may.linked || r.mayNot.linked || r.live && len(r.may.groups)+len(r.mayNot.groups) > 0
}

func (r *roll) read(bad *Error, path string, entries []string) (e electorate) {
	for i, text := range entries {
		s, ok := r.subject(text)
		switch {
		case !ok || s.kind == kindResource:
			bad.Fields = append(bad.Fields, FieldError{fmt.Sprintf("%s/%d", path, i), "is neither a user ID nor an account, person, organization, role or claim"})
		case s.group():
			e.groups = append(e.groups, s)
		case s.id == anyone && s.kind == kindPerson:
			e.linked = true
		default:
			e.plain = append(e.plain, r.key(s))
		}
	}
	return e
}

// rollIn is the roll of a process, which is known even where the process is no vote by the standard.
func (g *Gateway) rollIn(tx store.Tx, row store.Process, a *asked) (*roll, error) {
	if a != nil {
		return a.roll, nil
	}
	platform, err := platformIn(tx, row)()
	return &roll{plugin: row.Plugin, platform: platform}, err
}

// subject reads an entry of a list: bare text is a user on the process's own platform.
func (r *roll) subject(text string) (subject, bool) {
	if bare(text) {
		return subject{kind: kindAccount, plugin: r.plugin, platform: r.platform, id: text}, text != ""
	}
	return parseSubject(text)
}

// key is how a subject stands in ballots and lists of the process: an account of its own platform by its bare ID.
func (r *roll) key(s subject) string {
	if s.kind == kindAccount && s.plugin == r.plugin && s.platform == r.platform && bare(s.id) {
		return s.id
	}
	return s.String()
}

func (r *roll) accountKey(a store.Account) string {
	return r.key(subject{kind: kindAccount, plugin: a.Plugin, platform: a.PlatformID, id: a.UserID})
}

// holder finds whose the ballots and entries under a key are: the person's to whom the account is linked, or, where it is linked to nobody,
// the key's own.
func (r *roll) holder(tx store.Tx, community, key string) (string, error) {
	s, ok := r.subject(key)
	if !ok {
		return key, nil
	}
	person := ""
	switch s.kind {
	case kindAccount:
		if linked, err := tx.HasAccounts(community); err != nil || !linked {
			return key, err
		}
		whose, err := tx.PersonsOf(community, s.plugin, s.platform, []string{s.id})
		if err != nil {
			return "", err
		}
		if person = whose[0]; person == "" {
			return key, nil
		}
	case kindPerson:
		p, err := standing(tx, community, s.id)
		if errors.Is(err, store.ErrNotFound) {
			return key, nil
		}
		if err != nil {
			return "", err
		}
		person = p.ID
	default:
		return key, nil
	}
	return PersonKey(person), nil
}

// voters gives entries of a list their holders, all together: a list may be long.
func (r *roll) voters(tx store.Tx, community string, keys []string) ([]store.Voter, error) {
	out := make([]store.Voter, len(keys))
	var users, people []string
	at := make(map[string][]int) // by person: where in the list
	var own []int
	for i, key := range keys {
		out[i].Key = key
		s, ok := r.subject(key)
		switch {
		case bare(key):
			users, own = append(users, key), append(own, i)
		case ok && s.kind == kindPerson:
			people = append(people, s.id)
			at[s.id] = append(at[s.id], i)
			out[i].Holder = key // as long as they stand for themselves
		default:
			var err error
			if out[i].Holder, err = r.holder(tx, community, key); err != nil {
				return nil, err
			}
		}
	}
	if len(users) > 0 {
		theirs, err := tx.PersonsOf(community, r.plugin, r.platform, users)
		if err != nil {
			return nil, err
		}
		for i, person := range theirs {
			if person != "" {
				out[own[i]].Holder = PersonKey(person)
			}
		}
	}
	if len(people) == 0 {
		return out, nil
	}
	rows, err := tx.NotStanding(community, people)
	if err != nil {
		return nil, err
	}
	for _, p := range rows {
		if p.Community == "" {
			return nil, Errorf(Invalid, "there is no person %s in community %s", p.ID, community)
		}
		stands, err := standing(tx, community, p.ID)
		if err != nil {
			return nil, storeError(err, "person %s", p.ID)
		}
		for _, i := range at[p.ID] {
			out[i].Holder = PersonKey(stands.ID)
		}
	}
	return out, nil
}

// allows says whether a holder may vote: on the one list by any of their accounts, and off the other with all of them.
func (r *roll) allows(g *Gateway, tx store.Tx, row store.Process, holder string) (bool, error) {
	allowed, denied, err := r.listed(g, tx, row, holder)
	if err != nil || denied || allowed || !r.live {
		return allowed && !denied, err
	}
	faces, err := r.faces(tx, row.Community, holder)
	if err != nil {
		return false, err
	}
	return g.inAny(tx, row.Community, faces, r.may.groups)
}

// listed says whether a holder is on the list of those who may vote, but for groups that are asked at each ballot, and whether they may not.
func (r *roll) listed(g *Gateway, tx store.Tx, row store.Process, holder string) (allowed, denied bool, err error) {
	if allowed, denied, err = tx.Voter(row.ID, holder); err != nil {
		return false, false, err
	}
	linked := strings.HasPrefix(holder, kindPerson+":")
	allowed = allowed || row.Open || linked && r.may.linked
	denied = denied || linked && r.mayNot.linked
	if denied || !r.live || len(r.mayNot.groups) == 0 {
		return allowed, denied, nil
	}
	faces, err := r.faces(tx, row.Community, holder)
	if err != nil {
		return false, false, err
	}
	denied, err = g.inAny(tx, row.Community, faces, r.mayNot.groups)
	return allowed, denied, err
}

// closes says whether somebody may close the vote.
func (r *roll) closes(g *Gateway, tx store.Tx, community, user string) (bool, error) {
	holder, err := r.holder(tx, community, user)
	if err != nil {
		return false, err
	}
	var groups []subject
	for _, s := range r.mayClose {
		if s.group() {
			groups = append(groups, s)
			continue
		}
		if s.kind == kindPerson && s.id == anyone && strings.HasPrefix(holder, kindPerson+":") {
			return true, nil
		}
		theirs, err := r.holder(tx, community, r.key(s))
		if err != nil || theirs == holder {
			return err == nil, err
		}
	}
	if len(groups) == 0 {
		return false, nil
	}
	faces, err := r.faces(tx, community, holder)
	if err != nil {
		return false, err
	}
	return g.inAny(tx, community, faces, groups)
}

// faces lists the subjects that a holder is known as: the person with all who were merged into them, and all accounts.
func (r *roll) faces(tx store.Tx, community, holder string) ([]string, error) {
	s, _ := r.subject(holder)
	if s.kind != kindPerson {
		return []string{s.String()}, nil
	}
	return facesOf(tx, community, s.id)
}

func facesOf(tx store.Tx, community, person string) ([]string, error) {
	members, err := family(tx, community, person)
	if err != nil {
		return nil, err
	}
	accounts, err := tx.Accounts(community, person)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(members)+len(accounts))
	for _, id := range members {
		out = append(out, PersonKey(id))
	}
	for _, a := range accounts {
		out = append(out, AccountKey(a.Plugin, a.PlatformID, a.UserID))
	}
	return out, nil
}

// inAny says whether any of some subjects belongs to any of some groups.
func (g *Gateway) inAny(tx store.Tx, community string, faces []string, groups []subject) (bool, error) {
	for _, group := range groups {
		kind, names, err := group.claims(tx, community)
		if err != nil {
			return false, err
		}
		for _, face := range faces {
			held, err := g.heldClaim(tx, community, face, kind, names)
			if err != nil || held {
				return held, err
			}
		}
	}
	return false, nil
}

// claim is the claim by which somebody belongs to a group.
func (s subject) claim() (kind, name string) {
	switch s.kind {
	case kindRole:
		return ClaimRole, s.plugin + "/" + s.id
	case kindOrganization:
		return ClaimMember, s.id
	}
	return s.plugin, s.id
}
