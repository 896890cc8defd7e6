package vote

import (
	"math/big"
	"slices"
	"strconv"
)

// standing is how the options of one question stand.
type standing struct {
	leaders []string // those that have the most
	top     *big.Int // what the leaders have
	whole   *big.Int // of what it is a share
	none    bool     // nothing that was cast says anything
}

// standings finds who leads, by the poll type's own rule, and fills in what the outcome shows of it.
func (a Ask) standings(s *sheet) standing {
	q := &s.out
	switch a.PollType {
	case Ranked:
		return a.standRanked(s)
	case Score, Dot:
		st := standing{top: new(big.Int), whole: new(big.Int), none: s.whole.Sign() == 0}
		for i := range q.Options {
			st.lead(q.Options[i].Option, s.points[i])
			st.whole.Add(st.whole, s.points[i])
		}
		if a.PollType == Score {
			st.whole.Mul(s.whole, big.NewInt(int64(a.MaxScore)))
		}
		return st
	}
	st := standing{top: new(big.Int), whole: s.whole}
	for _, o := range q.Options {
		st.lead(o.Option, weightInt(o.Weight))
	}
	if a.PollType == Consent {
		st.whole = new(big.Int).Sub(s.whole, weightInt(q.Options[1].Weight)) // who abstains says nothing
		st.none = st.whole.Sign() == 0
		return st
	}
	st.none = st.top.Sign() == 0
	return st
}

// lead takes an option in, in the order in which it was asked.
func (st *standing) lead(option string, has *big.Int) {
	switch c := has.Cmp(st.top); {
	case c > 0 || len(st.leaders) == 0:
		st.leaders, st.top = []string{option}, has
	case c == 0:
		st.leaders = append(st.leaders, option)
	}
}

func (a Ask) standRanked(s *sheet) standing {
	q := &s.out
	st := standing{top: new(big.Int), whole: s.whole, none: s.whole.Sign() == 0}
	if st.none {
		return st
	}
	var leaders []int
	if a.RankingMethod == Condorcet {
		pairs := compared(s.rankings, len(q.Options))
		leaders = beatpath(pairs)
		st.top = nil
		for j, w := range pairs[leaders[0]] {
			if j != leaders[0] && (st.top == nil || w.Cmp(st.top) < 0) {
				st.top = w
			}
		}
		if len(q.Options) <= MaxPairs {
			for _, row := range pairs {
				q.Pairs = append(q.Pairs, allShown(row))
			}
		}
	} else {
		q.Rounds, leaders, st.top = runoff(s.rankings, len(q.Options))
		for i := range q.Rounds {
			if n, err := strconv.Atoi(q.Rounds[i].Eliminated); err == nil {
				q.Rounds[i].Eliminated = q.Options[n].Option
			}
		}
	}
	for _, n := range leaders {
		st.leaders = append(st.leaders, q.Options[n].Option)
	}
	return st
}

// against is how many people are against it.
func (s *sheet) against(t PollType) int64 {
	switch t {
	case Boolean:
		return s.out.Options[1].Ballots
	case Consent:
		return s.out.Options[2].Ballots
	}
	return 0
}

// addRanking counts ballots with one ranking.
func (s *sheet) addRanking(ranking []int, n Count) {
	first := &s.out.Options[ranking[0]]
	first.Ballots += n.Ballots
	first.Weight = addUpTo(first.Weight, n.Weight)
	s.rankings = append(s.rankings, ranked{ranking, weightInt(n.Weight)})
	s.reached += n.Ballots
	s.whole.Add(s.whole, weightInt(n.Weight))
}

// readPoints reads the choice of a line of a score or dot ballot.
func (a Ask) readPoints(choice string) (int, bool) {
	n, err := strconv.Atoi(choice)
	return n, err == nil && n >= 0 && n <= a.most() && strconv.Itoa(n) == choice
}

// addPoints counts ballots that give an option so many points.
func (s *sheet) addPoints(option, points int, n Count) {
	o := &s.out.Options[option]
	if points > 0 {
		o.Ballots += n.Ballots
		o.Weight = addUpTo(o.Weight, n.Weight)
	}
	s.points[option].Add(s.points[option], new(big.Int).Mul(weightInt(n.Weight), big.NewInt(int64(points))))
}

// showPoints fills in what the outcome says of points.
func (a Ask) showPoints(s *sheet) {
	all := new(big.Int)
	for _, p := range s.points {
		all.Add(all, p)
	}
	for i := range s.out.Options {
		o := &s.out.Options[i]
		o.Points = maxSum
		if s.points[i].IsInt64() {
			o.Points = Weight(s.points[i].Int64())
		}
		if a.PollType == Dot {
			o.Share = part(s.points[i], all)
			continue
		}
		o.Share = part(s.points[i], new(big.Int).Mul(s.whole, big.NewInt(int64(a.MaxScore))))
		o.Mean = part(s.points[i], s.whole)
	}
}

// part is a share, rounded down to six decimals.
func part(x, whole *big.Int) Weight {
	if whole.Sign() == 0 {
		return 0
	}
	n := new(big.Int).Mul(x, weightInt(One))
	if n.Quo(n, whole); n.IsInt64() {
		return Weight(n.Int64())
	}
	return maxSum
}

// sorted puts rankings into an order of their own, so that it does not matter in which the counts came.
func (s *sheet) sortRankings() {
	slices.SortFunc(s.rankings, func(x, y ranked) int { return slices.Compare(x.ranking, y.ranking) })
}
