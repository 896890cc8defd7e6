package vote

import (
	"slices"
	"strconv"
	"strings"
)

// writeRanking is how a ballot's ranking is kept: the places of the options in the Ask, the one that is preferred most first, as in "2>0>1". So a
// ranking has one text, and a store counts how many have the same.
func writeRanking(ranking []int) string {
	var b strings.Builder
	for i, n := range ranking {
		if i > 0 {
			b.WriteByte('>')
		}
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// readRanking reads what writeRanking wrote for so many options. What it would not have written is none.
func readRanking(s string, options int) ([]int, bool) {
	var out []int
	for part := range strings.SplitSeq(s, ">") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || n >= options || slices.Contains(out, n) || strconv.Itoa(n) != part {
			return nil, false
		}
		out = append(out, n)
	}
	return out, true
}

// Ranking gives the options of a ranked ballot's choice, the one that is preferred most first: for showing a ballot. False: it is none of this vote's.
func (a Ask) Ranking(choice string) ([]string, bool) {
	ranking, ok := readRanking(choice, len(a.Options))
	if !ok || a.PollType != Ranked {
		return nil, false
	}
	out := make([]string, len(ranking))
	for i, n := range ranking {
		out[i] = a.Options[n]
	}
	return out, true
}

// ranked is how many ballots, with what weight, have one ranking.
type ranked struct {
	ranking []int
	weight  Weight
}

// runoff counts rankings by instant run-off. It gives the rounds, and the winner, or those who are tied.
//
// In each round a ballot counts for the first option on it that is still in. An option with more than half of what counts has won. Otherwise the
// one with the least is out; of several that have the least, the one that had less in the round before, or the one before that, and where they were
// equal in all rounds, the one that was asked last. Where all that are left have the same they are tied: none of them is out by its place.
func runoff(ballots []ranked, options int) (rounds []Round, leaders []int) {
	in := make([]int, options)
	for i := range in {
		in[i] = i
	}
	for {
		r := Round{Weights: make([]Weight, options)}
		var counted Weight
		for _, b := range ballots {
			first := slices.IndexFunc(b.ranking, func(n int) bool { return slices.Contains(in, n) })
			if first < 0 {
				r.Exhausted = addUpTo(r.Exhausted, b.weight)
				continue
			}
			n := b.ranking[first]
			r.Weights[n] = addUpTo(r.Weights[n], b.weight)
			counted = addUpTo(counted, b.weight)
		}
		rounds = append(rounds, r)
		most := slices.MaxFunc(in, func(a, b int) int { return compare(r.Weights[a], r.Weights[b]) })
		if w := r.Weights[most]; w > counted-w {
			return rounds, []int{most}
		}
		if !slices.ContainsFunc(in, func(n int) bool { return r.Weights[n] != r.Weights[most] }) {
			return rounds, in
		}
		out := in[0]
		for _, n := range in[1:] {
			if !behind(rounds, out, n) {
				out = n
			}
		}
		rounds[len(rounds)-1].Eliminated = strconv.Itoa(out) // its name is put in by whoever knows it
		in = slices.DeleteFunc(slices.Clone(in), func(n int) bool { return n == out })
	}
}

// behind says whether an option is out before another that was asked later.
func behind(rounds []Round, a, b int) bool {
	for i := len(rounds) - 1; i >= 0; i-- {
		if x, y := rounds[i].Weights[a], rounds[i].Weights[b]; x != y {
			return x < y
		}
	}
	return false
}

func compare(a, b Weight) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// compared weighs, for each two options, the ballots that prefer the one to the other. What is not ranked is below what is.
func compared(ballots []ranked, options int) [][]Weight {
	out := make([][]Weight, options)
	for i := range out {
		out[i] = make([]Weight, options)
	}
	for _, b := range ballots {
		below := make([]bool, options)
		for _, i := range b.ranking {
			below[i] = true
			for j := range options {
				if !below[j] {
					out[i][j] = addUpTo(out[i][j], b.weight)
				}
			}
		}
	}
	return out
}

// beatpath gives the winners by Schulze's method (winning votes): an option beats another by the strength of the strongest chain of majorities from
// the one to the other. Whoever beats each other one in a direct comparison is the only winner.
func beatpath(pairs [][]Weight) (leaders []int) {
	n := len(pairs)
	p := make([][]Weight, n)
	for i := range n {
		p[i] = make([]Weight, n)
		for j := range n {
			if i != j && pairs[i][j] > pairs[j][i] {
				p[i][j] = pairs[i][j]
			}
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				if i != j && i != k && j != k {
					p[i][j] = max(p[i][j], min(p[i][k], p[k][j]))
				}
			}
		}
	}
	for i := range n {
		wins := true
		for j := range n {
			wins = wins && p[i][j] >= p[j][i]
		}
		if wins {
			leaders = append(leaders, i)
		}
	}
	return leaders
}
