package vote

import (
	"encoding/json"
	"math/big"
	"testing"
	"time"
)

// FuzzWeightJSON: a weight that is read from JSON is written as the same number.
func FuzzWeightJSON(f *testing.F) {
	for _, s := range []string{"1", "9.5", "0", "0.000001", "1000000000", "1e3", "-1", "null", `"1"`, "01", "1.", "0.0000001", "9223372036854.775807", "[1]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var w Weight
		if json.Unmarshal(raw, &w) != nil {
			return
		}
		out, err := json.Marshal(w)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		was, ok := new(big.Rat).SetString(string(json.RawMessage(out)))
		var n json.Number
		if err := json.Unmarshal(raw, &n); err != nil {
			t.Fatalf("%q is no number: %v", raw, err)
		}
		is, ok2 := new(big.Rat).SetString(n.String())
		if !ok || !ok2 || was.Cmp(is) != 0 {
			t.Fatalf("%q became %q", raw, out)
		}
	})
}

// FuzzFraction: a share that is taken lies between nothing and all, can be met, and is not met by nothing.
func FuzzFraction(f *testing.F) {
	for _, s := range []string{"2/3", "0.6", "60%", ">1/2", ">0", "0", "1", ">1", "1/0", "0/0", "100%", "100.0000%", ">100%", "1e2", "-1/2", "1/-2", " 1/2", "999999999/999999999", "0.1234567", ">"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fr, err := Fraction(s).read()
		if err != nil {
			return
		}
		if fr.den <= 0 || fr.num < 0 || fr.num > fr.den {
			t.Fatalf("%q: %+v", s, fr)
		}
		whole := big.NewInt(fr.den)
		if !fr.metBy(whole, whole) || fr.metBy(new(big.Int), whole) {
			t.Fatalf("%q is never met, or always", s)
		}
		if fr.metBy(big.NewInt(fr.num), whole) == fr.more {
			t.Fatalf("%q: exactly the share", s)
		}
	})
}

// FuzzOutcome: an outcome and a closing that are read say the same when they are written and read again, and any ask that is
// taken can be decided on any counts, with figures that add up.
func FuzzOutcome(f *testing.F) {
	f.Add([]byte(`{"title":"Lunch?"}`), []byte(`[{"choice":"yes","ballots":2,"weight":2},{"choice":"no","ballots":1,"weight":1}]`), int64(3))
	f.Add([]byte(`{"title":"L","poll_type":"choice","options":["a","b"],"quorum":"1/2"}`), []byte(`[{"choice":"z","ballots":-5,"weight":1}]`), int64(-1))
	f.Add([]byte(`{"title":"L","poll_type":"multiple","options":["a","b"]}`), []byte(`[{"question":"a","choice":"yes","ballots":9223372036854775807,"weight":9223372036}]`), int64(1<<62))
	f.Fuzz(func(t *testing.T, rawAsk, rawCounts []byte, voters int64) {
		var a Ask
		var counts []Count
		if json.Unmarshal(rawAsk, &a) != nil || json.Unmarshal(rawCounts, &counts) != nil {
			return
		}
		a, err := a.Normalize(time.Unix(0, 0))
		if err != nil {
			return
		}
		out := a.Decide(Tally{Counts: counts, Voters: voters}, Closing{By: ByTime})
		raw, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		var again Outcome
		if err := json.Unmarshal(raw, &again); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if twice, err := json.Marshal(again); err != nil || string(twice) != string(raw) {
			t.Fatalf("%s became %s: %v", raw, twice, err)
		}
		if len(out.Questions) == 0 || out.Result == Passed && out.Reason != "" {
			t.Fatalf("%s", raw)
		}
	})
}

// FuzzSplitKey: the question of a count that names an option is taken apart into what it was made of.
func FuzzSplitKey(f *testing.F) {
	f.Add("Parks", "Trees")
	f.Add("", "Trees")
	f.Add("a", "")
	f.Fuzz(func(t *testing.T, question, option string) {
		for _, s := range []string{question, option} {
			for _, r := range s {
				if r == '\n' {
					return // Normalize refuses it
				}
			}
		}
		if q, o := SplitKey(optionKey(question, option)); q != question || o != option {
			t.Fatalf("%q, %q became %q, %q", question, option, q, o)
		}
	})
}
