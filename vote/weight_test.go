package vote_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/metagov/gateway-go/vote"
)

func TestParseWeight(t *testing.T) {
	for s, want := range map[string]vote.Weight{
		"0": 0, "1": vote.One, "9.5": 9_500_000, "0.000001": 1, "1.500000": 1_500_000, "0.10": 100_000,
		"1000000000": vote.MaxWeight, "9223372036854.775807": math.MaxInt64,
	} {
		got, err := vote.ParseWeight(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{
		"", "-1", "+1", "1.", ".5", "01", "00", "1e3", "1E3", "1.0000000", "0.0000001", " 1", "1 ", "1,5", "0x1", "1_000",
		"NaN", "Inf", "null", `"1"`, "9223372036854.775808", "99999999999999999999", "1.2.3", "٣",
	} {
		_, err := vote.ParseWeight(s)
		require.Error(t, err, "%q", s)
	}
}

func TestWeightText(t *testing.T) {
	for w, want := range map[vote.Weight]string{
		0: "0", vote.One: "1", 9_500_000: "9.5", 1: "0.000001", -1_500_000: "-1.5", math.MaxInt64: "9223372036854.775807",
		math.MinInt64: "-9223372036854.775808",
	} {
		require.Equal(t, want, w.String())
	}
	_, err := json.Marshal(vote.Weight(-1))
	require.Error(t, err, "what could not be read again is not written")
}

func TestWeightNullIsRefused(t *testing.T) {
	var v vote.VoterWeight
	require.Error(t, json.Unmarshal([]byte(`{"voter":"ann","weight":null}`), &v))
	require.Error(t, json.Unmarshal([]byte(`{"voter":"ann","weight":"1"}`), &v))
	require.NoError(t, json.Unmarshal([]byte(`{"voter":"ann","weight":1.5}`), &v))
	require.Equal(t, vote.VoterWeight{Voter: "ann", Weight: 1_500_000}, v)
}

func TestWeightRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := vote.Weight(rapid.Int64Min(0).Draw(t, "weight"))
		raw, err := json.Marshal(map[string]vote.Weight{"w": w})
		require.NoError(t, err)
		var back map[string]vote.Weight
		require.NoError(t, json.Unmarshal(raw, &back))
		require.Equal(t, w, back["w"])
	})
}

func FuzzParseWeight(f *testing.F) {
	for _, s := range []string{"0", "1", "9.5", "0.000001", "1e3", "-1", "9223372036854.775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := vote.ParseWeight(s)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, w, vote.Weight(0))
		again, err := vote.ParseWeight(w.String())
		require.NoError(t, err)
		require.Equal(t, w, again)
		require.True(t, json.Valid([]byte(s)), "what we read is a JSON number: %q", s)
	})
}
