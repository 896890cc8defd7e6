package discourse

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/vote"
)

// pollName is the name of a vote's poll. There is one in its post.
const pollName = "poll"

// pollTag is what the text of every poll begins with.
const pollTag = "[poll "

// When a poll shows its results (plugins/poll of Discourse, checked 2026-11).
const (
	resultsAlways  = "always"
	resultsOnVote  = "on_vote"  // to whoever has voted and, but in older versions, its author; to all when it is closed
	resultsOnClose = "on_close" // to nobody, not even the staff, before it is closed
	resultsStaff   = "staff_only"
)

// Poll is the input of poll.
type Poll struct {
	vote.Ask
	TopicID    int64    `json:"topic_id,omitempty" jsonschema:"minimum=0" jsonschema_description:"The topic to hold the vote in, in a post of its own. 0: a new topic."`
	TopicTitle string   `json:"topic_title,omitempty" jsonschema:"maxLength=255" jsonschema_description:"The new topic's title. Forums have a shortest one, and none twice. Absent: the vote's title."`
	Category   int64    `json:"category,omitempty" choices:"categories" jsonschema:"minimum=0" jsonschema_description:"The ID of the new topic's category. 0: the forum's own choice."`
	Tags       []string `json:"tags,omitempty" jsonschema:"maxItems=20" jsonschema_description:"The new topic's tags."`

	Labels  []string `json:"labels,omitempty" jsonschema:"maxItems=100" jsonschema_description:"What people read for each choice, in their order: for a boolean or consent vote in other words, or another language. Absent: the choices."`
	Number  *Numbers `json:"number,omitempty" jsonschema_description:"Makes it a poll of numbers: a choice of one of them, of which the forum shows the average. Options stay empty."`
	Results string   `json:"results,omitempty" jsonschema:"enum=always,enum=on_vote,enum=on_close,enum=staff_only" jsonschema_description:"When the forum shows the results. on_close: the gateway does not know them before the poll is closed either, so that a driver ends such a vote by finish; on older forums so it is with on_vote. Absent: always, or, where secrecy is hidden, on_close."`
	Groups  []string `json:"groups,omitempty" choices:"groups" jsonschema:"maxItems=20" jsonschema_description:"The names of groups: the forum lets nobody else vote."`
	Chart   string   `json:"chart_type,omitempty" jsonschema:"enum=bar,enum=pie" jsonschema_description:"How the forum draws the results. Absent: bar."`
	Quiet   bool     `json:"quiet,omitempty" jsonschema_description:"Whether the result is not said in the topic at the end."`
}

// Numbers are the choices of a poll of numbers.
type Numbers struct {
	Min  int `json:"min" jsonschema:"minimum=0,maximum=1000000" jsonschema_description:"The lowest."`
	Max  int `json:"max" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"The highest."`
	Step int `json:"step,omitempty" jsonschema:"minimum=0,maximum=1000000" jsonschema_description:"From one to the next. 0: 1."`
}

// canPoll is what a poll of Discourse's allows. How many options a forum lets it have (20, unless its staff has set it otherwise) the forum says. Votes can
// always be changed, and nobody is told that theirs does not count. Its author and the staff can close it, whoever they are.
var canPoll = vote.Can{
	PollTypes: []vote.PollType{vote.Boolean, vote.Choice, vote.Multiple, vote.Approval, vote.Ranked, vote.Consent},
	Secrecy:   []vote.Secrecy{vote.Public, vote.CountsOnly, vote.Hidden},
	MaxTitle:  255, AnyMinChoice: true, AnyMaxChoice: true,
	Eligibility: true, Weights: true, ClosingAt: true, Live: true, Early: true,
}

// canSecret is what it allows where the forum does not say who voted. Of rankings it says then who has won by a count of its own, which is not the
// standard's, and nothing to count them by.
var canSecret = vote.Can{
	PollTypes: []vote.PollType{vote.Boolean, vote.Choice, vote.Multiple, vote.Approval, vote.Consent}, Secrecy: canPoll.Secrecy,
	MaxTitle: canPoll.MaxTitle, AnyMinChoice: true, AnyMaxChoice: true, ClosingAt: true, Early: true,
}

// canRank is what it allows of rankings: people rank as many options as they like.
var canRank = vote.Can{PollTypes: canPoll.PollTypes, Secrecy: canPoll.Secrecy, Eligibility: true, Weights: true, ClosingAt: true, Live: true, Early: true}

// Prepare makes the numbers of a poll of numbers its options, and refuses what such a poll cannot enforce.
func (in *Poll) Prepare() error {
	if in.Number != nil {
		options, err := in.Number.options()
		if err != nil {
			return err
		}
		if in.PollType == "" || in.PollType == vote.Boolean { // which it is where nobody says anything
			in.PollType = vote.Choice
		}
		if in.PollType != vote.Choice || len(in.Options) > 0 && !slices.Equal(in.Options, options) || len(in.Labels) > 0 {
			return invalid("/number", "makes the options of a choice vote: it goes with no other type, no other options and no labels")
		}
		in.Options = options
	}
	can := canPoll
	switch {
	case !in.VotersVisible():
		can = canSecret
	case in.PollType == vote.Ranked:
		can = canRank
	}
	return refused(can.Check(in.Ask))
}

// options lists the numbers, of which there may be as many as options.
func (n Numbers) options() ([]string, error) {
	step := max(n.Step, 1)
	if n.Max <= n.Min || (n.Max-n.Min)/step+1 > vote.MaxOptions || (n.Max-n.Min)/step < 1 {
		return nil, invalid("/number", fmt.Sprintf("has to give 2 to %d numbers", vote.MaxOptions))
	}
	var out []string
	for i := n.Min; i <= n.Max; i += step {
		out = append(out, strconv.Itoa(i))
	}
	return out, nil
}

// results is when the forum shows them.
func (in Poll) results() string {
	if in.Results == "" && in.Secrecy == vote.Hidden {
		return resultsOnClose
	}
	return first(in.Results, resultsAlways)
}

// check refuses what the standard allows and such a poll does not.
func (in Poll) check() error {
	results := in.results()
	switch {
	case in.Secrecy == vote.Hidden && results != resultsOnClose:
		return invalid("/results", "show what the vote is to hide: secrecy is hidden")
	case in.CloseWhenDecided && results == resultsOnClose:
		return invalid("/close_when_decided", "cannot be enforced here: the forum shows no results before the poll is closed")
	case len(in.Labels) > 0 && len(in.Labels) != len(in.Choices()):
		return invalid("/labels", fmt.Sprintf("has %d, and there are %d choices", len(in.Labels), len(in.Choices())))
	case in.TopicID != 0 && (in.Category != 0 || len(in.Tags) > 0 || in.TopicTitle != ""):
		return invalid("/topic_id", "is of a topic that has its title, category and tags")
	}
	for i, g := range in.Groups {
		if !groupName(g) {
			return invalid("/groups/"+strconv.Itoa(i), "is no name of a group")
		}
	}
	seen := map[string]bool{}
	for i, l := range in.labels() {
		l = visible(l)
		if l == "" || seen[l] {
			return invalid("/options/"+strconv.Itoa(i), "looks like another option, or like nothing")
		}
		seen[l] = true
	}
	return nil
}

// groupName says whether a name can stand in a poll's groups: Discourse's have letters, digits and a few signs.
func groupName(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= 60 && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.", r)
	})
}

// labels are what people read for the choices.
func (in Poll) labels() []string {
	if len(in.Labels) > 0 {
		return in.Labels
	}
	out := in.Choices()
	if in.PollType == vote.Boolean || in.PollType == "" || in.PollType == vote.Consent {
		for i, c := range out {
			out[i] = strings.ToUpper(c[:1]) + c[1:]
		}
	}
	return out
}

// markup is the text of the post: what the vote is about, and the poll in Discourse's BBCode. Nothing that a driver writes is markup in it.
func (in Poll) markup() (string, error) {
	if err := in.check(); err != nil {
		return "", err
	}
	var b strings.Builder
	if details := plainLines(in.Details); details != "" {
		b.WriteString(details + "\n\n")
	}
	b.WriteString(pollTag + "name=" + pollName + in.attributes() + "]\n# " + plain(in.Title) + "\n")
	if in.Number == nil {
		for _, l := range in.labels() {
			b.WriteString("* " + plain(l) + "\n")
		}
	}
	b.WriteString("[/poll]")
	return b.String(), nil
}

// attributes are what the poll is like. All of them are numbers, names that were checked, and words of our own.
func (in Poll) attributes() string {
	var b strings.Builder
	add := func(name, value string) { b.WriteString(" " + name + "=" + value) }
	switch {
	case in.Number != nil:
		add("type", "number")
		add("min", strconv.Itoa(in.Number.Min))
		add("max", strconv.Itoa(in.Number.Max))
		add("step", strconv.Itoa(max(in.Number.Step, 1)))
	case severalChoices(&in.Ask):
		add("type", "multiple")
		add("min", strconv.Itoa(max(in.MinChoices, 1)))
		add("max", strconv.Itoa(cmp.Or(in.MaxChoices, len(in.Options))))
	case in.PollType == vote.Ranked:
		add("type", "ranked_choice")
	default:
		add("type", "regular")
	}
	add("results", in.results())
	add("public", strconv.FormatBool(in.VotersVisible()))
	add("chartType", first(in.Chart, "bar"))
	if len(in.Groups) > 0 {
		add("groups", strings.Join(in.Groups, ","))
	}
	if in.ClosingAt != nil {
		add("close", in.ClosingAt.UTC().Format(time.RFC3339Nano))
	}
	return b.String()
}

// severalChoices says that a ballot names several options, in no order.
func severalChoices(a *vote.Ask) bool {
	return a.PollType == vote.Multiple || a.PollType == vote.Approval
}

// invalid refuses one field of an input.
func invalid(path, message string) error {
	return &gateway.Error{Code: gateway.Invalid, Fields: []gateway.FieldError{{Path: path, Message: message}}}
}

// refused makes the gateway's error of the standard's.
func refused(err error) error {
	var bad *vote.Invalid
	if !errors.As(err, &bad) {
		return err
	}
	out := &gateway.Error{Code: gateway.Invalid}
	for _, f := range bad.Fields {
		out.Fields = append(out.Fields, gateway.FieldError{Path: f.Path, Message: f.Message})
	}
	return out
}
