package schema

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Invalid says that a document does not fit its schema, with everything that is wrong with it. It never repeats a
// value of the document, which may be a secret or very long.
type Invalid struct {
	Failures []Failure // sorted by path, at least one
}

// Failure is one thing that is wrong.
type Failure struct {
	Path    string `json:"path"`    // JSON pointer into the document, "" for the whole
	Message string `json:"message"` // goes on after the field's name: "is required"
}

const maxShown = 20

// Error lists the first failures, enough for a person.
func (e *Invalid) Error() string {
	var b strings.Builder
	b.WriteString("invalid: ")
	for i, f := range e.Failures {
		if i == maxShown {
			b.WriteString("; and more")
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		if f.Path == "" {
			b.WriteString("the document")
		} else {
			b.WriteString(f.Path)
		}
		b.WriteString(" " + f.Message)
	}
	return b.String()
}

func invalid(path, message string) *Invalid {
	return &Invalid{Failures: []Failure{{Path: path, Message: message}}}
}

// newInvalid sorts and drops repetitions, which come from one field being checked by several parts of a schema.
func newInvalid(failures []Failure) *Invalid {
	for i := range failures {
		failures[i].Path = clip(failures[i].Path, 1000)
		failures[i].Message = clip(failures[i].Message, 300)
	}
	slices.SortFunc(failures, func(a, b Failure) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.Message, b.Message)
	})
	return &Invalid{Failures: slices.Compact(failures)}
}

// clip shortens s to at most n bytes and an ellipsis, at the border of a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
