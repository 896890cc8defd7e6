package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// Catalog is what a community can use now.
type Catalog struct {
	Community string        `json:"community"`
	Plugins   []CatalogItem `json:"plugins"`
}

// CatalogItem is one instance, or a plugin that is not enabled.
type CatalogItem struct {
	Plugin      string           `json:"plugin"`
	Instance    string           `json:"instance,omitempty"` // name; "" where the plugin is not enabled
	PlatformID  string           `json:"community_platform_id,omitempty"`
	Doc         string           `json:"doc"`
	Unavailable string           `json:"unavailable,omitempty"` // why nothing of it can be used now; "" when it can
	Config      json.RawMessage  `json:"config"`                // JSON Schema of the configuration
	Public      json.RawMessage  `json:"public,omitempty"`      // the settings that clients may see
	Actions     []CatalogAction  `json:"actions"`
	Processes   []CatalogProcess `json:"processes"`
	Events      []EventDef       `json:"events"`
	Choices     []ChoicesDef     `json:"choices,omitempty"` // see [Instance.Choices]
	Roles       []CatalogRole    `json:"roles,omitempty"`   // whom votes can be open to, see [RoleKey]
}

// CatalogAction is an action, and why it cannot be used now.
type CatalogAction struct {
	ActionDef
	Unavailable string `json:"unavailable,omitempty"`
}

// CatalogProcess is a process, and why it cannot be started now.
type CatalogProcess struct {
	ProcessDef
	Unavailable string `json:"unavailable,omitempty"`
}

// CatalogRole is a kind of role, and why it cannot be read now.
type CatalogRole struct {
	RoleDef
	Unavailable string `json:"unavailable,omitempty"`
}

// Catalog lists what the community can use, with schemas, and why the rest cannot be used. The JSON form is fit for clients.
func (c *Community) Catalog(ctx context.Context) (Catalog, error) {
	out := Catalog{Community: c.row.Slug, Plugins: []CatalogItem{}}
	insts, err := c.Instances(ctx)
	if err != nil {
		return out, err
	}
	used := map[string]bool{}
	for _, i := range insts {
		used[i.p.m.Name] = true
		item := itemOf(i.p)
		item.Instance, item.PlatformID = i.row.Name, i.row.PlatformID
		if i.row.Status != statusActive {
			item.Unavailable = i.row.Status + ": " + i.row.Reason
		} else if o, err := c.g.open(ctx, i.row); err != nil {
			item.Unavailable = err.Error()
		} else {
			item.missing(i.g, i.p, o.self)
		}
		if item.Public, err = i.p.config.Public(i.row.Config); err != nil {
			return out, Errorf(Internal, "reading the public settings of %s: %w", i.row.Name, err)
		}
		out.Plugins = append(out.Plugins, item)
	}
	for _, pl := range c.g.listed {
		if !used[pl.m.Name] {
			item := itemOf(pl)
			item.Unavailable = "not enabled in this community"
			out.Plugins = append(out.Plugins, item)
		}
	}
	return out, nil
}

func itemOf(p *plug) CatalogItem {
	item := CatalogItem{
		Plugin: p.m.Name, Doc: p.m.Doc, Config: p.m.Config, Actions: []CatalogAction{}, Processes: []CatalogProcess{}, Events: p.m.Events, Choices: p.m.Choices,
	}
	for _, a := range p.m.Actions {
		item.Actions = append(item.Actions, CatalogAction{ActionDef: a})
	}
	for _, d := range p.m.Processes {
		item.Processes = append(item.Processes, CatalogProcess{ProcessDef: d})
	}
	for _, d := range p.m.Roles {
		item.Roles = append(item.Roles, CatalogRole{RoleDef: d})
	}
	return item
}

// missing says of each action and process which permissions the instance lacks for it.
func (item *CatalogItem) missing(g *Gateway, p *plug, self any) {
	if p.m.Granted == nil {
		return
	}
	var granted []string
	err := g.guard("permissions of "+p.m.Name, func() error { granted = p.m.Granted(self); return nil })
	if err != nil || granted == nil {
		return
	}
	lacks := func(needs []string) string {
		var out []string
		for _, n := range needs {
			if !slices.Contains(granted, n) {
				out = append(out, n)
			}
		}
		if out == nil {
			return ""
		}
		return "the platform has not granted " + strings.Join(out, ", ")
	}
	for i := range item.Actions {
		item.Actions[i].Unavailable = lacks(item.Actions[i].Needs)
	}
	for i := range item.Processes {
		item.Processes[i].Unavailable = lacks(item.Processes[i].Needs)
	}
	for i := range item.Roles {
		item.Roles[i].Unavailable = lacks(item.Roles[i].Needs)
	}
}

// Choices lists values that only the platform knows, for fields whose schema says "x-choices": name. query is what a person
// has typed so far.
func (i *Instance) Choices(ctx context.Context, name, query string) ([]Choice, error) {
	for _, d := range i.p.m.Choices {
		if d.Name != name {
			continue
		}
		inst, err := i.active(ctx)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, i.g.o.Timeout)
		defer cancel()
		var out []Choice
		err = i.g.guard("choices "+name, func() (err error) { out, err = d.List(ctx, inst.self, query); return err })
		return out, err
	}
	return nil, Errorf(NotFound, "plugin %s lists no choices %q", i.p.m.Name, name)
}
