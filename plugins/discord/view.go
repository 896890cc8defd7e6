package discord

import (
	"strings"
	"time"

	"github.com/metagov/gateway-go/vote"
)

// Discord's limits of a message (https://docs.discord.com/developers/resources/message, .../components/reference, checked 2026-11).
const (
	maxDescription = 4096 // characters of an embed's description
	maxEmbeds      = 6000 // characters of all embeds together
	rows           = 5    // of components
	rowSize        = 5    // buttons in a row
	menuSize       = 25   // options in a menu
	maxMenus       = rows - 1
	maxButton      = 80  // characters of a button
	maxOption      = 100 // characters of a menu's option, and of its ID
	maxHint        = 150 // characters of what a menu says before something is chosen

	// countRoom is what is kept free for each option's count, and weightRoom what is where votes weigh differently.
	countRoom  = 12
	weightRoom = 48
	// namesRoom is up to how many characters of voters' names a whole message lists.
	namesRoom = 1500
)

// The kinds of components, and the styles of buttons.
const (
	actionRow    = 1
	button       = 2
	stringSelect = 3

	primary   = 1
	secondary = 2
	success   = 3
	danger    = 4
)

// The parts of component IDs. No text of the driver's is in any ID.
const (
	optionPart = "option" // a button: and the option's index
	menuPart   = "menu"   // a menu: and its index
	closePart  = "close"
)

// view is how a vote with buttons looks.
type view struct {
	process  string
	ask      *vote.Ask
	texts    *Texts
	closes   time.Time
	outcome  *vote.Outcome // nil before the first vote
	ended    bool
	decided  bool   // the outcome is final
	reason   string // why the process failed, where it did
	mayClose bool   // somebody may close it
}

// menus says whether options are in menus: where there is no room for buttons, and where one click has to be the whole ballot.
func (v *view) menus() bool {
	n := len(v.ask.Choices())
	room := rows * rowSize
	if v.mayClose {
		room -= rowSize
	}
	return n > room || takesSeveral(v.ask) && (v.ask.MinChoices > 1 || v.ask.Final())
}

// check refuses what does not fit, in whatever state the vote will be.
func (v *view) check() error {
	details := escape(strings.TrimSpace(v.ask.Details))
	if runes(details) > maxDescription {
		return invalid("/details", "are too long: Discord shows 4096 characters, marks escaped")
	}
	if takesSeveral(v.ask) && (v.ask.MinChoices > 1 || v.ask.Final()) && len(v.ask.Choices()) > menuSize {
		return invalid("/options", "are too many where one ballot has to name several at once: a menu of Discord's has 25 options")
	}
	full := v.listing(0, v.longest())
	switch {
	case runes(full) > maxDescription:
		return invalid("/options", "are too long together: Discord shows 4096 characters, marks escaped")
	case runes(full)+runes(details)+runes(v.state())+300 > maxEmbeds:
		return invalid("/details", "are too long beside these options: Discord shows 6000 characters, marks escaped")
	}
	return nil
}

// fields is the message as Discord takes it.
func (v *view) fields() map[string]any {
	embeds := []map[string]any{}
	if details := escape(strings.TrimSpace(v.ask.Details)); details != "" {
		embeds = append(embeds, map[string]any{"description": details})
	}
	embeds = append(embeds, map[string]any{"description": v.body()})
	components := []map[string]any{}
	if !v.ended {
		components = v.components()
	}
	return map[string]any{"content": "**" + line(v.ask.Title) + "**", "embeds": embeds, "components": components, "allowed_mentions": noMentions}
}

// body is the options with their counts, and how the vote is held or ended.
func (v *view) body() string {
	used := runes(escape(strings.TrimSpace(v.ask.Details)))
	state := v.state()
	plain := runes(v.listing(0, v.longest()))
	room := min(namesRoom, maxDescription-plain-runes(state)-10, maxEmbeds-used-plain-runes(state)-50)
	text := v.listing(max(room, 0), "")
	if state != "" {
		text += "\n" + state
	}
	return clip(text, maxDescription)
}

// listing is a line for each option: with its count, and with as many voters as room is for. full stands for the counts where the longest is wanted.
func (v *view) listing(room int, full string) string {
	choices := v.ask.Choices()
	var b strings.Builder
	for i, c := range choices {
		label := line(v.texts.label(v.ask, c))
		if v.menus() {
			label = itoa(i+1) + ". " + label
		}
		b.WriteString(strings.TrimSpace(label+"  "+full+v.count(i)) + "\n")
		if names := v.names(i, room/len(choices)); names != "" {
			b.WriteString("> " + names + "\n")
		}
	}
	return b.String()
}

// longest stands for the longest that a count can become.
func (v *view) longest() string {
	if len(v.ask.Weights) > 0 {
		return strings.Repeat("0", weightRoom)
	}
	return strings.Repeat("0", countRoom)
}

// counted says whether counts are shown now.
func (v *view) counted(i int) bool {
	return v.outcome != nil && v.ask.CountsVisible(v.ended) && len(v.outcome.Questions) > 0 && i < len(v.outcome.Questions[0].Options)
}

func (v *view) count(i int) string {
	if !v.counted(i) {
		return ""
	}
	o := v.outcome.Questions[0].Options[i]
	text := putN(v.texts.Votes, o.Ballots)
	if len(v.ask.Weights) > 0 {
		text += " (" + put(v.texts.Weighed, "weight", o.Weight.String()) + ")"
	}
	return text
}

// names lists as many voters as there is room for.
func (v *view) names(i, room int) string {
	if !v.counted(i) || !v.ask.VotersVisible() {
		return ""
	}
	users := v.outcome.Questions[0].Options[i].Users
	var b strings.Builder
	for n, u := range users {
		name := clip(mention(u), 100)
		if n > 0 {
			name = ", " + name
		}
		rest := " " + putN(v.texts.AndMore, int64(len(users)-n))
		if runes(b.String())+runes(name)+runes(rest) > room {
			if n == 0 {
				return ""
			}
			return b.String() + rest
		}
		b.WriteString(name)
	}
	return b.String()
}

// state says under the options how the vote is held, or how it ended.
func (v *view) state() string {
	t := v.texts
	if v.ended && !v.decided {
		return strings.TrimSpace(t.Closed + " " + line(v.reason))
	}
	if v.ended {
		return t.result(v.ask, v.outcome)
	}
	var out []string
	if takesSeveral(v.ask) && !v.menus() {
		out = append(out, putN(t.Several, int64(max(v.ask.MaxChoices, 1))))
	}
	switch v.ask.Secrecy {
	case vote.Hidden:
		out = append(out, t.Hidden)
	case vote.CountsOnly:
		out = append(out, t.Secret)
	}
	if !v.closes.IsZero() {
		out = append(out, put(t.ClosesAt, "time", shownTime(v.closes)))
	}
	return strings.Join(out, "\n")
}

// components are the buttons and menus of an open vote.
func (v *view) components() []map[string]any {
	var out []map[string]any
	if v.menus() {
		out = v.selects()
	} else {
		out = v.buttons()
	}
	if v.mayClose {
		out = append(out, row(map[string]any{"type": button, "style": danger, "label": clip(v.texts.Close, maxButton), "custom_id": componentID(v.process, closePart)}))
	}
	return out
}

func row(components ...map[string]any) map[string]any {
	return map[string]any{"type": actionRow, "components": components}
}

func (v *view) buttons() []map[string]any {
	var out, now []map[string]any
	for i, c := range v.ask.Choices() {
		style := secondary
		switch c {
		case vote.Yes, vote.Consents:
			style = success
		case vote.No, vote.Objects:
			style = danger
		}
		if v.ask.PollType == vote.Choice || takesSeveral(v.ask) {
			style = primary
		}
		label := strings.Join(strings.Fields(v.texts.label(v.ask, c)), " ")
		now = append(now, map[string]any{"type": button, "style": style, "label": clip(label, maxButton), "custom_id": componentID(v.process, optionPart+itoa(i))})
		if len(now) == rowSize {
			out, now = append(out, row(now...)), nil
		}
	}
	if len(now) > 0 {
		out = append(out, row(now...))
	}
	return out
}

// selects are the menus: of several, each has a part of the options, and changes only what is chosen of them.
func (v *view) selects() []map[string]any {
	choices := v.ask.Choices()
	var out []map[string]any
	for from := 0; from < len(choices); from += menuSize {
		part := choices[from:min(from+menuSize, len(choices))]
		options := make([]map[string]any, len(part))
		for i, c := range part {
			label := itoa(from+i+1) + ". " + strings.Join(strings.Fields(v.texts.label(v.ask, c)), " ")
			options[i] = map[string]any{"label": clip(label, maxOption), "value": itoa(from + i)}
		}
		least, most := 1, 1
		if takesSeveral(v.ask) {
			least, most = 0, min(max(v.ask.MaxChoices, 1), len(part))
		}
		out = append(out, row(map[string]any{
			"type": stringSelect, "custom_id": componentID(v.process, menuPart+itoa(from/menuSize)), "placeholder": clip(v.hint(), maxHint),
			"min_values": least, "max_values": most, "options": options,
		}))
	}
	return out
}

func (v *view) hint() string {
	if !takesSeveral(v.ask) {
		return v.texts.Pick
	}
	return put(put(v.texts.PickSeveral, "min", itoa(max(v.ask.MinChoices, 1))), "max", itoa(v.ask.MaxChoices))
}
