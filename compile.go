package gateway

import (
	"encoding/json"
	"fmt"

	"github.com/metagov/gateway-go/internal/schema"
)

// plug is a plugin as the gateway uses it: its manifest with compiled schemas, by name.
type plug struct {
	Plugin
	m         Manifest
	config    *schema.Schema
	actions   map[string]*action // by "name" (the highest version) and "name@version"
	processes map[string]*process
	polls     map[string]PollDef
}

type action struct {
	ActionDef
	in, out *schema.Schema
}

type process struct {
	ProcessDef
	in, out  *schema.Schema
	commands map[string]*command
}

type command struct {
	CommandDef
	in, out *schema.Schema
}

// compile reads a plugin's manifest once.
func compile(p Plugin) (*plug, error) {
	m := p.Manifest()
	if err := m.check(); err != nil {
		return nil, Errorf(Invalid, "plugin %q: %w", m.Name, err)
	}
	if m.Webhook != nil {
		m.Webhook = m.Webhook.filled()
	}
	c := compiler{plugin: m.Name}
	pl := &plug{Plugin: p, m: m, actions: map[string]*action{}, processes: map[string]*process{}, polls: map[string]PollDef{}}
	pl.config = c.parse(m.Config, "configuration")
	for _, d := range m.Actions {
		a := &action{ActionDef: d, in: c.parse(d.Input, "input of action "+d.Name), out: c.parse(d.Output, "output of action "+d.Name)}
		if a.Look != nil && c.err == nil && len(a.in.Secrets()) > 0 {
			c.err = Errorf(Invalid, "plugin %s: the input of action %s holds secrets, and would be kept for its look-up", m.Name, d.Name)
		}
		pl.actions[versioned(d.Name, d.Version)] = a
		if have := pl.actions[d.Name]; have == nil || have.Version < d.Version {
			pl.actions[d.Name] = a
		}
	}
	for _, d := range m.Processes {
		r := &process{ProcessDef: d, in: c.parse(d.Input, "input of process "+d.Name), out: c.parse(d.Output, "outcome of process "+d.Name), commands: map[string]*command{}}
		for _, cd := range d.Commands {
			r.commands[cd.Name] = &command{CommandDef: cd, in: c.parse(cd.Input, "input of command "+cd.Name), out: c.parse(cd.Output, "output of command "+cd.Name)}
		}
		pl.processes[versioned(d.Name, d.Version)] = r
		if have := pl.processes[d.Name]; have == nil || have.Version < d.Version {
			pl.processes[d.Name] = r
		}
	}
	for _, d := range m.Polls {
		pl.polls[d.Name] = d
	}
	return pl, c.err
}

type compiler struct {
	plugin string
	err    error
}

func (c *compiler) parse(doc json.RawMessage, what string) *schema.Schema {
	s, err := schema.Parse(doc)
	if err != nil && c.err == nil {
		c.err = Errorf(Invalid, "plugin %s: schema of the %s: %w", c.plugin, what, err)
	}
	return s
}

func versioned(name string, version int) string { return fmt.Sprintf("%s@%d", name, version) }
