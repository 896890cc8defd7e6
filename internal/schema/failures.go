package schema

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	js "github.com/santhosh-tekuri/jsonschema/v5"
)

// collector turns the validator's tree of errors into a flat list. The validator's own messages repeat values of the
// document and name fields in random order, so all messages are written anew, from the schema alone.
type collector struct {
	tree  any // the schema's document
	value any // the document under test
	out   []Failure
}

func (c *collector) add(e *js.ValidationError) {
	where, value := c.instance(e)
	at := schemaTokens(e.AbsoluteKeywordLocation)
	keyword := ""
	if len(at) > 0 {
		keyword = at[len(at)-1]
	}
	if len(e.Causes) == 0 && e.Message == "not allowed" {
		c.say(where, "is not allowed")
		return
	}
	if strings.Contains(e.KeywordLocation, "/propertyNames") && len(e.Causes) == 0 {
		c.say(where, "has a name that is not allowed")
		return
	}
	switch keyword {
	case "oneOf", "anyOf":
		c.alternatives(e, where)
		return
	case "minContains", "maxContains", "contains":
		c.say(where, "does not contain the right number of fitting items")
		return
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			c.add(cause)
		}
		return
	}
	limit, _ := lookup(c.tree, at)
	var around map[string]any
	if len(at) > 0 {
		parent, _ := lookup(c.tree, at[:len(at)-1])
		around, _ = parent.(map[string]any)
	}
	switch keyword {
	case "required":
		c.required(where, limit, value)
	case "additionalProperties":
		c.unknown(where, around, value)
	default:
		c.say(where, message(keyword, limit, value))
	}
}

func (c *collector) say(where, message string) {
	c.out = append(c.out, Failure{where, message})
}

// alternatives reports the failures of the only branch that is of the value's kind, and else just that none fits: the
// complaints of branches that were never meant would only confuse.
func (c *collector) alternatives(e *js.ValidationError, where string) {
	if len(e.Causes) == 0 {
		c.say(where, "fits more than one of the allowed forms")
		return
	}
	var meant []*js.ValidationError
	for _, cause := range e.Causes {
		if !strings.HasSuffix(cause.AbsoluteKeywordLocation, "/type") || cause.InstanceLocation != e.InstanceLocation {
			meant = append(meant, cause)
		}
	}
	if len(meant) == 1 {
		c.add(meant[0])
		return
	}
	c.say(where, "fits none of the allowed forms")
}

func (c *collector) required(where string, limit, value any) {
	names, _ := limit.([]any)
	object, _ := value.(map[string]any)
	for _, n := range names {
		name, _ := n.(string)
		if _, given := object[name]; !given {
			c.say(where+"/"+escapeToken(name), "is required")
		}
	}
}

func (c *collector) unknown(where string, around map[string]any, value any) {
	object, _ := value.(map[string]any)
	props, _ := around["properties"].(map[string]any)
	patterns, _ := around["patternProperties"].(map[string]any)
names:
	for name := range object {
		if _, known := props[name]; known {
			continue
		}
		for p := range patterns {
			if re, err := regexp.Compile(p); err == nil && re.MatchString(name) {
				continue names
			}
		}
		c.say(where+"/"+escapeToken(clip(name, 100)), "is not a known field")
	}
}

// instance gives the place in the document, as a clean JSON pointer, and what stands there.
func (c *collector) instance(e *js.ValidationError) (string, any) {
	tokens := pathTokens(e.InstanceLocation)
	v, _ := lookup(c.value, tokens)
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString("/" + escapeToken(clip(t, 100)))
	}
	return b.String(), v
}

func schemaTokens(absolute string) []string {
	_, fragment, _ := strings.Cut(absolute, "#")
	return pathTokens(fragment)
}

// pathTokens undoes the validator's escaping, which is that of a pointer inside of a URL.
func pathTokens(pointer string) []string {
	if pointer == "" || pointer == "/" {
		return nil
	}
	tokens := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, t := range tokens {
		if plain, err := url.PathUnescape(t); err == nil {
			t = plain
		}
		tokens[i] = tokenUnescaper.Replace(t)
	}
	return tokens
}

func message(keyword string, limit, value any) string {
	switch keyword {
	case "type":
		return "must be " + kinds(limit) + ", not " + kindOf(value)
	case "enum":
		var names []string
		list, _ := limit.([]any)
		for _, v := range list {
			names = append(names, text(v, 60))
		}
		if len(names) > 20 {
			return "must be one of the listed values"
		}
		return "must be one of " + strings.Join(names, ", ")
	case "const":
		return "must be " + text(limit, 100)
	case "format":
		return fmt.Sprintf("is not a valid %v", limit)
	case "pattern":
		return "does not match the pattern " + text(limit, 200)
	case "contentEncoding":
		return fmt.Sprintf("is not valid %v", limit)
	case "contentMediaType":
		return fmt.Sprintf("does not hold %v", limit)
	case "minLength", "minItems", "minProperties":
		if fmt.Sprint(limit) == "1" {
			return "must not be empty"
		}
		return fmt.Sprintf("must have at least %v %s", limit, unit(keyword))
	case "maxLength", "maxItems", "maxProperties":
		return fmt.Sprintf("must have at most %v %s", limit, unit(keyword))
	case "uniqueItems":
		return "must not have equal items"
	case "minimum":
		return fmt.Sprintf("must be at least %v", limit)
	case "maximum":
		return fmt.Sprintf("must be at most %v", limit)
	case "exclusiveMinimum":
		return fmt.Sprintf("must be more than %v", limit)
	case "exclusiveMaximum":
		return fmt.Sprintf("must be less than %v", limit)
	case "multipleOf":
		return fmt.Sprintf("must be a multiple of %v", limit)
	}
	return "does not fit the schema"
}

func unit(keyword string) string {
	switch keyword[3:] {
	case "Length":
		return "characters"
	case "Items":
		return "items"
	}
	return "fields"
}

// text writes a value of the schema, shortened.
func text(v any, n int) string {
	b, err := encode(v)
	if err != nil {
		return "what the schema says"
	}
	return clip(string(b), n)
}

func kinds(limit any) string {
	list, ok := limit.([]any)
	if !ok {
		list = []any{limit}
	}
	names := make([]string, len(list))
	for i, k := range list {
		names[i] = article(fmt.Sprint(k))
	}
	return strings.Join(names, " or ")
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case []any:
		return "an array"
	}
	return "an object"
}

func article(kind string) string {
	switch kind {
	case "null":
		return kind
	case "integer":
		return "a whole number"
	case "array", "object":
		return "an " + kind
	}
	return "a " + kind
}
