package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
)

// decimal is a number as capabilities and policies write it: no exponent and no signs but a minus, so that nobody reads another number.
var decimal = regexp.MustCompile(`^-?[0-9]{1,30}(\.[0-9]{1,18})?$`)

// within says whether what is wanted lies within the limits of a claim: numbers exactly, not as floating point. No limits at all allow everything; limits
// that do not name what is wanted do not, so that a name that is spelt otherwise opens nothing.
func within(limits json.RawMessage, want map[string]string) error {
	if len(want) == 0 {
		return nil
	}
	have := map[string]json.RawMessage{}
	if len(limits) == 0 {
		return nil
	}
	if err := json.Unmarshal(limits, &have); err != nil {
		return errors.New("its limits cannot be read")
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		raw, limited := have[name]
		if !limited {
			return fmt.Errorf("it says nothing of %s", name)
		}
		var limit string
		if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '"' {
			limit = string(raw) // a bare number
		} else if err := json.Unmarshal(raw, &limit); err != nil {
			return errors.New("its limits cannot be read")
		}
		w := want[name]
		switch {
		case decimal.MatchString(limit) && decimal.MatchString(w):
			x, _ := new(big.Rat).SetString(w)
			y, _ := new(big.Rat).SetString(limit)
			if x.Cmp(y) > 0 {
				return fmt.Errorf("%s %s is more than the %s that it allows", name, w, limit)
			}
		case decimal.MatchString(limit) || limit != w:
			return fmt.Errorf("%s %q is not the %q that it allows", name, w, limit)
		}
	}
	return nil
}
