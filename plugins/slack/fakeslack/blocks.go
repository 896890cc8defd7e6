package fakeslack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits are those of Slack's Block Kit reference.
const (
	maxMessageBlocks = 50
	maxViewBlocks    = 100
)

// parseBlocks reads a blocks argument, checks it, and fills in what Slack fills in: block_id, action_id, emoji and verbatim.
// "" and [] are no blocks.
func (s *Server) parseBlocks(text string, most int) ([]any, error) {
	if text == "" || text == "null" {
		return nil, nil
	}
	var list []any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	if d.Decode(&list) != nil {
		return nil, refuse("invalid_blocks_format")
	}
	if len(list) == 0 {
		return nil, nil
	}
	c := &blockChecker{new: func() string { return secretText(3) }, ids: map[string]bool{}, view: most == maxViewBlocks}
	if len(list) > most {
		c.fail("/blocks", "no more than %d items allowed", most)
	}
	for i, b := range list {
		c.block(fmt.Sprintf("/blocks/%d", i), b)
	}
	if len(c.messages) > 0 {
		return nil, refuseWith("invalid_blocks", c.messages...)
	}
	return list, nil
}

type blockChecker struct {
	new      func() string
	ids      map[string]bool
	view     bool
	markdown int
	messages []string
}

func (c *blockChecker) fail(at, format string, a ...any) {
	c.messages = append(c.messages, fmt.Sprintf("[ERROR] "+format+" [json-pointer:%s]", append(a, at)...))
}

// str checks a string field: present, and between 1 and most characters.
func (c *blockChecker) str(at string, o object, field string, most int, required bool) string {
	v, ok := o[field]
	if !ok || v == nil {
		if required {
			c.fail(at, "missing required field: %s", field)
		}
		return ""
	}
	s, ok := v.(string)
	switch {
	case !ok:
		c.fail(at+"/"+field, "must be a string")
	case required && s == "":
		c.fail(at+"/"+field, "must be more than 0 characters")
	case utf8.RuneCountInString(s) > most:
		c.fail(at+"/"+field, "must be less than %d characters", most+1)
	}
	return s
}

// text checks a text object. kinds is plain_text, mrkdwn or both.
func (c *blockChecker) text(at string, o object, field string, most int, required bool, kinds ...string) {
	v, ok := o[field]
	if !ok || v == nil {
		if required {
			c.fail(at, "missing required field: %s", field)
		}
		return
	}
	t, ok := v.(object)
	at += "/" + field
	if !ok {
		c.fail(at, "must provide an object")
		return
	}
	c.textObject(at, t, most, kinds...)
}

func (c *blockChecker) textObject(at string, t object, most int, kinds ...string) {
	typ := c.str(at, t, "type", 20, true)
	if typ != "" && !slices.Contains(kinds, typ) {
		c.fail(at+"/type", "must be one of: %s", strings.Join(kinds, ", "))
	}
	c.str(at, t, "text", most, true)
	if typ == "plain_text" {
		setDefault(t, "emoji", true)
	} else {
		setDefault(t, "verbatim", false)
	}
}

func setDefault(o object, field string, v any) {
	if _, ok := o[field]; !ok {
		o[field] = v
	}
}

// list checks an array field and calls each for its items.
func (c *blockChecker) list(at string, o object, field string, least, most int, each func(at string, v any)) {
	v, ok := o[field]
	if !ok || v == nil {
		c.fail(at, "missing required field: %s", field)
		return
	}
	l, ok := v.([]any)
	at += "/" + field
	if !ok {
		c.fail(at, "must be an array")
		return
	}
	if len(l) < least {
		c.fail(at, "no less than %d items required", least)
	}
	if len(l) > most {
		c.fail(at, "no more than %d items allowed", most)
	}
	for i, x := range l {
		each(fmt.Sprintf("%s/%d", at, i), x)
	}
}

func (c *blockChecker) block(at string, v any) {
	o, ok := v.(object)
	if !ok {
		c.fail(at, "must provide an object")
		return
	}
	typ := c.str(at, o, "type", 100, true)
	id := c.str(at, o, "block_id", 255, false)
	if id == "" {
		o["block_id"] = c.new()
	} else if c.ids[id] {
		c.fail(at+"/block_id", "`block_id` %q already exists", id)
	}
	c.ids[id] = true
	actions := map[string]bool{}
	element := func(field string, allowed []string) func(string, any) {
		return func(at string, v any) { c.element(at, v, allowed, actions) }
	}
	switch typ {
	case "section":
		c.section(at, o, actions)
	case "actions":
		c.list(at, o, "elements", 1, 25, element("elements", interactive))
	case "context":
		c.list(at, o, "elements", 1, 10, func(at string, v any) { c.contextElement(at, v) })
	case "header":
		c.text(at, o, "text", 150, true, "plain_text")
	case "divider":
	case "image":
		c.image(at, o)
		c.text(at, o, "title", 2000, false, "plain_text")
	case "input":
		c.text(at, o, "label", 2000, true, "plain_text")
		c.text(at, o, "hint", 2000, false, "plain_text")
		if e, ok := o["element"]; ok {
			c.element(at+"/element", e, inputs, actions)
		} else {
			c.fail(at, "missing required field: element")
		}
	case "markdown":
		c.markdown += utf8.RuneCountInString(c.str(at, o, "text", 12_000, true))
		if c.markdown > 12_000 {
			c.fail(at+"/text", "must be less than %d characters", 12_001)
		}
	case "rich_text":
		c.list(at, o, "elements", 0, 1000, func(at string, v any) {
			if e, ok := v.(object); !ok || !strings.HasPrefix(fmt.Sprint(e["type"]), "rich_text_") {
				c.fail(at, "unsupported type")
			}
		})
	case "table":
		c.list(at, o, "rows", 1, 100, func(at string, v any) {
			if row, ok := v.([]any); !ok || len(row) > 20 {
				c.fail(at, "no more than %d items allowed", 20)
			}
		})
	case "video", "context_actions":
		// Known, and rare enough to be taken as they are.
	default:
		if typ != "" {
			c.fail(at+"/type", "unsupported type: %s", typ)
		}
	}
}

func (c *blockChecker) section(at string, o object, actions map[string]bool) {
	_, hasText := o["text"]
	if _, hasFields := o["fields"]; hasFields {
		c.list(at, o, "fields", 1, 10, func(at string, v any) {
			if t, ok := v.(object); ok {
				c.textObject(at, t, 2000, "plain_text", "mrkdwn")
			} else {
				c.fail(at, "must provide an object")
			}
		})
	} else if !hasText {
		c.fail(at, "missing required field: text")
	}
	c.text(at, o, "text", 3000, false, "plain_text", "mrkdwn")
	if e, ok := o["accessory"]; ok {
		c.element(at+"/accessory", e, append([]string{"image"}, interactive...), actions)
	}
}

func (c *blockChecker) contextElement(at string, v any) {
	o, ok := v.(object)
	if !ok {
		c.fail(at, "must provide an object")
		return
	}
	if o["type"] == "image" {
		c.image(at, o)
		return
	}
	c.textObject(at, o, 3000, "plain_text", "mrkdwn")
}

func (c *blockChecker) image(at string, o object) {
	_, file := o["slack_file"]
	c.str(at, o, "image_url", 3000, !file)
	c.str(at, o, "alt_text", 2000, true)
}
