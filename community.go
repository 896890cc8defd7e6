package gateway

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Community is a group of people who are governed together. Whatever belongs to it is reached through it, and nothing of
// another community is.
type Community struct {
	g   *Gateway
	row store.Community
}

// Slug is the community's name in URLs and calls.
func (c *Community) Slug() string { return c.row.Slug }

// Name is the community's name for people.
func (c *Community) Name() string { return c.row.Name }

var slugRE = regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)*$`)

// CreateCommunity makes a community. The slug is lower case letters, digits, single dashes and underscores, at most 63 characters.
// Conflict: the slug is taken.
func (g *Gateway) CreateCommunity(ctx context.Context, slug, name string) (*Community, error) {
	if !slugRE.MatchString(slug) || len(slug) > 63 {
		return nil, Errorf(Invalid, "community slug %q: want up to 63 lower case letters, digits, single dashes or underscores", slug)
	}
	row := store.Community{Slug: slug, Name: name, Created: g.now()}
	err := g.update(ctx, func(tx store.Tx) error {
		if err := tx.PutCommunity(row); err != nil {
			return err
		}
		return g.audit(tx, trailOf(ctx, ""), store.Audit{Community: slug, Kind: AuditCommunity}, nil)
	})
	if err != nil {
		return nil, storeError(err, "creating community %s", slug)
	}
	row.Rev = 1
	return &Community{g, row}, nil
}

// Community finds a community by its slug.
func (g *Gateway) Community(ctx context.Context, slug string) (*Community, error) {
	var row store.Community
	err := g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.Community(slug); return err })
	if err != nil {
		return nil, storeError(err, "community %q", slug)
	}
	return &Community{g, row}, nil
}

// Communities lists up to limit communities by slug, those after the given one.
func (g *Gateway) Communities(ctx context.Context, after string, limit int) ([]*Community, error) {
	var rows []store.Community
	err := g.view(ctx, func(tx store.Tx) (err error) { rows, err = tx.Communities(after, limit); return err })
	if err != nil {
		return nil, storeError(err, "listing communities")
	}
	out := make([]*Community, len(rows))
	for i, row := range rows {
		out[i] = &Community{g, row}
	}
	return out, nil
}

// Enable makes an instance of a plugin in this community, or, where there is one with this name, gives it the
// configuration: asking twice is harmless, and state and running processes are kept. config is the plugin's
// configuration struct, or JSON. The name is the plugin's where none is given; give one where a community has several instances of a plugin.
//
// Invalid: the configuration fails its schema, or has a secret and there is no [Options.Seal]. Conflict: the platform
// object stands in this community under another name, or the instance stands for another platform object already. Any
// error of the plugin's own Configure hook.
func (c *Community) Enable(ctx context.Context, plugin string, config any, name ...string) (*Instance, error) {
	p := c.g.plugins[plugin]
	if p == nil {
		return nil, Errorf(NotFound, "there is no plugin %q in this gateway", plugin)
	}
	n := plugin
	if len(name) > 0 {
		n = name[0]
	}
	if !nameRE.MatchString(n) || len(n) > 63 {
		return nil, Errorf(Invalid, "instance name %q: want up to 63 lower case letters, digits and single dashes", n)
	}
	raw, err := encode(config)
	if err != nil {
		return nil, err
	}
	return c.g.enable(ctx, c.row.Slug, p, n, raw)
}

// Instance finds an instance by its name.
func (c *Community) Instance(ctx context.Context, name string) (*Instance, error) {
	var row store.Instance
	err := c.g.view(ctx, func(tx store.Tx) (err error) { row, err = tx.InstanceByName(c.row.Slug, name); return err })
	if err != nil {
		return nil, storeError(err, "instance %q of community %s", name, c.row.Slug)
	}
	return c.g.handle(row)
}

// Instances lists the community's instances by name.
func (c *Community) Instances(ctx context.Context) ([]*Instance, error) {
	var rows []store.Instance
	err := c.g.view(ctx, func(tx store.Tx) (err error) { rows, err = tx.Instances(c.row.Slug, 1000); return err })
	if err != nil {
		return nil, storeError(err, "listing the instances of %s", c.row.Slug)
	}
	out := make([]*Instance, 0, len(rows))
	for _, row := range rows {
		if i, err := c.g.handle(row); err == nil { // one whose plugin this program does not have cannot be used
			out = append(out, i)
		}
	}
	return out, nil
}

// mine refuses what is of another community as if it did not exist.
func (c *Community) mine(community, what string) error {
	if community != c.row.Slug {
		return Errorf(NotFound, "%s in community %s", what, c.row.Slug)
	}
	return nil
}

// Exclusive runs fn alone: no other node, and no other caller here, runs one with the same name for this instance while the
// lease lasts. It waits for its turn until ctx ends, also for a turn that the caller itself has: do not nest the same name. fn's ctx
// ends when the lease is lost. Use it where two at once would harm: nonces, token refresh.
func (i *Instance) Exclusive(ctx context.Context, name string, fn func(context.Context) error) error {
	return i.g.exclusive(ctx, "instance:"+i.row.ID+":"+name, fn)
}

const leaseTime = 30 * time.Second

// exclusive runs fn under a lease that is renewed while fn runs; fn's ctx ends if the lease is lost.
func (g *Gateway) exclusive(ctx context.Context, name string, fn func(context.Context) error) error {
	if scopeOf(ctx).tx != nil {
		return errInside(name)
	}
	owner := newID("l")
	for pause := 2 * time.Millisecond; ; pause = min(pause*2, 250*time.Millisecond) {
		asked := time.Now()
		until, err := g.acquire(ctx, name, owner)
		if err != nil {
			return err
		}
		if !until.IsZero() {
			return g.leased(ctx, name, owner, asked, until, fn)
		}
		select {
		case <-ctx.Done():
			return Errorf(Unavailable, "waiting for %s: %w", name, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// acquire takes a lease, or renews it, and says until when by the gateway's clock; the zero time if somebody else has it.
func (g *Gateway) acquire(ctx context.Context, name, owner string) (until time.Time, err error) {
	now := g.now()
	err = g.update(ctx, func(tx store.Tx) error {
		until = time.Time{}
		ok, err := tx.Acquire(name, owner, now, now.Add(leaseTime))
		if ok {
			until = now.Add(leaseTime)
		}
		return err
	})
	return until, storeError(err, "taking the lease %s", name)
}

var errLeaseLost = errors.New("the lease was lost")

// leased runs fn while it keeps a lease that it has already, asked for at the given moment, and gives the lease back. fn's ctx ends when
// somebody else may have the lease: also when it could not be renewed in time, because the store fails or does not answer.
func (g *Gateway) leased(ctx context.Context, name, owner string, asked, until time.Time, fn func(context.Context) error) error {
	run, cancel := context.WithCancelCause(ctx)
	lost := func() { cancel(errLeaseLost) }
	end := time.AfterFunc(time.Until(asked.Add(leaseTime)), lost) // by itself: a store that hangs tells nobody
	done := make(chan struct{})
	go func() { // renews, in real time: the lease protects against real concurrency, whatever clock the gateway is given
		defer close(done)
		t := time.NewTimer(leaseTime / 3)
		defer t.Stop()
		for {
			select {
			case <-run.Done():
				return
			case <-t.C:
			}
			asked := time.Now()
			renewed, err := g.acquire(context.WithoutCancel(ctx), name, owner)
			switch {
			case err != nil && g.now().Before(until):
				t.Reset(leaseTime / 30)
			case err != nil, renewed.IsZero():
				lost()
				return
			default:
				until = renewed
				end.Reset(time.Until(asked.Add(leaseTime)))
				t.Reset(leaseTime / 3)
			}
		}
	}()
	defer func() {
		cancel(nil)
		<-done
		end.Stop()
		err := g.update(context.WithoutCancel(ctx), func(tx store.Tx) error { return tx.Release(name, owner) })
		if err != nil {
			g.log.Warn("a lease could not be released; it will run out", "lease", name, "error", err)
		}
	}()
	return fn(run)
}
