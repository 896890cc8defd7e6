package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/metagov/gateway-go/store"
)

// taskPolls gives the instances of a plugin the polls that its version in this program has and theirs had not. Its key is the plugin's name.
// When it is done it stays, parked, and remembers which polls those are: so a start costs nothing as long as they are the same, and nobody
// waits for the walk when they are not.
const taskPolls = "polls"

// groupGiven is where a walk that is over lies.
const groupGiven = "polls"

// given is the payload of such a task.
type given struct {
	Polls []string `json:"polls"`           // which
	After string   `json:"after,omitempty"` // the instance up to which they are given
	Done  bool     `json:"done,omitempty"`
}

// pollNames lists a plugin's polls in a fixed order.
func pollNames(p *plug) []string {
	var names []string
	for _, d := range p.m.Polls {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	return names
}

// givenPolls reads what is known of a plugin's polls; the zero value where nothing is.
func givenPolls(tx store.Tx, plugin string) (given, error) {
	var out given
	t, err := tx.Task(taskPolls, plugin)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err == nil {
		err = json.Unmarshal(t.Payload, &out)
	}
	return out, err
}

// setGiven replaces it, and has the walk begin or go on where it is not over.
func (g *Gateway) setGiven(tx store.Tx, plugin string, next given) error {
	raw, _ := json.Marshal(next) // texts
	if err := tx.Unschedule(taskPolls, plugin); err != nil {
		return err
	}
	t := store.Task{Kind: taskPolls, Key: plugin, Due: g.now(), Payload: raw, Created: g.now()}
	if next.Done {
		return park(tx, t, groupGiven, "")
	}
	return tx.Schedule(t)
}

// newPolls has the instances walked of each plugin that has not the polls that it had before.
func (g *Gateway) newPolls(tx store.Tx) error {
	for _, p := range g.listed {
		if len(p.m.Polls) == 0 {
			continue
		}
		have, err := givenPolls(tx, p.m.Name)
		if err != nil {
			return err
		}
		if names := pollNames(p); !slices.Equal(have.Polls, names) {
			if err := g.setGiven(tx, p.m.Name, given{Polls: names}); err != nil {
				return err
			}
		}
	}
	return nil
}

// otherPolls is for a program that gave an instance its own version's polls, or took one away: if another version's were known to be
// everywhere, they are not any more, and its next start looks.
func (g *Gateway) otherPolls(tx store.Tx, p *plug) error {
	have, err := givenPolls(tx, p.m.Name)
	if err != nil || !have.Done || slices.Equal(have.Polls, pollNames(p)) {
		return err
	}
	return tx.Unschedule(taskPolls, p.m.Name)
}

// walkPolls does a piece of the walk, and schedules the next.
func (g *Gateway) walkPolls(ctx context.Context, plugin string) error {
	p := g.plugins[plugin]
	if p == nil {
		return errMissing{plugin, Errorf(NotFound, "the polls of plugin %s are given by a program that has it", plugin)}
	}
	return storeError(g.store.Update(ctx, func(tx store.Tx) error {
		have, err := givenPolls(tx, plugin)
		if err != nil || have.Done {
			return err
		}
		if !slices.Equal(have.Polls, pollNames(p)) {
			return errMissing{plugin, Errorf(NotFound, "the polls of plugin %s are given by a program that has its other version", plugin)}
		}
		const some = 100
		rows, err := tx.InstancesByPlugin(plugin, have.After, some)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := g.schedulePolls(tx, p, row, true); err != nil {
				return err
			}
			have.After = row.ID
		}
		if have.Done = len(rows) < some; have.Done {
			have.After = ""
		}
		return g.setGiven(tx, plugin, have)
	}), "scheduling the polls of %s", plugin)
}
