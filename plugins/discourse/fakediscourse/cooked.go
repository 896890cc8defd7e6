package fakediscourse

import (
	"fmt"
	"html"
	"strings"
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
