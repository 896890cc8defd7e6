package fakediscourse

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode"
)

// cook makes HTML of a post's text. It knows paragraphs, headings, code, quotes, lists and polls; enough to see what breaks out.
func cook(raw string, polls []*poll) string {
	var b strings.Builder
	n := 0
	for _, part := range blocks(raw) {
		if part.poll == nil {
			cookLines(&b, part.lines)
			continue
		}
		if n < len(polls) {
			cookPoll(&b, polls[n])
		}
		n++
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func cookLines(b *strings.Builder, lines []string) {
	var para, items []string
	flush := func() {
		if len(para) > 0 {
			fmt.Fprintf(b, "<p>%s</p>\n", strings.Join(para, "<br>\n"))
		}
		if len(items) > 0 {
			fmt.Fprintf(b, "<ul>\n<li>%s</li>\n</ul>\n", strings.Join(items, "</li>\n<li>"))
		}
		para, items = nil, nil
	}
	fence, code := "", []string(nil)
	for _, line := range lines {
		if f := fenceOf(line); fence == "" && f != "" {
			flush()
			fence = f
			continue
		} else if fence != "" {
			if strings.HasPrefix(f, fence) {
				fmt.Fprintf(b, "<pre><code class=\"lang-auto\">%s\n</code></pre>\n", html.EscapeString(strings.Join(code, "\n")))
				fence, code = "", nil
			} else {
				code = append(code, line)
			}
			continue
		}
		heading, item := headingPattern.FindStringSubmatch(line), itemPattern.FindStringSubmatch(line)
		switch {
		case strings.TrimSpace(line) == "":
			flush()
		case heading != nil:
			flush()
			fmt.Fprintf(b, "<h%d>%s</h%d>\n", len(heading[1]), inline(heading[2]), len(heading[1]))
		case item != nil && len(para) == 0:
			items = append(items, inline(item[3]))
		case strings.HasPrefix(line, "> "):
			flush()
			fmt.Fprintf(b, "<blockquote>\n<p>%s</p>\n</blockquote>\n", inline(line[2:]))
		default:
			para = append(para, inline(line))
		}
	}
	if code != nil {
		fmt.Fprintf(b, "<pre><code class=\"lang-auto\">%s\n</code></pre>\n", html.EscapeString(strings.Join(code, "\n")))
	}
	flush()
}

func cookPoll(b *strings.Builder, p *poll) {
	attr := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, " data-poll-%s=\"%s\"", name, html.EscapeString(value))
		}
	}
	b.WriteString(`<div class="poll"`)
	attr("status", p.status)
	attr("name", html.UnescapeString(p.name))
	attr("type", p.typ)
	attr("results", p.results)
	if p.public {
		attr("public", "true")
	}
	b.WriteString(">\n<div class=\"poll-container\">\n")
	if p.title != "" {
		fmt.Fprintf(b, "<div class=\"poll-title\">%s</div>\n", p.title)
	}
	b.WriteString("<ul>\n")
	for _, o := range p.options {
		fmt.Fprintf(b, "<li data-poll-option-id=\"%s\">%s</li>\n", o.id, o.html)
	}
	b.WriteString("</ul>\n</div>\n</div>\n")
}

// escape makes text fit for HTML, as it is written between tags: quotation marks stay.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

var (
	inlinePattern = regexp.MustCompile("`([^`]+)`|\\\\([!-/:-@\\[-`{-~])|(&(?:#\\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});)|" +
		`!?\[([^\[\]]*)\]\(([^()\s]*)\)|(https?://[^\s<>]+)|\*\*([^*\s](?:[^*]*[^*\s])?)\*\*|\*([^*\s](?:[^*]*[^*\s])?)\*|` +
		`(</?[a-zA-Z][^<>]*>)|(^|[^\w@&;/])@([a-zA-Z0-9_][\w.-]*)`)
	safeTag = regexp.MustCompile(`^</?(?:b|i|em|strong|s|del|ins|u|kbd|mark|small|sub|sup|big|br|code)\s*/?>$`)
)

// inline makes HTML of one line of Markdown: character references, escapes, code, emphasis, links, images, mentions, and of HTML itself
// what Discourse lets through.
func inline(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		m := inlinePattern.FindStringSubmatchIndex(s)
		if m == nil {
			break
		}
		b.WriteString(escape(s[:m[0]]))
		group := func(n int) string {
			if m[2*n] < 0 {
				return ""
			}
			return s[m[2*n]:m[2*n+1]]
		}
		b.WriteString(inlineMark(s[m[0]:m[1]], group))
		s = s[m[1]:]
	}
	b.WriteString(escape(s))
	return strings.TrimRightFunc(b.String(), unicode.IsSpace)
}

func inlineMark(whole string, group func(int) string) string {
	esc := escape
	switch {
	case group(1) != "":
		return "<code>" + esc(group(1)) + "</code>"
	case group(2) != "":
		return esc(group(2))
	case group(3) != "":
		return esc(html.UnescapeString(group(3)))
	case strings.HasPrefix(whole, "!["):
		return `<img src="` + html.EscapeString(group(5)) + `" alt="` + html.EscapeString(group(4)) + `">`
	case strings.HasPrefix(whole, "["):
		return `<a href="` + html.EscapeString(group(5)) + `">` + inline(group(4)) + "</a>"
	case group(6) != "":
		return `<a href="` + html.EscapeString(group(6)) + `">` + esc(group(6)) + "</a>"
	case group(7) != "":
		return "<strong>" + inline(group(7)) + "</strong>"
	case group(8) != "":
		return "<em>" + inline(group(8)) + "</em>"
	case group(9) != "":
		if safeTag.MatchString(group(9)) {
			return group(9)
		}
		return ""
	case group(11) != "":
		return esc(group(10)) + `<a class="mention" href="/u/` + esc(strings.ToLower(group(11))) + `">@` + esc(group(11)) + "</a>"
	}
	return esc(whole)
}
