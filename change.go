package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/metagov/gateway-go/store"
)

// The types of events that tell of changes to people and accounts: their Plugin is "gateway", and they have no instance. Their data is an
// [IdentityChange]. [Gateway.OnEvent] hears them.
const (
	PersonCreated   = "person_created"
	AccountLinked   = "account_linked"
	AccountUnlinked = "account_unlinked"
	PeopleMerged    = "people_merged"
	PersonSplit     = "person_split"
	PersonErased    = "person_erased"
	EvidenceAdded   = "evidence_added"
	EvidenceRevoked = "evidence_revoked"
	LinkSuggested   = "link_suggested"
	LinkPrompted    = "link_prompted"
	LinkOpened      = "link_opened" // somebody followed a prompt to a consent page
	ClaimGranted    = "claim_granted"
	ClaimChanged    = "claim_changed" // it says something else now
	ClaimRevoked    = "claim_revoked"
	ClaimExpired    = "claim_expired"
	TokenRefused    = "token_refused" // a person's own credentials do not work any more
)

// ourPlugin is the plugin of events that the gateway itself tells of.
const ourPlugin = "gateway"

// IdentityChange is what an event about people and accounts says.
type IdentityChange struct {
	Person   string `json:"person"`             // whom it is about
	About    string `json:"about,omitempty"`    // of a claim: its subject, which need not be a person's
	Subject  string `json:"subject,omitempty"`  // the other: the account, the person merged or split off, the evidence or claim
	How      string `json:"how,omitempty"`      // the kind of evidence or claim
	Issuer   string `json:"issuer,omitempty"`   // who says so
	Evidence string `json:"evidence,omitempty"` // its ID
	Prompt   string `json:"prompt,omitempty"`   // the ID of the prompt that brought it about
}

// change is one change to people and accounts, for the history, the audit record and the log.
type change struct {
	kind, community string
	person, subject string
	how, issuer     string
	evidence        string
	prompt          string
	text            string
	account         *store.Account // that is linked or unlinked
	quiet           bool           // only for the person's own history: the other side tells of it
}

// identityChanged keeps what changed in the person's history and, unless it is quiet, in the audit record and the log, all in the transaction that changed it.
func (g *Gateway) identityChanged(ctx context.Context, tx store.Tx, c change) error {
	data := IdentityChange{Person: c.person, Subject: c.subject, How: c.how, Issuer: c.issuer, Evidence: c.evidence, Prompt: c.prompt}
	raw, err := json.Marshal(data)
	if err != nil {
		return Errorf(Internal, "encoding a change of person %s: %w", c.person, err)
	}
	t := trailOf(ctx, "")
	r := t.reason.bounded()
	if c.person != "" {
		h := store.Change{Community: c.community, Person: c.person, At: g.now(), Kind: c.kind, Subject: c.subject, By: r.By, Text: first(shorten(c.text), r.Text), Data: raw}
		if err := tx.PutChange(h); err != nil {
			return err
		}
	}
	if c.quiet {
		return nil
	}
	if err := g.auditIdentity(tx, t, c); err != nil {
		return err
	}
	s := scopeOf(ctx)
	_, err = g.emit(tx, scope{delivery: s.delivery, cause: s.cause}, store.Event{
		Community: c.community, Plugin: ourPlugin, Type: c.kind, Data: raw, Delivery: s.delivery, Cause: s.cause, At: g.now(),
	})
	return err
}

// auditIdentity writes the entry of a change. The record outlives people who are erased, so it names no account: it has a hash of it that is salted with
// the ID of the evidence, which is deleted with them.
func (g *Gateway) auditIdentity(tx store.Tx, t trail, c change) error {
	type entry struct {
		Person   string `json:"person,omitempty"`
		Other    string `json:"other,omitempty"`
		Plugin   string `json:"plugin,omitempty"`
		Platform string `json:"platform_id,omitempty"`
		Account  string `json:"account_sha256,omitempty"`
		How      string `json:"how,omitempty"`
		Issuer   string `json:"issuer,omitempty"`
		Evidence string `json:"evidence,omitempty"`
	}
	d := entry{Person: c.person, Other: c.subject, How: c.how, Issuer: shorten(c.issuer), Evidence: c.evidence}
	if c.account != nil {
		d.Plugin, d.Platform, d.Other = c.account.Plugin, c.account.PlatformID, ""
		if c.evidence != "" {
			d.Account = saltedHash(c.evidence, c.subject)
		}
	}
	return g.audit(tx, t, store.Audit{Community: c.community, Kind: auditKinds()[c.kind]}, d)
}

func saltedHash(salt, text string) string {
	sum := sha256.Sum256([]byte(salt + "\x00" + text))
	return hex.EncodeToString(sum[:])
}

// auditKinds is how the audit record calls the types of events.
func auditKinds() map[string]string {
	return map[string]string{
		PersonCreated: AuditPerson, AccountLinked: AuditLinked, AccountUnlinked: AuditUnlinked, PeopleMerged: AuditMerged, PersonSplit: AuditSplit,
		PersonErased: AuditErased, EvidenceAdded: AuditEvidence, EvidenceRevoked: AuditEvidenceEnded, LinkSuggested: AuditSuggested, LinkPrompted: AuditPrompted, LinkOpened: AuditOpened,
		ClaimGranted: AuditClaim, ClaimRevoked: AuditClaimEnded, TokenRefused: AuditToken,
	}
}

// Change is one line of a person's history.
type Change struct {
	Seq     int64           `json:"seq"` // its number in the person's history, from 1
	At      time.Time       `json:"at"`
	Kind    string          `json:"kind"`              // one of the types of events about people
	Subject string          `json:"subject,omitempty"` // the other: an account, a person, evidence
	By      string          `json:"by,omitempty"`      // who asked, see [Reason]
	Text    string          `json:"text,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"` // an [IdentityChange]
}

func changeOf(r store.Change) Change {
	return Change{Seq: r.Seq, At: r.At, Kind: r.Kind, Subject: r.Subject, By: r.By, Text: r.Text, Data: r.Data}
}

// History lists up to limit changes to a person, those after the given number, oldest first. Who was merged into another keeps a history of
// their own, under their own ID: what was before the merge, and after a split.
func (c *Community) History(ctx context.Context, person string, after int64, limit int) ([]Change, error) {
	out := []Change{}
	err := c.g.view(ctx, func(tx store.Tx) error {
		p, err := tx.Person(c.row.Slug, person)
		if err == nil && !p.Erased.IsZero() {
			err = store.ErrNotFound
		}
		if err != nil {
			return err
		}
		rows, err := tx.Changes(c.row.Slug, person, after, limit)
		for _, r := range rows {
			out = append(out, changeOf(r))
		}
		return err
	})
	return out, storeError(err, "the history of person %s in community %s", person, c.row.Slug)
}
