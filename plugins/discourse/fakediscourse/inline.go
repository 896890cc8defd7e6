package fakediscourse

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// escape makes text fit for HTML, as it is written between tags: quotation marks stay.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

// marks are what means something in a line of Markdown, each with a name for what matters of it. The first that fits at the first place counts.
var marks = regexp.MustCompile(strings.Join([]string{
	"`(?P<code>[^`]+)`",
	`\\(?P<escaped>[!-/:-@\[-` + "`" + `{-~])`,
	`(?P<reference>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});)`,
	`!\[(?P<alt>[^\[\]]*)\]\((?P<image>[^()\s]*)\)`,
	`\[(?P<label>[^\[\]]*)\]\((?P<link>[^()\s]*)\)`,
	`\[b\](?P<b>.*?)\[/b\]`, `\[i\](?P<i>.*?)\[/i\]`, `\[u\](?P<u>.*?)\[/u\]`, `\[s\](?P<s>.*?)\[/s\]`,
	`(?P<url>https?://[^\s<>]+)`,
	`\*\*(?P<strong>[^*\s](?:[^*]*[^*\s])?)\*\*`, `\*(?P<em>[^*\s](?:[^*]*[^*\s])?)\*`,
	`\b__(?P<strong2>[^_\s](?:[^_]*[^_\s])?)__\b`, `\b_(?P<em2>[^_\s](?:[^_]*[^_\s])?)_\b`, `~~(?P<struck>[^~]+)~~`,
	`(?P<tag></?[a-zA-Z][^<>]*>)`,
	`:(?P<emoji>[a-z0-9_+-]+):`,
	`(?P<before>^|[^\w@&;/])@(?P<mention>[a-zA-Z0-9_][\w.-]*)`,
}, "|"))

var (
	safeTag  = regexp.MustCompile(`^</?(?:b|i|em|strong|s|del|ins|u|kbd|mark|small|sub|sup|big|br|code)\s*/?>$`)
	safeLink = regexp.MustCompile(`^(?:https?:|mailto:|tel:|/|#|[^:]*$)`)
)

// emoji are those that the fake knows.
var emoji = []string{"smile", "heart", "+1", "-1", "tada", "warning", "thinking", "white_check_mark", "x"}

// inline makes HTML of a line of Markdown: character references, escapes, code, emphasis, links, images, BBCode, emoji, mentions, typography, and
// of HTML itself what Discourse lets through.
func inline(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		m := marks.FindStringSubmatchIndex(s)
		if m == nil {
			break
		}
		found := map[string]string{}
		for i, name := range marks.SubexpNames() {
			if name != "" && m[2*i] >= 0 {
				found[name] = s[m[2*i]:m[2*i+1]]
			}
		}
		b.WriteString(typeset(s[:m[0]]))
		b.WriteString(markHTML(s[m[0]:m[1]], found))
		s = s[m[1]:]
	}
	b.WriteString(typeset(s))
	return strings.TrimRightFunc(b.String(), unicode.IsSpace)
}

// markHTML makes HTML of one mark.
func markHTML(whole string, found map[string]string) string {
	for name, v := range found {
		switch name {
		case "code":
			return "<code>" + escape(v) + "</code>"
		case "escaped":
			return escape(v)
		case "reference":
			return escape(html.UnescapeString(v))
		case "image", "alt":
			return `<img src="` + html.EscapeString(found["image"]) + `" alt="` + html.EscapeString(found["alt"]) + `">`
		case "link", "label":
			return anchor(found["link"], inline(found["label"]))
		case "b", "i", "u", "s":
			return `<span class="bbcode-` + name + `">` + inline(v) + "</span>"
		case "url":
			return anchor(v, escape(v))
		case "strong", "strong2":
			return "<strong>" + inline(v) + "</strong>"
		case "em", "em2":
			return "<em>" + inline(v) + "</em>"
		case "struck":
			return "<s>" + inline(v) + "</s>"
		case "tag":
			if safeTag.MatchString(v) {
				return v
			}
			return ""
		case "emoji":
			if slices.Contains(emoji, v) {
				return `<img src="/images/emoji/twitter/` + v + `.png" title="` + whole + `" class="emoji" alt="` + whole + `">`
			}
		case "mention", "before":
			who := found["mention"]
			return escape(found["before"]) + `<a class="mention" href="/u/` + escape(strings.ToLower(who)) + `">@` + escape(who) + "</a>"
		}
	}
	return typeset(whole)
}

// anchor is a link, which leads nowhere if its scheme is not let through.
func anchor(to, label string) string {
	if !safeLink.MatchString(to) {
		return "<a>" + label + "</a>"
	}
	return `<a href="` + html.EscapeString(to) + `">` + label + "</a>"
}

var (
	ellipsis  = strings.NewReplacer("...", "…", "---", "—", "--", "–", "(c)", "©", "(C)", "©", "(r)", "®", "(R)", "®", "(tm)", "™", "(TM)", "™")
	openQuote = regexp.MustCompile(`(^|[\s(\[{])"`)
	openPrime = regexp.MustCompile(`(^|[\s(\[{])'`)
)

// typeset is ordinary text in HTML, with quotation marks and dashes as a book has them.
func typeset(s string) string {
	s = openQuote.ReplaceAllString(ellipsis.Replace(s), "$1“")
	s = openPrime.ReplaceAllString(s, "$1‘")
	return escape(strings.NewReplacer(`"`, "”", "'", "’").Replace(s))
}
