package fakediscourse

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

type object = map[string]any

func orElse(s, fallback string) string {
	if s != "" {
		return s
	}
	return fallback
}

func secretText(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

// num is an ID in text as a number; what is none is 0, which is nobody's.
func num(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// iso is a time as Discourse writes it, with milliseconds; the zero time is null.
func iso(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// nullable is a string that is null when empty.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// rawJSON is for values that the fake made itself, which always can be written.
func rawJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}

// list is never null in JSON.
func list[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}

// split takes a list with commas apart, without empty parts.
func split(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// page is a window of a list; from may lie outside.
func page[T any](in []T, from, n int) []T {
	from = min(max(from, 0), len(in))
	return in[from:min(from+max(n, 0), len(in))]
}

// slug makes a title fit for a path: letters, digits and hyphens.
func slug(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return orElse(strings.Trim(b.String(), "-"), "topic")
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func containsID(in []int64, id int64) bool { return slices.Contains(in, id) }

// tagPattern finds tags of HTML.
var tagPattern = regexp.MustCompile(`<[^>]*>`)
