package schema

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of every document that comes in. They are far above what a person or a platform sends, and keep a hostile
// document from costing more than it should.
const (
	maxBytes    = 1 << 20
	maxDepth    = 64
	maxNumber   = 512 // characters of one number
	maxExponent = 400 // math/big would expand 1e999999999 to its last digit
)

// parse reads one JSON document into the shapes that the validator takes, in one pass, numbers as json.Number. It is
// stricter than encoding/json, which lets the last of two equal names win and repairs bad UTF-8: what a check sees and
// what a platform sees must be the same.
func parse(in []byte) (any, error) {
	if len(in) > maxBytes {
		return nil, invalid("", "is larger than 1 MiB")
	}
	p := parser{in: in}
	v, err := p.value(0)
	if err == nil {
		if p.space(); p.at != len(in) {
			err = p.fail("is not valid JSON: something follows the document")
		}
	}
	if err != nil {
		return nil, &Invalid{Failures: []Failure{{Path: err.path(), Message: err.message}}}
	}
	return v, nil
}

type parser struct {
	in []byte
	at int
}

// parseError collects its path from the inside out while the calls return.
type parseError struct {
	message string
	tokens  []string
}

func (e *parseError) path() string {
	var b strings.Builder
	for i := len(e.tokens) - 1; i >= 0; i-- {
		b.WriteString("/" + escapeToken(e.tokens[i]))
	}
	return b.String()
}

func (e *parseError) in(token string) *parseError {
	e.tokens = append(e.tokens, token)
	return e
}

func (p *parser) fail(message string) *parseError {
	return &parseError{message: message + " (byte " + strconv.Itoa(p.at) + ")"}
}

func (p *parser) space() {
	for p.at < len(p.in) {
		switch p.in[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// peek gives the next byte that is not space, or 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.at < len(p.in) {
		return p.in[p.at]
	}
	return 0
}

func (p *parser) value(depth int) (any, *parseError) {
	if depth > maxDepth {
		return nil, p.fail("is nested deeper than 64 levels")
	}
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.string()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't' && p.word("true"):
		return true, nil
	case c == 'f' && p.word("false"):
		return false, nil
	case c == 'n' && p.word("null"):
		return nil, nil
	}
	return nil, p.fail("is not valid JSON: no value here")
}

func (p *parser) word(w string) bool {
	if !bytes.HasPrefix(p.in[p.at:], []byte(w)) {
		return false
	}
	p.at += len(w)
	return true
}

func (p *parser) object(depth int) (any, *parseError) {
	p.at++
	out := make(map[string]any)
	if p.peek() == '}' {
		p.at++
		return out, nil
	}
	for {
		if p.peek() != '"' {
			return nil, p.fail("is not valid JSON: the name of a field has to come here")
		}
		name, err := p.string()
		if err != nil {
			return nil, err
		}
		if _, twice := out[name]; twice {
			return nil, p.fail("is given twice").in(name)
		}
		if p.peek() != ':' {
			return nil, p.fail("is not valid JSON: a colon has to come here")
		}
		p.at++
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err.in(name)
		}
		out[name] = v
		switch p.peek() {
		case ',':
			p.at++
		case '}':
			p.at++
			return out, nil
		default:
			return nil, p.fail("is not valid JSON: the object does not end")
		}
	}
}

func (p *parser) array(depth int) (any, *parseError) {
	p.at++
	out := []any{}
	if p.peek() == ']' {
		p.at++
		return out, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err.in(strconv.Itoa(len(out)))
		}
		out = append(out, v)
		switch p.peek() {
		case ',':
			p.at++
		case ']':
			p.at++
			return out, nil
		default:
			return nil, p.fail("is not valid JSON: the array does not end")
		}
	}
}

func (p *parser) number() (any, *parseError) {
	start := p.at
	if p.in[p.at] == '-' {
		p.at++
	}
	whole := p.digits()
	if len(whole) == 0 || len(whole) > 1 && whole[0] == '0' {
		return nil, p.fail("is not a valid number")
	}
	if p.at < len(p.in) && p.in[p.at] == '.' {
		p.at++
		if len(p.digits()) == 0 {
			return nil, p.fail("is not a valid number")
		}
	}
	if p.at < len(p.in) && (p.in[p.at] == 'e' || p.in[p.at] == 'E') {
		p.at++
		if p.at < len(p.in) && (p.in[p.at] == '+' || p.in[p.at] == '-') {
			p.at++
		}
		exp := p.digits()
		if len(exp) == 0 {
			return nil, p.fail("is not a valid number")
		}
		if n, err := strconv.Atoi(string(exp)); err != nil || n > maxExponent {
			return nil, p.fail("is a number outside of what is supported")
		}
	}
	if p.at-start > maxNumber {
		return nil, p.fail("is a number with too many digits")
	}
	return json.Number(p.in[start:p.at]), nil
}

func (p *parser) digits() []byte {
	start := p.at
	for p.at < len(p.in) && p.in[p.at] >= '0' && p.in[p.at] <= '9' {
		p.at++
	}
	return p.in[start:p.at]
}

func (p *parser) string() (string, *parseError) {
	p.at++
	start, ascii := p.at, true
	for ; p.at < len(p.in); p.at++ {
		switch c := p.in[p.at]; {
		case c == '"':
			text := p.in[start:p.at]
			if !ascii && !utf8.Valid(text) {
				return "", p.fail("is not valid UTF-8")
			}
			p.at++
			return string(text), nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", p.fail("is not valid JSON: a control character in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", p.fail("is not valid JSON: the string does not end")
}

// escaped goes on at the first backslash of a string.
func (p *parser) escaped(start int) (string, *parseError) {
	out := bytes.Clone(p.in[start:p.at])
	for p.at < len(p.in) {
		c := p.in[p.at]
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return "", p.fail("is not valid UTF-8")
			}
			p.at++
			return string(out), nil
		case c < ' ':
			return "", p.fail("is not valid JSON: a control character in a string")
		case c != '\\':
			out = append(out, c)
			p.at++
			continue
		}
		if p.at+1 >= len(p.in) {
			break
		}
		e := p.in[p.at+1]
		if e == 'u' {
			r, ok := p.unicode()
			if !ok {
				return "", p.fail("is not valid JSON: a bad \\u escape")
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		i := strings.IndexByte(`"\/bfnrt`, e)
		if i < 0 {
			return "", p.fail("is not valid JSON: a bad escape")
		}
		out = append(out, "\"\\/\b\f\n\r\t"[i])
		p.at += 2
	}
	return "", p.fail("is not valid JSON: the string does not end")
}

// unicode reads \uXXXX or a pair of surrogates. Half a pair is refused: it stands for no text.
func (p *parser) unicode() (rune, bool) {
	r, ok := p.hex4()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	low, ok := p.hex4()
	if !ok {
		return 0, false
	}
	r = utf16.DecodeRune(r, low)
	return r, r != utf8.RuneError
}

func (p *parser) hex4() (rune, bool) {
	if p.at+6 > len(p.in) || p.in[p.at] != '\\' || p.in[p.at+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range p.in[p.at+2 : p.at+6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	p.at += 6
	return r, true
}

// encode writes what parse reads, names sorted, without escaping HTML: the text goes to APIs, not into pages.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

var tokenEscaper = strings.NewReplacer("~", "~0", "/", "~1")
var tokenUnescaper = strings.NewReplacer("~1", "/", "~0", "~")

func escapeToken(s string) string { return tokenEscaper.Replace(s) }

// splitPointer gives the unescaped tokens of a JSON pointer.
func splitPointer(p string) []string {
	if p == "" {
		return nil
	}
	tokens := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for i, t := range tokens {
		tokens[i] = tokenUnescaper.Replace(t)
	}
	return tokens
}

// lookup follows the tokens into a parsed document.
func lookup(v any, tokens []string) (any, bool) {
	for _, t := range tokens {
		switch c := v.(type) {
		case map[string]any:
			next, ok := c[t]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(t)
			if err != nil || i < 0 || i >= len(c) {
				return nil, false
			}
			v = c[i]
		default:
			return nil, false
		}
	}
	return v, true
}
