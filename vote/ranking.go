package vote

import (
	"math/big"
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

// ranked is with what weight ballots have one ranking.
type ranked struct {
	ranking []int
	weight  *big.Int
}

// zeros are sums that begin: of many weights they may be more than 64 bits hold.
func zeros(n int) []*big.Int {
	out := make([]*big.Int, n)
	for i := range out {
		out[i] = new(big.Int)
	}
	return out
}

// shown is a sum as an outcome has it: cut where it is more than 64 bits hold.
func shown(sum *big.Int) Weight {
	if sum.IsInt64() {
		return Weight(sum.Int64())
	}
	return maxSum
}

func allShown(sums []*big.Int) []Weight {
	out := make([]Weight, len(sums))
	for i, sum := range sums {
		out[i] = shown(sum)
	}
	return out
}

// runoff counts rankings by instant run-off. It gives the rounds, and the winner, or those who are tied, with what they have in the last.
//
// In each round a ballot counts for the first option on it that is still in. An option with more than half of what counts has won. Otherwise the
// one with the least is out; of several that have the least, the one that had less in the round before, or the one before that, and where they were
// equal in all rounds, the one that was asked last. Where all that are left have the same they are tied: none of them is out by its place.
func runoff(ballots []ranked, options int) (rounds []Round, leaders []int, top *big.Int) {
	in := make([]int, options)
	for i := range in {
		in[i] = i
	}
	var had [][]*big.Int // by round
	for {
		has, counted, exhausted := zeros(options), new(big.Int), new(big.Int)
		for _, b := range ballots {
			first := slices.IndexFunc(b.ranking, func(n int) bool { return slices.Contains(in, n) })
			if first < 0 {
				exhausted.Add(exhausted, b.weight)
				continue
			}
			n := b.ranking[first]
			has[n].Add(has[n], b.weight)
			counted.Add(counted, b.weight)
		}
		had = append(had, has)
		rounds = append(rounds, Round{Weights: allShown(has), Exhausted: shown(exhausted)})
		most := slices.MaxFunc(in, func(a, b int) int { return has[a].Cmp(has[b]) })
		if new(big.Int).Lsh(has[most], 1).Cmp(counted) > 0 {
			return rounds, []int{most}, has[most]
		}
		if !slices.ContainsFunc(in, func(n int) bool { return has[n].Cmp(has[most]) != 0 }) {
			return rounds, in, has[most]
		}
		out := in[0]
		for _, n := range in[1:] {
			if !behind(had, out, n) {
				out = n
			}
		}
		rounds[len(rounds)-1].Eliminated = strconv.Itoa(out) // its name is put in by whoever knows it
		in = slices.DeleteFunc(slices.Clone(in), func(n int) bool { return n == out })
	}
}

// behind says whether an option is out before another that was asked later, by what they had in each round.
func behind(had [][]*big.Int, a, b int) bool {
	for i := len(had) - 1; i >= 0; i-- {
		if c := had[i][a].Cmp(had[i][b]); c != 0 {
			return c < 0
		}
	}
	return false
}

// compared weighs, for each two options, the ballots that prefer the one to the other. What is not ranked is below what is.
func compared(ballots []ranked, options int) [][]*big.Int {
	out := make([][]*big.Int, options)
	for i := range out {
		out[i] = zeros(options)
	}
	for _, b := range ballots {
		below := make([]bool, options)
		for _, i := range b.ranking {
			below[i] = true
			for j := range options {
				if !below[j] {
					out[i][j].Add(out[i][j], b.weight)
				}
			}
		}
	}
	return out
}

// beatpath gives the winners by Schulze's method (winning votes): an option beats another by the strength of the strongest chain of majorities from
// the one to the other. Whoever beats each other one in a direct comparison is the only winner.
func beatpath(pairs [][]*big.Int) (leaders []int) {
	n := len(pairs)
	p := make([][]*big.Int, n)
	for i := range n {
		p[i] = zeros(n)
		for j := range n {
			if i != j && pairs[i][j].Cmp(pairs[j][i]) > 0 {
				p[i][j] = pairs[i][j]
			}
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				if i == j || i == k || j == k {
					continue
				}
				by := p[i][k]
				if p[k][j].Cmp(by) < 0 {
					by = p[k][j]
				}
				if by.Cmp(p[i][j]) > 0 {
					p[i][j] = by
				}
			}
		}
	}
	for i := range n {
		wins := true
		for j := range n {
			wins = wins && p[i][j].Cmp(p[j][i]) >= 0
		}
		if wins {
			leaders = append(leaders, i)
		}
	}
	return leaders
}
