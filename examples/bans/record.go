package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// What the policy does about an account.
const (
	bans  = "ban"
	votes = "vote"
	none  = "nothing"
)

// record is what was decided about one offence, on what ground, and what became of it. It is kept as claims about the person: so it is exported and erased with
// them, and the audit record has each change of it. What became of an account is a claim of its own: the policy's two callbacks run side by side, and in one
// claim the one that is slower would write over what the other has found out.
type record struct {
	ID       string    `json:"-"`
	Person   string    `json:"-"`
	Rule     string    `json:"rule"`
	Offence  offence   `json:"offence"`
	Verdicts []verdict `json:"verdicts"`
	Told     string    `json:"told,omitempty"` // the platform by which the person was told
}

// verdict is what was decided about one other account of the person's.
type verdict struct {
	Account  gateway.AccountRef `json:"account"`
	Strength gateway.Strength   `json:"strength"`           // how sure it is that both accounts are one person's
	Evidence []string           `json:"evidence,omitempty"` // what that rests on, by ID
	Does     string             `json:"does"`
	Result   string             `json:"result,omitempty"` // "" as long as it is open
}

// The kinds of claims that a record is made of.
const (
	recordKind = "offence"
	resultKind = "offence-result"
)

// judge decides about an offence, once: a record that is there already stands.
func judge(ctx context.Context, c *gateway.Community, who gateway.Person, e gateway.Event, o offence) (*record, error) {
	id := strconv.FormatInt(e.Seq, 10)
	if k, err := recordOf(ctx, c, who.ID, id); err != nil || k != nil {
		return k, err
	}
	k := &record{ID: id, Person: who.ID, Rule: rule, Offence: o}
	for _, a := range who.Accounts {
		if a.Ref() == o.Account {
			continue
		}
		link, err := c.Strength(ctx, o.Account, a.Ref())
		if err != nil {
			return nil, err
		}
		v := verdict{Account: a.Ref(), Strength: link.Strength}
		for _, e := range link.Path {
			v.Evidence = append(v.Evidence, e.ID)
		}
		switch {
		case link.Strength >= gateway.Verified:
			v.Does = bans
		case link.Strength >= gateway.Asserted:
			v.Does = votes
		default:
			v.Does, v.Result = none, "left alone"
		}
		k.Verdicts = append(k.Verdicts, v)
	}
	return k, k.keep(ctx, c)
}

// recordOf finds a record, nil where there is none. The person may have been merged into another since: it stays where it is.
func recordOf(ctx context.Context, c *gateway.Community, person, id string) (*record, error) {
	claims, err := c.Claims(ctx, gateway.PersonKey(person))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(claims, func(c gateway.Claim) bool { return c.Kind == recordKind && c.Name == id })
	if i < 0 {
		return nil, nil
	}
	k := &record{ID: id, Person: strings.TrimPrefix(claims[i].Subject, gateway.PersonKey(""))}
	if err := json.Unmarshal(claims[i].Data, k); err != nil {
		return nil, fmt.Errorf("reading the record of an offence: %w", err)
	}
	for i := range k.Verdicts {
		v := &k.Verdicts[i]
		j := slices.IndexFunc(claims, func(c gateway.Claim) bool { return c.Kind == resultKind && c.Name == k.resultName(*v) })
		if j < 0 {
			continue
		}
		if err := json.Unmarshal(claims[j].Data, &v.Result); err != nil {
			return nil, fmt.Errorf("reading what became of %s: %w", v.Account, err)
		}
	}
	return k, nil
}

// keep writes down what was decided, and by which platform the person was told.
func (k *record) keep(ctx context.Context, c *gateway.Community) error {
	decided := *k
	decided.Verdicts = slices.Clone(k.Verdicts)
	for i := range decided.Verdicts {
		if decided.Verdicts[i].Does != none {
			decided.Verdicts[i].Result = "" // that is in a claim of its own
		}
	}
	return k.claim(ctx, c, recordKind, k.ID, decided)
}

// settle writes down what became of an account.
func (k *record) settle(ctx context.Context, c *gateway.Community, v verdict) error {
	return k.claim(ctx, c, resultKind, k.resultName(v), v.Result)
}

func (k *record) claim(ctx context.Context, c *gateway.Community, kind, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing the record of an offence: %w", err)
	}
	_, err = c.Grant(ctx, gateway.Claim{Subject: gateway.PersonKey(k.Person), Kind: kind, Name: name, Data: data})
	return err
}

func (k *record) resultName(v verdict) string {
	return k.ID + " " + gateway.AccountKey(v.Account.Plugin, v.Account.PlatformID, v.Account.UserID)
}

// open says whether something is still to be done about an account.
func (k *record) open() bool {
	return slices.ContainsFunc(k.Verdicts, func(v verdict) bool { return v.Result == "" })
}

// why is the record in one line, for audit logs: the gateway's, and Discord's.
func (k *record) why() string {
	reason := []rune(strings.Join(strings.Fields(orNone(k.Offence.Reason)), " ")) // what platforms take is short
	return fmt.Sprintf("%s; rule %s, offence %s", string(reason[:min(len(reason), 120)]), k.Rule, k.ID)
}

// act names what is done about an account, so that it is done once.
func (k *record) act(what string, account gateway.AccountRef) gateway.DoOption {
	return gateway.Once(strings.Join([]string{rule, k.ID, account.String(), what}, " "))
}

func orNone(reason string) string {
	if reason == "" {
		return "no reason was given"
	}
	return reason
}

// reference is how a vote's details name what it is about: the last line, readable by moderators and by the policy.
type reference struct {
	Person, ID string
	Account    gateway.AccountRef
}

const (
	referencePrefix = "Record: "
	referenceSep    = " · "
)

func (r reference) String() string {
	a := r.Account
	return referencePrefix + strings.Join([]string{r.Person, r.ID, gateway.AccountKey(a.Plugin, a.PlatformID, a.UserID)}, referenceSep)
}

func referenceIn(details string) (reference, bool) {
	line, ok := strings.CutPrefix(details[strings.LastIndex(details, "\n")+1:], referencePrefix)
	parts := strings.Split(line, referenceSep)
	if !ok || len(parts) != 3 {
		return reference{}, false
	}
	account, ok := gateway.AccountOf(parts[2])
	return reference{parts[0], parts[1], account}, ok
}
