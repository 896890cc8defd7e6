package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// Status is where a process stands: created → pending → closing → completed or failed.
type Status string

// The statuses. Only a pending process takes ballots.
const (
	StatusCreated   Status = store.Created   // kept; the platform has not been reached yet
	StatusPending   Status = store.Pending   // it runs
	StatusClosing   Status = store.Closing   // it takes no ballots any more; its outcome is being made
	StatusCompleted Status = store.Completed // it has an outcome
	StatusFailed    Status = store.Failed    // it ended without one, see Reason
)

var running = []string{store.Created, store.Pending, store.Closing}

// Process is a governance process as a driver sees it: a snapshot.
type Process struct {
	ID       string          `json:"id"`
	Instance string          `json:"instance"` // the instance's ID
	Plugin   string          `json:"plugin"`
	Name     string          `json:"name"`
	Version  int             `json:"version"`
	Status   Status          `json:"status"`
	Reason   string          `json:"reason,omitempty"` // why it failed
	URL      string          `json:"url,omitempty"`    // where people see it
	Input    json.RawMessage `json:"input"`
	Outcome  json.RawMessage `json:"outcome,omitempty"` // typed by the process; a vote's is a vote.Outcome
	Closing  *vote.Closing   `json:"closing,omitempty"` // what closed it
	Counts   []vote.Count    `json:"counts,omitempty"`  // how a vote stands; absent as long as the vote hides it
	Voters   int64           `json:"voters,omitempty"`  // how many have voted; likewise
	CloseAt  time.Time       `json:"close_at,omitzero"`
	Created  time.Time       `json:"created"`
	Ended    time.Time       `json:"ended,omitzero"`
}

// Done says whether the process is over.
func (p Process) Done() bool { return p.Status == StatusCompleted || p.Status == StatusFailed }

// DecodeOutcome fills v with the outcome of a completed process.
func (p Process) DecodeOutcome(v any) error {
	if p.Status != StatusCompleted {
		return Errorf(Conflict, "process %s is %s and has no outcome", p.ID, p.Status)
	}
	if err := json.Unmarshal(p.Outcome, v); err != nil {
		return Errorf(Internal, "decoding the outcome of process %s: %w", p.ID, err)
	}
	return nil
}

// Start starts one of the plugin's processes, "name" for the newest version or "name@version". in is the process's input struct, or JSON.
//
// The process is durable before the platform hears of it. If the platform cannot be reached now, Start returns it with
// status created and the gateway goes on trying; [Gateway.OnProcess] tells how it went on. Any other failure is returned and
// the process has failed. Invalid: the input fails its schema, or asks for what the process cannot enforce.
func (i *Instance) Start(ctx context.Context, name string, in any, opts ...DoOption) (Process, error) {
	if scopeOf(ctx).tx != nil {
		return Process{}, errInside("process " + name)
	}
	def := i.p.processes[name]
	if def == nil {
		return Process{}, Errorf(NotFound, "plugin %s has no process %q", i.p.m.Name, name)
	}
	raw, err := encode(in)
	if err != nil {
		return Process{}, err
	}
	if raw, err = def.in.Apply(raw); err != nil {
		return Process{}, schemaError(err)
	}
	o := doOptions{within: i.g.o.Timeout}
	for _, f := range opts {
		f(&o)
	}
	if err := o.refuseBehalf("process " + name); err != nil {
		return Process{}, err
	}
	if o.fresh != 0 && !def.looks() {
		return Process{}, Errorf(Invalid, "process %s does not read its platform: what it knows is as fresh as it gets", name)
	}
	opened, err := i.active(ctx)
	if err != nil {
		return Process{}, err
	}
	row, ask, err := i.newProcess(ctx, def, raw)
	if err != nil {
		return Process{}, err
	}
	ctx = correlate(ctx, row.ID)
	row.Origin = correlation(ctx)
	row, fresh, err := i.g.create(ctx, row, ask, o)
	if err != nil {
		return Process{}, err
	}
	if !fresh {
		return i.g.snapshot(ctx, row.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, o.within)
	defer cancel()
	err = i.g.step(ctx, stepStart, row.ID, opened)
	if err != nil && !again(err) {
		return Process{}, err
	}
	if err != nil {
		i.Log.WarnContext(ctx, "a process was created but could not be started; trying again", "process", row.ID, "error", err)
	}
	return i.g.snapshot(context.WithoutCancel(ctx), row.ID)
}

// newProcess makes the row, and checks what a vote asks against what the process can enforce.
func (i *Instance) newProcess(ctx context.Context, def *process, in json.RawMessage) (store.Process, *vote.Ask, error) {
	now := i.g.now()
	row := store.Process{
		ID: newID("p"), Community: i.row.Community, Instance: i.row.ID, Plugin: i.row.Plugin, Name: def.Name, Version: def.Version,
		Status: store.Created, Input: in, Open: true, Created: now, Updated: now,
	}
	var err error
	if row.State, err = json.Marshal(def.New()); err != nil {
		return row, nil, Errorf(Internal, "encoding the empty state of process %s: %w", def.Name, err)
	}
	if def.Ask == nil {
		return row, nil, nil
	}
	ask, put, err := def.Ask(in)
	if err != nil {
		return row, nil, err
	}
	norm, err := ask.Normalize(now)
	if err == nil {
		err = def.Can.Check(norm)
	}
	if err != nil {
		return row, nil, voteError(err)
	}
	if err := i.g.completeLists(ctx, i.row.Community, &norm); err != nil {
		return row, nil, err
	}
	a, err := newAsked(norm, row.Plugin, i.row.PlatformID)
	if err == nil {
		err = a.weighedOnce()
	}
	if err != nil {
		return row, nil, err
	}
	if row.Input, err = put(norm); err != nil {
		return row, nil, Errorf(Internal, "process %s: %w", def.Name, err)
	}
	row.Open, row.Refusal = norm.EligibleVoters == nil, norm.IneligibleVoterMessage
	if norm.ClosingAt != nil {
		row.CloseAt = norm.ClosingAt.UTC().Truncate(time.Microsecond)
	}
	return row, &norm, nil
}

// voteError gives a refusal of the voting standard its code.
func voteError(err error) error {
	var inv *vote.Invalid
	if !errors.As(err, &inv) {
		return &Error{Code: Invalid, Err: err}
	}
	e := &Error{Code: Invalid}
	for _, f := range inv.Fields {
		e.Fields = append(e.Fields, FieldError{Path: f.Path, Message: f.Message})
	}
	return e
}

// create keeps a process that is to be started, with who may vote and the tasks that start and close it whatever happens
// to us. A named start that was asked for before gives the earlier process.
func (g *Gateway) create(ctx context.Context, row store.Process, ask *vote.Ask, o doOptions) (_ store.Process, fresh bool, err error) {
	now := g.now()
	task := store.Task{Key: row.ID, Community: row.Community, Instance: row.Instance, Created: now}
	want := row
	err = g.update(ctx, func(tx store.Tx) error {
		row, fresh = want, true
		if _, err := tx.Instance(row.Instance); err != nil {
			return err // removed since it was opened: nobody would end the process
		}
		if o.once != "" {
			old, err := tx.CallByOnce(row.Community, o.once)
			if err == nil {
				if old.Process == "" || old.Name != "process "+row.Name || old.Instance != row.Instance {
					return Errorf(Conflict, "%q was the name of another call (%s)", o.once, old.Name)
				}
				fresh = false
				row, err = tx.Process(old.Process)
				return err
			}
			if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			call := store.Call{ID: newID("c"), Community: row.Community, Instance: row.Instance, Name: "process " + row.Name, Process: row.ID,
				Once: o.once, Status: callDone, Started: now, Ended: maxTime(now, row.CloseAt)} // its name is kept from its end on
			if err := tx.PutCall(call); err != nil {
				return err
			}
		}
		if err := tx.PutProcess(row); err != nil {
			return err
		}
		if err := g.auditStarted(ctx, tx, row, ask); err != nil {
			return err
		}
		if ask != nil {
			if err := g.enrollNow(tx, row, ask); err != nil {
				return err
			}
		}
		if o.fresh > 0 {
			if err := putLook(tx, row, func(l *look) { l.Fresh = Duration(o.fresh) }); err != nil {
				return err
			}
		}
		start := task // if we die before it is started; the first try is made at once by whoever asked
		start.Kind, start.Due = taskStart, now.Add(o.within+leaseTime)
		if err := tx.Schedule(start); err != nil {
			return err
		}
		if row.CloseAt.IsZero() {
			return nil
		}
		shut := task
		shut.Kind, shut.Due = taskClose, row.CloseAt
		return tx.Schedule(shut)
	})
	return row, fresh, storeError(err, "creating a process %s", want.Name)
}

// changed tells whoever listens that a process has another status, or another tally.
func (g *Gateway) changed(tx store.Tx, row store.Process) error {
	_, _, err := tx.Append(store.Event{
		Community: row.Community, Instance: row.Instance, Plugin: row.Plugin, Type: processEvent, Process: row.ID,
		Data: statusData(row.Status), Delivery: row.Origin, At: g.now(),
	})
	return err
}

// statusData is what the log says about a process: the status that it got.
func statusData(status string) []byte { return []byte(`{"status":"` + status + `"}`) }

// processEvent is the type of the log's entries about processes. [Gateway.OnEvent] does not hear them, [Gateway.OnProcess] does.
const processEvent = "process"

// process reads a process of this community and finds its definition.
func (c *Community) process(ctx context.Context, id string) (row store.Process, def *process, err error) {
	err = c.g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.Process(id); return err })
	if err != nil {
		return row, nil, storeError(err, "process %q in community %s", id, c.row.Slug)
	}
	if err := c.mine(row.Community, "process "+id); err != nil {
		return store.Process{}, nil, err
	}
	def, err = c.g.define(row)
	return row, def, err
}

// define finds the definition that a process runs on: its own version, or a newer one that can upgrade its state.
func (g *Gateway) define(row store.Process) (*process, error) {
	p := g.plugins[row.Plugin]
	if p == nil {
		return nil, errMissing{row.Plugin, Errorf(NotFound, "process %s needs plugin %s, which this program does not have", row.ID, row.Plugin)}
	}
	if def := p.processes[versioned(row.Name, row.Version)]; def != nil {
		return def, nil
	}
	if def := p.processes[row.Name]; def != nil && def.Version > row.Version && def.Upgrade != nil {
		return def, nil
	}
	return nil, errMissing{row.Plugin, Errorf(NotFound, "process %s needs version %d of %s, which this program does not have", row.ID, row.Version, row.Name)}
}

// Process reads one of the community's processes.
func (c *Community) Process(ctx context.Context, id string) (Process, error) {
	if _, _, err := c.process(ctx, id); err != nil {
		return Process{}, err
	}
	return c.g.snapshot(ctx, id)
}

// Processes lists up to limit of the community's processes, oldest first, those after the given ID. Without statuses it
// lists all.
func (c *Community) Processes(ctx context.Context, after string, limit int, statuses ...Status) ([]Process, error) {
	q := store.ProcessQuery{Community: c.row.Slug}
	for _, s := range statuses {
		q.Status = append(q.Status, string(s))
	}
	var out []Process
	err := c.g.view(ctx, func(tx store.Tx) error {
		rows, err := tx.Processes(q, after, limit)
		if err != nil {
			return err
		}
		out = make([]Process, 0, len(rows))
		for _, row := range rows {
			p, err := c.g.processOf(tx, row)
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		return nil
	})
	return out, storeError(err, "listing the processes of %s", c.row.Slug)
}

func (g *Gateway) snapshot(ctx context.Context, id string) (p Process, err error) {
	err = g.view(ctx, func(tx store.Tx) error {
		row, err := tx.Process(id)
		if err != nil {
			return err
		}
		p, err = g.processOf(tx, row)
		return err
	})
	return p, storeError(err, "reading process %s", id)
}

// processOf is a row as drivers see it. The tally of a vote that hides it stays hidden.
func (g *Gateway) processOf(tx store.Tx, row store.Process) (Process, error) {
	p := Process{
		ID: row.ID, Instance: row.Instance, Plugin: row.Plugin, Name: row.Name, Version: row.Version, Status: Status(row.Status), Reason: row.Reason,
		URL: row.URL, Input: row.Input, Outcome: row.Outcome, CloseAt: row.CloseAt, Created: row.Created, Ended: row.Ended,
	}
	if len(row.Closing) > 0 {
		c := closing(row)
		p.Closing = &c
	}
	if def, err := g.define(row); err == nil {
		a, err := g.askedOf(row, def, platformIn(tx, row))
		if err != nil {
			return p, err
		}
		if a != nil && !a.CountsVisible(p.Done()) {
			return p, nil
		}
	} else if !p.Done() {
		return p, nil // nobody here can say whether it hides them
	}
	t, err := tally(tx, row)
	p.Counts, p.Voters = t.Counts, t.Voters
	return p, err
}

// closing is what closed a process.
func closing(row store.Process) (c vote.Closing) {
	_ = json.Unmarshal(row.Closing, &c) // our own bytes, or none
	return c
}

// Close closes a running process now, whatever its closing time: no ballot counts any more, and its outcome is made. Deliveries that were taken before
// and put off are received first, and a process that reads its platform ([Least]) is read once more; where that fails, what was known counts, and the
// outcome says so. Close returns when that is done, or, with status closing, when the platform is needed and cannot be reached, or, with the status
// unchanged, when such deliveries cannot be received within Options.Timeout, or ctx has ended: the end follows by itself. Closing again is harmless.
func (c *Community) Close(ctx context.Context, process string) (Process, error) {
	return c.end(ctx, process, vote.Closing{By: vote.ByDriver})
}

// Cancel calls a running process off. A vote's outcome says so and has no result.
func (c *Community) Cancel(ctx context.Context, process string) (Process, error) {
	return c.end(ctx, process, vote.Closing{By: vote.ByDriver, Cancel: true})
}

func (c *Community) end(ctx context.Context, process string, why vote.Closing) (Process, error) {
	if scopeOf(ctx).tx != nil {
		return Process{}, errInside("the end of a process")
	}
	row, _, err := c.process(ctx, process)
	if err != nil {
		return Process{}, err
	}
	if ended(row) {
		return c.g.snapshot(ctx, process)
	}
	inst, err := c.g.instanceOf(ctx, row)
	if err != nil {
		return Process{}, err // a paused instance's processes stand still
	}
	if row.Status == store.Pending && !why.Cancel {
		late, err := c.g.catchUp(ctx, row.Instance)
		if err != nil {
			return Process{}, err
		}
		if late {
			return c.endLater(ctx, row, why)
		}
		why.Note = c.g.lookNow(ctx, row, inst)
	}
	why.At = c.g.now()
	within, cancel := context.WithTimeout(ctx, c.g.o.Timeout)
	defer cancel()
	err = c.g.shut(within, process, why, time.Time{}, inst)
	if err != nil && !again(err) {
		return Process{}, err
	}
	ctx = context.WithoutCancel(ctx)
	if err != nil { // perhaps before it was closing: the task has to say why
		why.At, why.Note = time.Time{}, ""
		return c.endLater(ctx, row, why)
	}
	return c.g.snapshot(ctx, process)
}

// endLater leaves the end of a process to the scheduler.
func (c *Community) endLater(ctx context.Context, row store.Process, why vote.Closing) (Process, error) {
	raw, err := json.Marshal(why)
	if err != nil {
		return Process{}, Errorf(Internal, "encoding why process %s is closed: %w", row.ID, err)
	}
	now := c.g.now()
	err = c.g.update(ctx, func(tx store.Tx) error {
		if err := tx.Unschedule(taskClose, row.ID); err != nil {
			return err
		}
		return tx.Schedule(store.Task{
			Kind: taskClose, Key: row.ID, Community: row.Community, Instance: row.Instance, Due: now, Created: now, Payload: raw,
		})
	})
	if err != nil {
		return Process{}, storeError(err, "closing process %s", row.ID)
	}
	return c.g.snapshot(ctx, row.ID)
}

// Command asks a process that has been started, and may be over, for one of its commands and waits for the answer. With [Once] asking again gives the
// first answer.
func (c *Community) Command(ctx context.Context, process, name string, in any, opts ...DoOption) (json.RawMessage, error) {
	if scopeOf(ctx).tx != nil {
		return nil, errInside("command " + name)
	}
	row, def, err := c.process(ctx, process)
	if err != nil {
		return nil, err
	}
	cmd := def.commands[name]
	if cmd == nil {
		return nil, Errorf(NotFound, "process %s has no command %q", row.Name, name)
	}
	raw, err := encode(in)
	if err != nil {
		return nil, err
	}
	if raw, err = cmd.in.Apply(raw); err != nil {
		return nil, schemaError(err)
	}
	inst, err := c.g.instanceOf(ctx, row)
	if err != nil {
		return nil, err
	}
	o := doOptions{within: c.g.o.Timeout}
	for _, f := range opts {
		f(&o)
	}
	if err := o.refuseBehalf("command " + name); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.within)
	defer cancel()
	w := asking{name: "command " + name + " of process " + row.ID, once: o.once}
	w.run = func(ctx context.Context, _ any, _ *action, _ json.RawMessage) (out json.RawMessage, err error) {
		err = c.g.underLease(ctx, row.ID, inst, func(ctx context.Context, s *Step) error {
			if s.row.Status == store.Created {
				return Errorf(Conflict, "process %s has not been started yet", row.ID)
			}
			if out, err = cmd.Run(ctx, s.state, s, raw); err != nil {
				return err
			}
			if out, err = cmd.out.Apply(out); err != nil {
				return Errorf(Internal, "command %s gave an answer that fails its own schema: %w", name, err)
			}
			return CallOf(ctx).commit(ctx, s)
		})
		return out, err
	}
	return c.g.call(ctx, inst, w)
}

// instanceOf opens the instance that a process runs in.
func (g *Gateway) instanceOf(ctx context.Context, row store.Process) (*opened, error) {
	var inst store.Instance
	err := g.view(ctx, func(tx store.Tx) (err error) { inst, err = tx.Instance(row.Instance); return err })
	if err != nil {
		return nil, gone(storeError(err, "the instance of process %s", row.ID))
	}
	if inst.Status != statusActive {
		return nil, errPaused{inst.ID, Errorf(Conflict, "instance %s of community %s is %s: %s", inst.Name, inst.Community, inst.Status, inst.Reason)}
	}
	return g.open(ctx, inst)
}

// errPaused says that something has to wait until an instance is resumed.
type errPaused struct {
	instance string
	error
}

func (e errPaused) Unwrap() error { return e.error }
