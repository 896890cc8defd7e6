package discourse

import (
	"fmt"
	"strings"
	"unicode"
)

// plain is somebody's text as one line of Markdown that shows it and does nothing else. Every ASCII sign of punctuation
// becomes a character reference, since brackets would end the poll, and backslashes do not stop Discourse's block rules, which
// look at the raw line. Discourse looks for mentions when references are characters again, so that a sign without width stands behind
// an @, and nobody is called. White space and control characters of any kind become one space: a new line would be another option.
// Signs that turn the direction of the text that follows, and so could make another option of it for the eye, are left out.
func plain(s string) string {
	s = oneLine(s)
	var b strings.Builder
	for _, r := range s {
		if r == '@' {
			b.WriteString("&#64;&#8203;")
			continue
		}
		if r < unicode.MaxASCII && (unicode.IsPunct(r) || unicode.IsSymbol(r)) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// oneLine is a text on one line, without characters that nobody sees and that change what is seen.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// visible is what the eye sees of a text: without signs that have no width.
func visible(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, oneLine(s)))
}

// plainLines is the same for a text of several lines, which keeps them.
func plainLines(s string) string {
	var out []string
	for line := range strings.Lines(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)) {
		out = append(out, plain(line))
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}
