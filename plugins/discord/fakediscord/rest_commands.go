package fakediscord

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// command is an application command of the app: in one guild, or everywhere.
type command struct {
	id, version, guild string
	name               string
	typ                int
	raw                object
}

var commandName = regexp.MustCompile(`^[-_'\p{L}\p{N}\p{Devanagari}\p{Thai}]{1,32}$`)

// commandForm is what of a command has rules.
type commandForm struct {
	Name        string          `json:"name"`
	Type        *int            `json:"type"`
	Description *string         `json:"description"`
	Options     []commandOption `json:"options"`
}

type commandOption struct {
	Type        int             `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Required    bool            `json:"required"`
	Choices     []object        `json:"choices"`
	Options     []commandOption `json:"options"`
}

func (f *commandForm) check() error {
	typ := 1
	if f.Type != nil {
		typ = *f.Type
	}
	if n := utf8.RuneCountInString(f.Name); n < 1 || n > 32 {
		return badLength("name", 1, 32)
	}
	if typ != 1 {
		if deref(f.Description) != "" {
			return invalid("description", "APPLICATION_COMMAND_DESCRIPTION_NOT_ALLOWED", "Context menu commands cannot have a description")
		}
		return nil
	}
	if !commandName.MatchString(f.Name) || strings.ToLower(f.Name) != f.Name {
		return invalid("name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
	}
	if n := utf8.RuneCountInString(deref(f.Description)); n < 1 || n > 100 {
		return badLength("description", 1, 100)
	}
	return checkOptions(f.Options, "options")
}

func checkOptions(all []commandOption, at string) error {
	if len(all) > 25 {
		return badLength(at, 0, 25)
	}
	optional, seen := false, map[string]bool{}
	for i, o := range all {
		n := at + "." + strconv.Itoa(i)
		switch {
		case o.Type < 1 || o.Type > 11:
			return invalid(n+".type", "BASE_TYPE_CHOICES", "Value must be a type of options.")
		case !commandName.MatchString(o.Name) || strings.ToLower(o.Name) != o.Name:
			return invalid(n+".name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
		case seen[o.Name]:
			return invalid(at, "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "Option names must be unique")
		case o.Description == "" || utf8.RuneCountInString(o.Description) > 100:
			return badLength(n+".description", 1, 100)
		case o.Required && optional:
			return invalid(n, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required options must be placed before non-required options")
		case len(o.Choices) > 25:
			return badLength(n+".choices", 0, 25)
		}
		seen[o.Name] = true
		optional = optional || !o.Required
		if err := checkOptions(o.Options, n+".options"); err != nil {
			return err
		}
	}
	return nil
}

// app checks that the path names the app, and the guild where it may have commands.
func (r *request) app() (guild string, err error) {
	if r.vars["application_id"] != r.s.app.AppID {
		return "", refuse(20012)
	}
	id := r.vars["guild_id"]
	if id == "" {
		return "", nil
	}
	if g := r.s.guild(id); g == nil || !g.commands {
		return "", refuse(50001)
	}
	return id, nil
}

func (c *command) show() object {
	o := object{"default_member_permissions": nil, "nsfw": false, "contexts": nil, "integration_types": []int{0}, "description": "",
		"name_localizations": nil, "description_localizations": nil}
	for k, v := range c.raw {
		if v != nil || o[k] == nil {
			o[k] = v
		}
	}
	o["id"], o["application_id"], o["version"], o["type"] = c.id, "", c.version, c.typ
	if v, ok := o["default_member_permissions"].(json.Number); ok {
		o["default_member_permissions"] = v.String()
	}
	if c.guild != "" {
		o["guild_id"] = c.guild
	}
	if o["options"] == nil {
		delete(o, "options")
	}
	return o
}

func (r *request) showCommand(c *command) object {
	o := c.show()
	o["application_id"] = r.s.app.AppID
	return o
}

func (r *request) listCommands() (any, error) {
	guild, err := r.app()
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, c := range r.s.commands {
		if c.guild == guild {
			out = append(out, r.showCommand(c))
		}
	}
	return out, nil
}

// command finds the command of the path.
func (r *request) command() (*command, error) {
	guild, err := r.app()
	if err != nil {
		return nil, err
	}
	for _, c := range r.s.commands {
		if c.guild == guild && c.id == r.vars["command_id"] {
			return c, nil
		}
	}
	return nil, refuse(10063)
}

func (r *request) getCommand() (any, error) {
	c, err := r.command()
	if err != nil {
		return nil, err
	}
	return r.showCommand(c), nil
}

// upsert makes a command, or replaces the one with the same name and type.
func (r *request) upsert(guild string, raw object) (c *command, made bool, err error) {
	var in commandForm
	if json.Unmarshal(rawJSON(raw), &in) != nil {
		return nil, false, invalid("_schema", "BASE_TYPE_CONVERT", "Could not read the command.")
	}
	if err := in.check(); err != nil {
		return nil, false, err
	}
	typ := 1
	if in.Type != nil {
		typ = *in.Type
	}
	same := 0
	for _, x := range r.s.commands {
		if x.guild != guild || x.typ != typ {
			continue
		}
		if same++; x.name == in.Name {
			x.raw, x.version = raw, r.s.snowflake()
			return x, false, nil
		}
	}
	if typ == 1 && same >= 100 {
		return nil, false, refuse(30032)
	}
	c = &command{id: r.s.snowflake(), guild: guild, name: in.Name, typ: typ, raw: raw}
	c.version = c.id
	r.s.commands = append(r.s.commands, c)
	return c, true, nil
}

func (r *request) postCommand() (any, error) {
	guild, err := r.app()
	if err != nil {
		return nil, err
	}
	c, made, err := r.upsert(guild, r.in)
	if err != nil {
		return nil, err
	}
	if made {
		r.status = http.StatusCreated
	}
	return r.showCommand(c), nil
}

// putCommands replaces all commands of the scope.
func (r *request) putCommands() (any, error) {
	guild, err := r.app()
	if err != nil {
		return nil, err
	}
	var in []object
	if json.Unmarshal(r.body, &in) != nil {
		return nil, invalid("_schema", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
	}
	before := slices.Clone(r.s.commands)
	var keep []*command
	for _, raw := range in {
		c, _, err := r.upsert(guild, raw)
		if err != nil {
			r.s.commands = before
			return nil, err
		}
		keep = append(keep, c)
	}
	r.s.commands = slices.DeleteFunc(slices.Clone(r.s.commands), func(c *command) bool { return c.guild == guild && !slices.Contains(keep, c) })
	return r.listCommands()
}

func (r *request) patchCommand() (any, error) {
	c, err := r.command()
	if err != nil {
		return nil, err
	}
	raw := cloneObject(c.raw)
	for k, v := range r.in {
		raw[k] = v
	}
	var in commandForm
	if json.Unmarshal(rawJSON(raw), &in) != nil {
		return nil, invalid("_schema", "BASE_TYPE_CONVERT", "Could not read the command.")
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	c.raw, c.name, c.version = raw, in.Name, r.s.snowflake()
	return r.showCommand(c), nil
}

func (r *request) deleteCommand() (any, error) {
	c, err := r.command()
	if err != nil {
		return nil, err
	}
	r.s.commands = slices.DeleteFunc(r.s.commands, func(x *command) bool { return x == c })
	return nil, nil
}
