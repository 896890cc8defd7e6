package gateway

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// AuditEntry is one entry of a community's audit record: who had what done, when, why, by which rule, on which votes, and with which
// calls to platforms. Entries are only ever appended. Ballots are not in it, outcomes are; secrets never are.
type AuditEntry struct {
	Seq         int64           `json:"seq"` // its number in its community, from 1 without gaps
	Community   string          `json:"community"`
	At          time.Time       `json:"at"`
	Kind        string          `json:"kind"`               // one of the Audit… constants
	Instance    string          `json:"instance,omitempty"` // ID
	Process     string          `json:"process,omitempty"`  // the process that it is about
	Call        string          `json:"call,omitempty"`     // the action's or command's ID
	Correlation string          `json:"correlation,omitempty"`
	By          string          `json:"by,omitempty"`       // who asked, see [Reason]
	Rule        string          `json:"rule,omitempty"`     // by which rule, see [Reason]
	Decision    string          `json:"decision,omitempty"` // the process on whose votes it was done
	Event       int64           `json:"event,omitempty"`    // the event on which it was done
	Text        string          `json:"text,omitempty"`     // what [Reason.Text] said
	Data        json.RawMessage `json:"data,omitempty"`     // more, by kind
	Prev        string          `json:"prev,omitempty"`     // the Hash of the entry before, "" for the first
	Hash        string          `json:"hash"`               // hex SHA-256 of everything above
}

// The kinds of entries, with what their Data holds.
const (
	AuditCommunity = "community.created"
	AuditSettings  = "settings.changed" // fields: the names of those that changed

	AuditEnabled      = "instance.enabled"      // plugin, name, platform_id
	AuditReconfigured = "instance.reconfigured" // fields: the names of those that changed; never what they hold
	AuditPaused       = "instance.paused"       // reason
	AuditResumed      = "instance.resumed"
	AuditRemoved      = "instance.removed" // plugin, name, platform_id

	// Of these none names an account: account_sha256 is the hash of the evidence's ID, a zero byte and the account's subject ([AccountKey]).
	AuditPerson        = "person.created"    // person, how: its kind
	AuditLinked        = "account.linked"    // person, plugin, platform_id, account_sha256, how, issuer, evidence
	AuditUnlinked      = "account.unlinked"  // person, plugin, platform_id
	AuditMerged        = "people.merged"     // person, other: who was merged into them, how, issuer, evidence
	AuditSplit         = "person.split"      // person: who was split off, other: from whom
	AuditErased        = "person.erased"     // person
	AuditEvidence      = "evidence.added"    // person, other: the evidence, how, issuer
	AuditEvidenceEnded = "evidence.revoked"  // likewise
	AuditSuggested     = "link.suggested"    // person, other: the evidence, how, issuer
	AuditPrompted      = "link.prompted"     // person, other: the prompt
	AuditOpened        = "link.opened"       // likewise
	AuditClaim         = "claim.granted"     // person, other: the claim, if it is a role, membership, capability or consent, how: its kind, issuer
	AuditClaimEnded    = "claim.revoked"     // likewise
	AuditRevealed      = "claim.revealed"    // person, how: the claim's kind, issuer, purpose: its secret was given out
	AuditToken         = "token.refused"     // person, plugin, platform_id
	AuditReheld        = "process.recounted" // holders: how many people's ballots became one person's, or were parted

	// name, result (done, failed or unknown), code of the error, calls, and more_calls where there were too many to list; of what is done on behalf of
	// a person as: the [Identity] that was used, and for: the person
	AuditAction  = "action"
	AuditCommand = "command" // likewise
	AuditStep    = "step"    // likewise, of a start or close that called the platform

	AuditStarted   = "process.started"   // name, version, input_sha256, closing_at, rule: what was asked of the vote
	AuditClosed    = "process.closed"    // by, user, at, cancel
	AuditCompleted = "process.completed" // outcome_sha256; of a vote result, reason, winner, questions with their counts, turnout
	AuditFailed    = "process.failed"    // the process has an outcome no more
	AuditDead      = "event.dead"        // subscription, seq: a callback failed on this event too often
	AuditGivenUp   = "delivery.dead"     // delivery: it could not be used, too often
)

// AuditQuery selects entries; empty fields select all.
type AuditQuery struct {
	Kinds       []string
	Instance    string // ID
	Process     string // that it is about, or on whose votes it was done
	Call        string
	Correlation string
	By          string
}

// Audit lists up to limit entries of the community's audit record, those after the given number, oldest first. limit 0: 100. A query
// goes through the record until it has found so many, in short transactions: of a long record it may take a while, which ctx bounds.
func (c *Community) Audit(ctx context.Context, q AuditQuery, after int64, limit int) ([]AuditEntry, error) {
	out, _, err := c.audit(ctx, q, after, limit)
	return out, err
}

// auditStride is how many entries a query looks at in one transaction.
const auditStride = 10_000

// audit is Audit, and gives the number up to which the record is pruned.
func (c *Community) audit(ctx context.Context, q AuditQuery, after int64, limit int) (out []AuditEntry, pruned int64, err error) {
	limit = positive(limit, 100)
	for out = []AuditEntry{}; ; {
		var rows []store.Audit
		var head store.AuditHead
		err := c.g.view(ctx, func(tx store.Tx) (err error) {
			if head, err = tx.AuditHead(c.row.Slug); err != nil {
				return err
			}
			if after = max(after, head.Pruned, 0); after >= head.Seq {
				return nil
			}
			rows, err = tx.Audits(store.AuditQuery{
				Community: c.row.Slug, After: after, To: after + auditStride,
				Kinds: q.Kinds, Instance: q.Instance, Process: q.Process, Call: q.Call, Correlation: q.Correlation, By: q.By,
			}, limit-len(out))
			return err
		})
		if err != nil {
			return nil, 0, storeError(err, "reading the audit record of %s", c.row.Slug)
		}
		for _, row := range rows {
			out = append(out, auditEntry(row))
		}
		if len(out) >= limit || after >= head.Seq-auditStride {
			return out, head.Pruned, nil
		}
		after += auditStride
	}
}

// auditPage is how many entries are read at once.
const auditPage = 500

// ExportAudit writes the community's audit record as lines of JSON, one [AuditEntry] each, oldest first. It is read in pages, so that
// it neither fills the memory nor holds anybody up; [CheckAudit] reads it. Conflict: entries became too old to be kept ([Options.RetainAudit])
// before they were written; do it again.
func (c *Community) ExportAudit(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	for after := int64(0); ; {
		page, pruned, err := c.audit(ctx, AuditQuery{}, after, auditPage)
		if err != nil {
			return err
		}
		if after > 0 && pruned > after {
			return Errorf(Conflict, "exporting the audit record of %s: entries after %d were pruned meanwhile", c.row.Slug, after)
		}
		for _, e := range page {
			after = e.Seq
			if err := lines.Encode(e); err != nil {
				return Errorf(Unavailable, "exporting the audit record of %s: %w", c.row.Slug, err)
			}
		}
		if len(page) < auditPage {
			break
		}
	}
	if err := out.Flush(); err != nil {
		return Errorf(Unavailable, "exporting the audit record of %s: %w", c.row.Slug, err)
	}
	return nil
}

func auditEntry(a store.Audit) AuditEntry {
	return AuditEntry{
		Seq: a.Seq, Community: a.Community, At: a.At, Kind: a.Kind, Instance: a.Instance, Process: a.Process, Call: a.Call, Correlation: a.Correlation,
		By: a.By, Rule: a.Rule, Decision: a.Decision, Event: a.Event, Text: a.Text, Data: a.Data, Prev: hex.EncodeToString(a.Prev), Hash: hex.EncodeToString(a.Hash),
	}
}

// sum is the entry's hash. It covers every field and the hash of the entry before, each with its length, so that nothing can be
// moved from one field to the next.
func (e AuditEntry) sum() []byte {
	h := sha256.New()
	var b [8]byte
	num := func(n int64) {
		binary.BigEndian.PutUint64(b[:], uint64(n))
		h.Write(b[:])
	}
	text := func(s string) {
		num(int64(len(s)))
		io.WriteString(h, s)
	}
	text("gateway audit 1")
	text(e.Community)
	num(e.Seq)
	num(e.At.UnixMicro())
	for _, s := range []string{e.Kind, e.Instance, e.Process, e.Call, e.Correlation, e.By, e.Rule, e.Decision} {
		text(s)
	}
	num(e.Event)
	text(e.Text)
	text(string(e.Data))
	text(e.Prev)
	return h.Sum(nil)
}

// audit appends an entry to a community's record, as part of the transaction that does what it says. Of a it takes what it is
// about; number, time and hashes it adds, and from t what it follows from. data is marshalled; it must hold no secret, and nothing
// that a platform or person could fill without end.
func (g *Gateway) audit(tx store.Tx, t trail, a store.Audit, data any) error {
	head, err := tx.AuditHead(a.Community)
	if err != nil {
		return err
	}
	if data != nil {
		if a.Data, err = json.Marshal(data); err != nil {
			return Errorf(Internal, "encoding an audit entry: %w", err)
		}
	}
	a.Seq, a.Prev, a.At = head.Seq+1, head.Hash, g.now()
	a.Correlation = shorten(t.id)
	if a.By == "" {
		a.By = t.reason.By
	}
	r := t.reason.bounded()
	a.By, a.Rule, a.Decision, a.Event, a.Text = shorten(a.By), r.Rule, r.Process, r.Event, r.Text
	a.Hash = auditEntry(a).sum()
	return tx.AppendAudit(a)
}

// maxReason bounds what others say in an entry, in bytes.
const maxReason = 2000

// shorten bounds a text and makes it one that JSON gives back as it is.
func shorten(s string) string {
	if len(s) > maxReason {
		s = s[:maxReason]
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// pruneAudits deletes entries that are older than Options.RetainAudit. The chain goes on from the newest that was deleted.
func (g *Gateway) pruneAudits(ctx context.Context) error {
	if g.o.RetainAudit <= 0 {
		return nil
	}
	before := g.now().Add(-g.o.RetainAudit)
	for after := ""; ; {
		page, err := g.Communities(ctx, after, 100)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, c := range page {
			after = c.row.Slug
			if oldest, err := c.Audit(ctx, AuditQuery{}, 0, 1); err != nil {
				return err
			} else if len(oldest) == 0 || !oldest[0].At.Before(before) {
				continue // without waiting for the right to write
			}
			for n := auditPage; n == auditPage; {
				err := g.store.Update(ctx, func(tx store.Tx) (err error) { n, err = tx.PruneAudits(after, before, auditPage); return err })
				if err != nil {
					return storeError(err, "deleting what is older than %v of the audit record of %s", g.o.RetainAudit, after)
				}
			}
		}
	}
}
