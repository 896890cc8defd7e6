package fakediscourse

import (
	"crypto/md5"
	"encoding/hex"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// poll is a poll of a post. Guarded by Server.mu.
type poll struct {
	id                         int64
	p                          *post
	name, typ, status, results string
	title, chart, groups       string
	public                     bool
	min, max, step             int // 0 is not given
	hasMin                     bool
	closeAt, created           time.Time
	options                    []pollOption
	votes                      map[int64]map[string]int // by user: the options with their rank, or 1
	voted                      []int64                  // who, in the order in which they did
}

// pollOption is what can be chosen.
type pollOption struct {
	id   string // MD5 of the text as JSON
	html string
}

// parsedPoll is a poll as it stands in a post's text.
type parsedPoll struct {
	attrs   map[string]string
	title   string
	options []string // Markdown
	loose   bool     // there are empty lines between options, which makes paragraphs of them
}

// pollAttrs are the attributes that count; the rest is thrown away.
var pollAttrs = []string{"close", "max", "min", "name", "order", "public", "results", "charttype", "groups", "status", "step", "type", "dynamic"}

var attrPattern = regexp.MustCompile(`(?i)([a-z0-9]*)\s*=([“”"][^“”"]*[“”"]|'[^']*'|[^"'“”\s]\S*)`)

// parseAttrs reads the attributes of a tag. A later one of the same name counts.
func parseAttrs(raw string) map[string]string {
	out := map[string]string{}
	for _, m := range attrPattern.FindAllStringSubmatch(raw, -1) {
		v := strings.TrimSpace(m[2])
		if len(v) >= 2 && strings.ContainsAny(v[:1], `"'`) && v[len(v)-1] == v[0] {
			v = v[1 : len(v)-1]
		}
		v = strings.Trim(v, "“”")
		if key := strings.ToLower(m[1]); slices.Contains(pollAttrs, key) {
			out[key] = v
		}
	}
	return out
}

// pollTag reads a line that is a tag of a poll and nothing else. A tag is text in the first bracket: what is behind it makes
// the line an ordinary one.
func pollTag(line string) (attrs string, closing, ok bool) {
	trimmed := strings.TrimLeft(line, " ")
	if len(line)-len(trimmed) >= 4 || !strings.HasPrefix(trimmed, "[") {
		return "", false, false
	}
	end := strings.IndexByte(trimmed, ']')
	if end < 0 || strings.TrimSpace(trimmed[end+1:]) != "" {
		return "", false, false
	}
	inner := trimmed[1:end]
	if strings.EqualFold(inner, "/poll") {
		return "", true, true
	}
	if len(inner) >= 4 && strings.EqualFold(inner[:4], "poll") && (len(inner) == 4 || inner[4] == ' ' || inner[4] == '\t') {
		return inner[4:], false, true
	}
	return "", false, false
}

// block is a part of a post's text: a poll, or lines of ordinary Markdown.
type block struct {
	poll  *parsedPoll
	lines []string
}

// blocks takes a text apart into polls and the rest, line by line as Discourse's Markdown does: a poll begins and ends with lines of
// their own, and does not count in fenced or indented code, in quotes, or where it is not closed.
func blocks(raw string) []block {
	lines := strings.Split(strings.ReplaceAll(raw, "\r\n", "\n"), "\n")
	var out []block
	var plain []string
	flush := func() {
		if len(plain) > 0 {
			out = append(out, block{lines: plain})
			plain = nil
		}
	}
	fence := ""
	for i := 0; i < len(lines); i++ {
		if f := fenceOf(lines[i]); fence == "" && f != "" {
			fence = f
		} else if fence != "" && strings.HasPrefix(f, fence) && strings.Trim(strings.TrimSpace(lines[i]), fence[:1]) == "" {
			fence = ""
		}
		attrs, closing, ok := pollTag(lines[i])
		if fence != "" || !ok || closing {
			plain = append(plain, lines[i])
			continue
		}
		end := closeOf(lines, i+1)
		if end < 0 {
			plain = append(plain, lines[i])
			continue
		}
		p := parsePoll(parseAttrs(attrs), lines[i+1:end])
		if p == nil {
			plain = append(plain, lines[i:end+1]...)
		} else {
			flush()
			out = append(out, block{poll: p})
		}
		i = end
	}
	flush()
	return out
}

func fenceOf(line string) string {
	trimmed := strings.TrimLeft(line, " ")
	if len(line)-len(trimmed) >= 4 {
		return ""
	}
	for _, mark := range []string{"`", "~"} {
		if rest := strings.TrimLeft(trimmed, mark); len(trimmed)-len(rest) >= 3 && !(mark == "`" && strings.Contains(rest, mark)) {
			return trimmed[:len(trimmed)-len(rest)]
		}
	}
	return ""
}

// closeOf finds the line that closes a poll; polls inside it count.
func closeOf(lines []string, from int) int {
	depth := 0
	for i := from; i < len(lines); i++ {
		_, closing, ok := pollTag(lines[i])
		switch {
		case !ok:
		case !closing:
			depth++
		case depth == 0:
			return i
		default:
			depth--
		}
	}
	return -1
}

var (
	headingPattern = regexp.MustCompile(`^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$`)
	itemPattern    = regexp.MustCompile(`^( {0,3})([-+*]|\d{1,9}[.)])(?:[ \t]+(.*))?$`)
	rulePattern    = regexp.MustCompile(`^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$`)
)

// parsePoll reads what is inside a poll: a heading is its title, and apart from it there may be lists and nothing else. It is nil if it
// is no poll.
func parsePoll(attrs map[string]string, lines []string) *parsedPoll {
	p := &parsedPoll{attrs: attrs}
	titled, blank := false, false
	inner := 0 // how far in the text of the last item is: what is as far in belongs to it
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			blank = true
			continue
		}
		indent := len(line) - len(strings.TrimLeft(line, " "))
		item := itemPattern.FindStringSubmatch(line)
		heading := headingPattern.FindStringSubmatch(line)
		switch {
		case rulePattern.MatchString(line) && !(len(p.options) > 0 && indent >= inner):
			return nil // a line across the page, which no poll may have
		case heading != nil && !titled && len(p.options) == 0:
			titled, p.title = true, heading[2]
		case len(p.options) > 0 && indent >= inner, len(p.options) > 0 && item == nil && heading == nil && !blank:
			// What belongs to the last item: deeper lists, and lines that go on with its paragraph.
			last := len(p.options) - 1
			p.options[last] = strings.TrimSpace(p.options[last] + "\n" + strings.TrimSpace(line))
		case item != nil:
			p.loose = p.loose || blank && len(p.options) > 0
			p.options = append(p.options, strings.TrimSpace(item[3]))
			inner = len(item[1]) + len(item[2]) + 1
		default:
			return nil // a paragraph or a second heading, which no poll may have
		}
		blank = false
	}
	if p.attrs["type"] == "number" && len(p.options) > 0 {
		return nil
	}
	return p
}

// numbers are the options of a poll of numbers.
func (p *parsedPoll) numbers(most int) []string {
	lo, hi, step := atoi(p.attrs["min"], 1), atoi(p.attrs["max"], most), max(1, atoi(p.attrs["step"], 1))
	var out []string
	for n := lo; n <= hi && len(out) <= 10*most; n += step {
		out = append(out, strconv.Itoa(n))
	}
	return out
}

func atoi(s string, fallback int) int {
	if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
		return n
	}
	return fallback
}

// optionID is MD5 of the option's text in a JSON array.
func optionID(markdown string) string {
	sum := md5.Sum([]byte(`[` + jsonString(markdown) + `]`))
	return hex.EncodeToString(sum[:])
}

// jsonString is a string as JavaScript's JSON.stringify writes it: <, > and & stay as they are.
func jsonString(s string) string {
	b := string(rawJSON(s))
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(b)
}

// polls reads the polls of a text, and says what is wrong with them.
func (f *Forum) polls(p *post, raw string, by *user) ([]*poll, error) {
	var out []*poll
	for _, b := range blocks(raw) {
		if b.poll == nil {
			continue
		}
		if !by.staff() && by.trust < f.settings.PollMinimumTrustLevelToCreate {
			return nil, invalid("You don't have permission to create polls.")
		}
		made, err := f.makePoll(p, b.poll)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(x *poll) bool { return x.name == made.name }) {
			which := "without a name"
			if made.name != "poll" {
				which = "with the same name: <strong>" + made.name + "</strong>"
			}
			return nil, invalid("There are multiple polls " + which + ". Use the '<code>name</code>' attribute to uniquely identify your polls.")
		}
		out = append(out, made)
	}
	return out, nil
}

// makePoll checks one poll, in Discourse's order.
func (f *Forum) makePoll(p *post, in *parsedPoll) (*poll, error) {
	a := in.attrs
	out := &poll{p: p, name: html.EscapeString(orElse(a["name"], "poll")), typ: orElse(a["type"], "regular"), status: orElse(a["status"], "open"),
		results: orElse(a["results"], "always"), public: a["public"] == "true", chart: orElse(a["charttype"], "bar"), groups: a["groups"],
		min: atoi(a["min"], 0), max: atoi(a["max"], 0), step: atoi(a["step"], 0), title: inline(in.title), created: f.now(),
		votes: map[int64]map[string]int{}}
	_, out.hasMin = a["min"]
	out.closeAt = parseTime(a["close"])
	texts := in.options
	if out.typ == "number" {
		texts = in.numbers(f.settings.PollMaximumOptions)
	}
	for _, t := range texts {
		text := inline(t)
		if in.loose && text != "" {
			text = "<p>" + text + "</p>"
		}
		out.options = append(out.options, pollOption{optionID(t), text})
	}
	words := "Poll"
	if out.name != "poll" {
		words = "Poll named <strong>" + out.name + "</strong>"
	}
	most := f.settings.PollMaximumOptions
	ids := map[string]bool{}
	for _, o := range out.options {
		ids[o.id] = true
	}
	switch {
	case !slices.Contains([]string{"regular", "multiple", "number", "ranked_choice"}, out.typ):
		return nil, invalid("'" + out.typ + "' is not a valid poll type.")
	case !slices.Contains([]string{"always", "on_vote", "on_close", "staff_only"}, out.results) || out.status != "open" && out.status != "closed":
		return nil, invalid(words + " has invalid parameters.")
	case len(ids) != len(out.options):
		return nil, invalid(words + " must have different options.")
	case slices.ContainsFunc(out.options, func(o pollOption) bool { return strings.TrimSpace(o.html) == "" }):
		return nil, invalid(words + " must not have any empty options.")
	case len(out.options) == 0:
		return nil, invalid(words + " must have at least 1 option.")
	case len(out.options) > most:
		return nil, invalid(words + " must have less than " + strconv.Itoa(most) + " options.")
	case out.typ == "multiple" && !out.validMultiple(a):
		return nil, invalid(words + " with multiple choices has invalid parameters.")
	}
	return out, nil
}

// validMultiple checks how many may be chosen: min may not exceed max, nor max the number of options.
func (p *poll) validMultiple(a map[string]string) bool {
	lo, hi, n := atoi(a["min"], 1), atoi(a["max"], len(p.options)), len(p.options)
	return lo <= hi && lo >= 0 && hi > 0 && hi <= n && lo <= n
}

func parseTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
