package github

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/metagov/gateway-go/vote"
)

var (
	voteLine   = regexp.MustCompile(`(?i)^ {0,3}/vote[ \t\p{Zs}]+(.+)$`)
	unvoteLine = regexp.MustCompile(`(?i)^ {0,3}/unvote$`)
	// itemMark is the beginning of an entry of a list (https://spec.commonmark.org/0.31.2/ 5.2).
	itemMark = regexp.MustCompile(`^ {0,3}(?:(?:[-*+]|[0-9]{1,9}[.)]) {1,4})+`)
)

// spoken reads the lines of a comment that are votes, outside of blocks of code and of what nobody sees. Of several where one counts the last one
// does. A line that names no choice is none.
func spoken(ask *vote.Ask, body string) (choices []string, ok bool) {
	for _, line := range seen(body) {
		if unvoteLine.MatchString(line) {
			choices, ok = nil, true
			continue
		}
		m := voteLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		choice, known := named(ask, m[1])
		switch {
		case !known:
		case several(ask):
			choices, ok = ordered(ask, append(choices, choice)), true
		default:
			choices, ok = []string{choice}, true
		}
	}
	return choices, ok
}

// seen lists the lines of a text that are neither in a fenced block of code nor in an HTML comment, by the rules of https://spec.commonmark.org/0.31.2/ 4.5,
// 4.6 and 6.6, which GitHub's Markdown has too.
func seen(body string) (out []string) {
	lines := strings.Split(body, "\n")
	var open fence
	none := 0 // on the lines before this one no comment ends that begins within a line
	for i := 0; i < len(lines); i++ {
		line := strings.TrimRightFunc(lines[i], unicode.IsSpace)
		if open.length > 0 && open.within(line) {
			f, isFence := fenceOf(strings.TrimPrefix(line, strings.Repeat(" ", open.item)))
			if isFence && f.mark == open.mark && f.length >= open.length && f.info == "" {
				open = fence{}
			}
			continue
		}
		open = fence{}
		f, isFence := fenceOf(line)
		if mark := itemMark.FindString(line); !isFence && mark != "" {
			f, isFence = fenceOf(line[len(mark):])
			f.item = len(mark)
		}
		switch {
		case isFence:
			open = f
		default:
			end := hidden(lines, i, &none)
			if end == i && !strings.HasPrefix(indented(line), "<!--") {
				out = append(out, line)
			}
			i = end
		}
	}
	return out
}

// fence is what opens or ends a block of code.
type fence struct {
	mark   byte
	length int
	info   string
	item   int // how far the entry of a list is indented in which it is; 0: it is in none
}

// within says whether a line belongs to what the fence encloses: an entry of a list ends where a line is not indented as it is, and all in it.
func (f fence) within(line string) bool {
	return line == "" || strings.HasPrefix(line, strings.Repeat(" ", f.item))
}

// fenceOf reads a line as a fence: three or more of the same mark after three spaces at the most, and no backtick behind backticks.
func fenceOf(line string) (f fence, ok bool) {
	text := indented(line)
	if text == "" || text[0] != '`' && text[0] != '~' {
		return fence{}, false
	}
	f.mark = text[0]
	f.info = strings.TrimLeft(text, text[:1])
	f.length = len(text) - len(f.info)
	if f.length < 3 || f.mark == '`' && strings.Contains(f.info, "`") {
		return fence{}, false
	}
	return f, true
}

// indented is a line without the up to three spaces at its beginning; "" where there are more.
func indented(line string) string {
	text := strings.TrimLeft(line, " ")
	if len(line)-len(text) > 3 {
		return ""
	}
	return text
}

// hidden gives the line that ends the HTML comment which begins on a line, or that line itself. One that begins a line and does not end hides all the
// rest; one within a line does not go beyond its paragraph, or is none. none is what is known of those, so that no text is read again and again.
func hidden(lines []string, i int, none *int) int {
	_, rest, begins := strings.Cut(lines[i], "<!--")
	for begins && strings.Contains(rest, "-->") { // the last one of the line
		_, rest, _ = strings.Cut(rest, "-->")
		_, rest, begins = strings.Cut(rest, "<!--")
	}
	if !begins {
		return i
	}
	block := strings.HasPrefix(indented(lines[i]), "<!--")
	if !block && i < *none {
		return i
	}
	for end := i + 1; end < len(lines); end++ {
		switch {
		case strings.Contains(lines[end], "-->"):
			return end
		case !block && strings.TrimSpace(lines[end]) == "":
			*none = end
			return i
		}
	}
	if block {
		return len(lines) - 1
	}
	*none = len(lines)
	return i
}

// named finds the choice that somebody means: by its text as it is, then whatever the case and the spaces and as it is shown, with or without
// backticks around it, or by its number.
func named(ask *vote.Ask, text string) (string, bool) {
	same := func(s string) string {
		return strings.ReplaceAll(strings.ToLower(strings.Join(strings.Fields(s), " ")), "`", "'")
	}
	choices := ask.Choices()
	text = strings.TrimSpace(text)
	bare := strings.Trim(text, " \t`")
	for _, said := range []string{text, bare} {
		if slices.Contains(choices, said) {
			return said, true
		}
		if i := slices.IndexFunc(choices, func(c string) bool { return same(c) == same(said) }); i >= 0 {
			return choices[i], true
		}
	}
	if n, err := strconv.Atoi(bare); err == nil && n >= 1 && n <= len(choices) {
		return choices[n-1], true
	}
	return "", false
}
