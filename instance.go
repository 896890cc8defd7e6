package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/metagov/gateway-go/internal/schema"
	"github.com/metagov/gateway-go/store"
)

// Instance is one plugin enabled in one community. A plugin embeds it in its own type; a driver gets it from
// [Community.Enable] or [Community.Instance] and asks it to do things.
type Instance struct {
	Log  *slog.Logger // says community, plugin and instance already
	HTTP *http.Client // for calls of addresses that the plugin or the operator names
	// Guarded is for every address that comes from a configuration or a delivery: a server's URL, a wallet, a response URL. It reaches public
	// addresses and those in [Options.Reach], asks no proxy but [Options.Egress], and refuses all others with Invalid, whatever a name
	// resolves to and wherever a redirect leads. Bound what you read of an answer: whoever named the address may send without end; a
	// call ends after 30 seconds in any case.
	Guarded *http.Client

	g   *Gateway
	p   *plug
	row store.Instance
}

func (i *Instance) instance() *Instance { return i }

// ID is the instance's identifier, for ever.
func (i *Instance) ID() string { return i.row.ID }

// Name is the instance's name in its community.
func (i *Instance) Name() string { return i.row.Name }

// Plugin is the plugin's name.
func (i *Instance) Plugin() string { return i.row.Plugin }

// Community is the slug of the community it is in.
func (i *Instance) Community() string { return i.row.Community }

// PlatformID is the platform's own name for what the instance stands for (a Slack team ID), "" where there is none.
func (i *Instance) PlatformID() string { return i.row.PlatformID }

// Now is the gateway's time. Plugins use it and never time.Now.
func (i *Instance) Now() time.Time { return i.g.now() }

// Status says whether the instance works ("active") or is "paused", and why.
func (i *Instance) Status(ctx context.Context) (status, reason string, err error) {
	row, err := i.fresh(ctx)
	return row.Status, row.Reason, err
}

// handle is an instance as drivers get it.
func (g *Gateway) handle(row store.Instance) (*Instance, error) {
	p := g.plugins[row.Plugin]
	if p == nil {
		return nil, errMissing{row.Plugin, Errorf(NotFound, "instance %s needs plugin %s, which this program does not have", row.Name, row.Plugin)}
	}
	return &Instance{
		Log:  g.log.With("community", row.Community, "plugin", row.Plugin, "instance", row.Name),
		HTTP: g.out.http, Guarded: g.out.guarded, g: g, p: p, row: row,
	}, nil
}

// fresh reads the row as it is now.
func (i *Instance) fresh(ctx context.Context) (row store.Instance, err error) {
	err = i.g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.Instance(i.row.ID); return err })
	return row, storeError(err, "instance %s of community %s", i.row.Name, i.row.Community)
}

// opened is an instance with the plugin's own value for one state of its configuration.
type opened struct {
	*Instance
	self any
}

// open gives the plugin's value for a row, from memory when the row has not changed.
func (g *Gateway) open(ctx context.Context, row store.Instance) (*opened, error) {
	g.mu.Lock()
	o, _ := g.opened.get(row.ID)
	g.mu.Unlock()
	if o != nil && o.row.Rev == row.Rev {
		return o, nil
	}
	o, err := g.make(ctx, row)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.opened.put(row.ID, o)
	g.mu.Unlock()
	return o, nil
}

// make has the plugin make its value for a row.
func (g *Gateway) make(ctx context.Context, row store.Instance) (*opened, error) {
	inst, err := g.handle(row)
	if err != nil {
		return nil, err
	}
	o := &opened{Instance: inst}
	var p *pacing
	if inst.p.m.Pace != nil {
		p = &pacing{g: g, p: inst.p}
		out := g.out.paced(p)
		inst.HTTP, inst.Guarded = out.http, out.guarded
	}
	err = g.theirs(ctx, "opening "+row.Plugin, func(ctx context.Context) error {
		config, err := g.unseal(inst.p, row) // by Options.Seal, which may ask somebody far away
		if err == nil {
			o.self, err = inst.p.Open(ctx, inst, config)
		}
		return err
	})
	if err == nil && p != nil {
		p.self.Store(&o.self)
	}
	return o, err
}

// active opens an instance that is to be used, and refuses a paused one.
func (i *Instance) active(ctx context.Context) (*opened, error) {
	row, err := i.fresh(ctx)
	if err != nil {
		return nil, err
	}
	if row.Status != statusActive {
		return nil, Errorf(Conflict, "instance %s of community %s is %s: %s", row.Name, row.Community, row.Status, row.Reason)
	}
	return i.g.open(ctx, row)
}

const (
	statusActive = InstanceActive
	statusPaused = InstancePaused
)

// unseal puts a row's configuration together.
func (g *Gateway) unseal(p *plug, row store.Instance) (json.RawMessage, error) {
	if len(row.Sealed) == 0 {
		return row.Config, nil
	}
	if g.o.Seal == nil {
		return nil, Errorf(Invalid, "instance %s has sealed secrets, and there is no Options.Seal to open them", row.Name)
	}
	secret, err := g.o.Seal.Decrypt(row.Sealed, sealedAs(row))
	if err != nil {
		return nil, Errorf(Invalid, "opening the secrets of instance %s: none of the keys in Options.Seal fits", row.Name)
	}
	config, err := p.config.Join(row.Config, secret)
	if err != nil {
		return nil, Errorf(Internal, "joining the configuration of instance %s: %w", row.Name, err)
	}
	return config, nil
}

// seal takes the secrets out of a configuration and seals them for this row.
func (g *Gateway) seal(p *plug, config json.RawMessage, row *store.Instance) error {
	public, secret, err := p.config.Split(config)
	if err != nil {
		return Errorf(Internal, "splitting the configuration of %s: %w", p.m.Name, err)
	}
	row.Config, row.Sealed = public, nil
	if len(secret) == 0 || string(secret) == "{}" {
		return nil
	}
	if g.o.Seal == nil {
		return Errorf(Invalid, "the configuration of %s has a secret; set Options.Seal (see NewSeal) so that it can be kept sealed", p.m.Name)
	}
	row.Sealed, err = g.o.Seal.Encrypt(secret, sealedAs(*row))
	if err != nil {
		return Errorf(Unavailable, "sealing the secrets of %s: %w", row.Name, err)
	}
	return nil
}

// sealedAs binds sealed bytes to their row, so that they cannot be moved to another.
func sealedAs(row store.Instance) []byte { return []byte("gateway instance " + row.ID) }

// enable makes or reconfigures an instance; see [Community.Enable].
func (g *Gateway) enable(ctx context.Context, community string, p *plug, name string, in json.RawMessage) (*Instance, error) {
	config, err := p.config.Apply(in)
	if err != nil {
		return nil, schemaError(err)
	}
	var row store.Instance
	err = g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.InstanceByName(community, name); return err })
	fresh := errors.Is(err, store.ErrNotFound)
	switch {
	case fresh:
		row = store.Instance{ID: newID("i"), Community: community, Plugin: p.m.Name, Name: name, Status: statusActive, Created: g.now()}
	case err != nil:
		return nil, storeError(err, "reading instance %s of %s", name, community)
	case row.Plugin != p.m.Name:
		return nil, Errorf(Conflict, "instance %s of %s is of plugin %s", name, community, row.Plugin)
	}
	if p.m.Configure != nil {
		if config, err = g.configure(ctx, p, row, config, fresh); err != nil {
			return nil, err
		}
	}
	platform, err := p.platformID(config)
	if err != nil {
		return nil, err
	}
	if !fresh && row.PlatformID != "" && row.PlatformID != platform {
		return nil, Errorf(Conflict, "instance %s stands for %s %q and cannot become %q; enable another instance", name, p.m.Name, row.PlatformID, platform)
	}
	var changed []string
	if !fresh {
		old, _ := g.unseal(p, row) // of one that cannot be opened any more, every field is another
		changed = changedFields(old, config)
	}
	row.PlatformID, row.Updated = platform, g.now()
	if err := g.seal(p, config, &row); err != nil {
		return nil, err
	}
	// An Open that fails refuses the configuration. What it made is not used: the row may yet be kept by somebody else.
	if _, err := g.make(ctx, row); err != nil {
		return nil, err
	}
	err = g.update(ctx, func(tx store.Tx) error {
		if err := tx.PutInstance(row); err != nil {
			return err
		}
		if err := g.auditEnabled(ctx, tx, row, changed, fresh); err != nil {
			return err
		}
		if fresh && p.m.Webhook != nil && !p.m.Webhook.Global {
			if err := tx.PutState(row.ID, tokenKey, []byte(newToken()), 0); err != nil {
				return err
			}
		}
		if err := g.schedulePolls(tx, p, row, false); err != nil {
			return err
		}
		return g.unpark(tx, row)
	})
	if err != nil {
		return nil, storeError(err, "enabling %s as %s in %s", p.m.Name, name, community)
	}
	row.Rev++
	return g.handle(row)
}

// configure asks the plugin's hook.
func (g *Gateway) configure(ctx context.Context, p *plug, row store.Instance, config json.RawMessage, fresh bool) (json.RawMessage, error) {
	inst, err := g.handle(row)
	if err != nil {
		return nil, err
	}
	var old json.RawMessage
	if !fresh {
		if old, err = g.unseal(p, row); err != nil {
			return nil, err
		}
	}
	err = g.guard("configuring "+p.m.Name, func() (err error) { config, err = p.m.Configure(ctx, inst, old, config); return err })
	if err != nil {
		return nil, err
	}
	if config, err = p.config.Apply(config); err != nil {
		return nil, schemaError(err)
	}
	return config, nil
}

// platformID reads the field of a configuration that is tagged `gateway:"platform_id"`.
func (p *plug) platformID(config json.RawMessage) (string, error) {
	field := p.config.PlatformIDField()
	if field == "" {
		return "", nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(config, &fields); err != nil {
		return "", Errorf(Internal, "reading the platform ID of %s: %w", p.m.Name, err)
	}
	var id string
	if raw, ok := fields[field]; ok {
		if err := json.Unmarshal(raw, &id); err != nil {
			return "", Errorf(Invalid, "configuration field %s of %s: want a string", field, p.m.Name)
		}
	}
	return id, nil
}

// Reconfigure gives the instance another configuration, as [Community.Enable] with its name does.
func (i *Instance) Reconfigure(ctx context.Context, config any) error {
	raw, err := encode(config)
	if err != nil {
		return err
	}
	_, err = i.g.enable(ctx, i.row.Community, i.p, i.row.Name, raw)
	return err
}

// Config is the instance's configuration as it may be shown to whoever administers it: secrets are dots.
func (i *Instance) Config(ctx context.Context) (json.RawMessage, error) {
	row, err := i.fresh(ctx)
	if err != nil {
		return nil, err
	}
	config, err := i.g.unseal(i.p, row)
	if err != nil {
		return nil, err
	}
	out, err := i.p.config.Redact(config)
	if err != nil {
		return nil, Errorf(Internal, "redacting the configuration of %s: %w", row.Name, err)
	}
	return out, nil
}

// Pause stops the instance without forgetting anything: its deliveries wait, its processes stand still, its polls rest. Pausing
// again changes the reason. With the reason [BadCredentials] it does nothing if the instance was changed since this value was
// got: the credentials that were refused may not be the ones that it has now.
func (i *Instance) Pause(ctx context.Context, reason string) error {
	return i.setStatus(ctx, statusPaused, reason, i.g.paused)
}

// Resume lets a paused instance go on where it stood.
func (i *Instance) Resume(ctx context.Context) error {
	return i.setStatus(ctx, statusActive, "", func(tx store.Tx, row store.Instance) error {
		if err := i.g.resumed(tx, row); err != nil {
			return err
		}
		return i.g.unpark(tx, row)
	})
}

func (i *Instance) setStatus(ctx context.Context, status, reason string, then func(store.Tx, store.Instance) error) error {
	err := i.g.update(ctx, func(tx store.Tx) error {
		row, err := tx.Instance(i.row.ID)
		if err != nil {
			return err
		}
		if reason == BadCredentials && row.Rev != i.row.Rev {
			return nil
		}
		if err := i.g.auditStatus(ctx, tx, row, status, reason); err != nil {
			return err
		}
		row.Status, row.Reason, row.Updated = status, reason, i.g.now()
		if err := tx.PutInstance(row); err != nil {
			return err
		}
		return then(tx, row)
	})
	return storeError(err, "making instance %s of %s %s", i.row.Name, i.row.Community, status)
}

// Remove takes the plugin out of the community: its state, its waiting deliveries and its tasks are deleted, its running processes
// fail. Events and ended processes stay until they are too old. What the plugin made on the platform is taken away first, see [RemoveFunc].
func (i *Instance) Remove(ctx context.Context) error {
	i.leave(ctx)
	for {
		var rows []store.Process
		err := i.g.update(ctx, func(tx store.Tx) (err error) {
			rows, err = tx.Processes(store.ProcessQuery{Instance: i.row.ID, Status: running}, "", 100)
			if err != nil || len(rows) > 0 {
				return err
			}
			if err := i.g.auditRemoved(ctx, tx, i.row); err != nil {
				return err
			}
			return tx.DeleteInstance(i.row.ID) // together: none can be started in between
		})
		if err != nil {
			return storeError(err, "removing instance %s of %s", i.row.Name, i.row.Community)
		}
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			if err := i.g.abandon(ctx, row.ID, "the instance was removed", false); err != nil {
				return err
			}
		}
	}
	i.g.mu.Lock()
	i.g.opened.drop(i.row.ID)
	i.g.mu.Unlock()
	return nil
}

// encode makes JSON of what a driver gave: a struct, JSON, or nothing. Unlike json.Marshal it writes secrets as they are.
func encode(v any) (json.RawMessage, error) {
	switch v := v.(type) {
	case nil:
		return json.RawMessage(`{}`), nil
	case json.RawMessage:
		return v, nil
	case []byte:
		return v, nil
	}
	raw, err := schema.Encode(v)
	if err != nil {
		return nil, Errorf(Invalid, "encoding %T: %w", v, err)
	}
	return raw, nil
}
