package discord

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// escape makes text show as it was typed in Discord's Markdown: it mentions nobody, links nowhere under another name and is not emphasised
// (https://docs.discord.com/developers/reference#message-formatting). Discord takes a backslash before any of these.
func escape(s string) string { return marks.Replace(s) }

var marks = strings.NewReplacer(
	`\`, `\\`, "*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "|", `\|`, ">", `\>`, "<", `\<`, "#", `\#`, "[", `\[`, "]", `\]`, "(", `\(`, ")", `\)`, "@", `\@`, "-", `\-`,
)

// line is escaped text without line breaks.
func line(s string) string { return escape(strings.Join(strings.Fields(s), " ")) }

// clip shortens to n characters, with an ellipsis, and not behind a backslash.
func clip(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	end := 0
	for i := range text {
		if n == 1 {
			end = i
			break
		}
		n--
	}
	part := text[:end]
	if kept := strings.TrimRight(part, `\`); (len(part)-len(kept))%2 == 1 {
		part = part[:len(part)-1]
	}
	return part + "…"
}

// shownTime writes a time so that people see it in their own zone.
func shownTime(t time.Time) string { return "<t:" + strconv.FormatInt(t.Unix(), 10) + ":f>" }

var userID = regexp.MustCompile(`^[0-9]{1,20}$`)

// mention names a voter. Only what is a user's ID becomes a mention, which rings nobody: a driver may have counted somebody else's vote.
func mention(voter string) string {
	if userID.MatchString(voter) {
		return "<@" + voter + ">"
	}
	return line(voter)
}

func runes(s string) int { return utf8.RuneCountInString(s) }
