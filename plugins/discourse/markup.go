package discourse

import (
	"fmt"
	"strings"
	"unicode"
)

// plain is somebody's text as one line of Markdown that shows it and does nothing else. Every ASCII sign of punctuation
// becomes a character reference, since brackets would end the poll, and backslashes do not stop Discourse's block rules, which
// look at the raw line. White space and control characters of any kind become one space: a new line would be another option.
func plain(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	var b strings.Builder
	for _, r := range s {
		if r < unicode.MaxASCII && (unicode.IsPunct(r) || unicode.IsSymbol(r)) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
