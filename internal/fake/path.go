package fake

import (
	"net/url"
	"strings"
)

// MatchPath compares an escaped path, in parts, with a pattern, whose parts in braces stand for whatever is not empty. It gives what stands
// there, by name, and how many of the other parts there are: of two patterns that fit, the one with more of them is meant.
func MatchPath(pattern, parts []string) (vars map[string]string, literal int, ok bool) {
	if len(pattern) != len(parts) {
		return nil, 0, false
	}
	vars = map[string]string{}
	for i, p := range pattern {
		if !strings.HasPrefix(p, "{") {
			if p != parts[i] {
				return nil, 0, false
			}
			literal++
			continue
		}
		v, err := url.PathUnescape(parts[i])
		if err != nil || v == "" {
			return nil, 0, false
		}
		vars[strings.Trim(p, "{}")] = v
	}
	return vars, literal, true
}
