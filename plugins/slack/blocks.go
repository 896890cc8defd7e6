package slack

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	api "github.com/slack-go/slack"

	"github.com/metagov/gateway-go/vote"
)

// Slack's limits of a message (https://docs.slack.dev/reference/block-kit/blocks), and how many blocks a vote needs beside options and
// details: the title, the state, and the buttons that end it.
const (
	maxBlocks   = 50
	fixedBlocks = 3
	maxHeader   = 150  // characters of a header
	maxSection  = 3000 // characters of a section's text
	maxField    = 2000 // characters of a section's field
	maxContext  = 2000 // characters of a context's text; Slack documents none beyond that of text objects
	maxLabel    = 75   // characters of a button or of an option in a menu
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

// layout is how people choose.
type layout int

const (
	buttons   layout = iota // each option is a block with a button
	menu                    // each option is a block, and one menu has them all: where one click has to be the whole ballot
	packed                  // options share blocks, and one menu has them all: where there is no room otherwise
	questions               // each candidate is a block with a menu
)

// view is how a vote looks.
type view struct {
	process   string
	ask       *vote.Ask
	family    string
	texts     *Texts
	closes    time.Time
	outcome   *vote.Outcome // nil before the first vote
	ended     bool
	decided   bool   // the outcome is final
	silent    bool   // and not said in the message
	reason    string // why the process failed, where it did
	announced bool   // the ballots are elsewhere
	single    bool   // it is somebody's ballot

	mayClose, mayCancel bool // the buttons are there
	cancellers          []string

	layout  layout
	choices []string
	asked   []string
	details []string
	number  bool // options carry numbers, because menus show only the beginning of them
}

// arrange chooses the layout. It depends only on what was asked, so it is the same every time.
func (v *view) arrange() {
	v.choices, v.asked = v.ask.Choices(), v.ask.Asked()
	v.details = chunks(escape(strings.TrimSpace(v.ask.Details)), maxSection)
	multiple := takesSeveral(v.ask)
	room := maxBlocks - fixedBlocks - len(v.details)
	switch {
	case len(v.ask.Questions) > 0:
		v.layout = questions
	case len(v.choices) > room:
		v.layout = packed
	case multiple && (v.ask.MinChoices > 1 || v.ask.Final()) && len(v.choices)+1 > room:
		v.layout = packed
	case multiple && (v.ask.MinChoices > 1 || v.ask.Final()):
		v.layout = menu
	}
	if v.layout != buttons {
		for _, c := range v.choices {
			v.number = v.number || utf8.RuneCountInString(c) > maxLabel
		}
	}
}

// ballot is the view as one voter gets it, or, for "", as everybody does after the end.
func (v view) ballot(user string) view {
	v.announced, v.single = false, true
	v.mayClose, v.mayCancel = false, slices.Contains(v.cancellers, user)
	return v
}

// text is what notifications and screen readers show.
func (v *view) text() string { return literal(v.ask.Title) }

// blocks makes the message, or says that it has no room.
func (v *view) blocks() ([]api.Block, error) {
	var out []api.Block
	if utf8.RuneCountInString(v.ask.Title) <= maxHeader {
		out = append(out, api.NewHeaderBlock(plain(v.ask.Title), api.HeaderBlockOptionBlockID(blockID(v.process, "title"))))
	} else {
		out = append(out, section(blockID(v.process, "title"), plain(v.ask.Title)))
	}
	for i, part := range v.details {
		out = append(out, section(blockID(v.process, "details"+itoa(i)), markdown(part)))
	}
	open := !v.ended && !v.announced
	budget := maxVoters / max(len(v.choices)*len(v.asked), 1)
	switch v.layout {
	case questions:
		for i, q := range v.asked {
			s := section(blockID(v.process, "question"+itoa(i)), plain(clip(q, maxSection)))
			if text := v.standing(i, budget); text != "" {
				s.Fields = []*api.TextBlockObject{markdown(text)}
			}
			if open {
				s.Accessory = v.menu(v.asked[i])
			}
			out = append(out, s)
		}
	case packed:
		for i, part := range chunks(v.listing(), maxSection) {
			out = append(out, section(blockID(v.process, "options"+itoa(i)), plain(part)))
		}
	default:
		for i := range v.choices {
			s := v.option(i, budget)
			if open && v.layout == buttons {
				s.Accessory = api.NewAccessory(v.button(i))
			}
			out = append(out, s)
		}
	}
	if open && (v.layout == menu || v.layout == packed) {
		s := section(blockID(v.process, "menu"), plain(v.pick()))
		s.Accessory = v.menu("")
		out = append(out, s)
	}
	if state := v.state(); len(state) > 0 {
		out = append(out, api.NewContextBlock(blockID(v.process, "state"), state...))
	}
	if ends := v.ends(); len(ends) > 0 && !v.ended {
		out = append(out, api.NewActionBlock(blockID(v.process, "end"), ends...))
	}
	return out, v.fits()
}

// fits says whether the message has room in whatever state.
func (v *view) fits() error {
	room := maxBlocks - fixedBlocks - len(v.details)
	switch v.layout {
	case questions:
		if len(v.asked) > maxBlocks-fixedBlocks {
			return invalid("/questions", "are "+itoa(len(v.asked))+": a message of Slack's has 50 blocks, and 47 of them at the most are candidates")
		}
		if len(v.asked) > room {
			return invalid("/details", "is too long beside so many candidates: a message of Slack's has 50 blocks, and each candidate takes one")
		}
	case packed:
		if len(chunks(v.full(), maxSection))+1 > room {
			return invalid("/details", "is too long beside so many options: a message of Slack's has 50 blocks")
		}
	}
	return nil
}

// ends are the buttons that end the vote. Slack shows a message to everybody alike; whoever may not use them is told.
func (v *view) ends() []api.BlockElement {
	var out []api.BlockElement
	add := func(action, name, sure string, style api.Style) {
		b := api.NewButtonBlockElement(action, "end", plain(clip(name, maxLabel)))
		b.Style = style
		b.Confirm = api.NewConfirmationBlockObject(plain(clip(name, 100)), plain(clip(sure, 300)), plain(clip(name, 30)), nil)
		out = append(out, b)
	}
	if v.mayClose {
		add(closeAction, v.texts.Close, v.texts.CloseConfirm, "")
	}
	if v.mayCancel {
		add(cancelAction, v.texts.Cancel, v.texts.CancelConfirm, api.StyleDanger)
	}
	return out
}

// isBoolean says whether the answers are yes and no, whose words are in the texts.
func (v *view) isBoolean() bool { return v.ask.PollType == vote.Boolean || v.ask.PollType == "" }

// label is an option in mrkdwn.
func (v *view) label(choice string) string {
	switch {
	case !v.isBoolean():
		return literal(choice)
	case choice == vote.Yes:
		return v.texts.Yes
	}
	return v.texts.No
}

// shown is an option in plain text, with its number where options have them.
func (v *view) shown(i int) string {
	text := v.choices[i]
	if v.isBoolean() {
		text = v.label(text)
	}
	if v.number {
		text = itoa(i+1) + ". " + text
	}
	return text
}

// counted says whether counts are shown now.
func (v *view) counted() bool {
	return v.outcome != nil && v.ask.CountsVisible(v.ended) && (!v.ended || !v.silent || v.ask.CountsVisible(false))
}

// votes is what is shown of one option's count, in mrkdwn.
func (v *view) votes(o vote.OptionCount) string {
	text := putN(v.texts.Votes, o.Ballots)
	if len(v.ask.Weights) > 0 {
		text += " (" + put(v.texts.Weighed, "weight", escape(o.Weight.String())) + ")"
	}
	return text
}

// option is the block of one option.
func (v *view) option(i int, budget int) *api.SectionBlock {
	id := blockID(v.process, "option"+itoa(i))
	count := ""
	if v.counted() && len(v.outcome.Questions) > 0 && i < len(v.outcome.Questions[0].Options) {
		o := v.outcome.Questions[0].Options[i]
		count = v.votes(o)
		if v.ask.VotersVisible() && len(o.Users) > 0 {
			count = clip(count, maxField/2)
			count += "\n" + v.names(o.Users, min(budget, maxField-utf8.RuneCountInString(count)-1))
		}
	}
	if v.isBoolean() { // the words are the operator's, and may have marks in them
		return section(id, markdown(clip(strings.TrimRight(v.label(v.choices[i])+"   "+count, " "), maxSection)))
	}
	s := section(id, plain(clip(v.shown(i), maxSection)))
	if count != "" {
		s.Fields = []*api.TextBlockObject{markdown(count)}
	}
	return s
}

// standing is what is shown of one candidate's counts.
func (v *view) standing(i int, budget int) string {
	if !v.counted() || i >= len(v.outcome.Questions) {
		return ""
	}
	q := v.outcome.Questions[i]
	var lines []string
	if v.decided && !v.silent {
		lines = append(lines, v.resultOf(q))
	}
	for _, o := range q.Options {
		if o.Ballots == 0 && len(q.Options) > 5 {
			continue
		}
		line := clip(v.label(o.Option), maxLabel) + " " + v.votes(o)
		if v.ask.VotersVisible() && len(o.Users) > 0 && budget >= 40 {
			line += " " + v.names(o.Users, budget)
		}
		lines = append(lines, line)
	}
	var b strings.Builder
	used := 0
	for _, line := range lines { // whole lines only, so that nothing is cut inside a mention
		if used += utf8.RuneCountInString(line) + 1; used > maxField-2 {
			b.WriteString("…")
			break
		}
		b.WriteString(line + "\n")
	}
	return strings.TrimSpace(b.String())
}

// listing is all options of a packed vote, in plain text.
func (v *view) listing() string {
	var b strings.Builder
	for i := range v.choices {
		b.WriteString(v.shown(i))
		if v.counted() && len(v.outcome.Questions) > 0 && i < len(v.outcome.Questions[0].Options) {
			b.WriteString("   " + strings.Trim(v.votes(v.outcome.Questions[0].Options[i]), "`"))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// full is the longest that the listing can become.
func (v *view) full() string {
	var b strings.Builder
	for i := range v.choices {
		b.WriteString(v.shown(i) + strings.Repeat("0", 60) + "\n")
	}
	return b.String()
}

func (v *view) pick() string {
	if !takesSeveral(v.ask) {
		return v.texts.Pick
	}
	return put(put(v.texts.PickSeveral, "min", itoa(max(v.ask.MinChoices, 1))), "max", itoa(v.ask.MaxChoices))
}

// menu is where the options of a question are chosen.
func (v *view) menu(question string) *api.Accessory {
	options := make([]*api.OptionBlockObject, len(v.choices))
	for i := range v.choices {
		options[i] = api.NewOptionBlockObject(itoa(i), plain(clip(v.shown(i), maxLabel)), nil)
	}
	hint := plain(clip(v.pick(), 150))
	if takesSeveral(v.ask) {
		m := api.NewOptionsMultiSelectBlockElement(api.MultiOptTypeStatic, hint, severalMenu, options...)
		if v.ask.MaxChoices > 0 {
			m.MaxSelectedItems = &v.ask.MaxChoices
		}
		return api.NewAccessory(m)
	}
	return api.NewAccessory(api.NewOptionsSelectBlockElement(api.OptTypeStatic, hint, castAction, options...))
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
	choice := v.choices[i]
	var text string
	name := put(v.texts.Choose, "option", choice)
	switch {
	case v.isBoolean():
		text = v.texts.YesButton
		if choice == vote.No {
			text = v.texts.NoButton
		}
	case i < len(emojis[v.family]):
		text = ":" + emojis[v.family][i] + ":"
	default:
		text = itoa(i + 1)
	}
	if takesSeveral(v.ask) {
		name = put(v.texts.Unchoose, "option", choice)
	}
	b := api.NewButtonBlockElement(castAction, itoa(i), plain(clip(text, 75)))
	b.AccessibilityLabel = clip(name, 75)
	return b
}

// state says under the options how the vote is held, or how it ended.
func (v *view) state() []api.MixedElement {
	t := v.texts
	if v.ended {
		return v.result()
	}
	var out []string
	if takesSeveral(v.ask) && v.layout == buttons && !v.announced {
		out = append(out, putN(t.Several, int64(max(v.ask.MaxChoices, 1))))
	}
	switch {
	case v.announced:
		out = append(out, t.Private)
	case v.single:
		out = append(out, t.Ballot)
	case v.ask.Secrecy == vote.Hidden:
		out = append(out, t.Hidden)
	case v.ask.Secrecy == vote.CountsOnly:
		out = append(out, t.Secret)
	}
	if !v.closes.IsZero() {
		out = append(out, put(t.ClosesAt, "time", slackDate(v.closes)))
	}
	return mixed(strings.Join(out, "\n"), "", "")
}

// mixed makes a line of mrkdwn with plain text in the middle of it, which shows as it was typed.
func mixed(before, middle, after string) []api.MixedElement {
	var out []api.MixedElement
	if before = strings.TrimSpace(before); before != "" {
		out = append(out, markdown(clip(before, maxContext)))
	}
	if middle != "" {
		out = append(out, plain(clip(middle, maxContext)))
	}
	if after = strings.TrimSpace(after); after != "" {
		out = append(out, markdown(clip(after, maxContext)))
	}
	return out
}

// result is the last line of a vote.
func (v *view) result() []api.MixedElement {
	t := v.texts
	switch {
	case !v.decided:
		return mixed(t.Closed+"\n"+escape(v.reason), "", "")
	case v.silent || v.outcome.Result != vote.Cancelled && len(v.outcome.Questions) != 1:
		return mixed(t.Closed, "", "")
	}
	template, names := t.Passed, []string{v.outcome.Winner}
	if v.outcome.Result == vote.Tie {
		template, names = t.Tied, v.outcome.Questions[0].Tied
	}
	if v.isBoolean() || v.outcome.Result != vote.Tie && v.outcome.Winner == "" {
		return mixed(v.resultText(), "", "")
	}
	before, after, _ := strings.Cut(template, "{option}")
	return mixed(before, strings.Join(names, ", "), after)
}

// resultText is the result of the whole vote in mrkdwn.
func (v *view) resultText() string {
	o := v.outcome
	if o.Result == vote.Cancelled {
		return v.texts.Cancelled
	}
	if len(o.Questions) == 1 {
		return v.resultOf(o.Questions[0])
	}
	var out []string
	for _, q := range o.Questions {
		out = append(out, literal(q.Question)+": "+v.resultOf(q))
	}
	return strings.Join(out, "\n")
}

// resultOf is the result of one question in mrkdwn.
func (v *view) resultOf(q vote.QuestionCount) string {
	t := v.texts
	switch {
	case q.Result == vote.Passed && v.isBoolean():
		return t.PassedYes
	case q.Result == vote.Passed:
		return put(t.Passed, "option", literal(q.Winner))
	case q.Result == vote.Failed:
		return t.Failed
	case q.Result == vote.Tie:
		var tied []string
		for _, name := range q.Tied {
			tied = append(tied, v.label(name))
		}
		return put(t.Tied, "option", strings.Join(tied, ", "))
	case q.Result == vote.NoQuorum:
		return t.NoQuorum
	case q.Result == vote.Cancelled:
		return t.Cancelled
	}
	return t.Closed
}

func section(id string, text *api.TextBlockObject) *api.SectionBlock {
	return api.NewSectionBlock(text, nil, nil, api.SectionBlockOptionBlockID(id))
}

// literal makes text harmless in mrkdwn, and its emphasis marks ineffective: Slack has no way to escape them, but a mark after a word
// joiner (U+2060), which is not seen, does not begin or end anything. Where there is a choice, plain text is used instead.
func literal(s string) string { return marks.Replace(escape(s)) }

var marks = strings.NewReplacer("*", "\u2060*\u2060", "_", "\u2060_\u2060", "~", "\u2060~\u2060", "`", "\u2060`\u2060")

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
