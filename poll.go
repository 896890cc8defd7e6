package gateway

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// PollFunc makes something that is done for each instance, every so often, from the moment it is enabled. Runs for one
// instance never overlap. Instances that were enabled before their plugin had it are polled from the next Run on. An error is
// tried again sooner, with a growing pause, and stands in the instance's health. fn runs on a goroutine of [Gateway.Run], with a context that
// ends after [Options.Timeout]. Nobody can have it done more often than every, unless [Least] says so.
//
// What lists what is new on a platform is better written as a [ListFunc].
func PollFunc[T Owner](name string, every time.Duration, fn func(T, context.Context) error, opts ...Option) Feature[T] {
	return featureFunc[T](func(b *builder) {
		o := collect(opts)
		b.pace("poll "+name, every, o.least)
		b.m.Polls = append(b.m.Polls, PollDef{Name: name, Every: every, Least: o.least, Run: func(ctx context.Context, self any) error {
			return fn(self.(T), ctx)
		}})
	})
}

// pace refuses intervals that cannot be meant.
func (b *builder) pace(what string, every, least time.Duration) {
	switch {
	case every < time.Second:
		b.fail("%s: every %v is shorter than a second", what, every)
	case least != 0 && least < time.Second:
		b.fail("%s: Least(%v) is shorter than a second", what, least)
	case least > every:
		b.fail("%s: every %v is more often than Least(%v)", what, every, least)
	}
}

// schedulePolls has an instance's polls run, the first time soon; of those that it has already, where missing is true, none.
func (g *Gateway) schedulePolls(tx store.Tx, p *plug, row store.Instance, missing bool) error {
	if !missing {
		if err := g.otherPolls(tx, p); err != nil {
			return err
		}
	}
	for _, d := range p.m.Polls {
		key := row.ID + "/" + d.Name
		if missing {
			if _, err := tx.Task(taskPoll, key); err == nil {
				continue
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		if err := tx.Schedule(store.Task{Kind: taskPoll, Key: key, Community: row.Community, Instance: row.ID, Due: g.now(), Created: g.now()}); err != nil {
			return err
		}
	}
	return nil
}

// eachInstance goes through a plugin's instances, in transactions of a hundred so that no writer waits for long. n counts them.
func (g *Gateway) eachInstance(ctx context.Context, plugin string, fn func(tx store.Tx, row store.Instance, n int) error) error {
	const some = 100
	for after, n := "", 0; ; n += some {
		var rows []store.Instance
		err := g.store.Update(ctx, func(tx store.Tx) (err error) {
			if rows, err = tx.InstancesByPlugin(plugin, after, some); err != nil {
				return err
			}
			for i, row := range rows {
				if err := fn(tx, row, n+i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(rows) < some {
			return err
		}
		after = rows[len(rows)-1].ID
	}
}

// takeTurn is how long a poll that has more to do lets others go first.
const takeTurn = time.Second

// poll runs one poll of one instance.
func (g *Gateway) poll(ctx context.Context, t store.Task) error {
	id, name, _ := strings.Cut(t.Key, "/")
	inst, s, err := g.pollable(ctx, id)
	if err != nil {
		return err
	}
	d, ok := inst.p.polls[name]
	if !ok {
		// This version of the plugin does not have it any more.
		return storeError(g.store.Update(ctx, func(tx store.Tx) error { return g.otherPolls(tx, inst.p) }), "giving up poll %s", t.Key)
	}
	if d.List != nil {
		more, err := g.list(ctx, inst, d)
		if err != nil {
			return err
		}
		if more {
			return &nextRun{takeTurn}
		}
	} else if err := d.Run(ctx, inst.self); err != nil {
		return err
	}
	return &nextRun{spread(g.interval(s, inst.p.m.Name, name, d.least(), d.Every))}
}

// pollable opens an instance that works, with its community's settings.
func (g *Gateway) pollable(ctx context.Context, id string) (inst *opened, s Settings, err error) {
	var row store.Instance
	err = g.view(ctx, func(tx store.Tx) (err error) {
		if row, err = tx.Instance(id); err != nil {
			return err
		}
		s, err = settingsOf(tx, row.Community)
		return err
	})
	if err != nil {
		return nil, s, gone(storeError(err, "instance %s", id))
	}
	if row.Status != statusActive {
		return nil, s, errPaused{row.ID, Errorf(Conflict, "instance %s is paused", row.Name)}
	}
	inst, err = g.open(ctx, row)
	return inst, s, err
}

// spread varies a pause by a sixteenth either way, so that not everything happens at the same moment.
func spread(d time.Duration) time.Duration { return d*15/16 + rand.N(d/8) }
