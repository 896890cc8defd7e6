package fakediscourse

import (
	"regexp"
	"strings"
	"unicode"
)

// spaces are what counts as white space of other scripts, which becomes an ordinary space (lib/text_cleaner.rb, checked 2026-11).
var spaces = regexp.MustCompile("[\u00A0\u1680\u180E\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]")

// cleanRaw is a post's text as it is kept: without white space at its end.
func cleanRaw(raw string) string {
	return strings.TrimRightFunc(spaces.ReplaceAllString(raw, " "), unicode.IsSpace)
}

var (
	exclamations = regexp.MustCompile("!+")
	questions    = regexp.MustCompile(`\?+`)
	firstWord    = regexp.MustCompile(`^[a-z]+\b`)
	lastPeriods  = regexp.MustCompile(`([^.])\.+(\s*)$`)
	beforeMark   = regexp.MustCompile(`\s+([!?]\s*)$`)
	manySpaces   = regexp.MustCompile(" +")
)

// cleanTitle is a title as it is kept. Where titles are prettified, it may be another than was asked for: its first word begins with a
// capital letter, it does not end with a period, and it is not written in capitals.
func (f *Forum) cleanTitle(title string) string {
	if f.settings.TitlePrettify {
		title = exclamations.ReplaceAllString(title, "!")
		title = questions.ReplaceAllString(title, "?")
		if title == strings.ToUpper(title) {
			title = strings.Map(func(r rune) rune {
				if r >= 'A' && r <= 'Z' {
					return r - 'A' + 'a'
				}
				return r
			}, title)
		}
		title = firstWord.ReplaceAllStringFunc(title, func(w string) string { return strings.ToUpper(w[:1]) + w[1:] })
		title = lastPeriods.ReplaceAllString(title, "$1$2")
		title = beforeMark.ReplaceAllString(title, "$1")
	}
	title = manySpaces.ReplaceAllString(title, " ")
	return strings.TrimSpace(spaces.ReplaceAllString(title, " "))
}

func abs(n int) int { return max(n, -n) }
