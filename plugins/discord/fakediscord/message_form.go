package fakediscord

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	suppressEmbeds = 1 << 2
	ephemeralFlag  = 1 << 6
	loadingFlag    = 1 << 7
	silentFlag     = 1 << 12
	componentsV2   = 1 << 15
	editableFlags  = suppressEmbeds | componentsV2
)

// maxContent is how many letters a message may have.
const maxContent = 2000

// messageForm is the body of a message as the app writes it.
type messageForm struct {
	Content    *string           `json:"content"`
	Embeds     []json.RawMessage `json:"embeds"`
	Components []json.RawMessage `json:"components"`
	Flags      *int              `json:"flags"`
	TTS        *bool             `json:"tts"`
	Poll       *pollForm         `json:"poll"`
	Nonce      any               `json:"nonce"`
	Enforce    *bool             `json:"enforce_nonce"`
	Stickers   []string          `json:"sticker_ids"`
	Mentions   *struct {
		Parse       *[]string `json:"parse"`
		Users       []string  `json:"users"`
		Roles       []string  `json:"roles"`
		RepliedUser *bool     `json:"replied_user"`
	} `json:"allowed_mentions"`
	Reference *struct {
		Type      *int   `json:"type"`
		MessageID string `json:"message_id"`
		ChannelID string `json:"channel_id"`
		FailIfNot *bool  `json:"fail_if_not_exists"`
	} `json:"message_reference"`
}

// draft checks the form by Discord's limits for messages.
func (f *messageForm) draft(s *Server) (draft, error) {
	d := draft{content: strings.TrimSpace(deref(f.Content)), flags: deref(f.Flags), tts: deref(f.TTS)}
	if utf8.RuneCountInString(d.content) > maxContent {
		return d, tooLong("content", maxContent)
	}
	if n, ok := f.Nonce.(string); ok && utf8.RuneCountInString(n) > 25 {
		return d, tooLong("nonce", 25)
	}
	var err error
	if d.embeds, err = checkEmbeds(f.Embeds); err != nil {
		return d, err
	}
	c := &componentCheck{s: s, v2: d.flags&componentsV2 != 0, ids: map[string]bool{}}
	if d.components, err = c.message(f.Components); err != nil {
		return d, err
	}
	if c.v2 && (d.content != "" || len(d.embeds) > 0 || f.Poll != nil) {
		return d, invalid("content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
			"The 'content' field cannot be used when using MessageFlags.IS_COMPONENTS_V2")
	}
	if f.Poll != nil {
		if d.poll, err = f.Poll.check(s.opt.Now()); err != nil {
			return d, err
		}
	}
	if d.mentions, err = f.mentionRule(); err != nil {
		return d, err
	}
	return d, nil
}

func (f *messageForm) mentionRule() (mentionRule, error) {
	if f.Mentions == nil {
		return mentionRule{}, nil
	}
	parse := deref(f.Mentions.Parse)
	r := mentionRule{set: true, userIDs: f.Mentions.Users, roleIDs: f.Mentions.Roles}
	for _, p := range parse {
		switch p {
		case "users":
			r.users = true
		case "roles":
			r.roles = true
		case "everyone":
			r.all = true
		default:
			return r, invalid("allowed_mentions.parse", "BASE_TYPE_CHOICES", fmt.Sprintf("Value must be one of {'users', 'roles', 'everyone'}, not %q.", p))
		}
	}
	if r.users && len(r.userIDs) > 0 || r.roles && len(r.roleIDs) > 0 {
		return r, invalid("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", "parse and lists of IDs exclude each other")
	}
	if len(r.userIDs) > 100 || len(r.roleIDs) > 100 {
		return r, badLength("allowed_mentions.users", 0, 100)
	}
	return r, nil
}

// empty says whether there is nothing to see.
func (d *draft) empty() bool {
	return !hasNonSpace(d.content) && len(d.embeds) == 0 && len(d.components) == 0 && d.poll == nil
}

// embedForm is what of an embed has limits.
type embedForm struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Fields      []struct{ Name, Value string }
	Footer      struct{ Text string }
	Author      struct{ Name string }
}

type textLimit struct {
	field, text string
	most        int
}

func checkEmbeds(raw []json.RawMessage) ([]any, error) {
	if len(raw) > 10 {
		return nil, badLength("embeds", 0, 10)
	}
	var out []any
	total := 0
	for i, e := range raw {
		var f embedForm
		at := "embeds." + strconv.Itoa(i)
		var whole object
		if json.Unmarshal(e, &f) != nil || json.Unmarshal(e, &whole) != nil {
			return nil, invalid(at, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
		}
		lengths := []textLimit{{"title", f.Title, 256}, {"description", f.Description, 4096}, {"footer.text", f.Footer.Text, 2048}, {"author.name", f.Author.Name, 256}}
		if len(f.Fields) > 25 {
			return nil, badLength(at+".fields", 0, 25)
		}
		for j, x := range f.Fields {
			n := at + ".fields." + strconv.Itoa(j)
			if x.Name == "" || x.Value == "" {
				return nil, required(n)
			}
			lengths = append(lengths, textLimit{"fields." + strconv.Itoa(j) + ".name", x.Name, 256},
				textLimit{"fields." + strconv.Itoa(j) + ".value", x.Value, 1024})
		}
		for _, l := range lengths {
			n := utf8.RuneCountInString(l.text)
			if n > l.most {
				return nil, tooLong(at+"."+l.field, l.most)
			}
			total += n
		}
		whole["type"] = "rich"
		fields, _ := whole["fields"].([]any)
		for _, x := range fields {
			if f, ok := x.(object); ok && f["inline"] == nil {
				f["inline"] = false
			}
		}
		out = append(out, whole)
	}
	if total > 6000 {
		return nil, invalid("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")
	}
	return out, nil
}

// componentCheck checks the components of one message or modal, by Discord's limits.
type componentCheck struct {
	s     *Server
	v2    bool
	ids   map[string]bool
	total int
}

// component is what of a component has rules.
type component struct {
	Type        int               `json:"type"`
	CustomID    *string           `json:"custom_id"`
	Style       int               `json:"style"`
	Label       string            `json:"label"`
	Emoji       object            `json:"emoji"`
	URL         string            `json:"url"`
	SKU         string            `json:"sku_id"`
	Options     []selectOption    `json:"options"`
	Placeholder string            `json:"placeholder"`
	Min         *int              `json:"min_values"`
	Max         *int              `json:"max_values"`
	Content     string            `json:"content"`
	Components  []json.RawMessage `json:"components"`
	Accessory   json.RawMessage   `json:"accessory"`
	Component   json.RawMessage   `json:"component"`
}

type selectOption struct {
	Label, Value, Description string
	Default                   bool
}

func (c *componentCheck) message(raw []json.RawMessage) ([]any, error) {
	if len(raw) > 5 && !c.v2 {
		return nil, badLength("components", 1, 5)
	}
	if len(raw) > 40 {
		return nil, badLength("components", 1, 40)
	}
	var out []any
	for i, x := range raw {
		v, err := c.one(x, "components."+strconv.Itoa(i), true)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if c.total > 40 {
		return nil, invalid("components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", "The maximum number of components is 40")
	}
	return out, nil
}

func (c *componentCheck) one(raw json.RawMessage, at string, top bool) (any, error) {
	var f component
	var whole object
	if json.Unmarshal(raw, &f) != nil || json.Unmarshal(raw, &whole) != nil {
		return nil, invalid(at, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
	}
	c.total++
	whole["id"] = c.total
	if top && f.Type != 1 && (!c.v2 || !slices.Contains([]int{9, 10, 12, 13, 14, 17}, f.Type)) {
		return nil, invalid(at+".type", "BASE_TYPE_CHOICES", fmt.Sprintf("Value of field \"type\" must be one of (1,), not %d.", f.Type))
	}
	var err error
	switch f.Type {
	case 1:
		whole["components"], err = c.row(f, at)
	case 2:
		err = c.button(f, at)
	case 3, 5, 6, 7, 8:
		err = c.selects(f, at)
		for _, k := range []string{"min_values", "max_values"} {
			if whole[k] == nil {
				whole[k] = 1
			}
		}
	case 9, 17:
		whole["components"], err = c.children(f, at)
		if err == nil && f.Type == 9 {
			whole["accessory"], err = c.one(f.Accessory, at+".accessory", false)
		}
	case 10:
		if f.Content == "" {
			err = required(at + ".content")
		} else if utf8.RuneCountInString(f.Content) > 4000 {
			err = tooLong(at+".content", 4000)
		}
	case 11, 12, 13, 14:
	default:
		err = invalid(at+".type", "BASE_TYPE_CHOICES", fmt.Sprintf("Value of field \"type\" cannot be %d here.", f.Type))
	}
	return whole, err
}

func (c *componentCheck) children(f component, at string) ([]any, error) {
	if len(f.Components) == 0 || f.Type == 9 && len(f.Components) > 3 {
		return nil, badLength(at+".components", 1, 3)
	}
	var out []any
	for i, x := range f.Components {
		v, err := c.one(x, at+".components."+strconv.Itoa(i), f.Type == 17)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// row is an action row: up to five buttons, or one select.
func (c *componentCheck) row(f component, at string) ([]any, error) {
	if len(f.Components) == 0 || len(f.Components) > 5 {
		return nil, badLength(at+".components", 1, 5)
	}
	var out []any
	for i, x := range f.Components {
		var kind struct{ Type int }
		if json.Unmarshal(x, &kind) != nil || !slices.Contains([]int{2, 3, 5, 6, 7, 8}, kind.Type) {
			return nil, invalid(fmt.Sprintf("%s.components.%d.type", at, i), "BASE_TYPE_CHOICES", "Value of field \"type\" must be one of (2, 3, 5, 6, 7, 8).")
		}
		if kind.Type != 2 && len(f.Components) > 1 {
			return nil, invalid(at+".components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified component exceeds the maximum width")
		}
		v, err := c.one(x, fmt.Sprintf("%s.components.%d", at, i), false)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (c *componentCheck) customID(f component, at string) error {
	switch id := deref(f.CustomID); {
	case id == "":
		return required(at + ".custom_id")
	case utf8.RuneCountInString(id) > 100:
		return badLength(at+".custom_id", 1, 100)
	case c.ids[id]:
		return invalid(at+".custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
	default:
		c.ids[id] = true
	}
	return nil
}

func (c *componentCheck) button(f component, at string) error {
	if utf8.RuneCountInString(f.Label) > 80 {
		return tooLong(at+".label", 80)
	}
	switch {
	case f.Style < 1 || f.Style > 6:
		return invalid(at+".style", "BASE_TYPE_CHOICES", "Value of field \"style\" must be one of (1, 2, 3, 4, 5, 6).")
	case f.Style == 5:
		if u := f.URL; !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "discord://") {
			return invalid(at+".url", "URL_TYPE_INVALID_URL", "Not a well formed URL.")
		}
		if f.CustomID != nil {
			return invalid(at+".custom_id", "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", "A custom id and url cannot both be specified")
		}
		return nil
	case f.Style == 6:
		return nil
	case f.Label == "" && f.Emoji == nil:
		return invalid(at, "BUTTON_COMPONENT_INVALID_LABEL_OR_EMOJI", "A label or an emoji is needed")
	}
	return c.customID(f, at)
}

func (c *componentCheck) selects(f component, at string) error {
	if err := c.customID(f, at); err != nil {
		return err
	}
	if utf8.RuneCountInString(f.Placeholder) > 150 {
		return tooLong(at+".placeholder", 150)
	}
	least, most := 1, 1
	if f.Min != nil {
		least = *f.Min
	}
	if f.Max != nil {
		most = *f.Max
	}
	if least < 0 || least > 25 || most < 1 || most > 25 || least > most {
		return outside(at+".max_values", 1, 25)
	}
	if f.Type != 3 {
		return nil
	}
	if len(f.Options) == 0 || len(f.Options) > 25 {
		return badLength(at+".options", 1, 25)
	}
	if most > len(f.Options) {
		return invalid(at+".max_values", "SELECT_COMPONENT_MAX_VALUES_TOO_LARGE", "max_values cannot exceed the number of options")
	}
	seen := map[string]bool{}
	for i, o := range f.Options {
		n := fmt.Sprintf("%s.options.%d", at, i)
		for _, x := range []struct{ field, text string }{{"label", o.Label}, {"value", o.Value}, {"description", o.Description}} {
			if x.text == "" && x.field != "description" {
				return required(n + "." + x.field)
			}
			if utf8.RuneCountInString(x.text) > 100 {
				return tooLong(n+"."+x.field, 100)
			}
		}
		if seen[o.Value] {
			return invalid(n+".value", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used")
		}
		seen[o.Value] = true
	}
	return nil
}
