package slack

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	api "github.com/slack-go/slack"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// Slack's limits of a message (https://docs.slack.dev/reference/block-kit/blocks), and how many blocks a vote needs beside options and
// details: the title, the state, and the button that closes it.
const (
	maxBlocks   = 50
	fixedBlocks = 3
	maxSection  = 3000 // characters of a section's text
	maxContext  = 2000 // characters of a context's text; Slack documents none beyond that of text objects
	// maxVoters is up to how many characters of voters' names a whole message lists. Slack refuses messages whose blocks are too
	// long as a whole without documenting where that begins; far below it is room for several hundred names.
	maxVoters = 9000
)

// emojis are what stands on buttons. An option beyond them gets its number.
var emojis = map[string][]string{
	"numbers": {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "keycap_ten"},
	"hearts":  {"heart", "orange_heart", "yellow_heart", "green_heart", "blue_heart", "purple_heart", "brown_heart", "black_heart", "white_heart", "sparkling_heart"},
	"flowers": {"tulip", "sunflower", "cherry_blossom", "rose", "hibiscus", "blossom", "bouquet", "wilted_flower", "white_flower", "rosette"},
}

// view is how a vote looks.
type view struct {
	process string
	ask     *vote.Ask
	family  string
	texts   *Texts
	outcome *vote.Outcome // nil before the first vote
	ended   bool
	decided bool   // the outcome is final
	reason  string // why the process failed, where it did
}

// text is what notifications and screen readers show.
func (v *view) text() string { return escape(v.ask.Title) }

// blocks makes the message, or says that it has no room.
func (v *view) blocks() ([]api.Block, error) {
	out := []api.Block{section(blockID(v.process, "title"), "*"+escape(v.ask.Title)+"*")}
	for i, part := range chunks(escape(strings.TrimSpace(v.ask.Details)), maxSection) {
		out = append(out, section(blockID(v.process, "details"+itoa(i)), part))
	}
	choices := v.ask.Choices()
	budget := maxVoters / max(len(choices), 1)
	for i := range choices {
		s := section(blockID(v.process, "option"+itoa(i)), v.option(i, budget))
		if !v.ended {
			s.Accessory = api.NewAccessory(v.button(i))
		}
		out = append(out, s)
	}
	if state := v.state(); state != "" {
		out = append(out, api.NewContextBlock(blockID(v.process, "state"), markdown(clip(state, maxContext))))
	}
	if !v.ended && len(v.ask.MayClose) > 0 {
		b := api.NewButtonBlockElement(closeAction, "close", plain(clip(v.texts.Close, 75)))
		b.Confirm = api.NewConfirmationBlockObject(plain(clip(v.texts.Close, 100)), plain(clip(v.texts.CloseConfirm, 300)), plain(clip(v.texts.Close, 30)), nil)
		out = append(out, api.NewActionBlock(blockID(v.process, "close"), b))
	}
	if room := maxBlocks - (fixedBlocks + len(choices)); len(out) > maxBlocks || len(chunks(escape(v.ask.Details), maxSection)) > room {
		return nil, invalid("/details", "is too long beside so many options: a message of Slack's has 50 blocks, and each option takes one")
	}
	return out, nil
}

// option is the line of one option.
func (v *view) option(i int, budget int) string {
	choice := v.ask.Choices()[i]
	text := escape(choice)
	if v.ask.PollType == vote.Boolean || v.ask.PollType == "" {
		text = v.texts.Yes
		if choice == vote.No {
			text = v.texts.No
		}
	}
	if v.outcome == nil || len(v.outcome.Questions) == 0 || i >= len(v.outcome.Questions[0].Options) || !v.ask.CountsVisible(v.ended) {
		return clip(text, maxSection)
	}
	o := v.outcome.Questions[0].Options[i]
	text += "   " + putN(v.texts.Votes, o.Ballots)
	if len(v.ask.Weights) > 0 {
		text += " (" + put(v.texts.Weighed, "weight", escape(o.Weight.String())) + ")"
	}
	text = clip(text, maxSection/2)
	if v.ask.VotersVisible() && len(o.Users) > 0 {
		text += "\n" + v.names(o.Users, min(budget, maxSection-utf8.RuneCountInString(text)-1))
	}
	return text
}

// names lists as many voters as there is room for.
func (v *view) names(users []string, room int) string {
	var b strings.Builder
	used := 0
	for i, u := range users {
		name := clip(mention(u), 100)
		if i > 0 {
			name = ", " + name
		}
		rest := " " + putN(v.texts.AndMore, int64(len(users)-i))
		if i == len(users)-1 {
			rest = ""
		}
		n := utf8.RuneCountInString(name)
		if used+n+utf8.RuneCountInString(rest) > room {
			return b.String() + " " + putN(v.texts.AndMore, int64(len(users)-i))
		}
		b.WriteString(name)
		used += n
	}
	return b.String()
}

func (v *view) button(i int) *api.ButtonBlockElement {
	choice := v.ask.Choices()[i]
	var text string
	name := put(v.texts.Choose, "option", choice)
	switch {
	case v.ask.PollType == vote.Boolean || v.ask.PollType == "":
		text = v.texts.YesButton
		if choice == vote.No {
			text = v.texts.NoButton
		}
	case i < len(emojis[v.family]):
		text = ":" + emojis[v.family][i] + ":"
	default:
		text = itoa(i + 1)
	}
	if v.ask.PollType == vote.Multiple {
		name = put(v.texts.Unchoose, "option", choice)
	}
	b := api.NewButtonBlockElement(castAction, itoa(i), plain(clip(text, 75)))
	b.AccessibilityLabel = clip(name, 75)
	return b
}

// state says under the options how the vote is held, or how it ended.
func (v *view) state() string {
	t := v.texts
	var out []string
	if v.ended {
		out = append(out, v.result())
	} else {
		if v.ask.PollType == vote.Multiple {
			out = append(out, putN(t.Several, int64(max(v.ask.MaxChoices, 1))))
		}
		switch v.ask.Secrecy {
		case vote.Hidden:
			out = append(out, t.Hidden)
		case vote.CountsOnly:
			out = append(out, t.Secret)
		}
		if v.ask.ClosingAt != nil {
			out = append(out, put(t.ClosesAt, "time", slackDate(*v.ask.ClosingAt)))
		}
	}
	return strings.Join(out, "\n")
}

// result is the last line of a vote.
func (v *view) result() string {
	t := v.texts
	if !v.decided {
		return strings.TrimSpace(t.Closed + "\n" + escape(v.reason))
	}
	boolean := v.ask.PollType == vote.Boolean || v.ask.PollType == ""
	switch o := v.outcome; {
	case o.Result == vote.Passed && boolean:
		return t.PassedYes
	case o.Result == vote.Passed && o.Winner != "":
		return put(t.Passed, "option", escape(o.Winner))
	case o.Result == vote.Failed:
		return t.Failed
	case o.Result == vote.Tie && len(o.Questions) == 1:
		var tied []string
		for _, name := range o.Questions[0].Tied {
			switch {
			case boolean && name == vote.Yes:
				name = t.Yes
			case boolean:
				name = t.No
			default:
				name = escape(name)
			}
			tied = append(tied, name)
		}
		return put(t.Tied, "option", strings.Join(tied, ", "))
	case o.Result == vote.NoQuorum:
		return t.NoQuorum
	case o.Result == vote.Cancelled:
		return t.Cancelled
	}
	return t.Closed
}

func section(id, text string) *api.SectionBlock {
	return api.NewSectionBlock(markdown(text), nil, nil, api.SectionBlockOptionBlockID(id))
}

// markdown is verbatim: Slack makes no links and mentions of plain text in it.
func markdown(text string) *api.TextBlockObject {
	return api.NewTextBlockObject(api.MarkdownType, text, false, true)
}

func plain(text string) *api.TextBlockObject {
	return api.NewTextBlockObject(api.PlainTextType, text, true, false)
}

// chunks cuts escaped text into parts of at most n characters, at line ends or spaces where there are any, and never inside an
// entity such as &amp;.
func chunks(text string, n int) []string {
	var out []string
	for text != "" {
		part := clipRaw(text, n)
		if len(part) < len(text) {
			if i := strings.LastIndexAny(part, "\n "); i > len(part)/2 {
				part = part[:i+1]
			}
		}
		if strings.TrimSpace(part) != "" {
			out = append(out, part)
		}
		text = text[len(part):]
	}
	return out
}

// clip shortens to n characters, with an ellipsis.
func clip(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return clipRaw(text, n-1) + "…"
}

// clipRaw shortens to at most n characters, not inside an entity.
func clipRaw(text string, n int) string {
	end := len(text)
	for i := range text {
		if n == 0 {
			end = i
			break
		}
		n--
	}
	part := text[:end]
	if end == len(text) {
		return part
	}
	if i := strings.LastIndexByte(part, '&'); i >= 0 && end-i < len("&amp;") && !strings.Contains(part[i:], ";") {
		part = part[:i]
	}
	return part
}

func unmarshal(raw json.RawMessage, v any) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return gateway.Errorf(gateway.Internal, "decoding an outcome: %w", err)
	}
	return nil
}
