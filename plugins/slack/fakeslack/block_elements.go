package fakeslack

import (
	"fmt"
	"slices"
	"strings"
)

var (
	selects     = strings.Fields("static_select external_select users_select conversations_select channels_select multi_static_select multi_external_select multi_users_select multi_conversations_select multi_channels_select")
	interactive = append([]string{"button", "overflow", "datepicker", "timepicker", "datetimepicker", "checkboxes", "radio_buttons", "workflow_button", "rich_text_input"}, selects...)
	inputs      = append([]string{"plain_text_input", "rich_text_input", "number_input", "email_text_input", "url_text_input", "file_input", "datepicker", "timepicker", "datetimepicker", "checkboxes", "radio_buttons"}, selects...)
)

func (c *blockChecker) element(at string, v any, allowed []string, actions map[string]bool) {
	o, ok := v.(object)
	if !ok {
		c.fail(at, "must provide an object")
		return
	}
	typ := c.str(at, o, "type", 100, true)
	if typ == "" {
		return
	}
	if !slices.Contains(allowed, typ) {
		c.fail(at+"/type", "unsupported type: %s", typ)
		return
	}
	if typ == "image" {
		c.image(at, o)
		return
	}
	id := c.str(at, o, "action_id", 255, false)
	if id == "" {
		id = c.new()
		o["action_id"] = id
	}
	if actions[id] {
		c.fail(at+"/action_id", "`action_id` %q already exists for this block", id)
	}
	actions[id] = true
	if f, ok := o["confirm"]; ok {
		c.confirm(at+"/confirm", f)
	}
	switch {
	case typ == "button":
		c.text(at, o, "text", 75, true, "plain_text")
		c.str(at, o, "value", 2000, false)
		c.str(at, o, "url", 3000, false)
		c.str(at, o, "accessibility_label", 75, false)
		if s, ok := o["style"]; ok && s != "primary" && s != "danger" {
			c.fail(at+"/style", "must be one of: primary, danger")
		}
	case typ == "static_select" || typ == "multi_static_select":
		c.text(at, o, "placeholder", 150, false, "plain_text")
		c.optionsOrGroups(at, o)
	case strings.HasSuffix(typ, "_select"):
		c.text(at, o, "placeholder", 150, false, "plain_text")
	case typ == "overflow":
		c.list(at, o, "options", 1, 5, c.option)
	case typ == "checkboxes" || typ == "radio_buttons":
		c.list(at, o, "options", 1, 10, c.option)
	case strings.HasSuffix(typ, "_input"):
		c.text(at, o, "placeholder", 150, false, "plain_text")
		c.str(at, o, "initial_value", 3000, false)
	}
}

// optionsOrGroups checks a menu: exactly one of options and option_groups, and an initial option that is in it.
func (c *blockChecker) optionsOrGroups(at string, o object) {
	_, options := o["options"]
	_, groups := o["option_groups"]
	switch {
	case options && groups:
		c.fail(at, "must have only one of: options, option_groups")
	case groups:
		c.list(at, o, "option_groups", 1, 100, func(at string, v any) {
			g, ok := v.(object)
			if !ok {
				c.fail(at, "must provide an object")
				return
			}
			c.text(at, g, "label", 75, true, "plain_text")
			c.list(at, g, "options", 1, 100, c.option)
		})
	default:
		c.list(at, o, "options", 1, 100, c.option)
	}
	if first, ok := o["initial_option"].(object); ok {
		if findOption(o, fmt.Sprint(first["value"])) == nil {
			c.fail(at+"/initial_option", "must match one of the options")
		}
	}
}

func (c *blockChecker) option(at string, v any) {
	o, ok := v.(object)
	if !ok {
		c.fail(at, "must provide an object")
		return
	}
	c.text(at, o, "text", 75, true, "plain_text", "mrkdwn")
	c.str(at, o, "value", 150, true)
	c.text(at, o, "description", 75, false, "plain_text", "mrkdwn")
}

func (c *blockChecker) confirm(at string, v any) {
	o, ok := v.(object)
	if !ok {
		c.fail(at, "must provide an object")
		return
	}
	c.text(at, o, "title", 100, true, "plain_text")
	c.text(at, o, "text", 300, true, "plain_text", "mrkdwn")
	c.text(at, o, "confirm", 30, false, "plain_text")
	c.text(at, o, "deny", 30, false, "plain_text")
}

// findOption finds an option of a menu by its value.
func findOption(element object, value string) object {
	lists := []any{element["options"]}
	if groups, ok := element["option_groups"].([]any); ok {
		for _, g := range groups {
			if o, ok := g.(object); ok {
				lists = append(lists, o["options"])
			}
		}
	}
	for _, l := range lists {
		items, _ := l.([]any)
		for _, x := range items {
			if o, ok := x.(object); ok && o["value"] == value {
				return o
			}
		}
	}
	return nil
}

// findElement finds an interactive element by action_id; if value is not "", by that too.
func findElement(blocks []any, actionID string, fits func(object) bool) (block, element object) {
	for _, b := range blocks {
		o, ok := b.(object)
		if !ok {
			continue
		}
		var list []any
		if l, ok := o["elements"].([]any); ok {
			list = append(list, l...)
		}
		list = append(list, o["accessory"], o["element"])
		for _, x := range list {
			if e, ok := x.(object); ok && e["action_id"] == actionID && fits(e) {
				return o, e
			}
		}
	}
	return nil, nil
}
