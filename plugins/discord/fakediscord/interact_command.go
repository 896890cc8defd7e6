package fakediscord

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Command is a slash command. The name may have those of a group and a subcommand after it, as in "vote open". Options are
// by name: strings, numbers, bools; IDs for users, channels and roles.
func (g *Guild) Command(channel, user, name string, options map[string]any) (Reply, error) {
	s := g.s
	s.mu.Lock()
	c, err := s.seen(channel, user)
	if err == nil && g.perms(user, c)&PermUseCommands == 0 {
		err = refuse(50013)
	}
	if err != nil {
		s.mu.Unlock()
		return Reply{}, err
	}
	return s.command(g, c, user, name, options)
}

// CommandDirect is a slash command in somebody's direct messages with the bot; only commands that are everywhere are there.
func (s *Server) CommandDirect(user, name string, options map[string]any) (Reply, error) {
	s.mu.Lock()
	if s.users[user] == nil {
		s.mu.Unlock()
		return Reply{}, refuse(10013)
	}
	return s.command(nil, s.dm(user), user, name, options)
}

// command sends a command. It is called with s.mu held, and releases it.
func (s *Server) command(g *Guild, c *channel, user, name string, options map[string]any) (Reply, error) {
	words := strings.Fields(strings.TrimPrefix(name, "/"))
	cmd := s.findCommand(g, words, user)
	if cmd == nil {
		s.mu.Unlock()
		return Reply{}, notAllowed("no command %q", name)
	}
	data, err := cmd.data(s, g, words[1:], options)
	if err != nil {
		s.mu.Unlock()
		return Reply{}, err
	}
	i := s.interact(interactionCommand, g, c, user)
	return s.deliver(i, i.payload(data))
}

// findCommand finds a command that somebody sees: where it is registered, and if it asks for permissions only with them.
func (s *Server) findCommand(g *Guild, words []string, user string) *command {
	for _, c := range s.commands {
		if len(words) == 0 || c.typ != 1 || c.name != words[0] {
			continue
		}
		if g == nil {
			if c.guild == "" {
				return c
			}
			continue
		}
		need, _ := permissionBits(rawJSON(c.raw["default_member_permissions"]))
		if (c.guild == "" || c.guild == g.id) && g.commands && g.guildPerms(user)&need == need {
			return c
		}
	}
	return nil
}

// data is the command as an interaction has it, with what the person typed.
func (c *command) data(s *Server, g *Guild, words []string, values map[string]any) (object, error) {
	data := object{"id": c.id, "name": c.name, "type": c.typ}
	if c.guild != "" {
		data["guild_id"] = c.guild
	}
	resolved := object{}
	opts, err := c.fill(s, g, words, values, resolved)
	if err != nil {
		return nil, err
	}
	if len(opts) > 0 {
		data["options"] = opts
	}
	if len(resolved) > 0 {
		data["resolved"] = resolved
	}
	return data, nil
}

// fill makes the options of a command from what the person typed.
func (c *command) fill(s *Server, g *Guild, words []string, values map[string]any, resolved object) ([]object, error) {
	var form commandForm
	if json.Unmarshal(rawJSON(c.raw), &form) != nil {
		return nil, notAllowed("the command %q is broken", c.name)
	}
	return fillOptions(s, g, form.Options, words, values, resolved)
}

func fillOptions(s *Server, g *Guild, defs []commandOption, words []string, values map[string]any, resolved object) ([]object, error) {
	if len(words) > 0 {
		for _, d := range defs {
			if d.Name == words[0] && (d.Type == 1 || d.Type == 2) {
				inner, err := fillOptions(s, g, d.Options, words[1:], values, resolved)
				return []object{{"name": d.Name, "type": d.Type, "options": list(inner)}}, err
			}
		}
		return nil, notAllowed("no subcommand %q", words[0])
	}
	var out []object
	used := 0
	for _, d := range defs {
		v, ok := values[d.Name]
		if d.Type == 1 || d.Type == 2 {
			return nil, notAllowed("the command needs a subcommand such as %q", d.Name)
		}
		if !ok {
			if d.Required {
				return nil, notAllowed("the option %q is required", d.Name)
			}
			continue
		}
		used++
		out = append(out, object{"name": d.Name, "type": d.Type, "value": v})
		s.resolve(g, d.Type, fmt.Sprint(v), resolved)
	}
	if used < len(values) {
		return nil, notAllowed("the command has no such options")
	}
	return out, nil
}

// resolve adds the objects behind IDs in options.
func (s *Server) resolve(g *Guild, typ int, id string, to object) {
	put := func(kind string, v object) {
		m, _ := to[kind].(object)
		if m == nil {
			m = object{}
			to[kind] = m
		}
		m[id] = v
	}
	if typ == 6 {
		put("users", s.showUser(id))
	}
	if g == nil {
		return
	}
	switch typ {
	case 6:
		if m := g.members[id]; m != nil {
			bare := m.bare()
			bare["permissions"] = bits(g.guildPerms(id))
			delete(bare, "mute") // Discord leaves these two out here
			delete(bare, "deaf")
			put("members", bare)
		}
	case 7:
		if c := g.channels[id]; c != nil {
			put("channels", object{"id": c.id, "name": c.name, "type": c.typ, "permissions": "0"})
		}
	case 8:
		if r := g.roles[id]; r != nil {
			put("roles", r.show())
		}
	}
}
