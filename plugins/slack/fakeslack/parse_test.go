package fakeslack

import (
	"encoding/json"
	"testing"
)

// Whatever comes in as blocks, the checker neither panics nor takes what it would not take again.
func FuzzParseBlocks(f *testing.F) {
	for _, s := range []string{``, `[]`, `[{"type":"divider"}]`, `[null]`, `[{"type":"actions","elements":[{"type":"button"}]}]`,
		`[{"type":"section","text":{"type":"mrkdwn","text":"x"},"accessory":{"type":"overflow","options":[{}]}}]`,
		`[{"type":"actions","elements":[{"type":"static_select","option_groups":[{"label":1}],"initial_option":{"value":1}}]}]`} {
		f.Add(s)
	}
	s := &Server{}
	f.Fuzz(func(t *testing.T, text string) {
		blocks, err := s.parseBlocks(text, maxMessageBlocks)
		if err != nil || blocks == nil {
			return
		}
		b, err := json.Marshal(blocks)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.parseBlocks(string(b), maxMessageBlocks); err != nil {
			t.Fatalf("filled-in blocks are refused: %v", err)
		}
		findElement(blocks, "x", func(object) bool { return true })
	})
}

func FuzzMicros(f *testing.F) {
	for _, s := range []string{"", "1.2", "1595926230.009600", "-1", "9999999999999.1", "1.-2", "1.1234567"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := micros(s); ok && n < 0 {
			t.Fatalf("%q is %d", s, n)
		}
	})
}
