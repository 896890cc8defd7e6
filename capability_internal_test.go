package gateway

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Amounts are compared as numbers, whatever zeros they are written with, and never as floating point.
func TestAmountsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Custom(func(t *rapid.T) string {
			out := rapid.SampledFrom([]string{"", "-", "0", "00"}).Draw(t, "begin") + rapid.StringMatching(`[0-9]{1,25}`).Draw(t, "whole")
			if rapid.Bool().Draw(t, "part") {
				out += "." + rapid.StringMatching(`[0-9]{1,14}`).Draw(t, "digits") + strings.Repeat("0", rapid.IntRange(0, 3).Draw(t, "zeros"))
			}
			return out
		})
		limit, want := amount.Draw(t, "limit"), amount.Draw(t, "want")
		if rapid.Bool().Draw(t, "near") {
			want = limit + rapid.SampledFrom([]string{"", "0", "1"}).Draw(t, "more")
		}
		data, err := json.Marshal(map[string]string{"n": limit})
		require.NoError(t, err)
		err = within(data, map[string]string{"n": want})
		x, _ := new(big.Rat).SetString(want)
		y, _ := new(big.Rat).SetString(limit)
		require.Equal(t, x.Cmp(y) <= 0, err == nil, "%s %s: %v", limit, want, err)
	})
}

// FuzzWithin: whatever a claim's data is, what it does not say is not allowed.
func FuzzWithin(f *testing.F) {
	f.Add(`{"up_to":"200.00","currency":"EUR"}`, "up_to", "200")
	f.Add(`{"up_to":200}`, "up_to", "1e2")
	f.Add(`[]`, "x", "")
	f.Fuzz(func(t *testing.T, data, name, want string) {
		if data == "" || within(json.RawMessage(data), map[string]string{name: want}) != nil {
			return
		}
		var have map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(data), &have))
		require.Contains(t, have, name)
	})
}
