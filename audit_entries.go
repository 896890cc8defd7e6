package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// audit writes the entry of a call that ends, where there is something to say: it had an effect outside, or is remembered. It costs
// nothing for one that neither called the platform nor kept anything.
func (c *Call) audit(tx store.Tx, failure error) error {
	a := store.Audit{Community: c.row.Community, Instance: c.row.Instance, Process: c.row.Process, Call: c.row.ID, Kind: AuditAction}
	if _, rest, ok := strings.Cut(c.row.Name, " of process "); ok {
		a.Kind, a.Process = AuditCommand, rest
	}
	if c.row.Process != "" {
		if !strings.HasSuffix(c.row.ID, "."+string(stepStart)) && !strings.HasSuffix(c.row.ID, "."+string(stepClose)) {
			return nil // what people are shown again and again decides nothing
		}
		a.Kind, a.Process = AuditStep, c.row.Process
	}
	said := a.Kind == AuditStep || !c.kept && len(c.caused) == 0
	if c.told || said && !c.seen.any() {
		return nil
	}
	return c.tell(tx, a, failure)
}

type auditCall struct {
	Name   string         `json:"name"`
	Result string         `json:"result"`
	Code   Code           `json:"code,omitempty"`
	As     Identity       `json:"as,omitempty"`
	For    string         `json:"for,omitempty"`
	Calls  []PlatformCall `json:"calls,omitempty"`
	More   int            `json:"more_calls,omitempty"`
}

// tell writes what became of a call. The error's text is not in it: it may hold what a platform or person said.
func (c *Call) tell(tx store.Tx, a store.Audit, failure error) error {
	d := auditCall{Name: c.row.Name, Result: callDone, Code: CodeOf(failure)}
	switch d.Code {
	case "":
	case Unknown:
		d.Result = callUnknown
	default:
		d.Result = callFailed
	}
	if a := c.wanted.Acting; a != nil {
		d.As, d.For = a.As, a.For
	}
	if c.seen != nil {
		var n int
		d.Calls, n = c.seen.all()
		d.More = n - len(d.Calls)
	}
	return c.g.audit(tx, c.trail, a, d)
}

// commit keeps what a command changed in its process, and says so in the same transaction.
func (c *Call) commit(ctx context.Context, s *Step) error {
	a := store.Audit{Community: c.row.Community, Instance: c.row.Instance, Process: s.row.ID, Call: c.row.ID, Kind: AuditCommand}
	err := s.commit(ctx, func(tx store.Tx) error { return c.tell(tx, a, nil) })
	c.told = err == nil
	return err
}

// auditRule is what was asked of a vote: the rule by which it is decided.
type auditRule struct {
	PollType    vote.PollType `json:"poll_type,omitempty"`
	Quorum      int           `json:"quorum,omitempty"`
	QuorumShare vote.Fraction `json:"quorum_share,omitempty"`
	Threshold   vote.Fraction `json:"threshold,omitempty"`
	TieRule     vote.TieRule  `json:"tie_rule,omitempty"`
	Secrecy     vote.Secrecy  `json:"secrecy,omitempty"`
	MayChange   bool          `json:"may_change"`
	Eligible    *int          `json:"eligible,omitempty"` // how many are listed; absent: everybody may vote
	Ineligible  int           `json:"ineligible,omitempty"`
	Weights     int           `json:"weights,omitempty"` // how many people's votes weigh something else than 1
	MayClose    int           `json:"may_close,omitempty"`
}

func ruleOf(ask *vote.Ask) *auditRule {
	if ask == nil {
		return nil
	}
	r := &auditRule{
		PollType: ask.PollType, Quorum: ask.Quorum, QuorumShare: ask.QuorumShare, Threshold: ask.Threshold, TieRule: ask.TieRule, Secrecy: ask.Secrecy,
		MayChange: ask.MayChange == nil || *ask.MayChange, Ineligible: len(ask.IneligibleVoters), Weights: len(ask.Weights), MayClose: len(ask.MayClose),
	}
	if ask.EligibleVoters != nil {
		n := len(ask.EligibleVoters)
		r.Eligible = &n
	}
	return r
}

func (g *Gateway) auditStarted(ctx context.Context, tx store.Tx, row store.Process, ask *vote.Ask) error {
	return g.audit(tx, trailOf(ctx, row.Origin), aboutProcess(row, AuditStarted), struct {
		Name    string     `json:"name"`
		Version int        `json:"version"`
		Input   string     `json:"input_sha256"`
		CloseAt time.Time  `json:"closing_at,omitzero"`
		Rule    *auditRule `json:"rule,omitempty"`
	}{row.Name, row.Version, sha256Of(row.Input), row.CloseAt, ruleOf(ask)})
}

func (g *Gateway) auditClosed(tx store.Tx, t trail, row store.Process, why vote.Closing) error {
	a := aboutProcess(row, AuditClosed)
	a.By = why.User
	return g.audit(tx, t, a, why)
}

// auditEnded says how a process ended. Of a vote by the standard it has the counts, but nobody's choice.
func (g *Gateway) auditEnded(tx store.Tx, t trail, row store.Process, voted bool) error {
	if row.Status == store.Failed {
		return g.audit(tx, t, aboutProcess(row, AuditFailed), nil)
	}
	type outcome struct {
		SHA256    string               `json:"outcome_sha256"`
		Result    vote.Result          `json:"result,omitempty"`
		Reason    vote.Reason          `json:"reason,omitempty"`
		Winner    string               `json:"winner,omitempty"`
		Questions []vote.QuestionCount `json:"questions,omitempty"`
		Turnout   *vote.Turnout        `json:"turnout,omitempty"`
	}
	d := outcome{SHA256: sha256Of(row.Outcome)}
	var out vote.Outcome
	if voted && json.Unmarshal(row.Outcome, &out) == nil {
		for i := range out.Questions {
			for j := range out.Questions[i].Options {
				out.Questions[i].Options[j].Users = nil
			}
		}
		d = outcome{d.SHA256, out.Result, out.Reason, out.Winner, out.Questions, &out.Turnout}
	}
	return g.audit(tx, t, aboutProcess(row, AuditCompleted), d)
}

func aboutProcess(row store.Process, kind string) store.Audit {
	return store.Audit{Community: row.Community, Instance: row.Instance, Process: row.ID, Kind: kind}
}

func sha256Of(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

type auditInstance struct {
	Plugin   string `json:"plugin"`
	Name     string `json:"name"`
	Platform string `json:"platform_id,omitempty"`
}

// auditFields names what changed, and never says to what.
type auditFields struct {
	Fields []string `json:"fields"`
}

// auditEnabled says that an instance is there, or which fields of its configuration have changed; nothing, where none has.
func (g *Gateway) auditEnabled(ctx context.Context, tx store.Tx, row store.Instance, changed []string, fresh bool) error {
	a := store.Audit{Community: row.Community, Instance: row.ID, Kind: AuditReconfigured}
	switch {
	case fresh:
		a.Kind = AuditEnabled
		return g.audit(tx, trailOf(ctx, ""), a, auditInstance{row.Plugin, row.Name, row.PlatformID})
	case len(changed) > 0:
		return g.audit(tx, trailOf(ctx, ""), a, auditFields{changed})
	}
	return nil
}

func (g *Gateway) auditStatus(ctx context.Context, tx store.Tx, row store.Instance, status, reason string) error {
	if row.Status == status && row.Reason == reason {
		return nil
	}
	a := store.Audit{Community: row.Community, Instance: row.ID, Kind: AuditResumed}
	if status == statusActive {
		return g.audit(tx, trailOf(ctx, ""), a, nil)
	}
	a.Kind = AuditPaused
	return g.audit(tx, trailOf(ctx, ""), a, struct {
		Reason string `json:"reason"`
	}{shorten(reason)})
}

func (g *Gateway) auditRemoved(ctx context.Context, tx store.Tx, row store.Instance) error {
	a := store.Audit{Community: row.Community, Instance: row.ID, Kind: AuditRemoved}
	return g.audit(tx, trailOf(ctx, ""), a, auditInstance{row.Plugin, row.Name, row.PlatformID})
}

func (g *Gateway) auditDead(tx store.Tx, s *sub, e store.Event) error {
	a := store.Audit{Community: e.Community, Instance: e.Instance, Process: e.Process, Kind: AuditDead}
	return g.audit(tx, trail{id: e.Delivery}, a, struct {
		Sub string `json:"subscription"`
		Seq int64  `json:"seq"`
	}{s.name, e.Seq})
}

// auditGivenUp says that a delivery is given up, unless somebody has taken it up again.
func (g *Gateway) auditGivenUp(tx store.Tx, t store.Task) error {
	if t.Kind != taskInbox || t.Community == "" {
		return nil
	}
	if have, err := tx.Task(t.Kind, t.Key); err != nil || have.Rev != t.Rev {
		return err
	}
	a := store.Audit{Community: t.Community, Instance: t.Instance, Kind: AuditGivenUp}
	return g.audit(tx, trail{id: t.Ref}, a, struct {
		Delivery string `json:"delivery"`
	}{t.Ref})
}

// byOAuth says that what is done was agreed to on the platform.
func byOAuth(ctx context.Context, plugin, user string) context.Context {
	r := Reason{Rule: "oauth"}
	if user != "" {
		r.By = plugin + ":" + user
	}
	return WithReason(ctx, r)
}

// heard has what a callback does follow from its event, or from its process.
func heard(ctx context.Context, s *sub, e store.Event) context.Context {
	t := trail{id: e.Delivery, reason: Reason{By: "callback " + s.name, Process: e.Process, Event: e.Seq}}
	if t.id == "" && e.Cause != "" {
		t.id = e.Cause
	}
	return withScope(ctx, scope{trail: t})
}

// changedFields names the fields of a JSON object that differ between two versions of it, at the first level.
func changedFields(old, now json.RawMessage) (names []string) {
	var was, is map[string]json.RawMessage
	_ = json.Unmarshal(old, &was) // what cannot be read has no fields
	_ = json.Unmarshal(now, &is)
	for name, v := range is {
		if !bytes.Equal(was[name], v) {
			names = append(names, name)
		}
	}
	for name := range was {
		if _, ok := is[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
