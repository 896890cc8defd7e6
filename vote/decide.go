package vote

import (
	"cmp"
	"math"
	"math/big"
	"slices"
)

const maxSum Weight = math.MaxInt64

// Decide counts a tally out. It is pure: the same Ask, Tally and Closing give the same Outcome everywhere, in whatever
// order the counts are. Options and questions come in the order in which they were asked. It looks, in this order, at:
//
//   - Cancelled: no result, whatever was counted.
//   - Deleted: failed. The counts are in the outcome; what they mean is the driver's to say.
//   - Veto: as many against it (no, object) as asked, by people: failed.
//   - Quorum: people who voted on the question, at least as many as asked.
//   - Votes: without any that weigh something, failed.
//   - Threshold. Of a boolean vote only yes can reach it, and passes the vote; otherwise the option with the most
//     weight needs it. The whole is the weight of the votes cast on the question, in a multiple vote of all who voted
//     on it (not of their choices); of a score vote all points that were possible, of a dot vote the dots spent, of a
//     consent vote those who did not abstain; of a ranked vote all who voted, for what the winner has in the last round or, by
//     condorcet, in its weakest comparison. "2/3" is met at exactly two thirds, ">1/2" is not met at exactly one half.
//   - Tie: the leading options weigh exactly the same, and either would do: their share is at least the threshold's,
//     where a ">" does not matter, for it is the tie that keeps them from being over it. A boolean tie is yes and no
//     being equal where more than half was needed. Then the tie rule says what becomes of it.
//
// Counts of questions or choices that were not asked, and negative ones, are left out of everything but Ignored.
//
// Call it with a zero Closing to learn how an open vote stands.
func (a Ask) Decide(t Tally, c Closing) Outcome {
	a = a.withDefaults()
	out := Outcome{
		Version: Version, Title: a.Title, PollType: a.PollType,
		ClosedBy: c.By, ClosedByUser: c.User, ClosedAt: c.At.UTC(),
	}
	out.Turnout.Eligible = max(t.Eligible, 0)
	known := t.Eligible > 0
	if !known {
		out.Turnout.Eligible, known = a.eligibleCount()
	}

	sheets, ignored := a.fold(t)
	out.Ignored = ignored
	out.Turnout.Voters, out.Turnout.Weight = max(t.Voters, 0), max(t.Weight, 0)
	for i := range sheets {
		s := &sheets[i]
		out.Turnout.Voters = max(out.Turnout.Voters, s.out.Voters)
		out.Turnout.Weight = max(out.Turnout.Weight, s.out.Weight)
		a.decide(s, c, out.Turnout.Eligible, known)
		out.Questions = append(out.Questions, s.out)
	}
	a.listUsers(&out, t.Ballots)

	worst := slices.MaxFunc(out.Questions, func(x, y QuestionCount) int { return cmp.Compare(badness(x.Result), badness(y.Result)) })
	out.Result, out.Reason = worst.Result, worst.Reason
	if len(out.Questions) == 1 {
		out.Winner = worst.Winner
	}
	return out
}

func badness(r Result) int {
	return slices.Index([]Result{Passed, Failed, Tie, NoQuorum, Cancelled}, r)
}

// sheet is one question while it is counted out.
type sheet struct {
	out     QuestionCount
	whole   *big.Int // the weight of all who voted: sums of weights may be more than 64 bits
	reached int64    // people who voted, for the quorum
	lines   bool     // counts of the lines of multiple ballots, which say exactly how many voted

	rankings []ranked   // of a ranked vote
	points   []*big.Int // of a score or dot vote, by option: points times weights
}

// decide fills in the result of one question.
func (a Ask) decide(s *sheet, c Closing, eligible int64, known bool) {
	q := &s.out
	switch {
	case c.Cancel:
		q.Result = Cancelled
		return
	case c.By == ByDeletion:
		q.Result, q.Reason = Failed, PostDeleted
		return
	case a.Veto > 0 && s.against(a.PollType) >= int64(a.Veto):
		q.Result, q.Reason = Failed, Vetoed
		return
	}
	if ok, reason := a.quorumMet(s.reached, eligible, known); !ok {
		q.Result, q.Reason = NoQuorum, reason
		return
	}
	// A threshold that cannot be read was never normalised. It is taken as one that nobody reaches: a vote must not
	// pass because of a slip in writing.
	need := fraction{num: 0, den: 1}
	if a.Threshold != "" {
		var err error
		if need, err = a.Threshold.read(); err != nil {
			q.Result, q.Reason = Failed, BelowThreshold
			return
		}
	}
	st := a.standings(s)
	if st.none {
		q.Result, q.Reason = Failed, NoVotes
		return
	}
	if a.PollType == Boolean || a.PollType == Consent { // only yes, or consent, can win
		first := q.Options[0]
		if first.Weight > 0 && need.metBy(weightInt(first.Weight), st.whole) {
			q.Result, q.Winner = Passed, first.Option
			return
		}
	} else if len(st.leaders) == 1 && need.metBy(st.top, st.whole) {
		q.Result, q.Winner = Passed, st.leaders[0]
		return
	}
	if len(st.leaders) == 1 || a.PollType == Consent || need.cmp(st.top, st.whole) < 0 {
		q.Result, q.Reason = Failed, BelowThreshold
		return
	}

	q.Tied = st.leaders
	switch a.TieRule {
	case TieFirst:
		q.Result, q.Winner = Passed, st.leaders[0]
	case TieStatusQuo:
		q.Result, q.Reason = Failed, TieFailed
	default:
		q.Result = Tie
	}
}

func (a Ask) quorumMet(voters, eligible int64, known bool) (bool, Reason) {
	if voters < int64(a.Quorum) {
		return false, ""
	}
	if a.QuorumShare == "" {
		return true, ""
	}
	share, err := a.QuorumShare.read()
	if err != nil || !known {
		return false, EligibleUnknown // What cannot be shown to be met is not met.
	}
	return share.metBy(big.NewInt(voters), big.NewInt(eligible)), ""
}

// fold puts the counts, in either form, on the sheet of their question.
func (a Ask) fold(t Tally) (sheets []sheet, ignored int64) {
	options := a.Choices()
	type place struct {
		question, option int
		line             bool // a line of a multiple ballot, whose choice is Yes or No
	}
	places := map[countKey]place{}
	lineOf := map[string]place{}  // of a score or dot ballot, by the question that names the option
	questions := map[string]int{} // of a ranked ballot
	for i, q := range a.Asked() {
		s := sheet{out: QuestionCount{Question: q}, whole: new(big.Int)}
		for j, o := range options {
			s.out.Options = append(s.out.Options, OptionCount{Option: o})
			key := optionKey(q, o)
			switch {
			case a.PollType == Ranked: // whose counts are of rankings
			case a.points():
				s.points = append(s.points, new(big.Int))
				lineOf[key] = place{i, j, true}
			default:
				places[countKey{q, o}] = place{question: i, option: j}
				if a.byOption() {
					places[countKey{key, Yes}] = place{i, j, true}
					places[countKey{key, No}] = place{i, -1, true}
				}
			}
		}
		questions[q] = i
		sheets = append(sheets, s)
	}

	// Everybody who voted on a question of a multiple vote has a line, yes or no, for each of its options.
	type said struct {
		ballots int64
		weight  *big.Int
	}
	lines := map[countKey]said{} // by the text of question and option
	for _, n := range t.Counts {
		if n.Choice == "" {
			continue // Taken back.
		}
		p, ok := places[countKey{n.Question, n.Choice}]
		points := -1
		var ranking []int
		if a.points() {
			if p, ok = lineOf[n.Question]; ok {
				points, ok = a.readPoints(n.Choice)
			}
		} else if a.PollType == Ranked {
			if p.question, ok = questions[n.Question]; ok {
				ranking, ok = readRanking(n.Choice, len(options))
			}
		}
		if !ok || n.Ballots < 0 || n.Weight < 0 {
			ignored += max(n.Ballots, 0)
			continue
		}
		s := &sheets[p.question]
		switch {
		case ranking != nil:
			s.addRanking(ranking, n)
			continue
		case points >= 0:
			s.addPoints(p.option, points, n)
		case p.option >= 0:
			o := &s.out.Options[p.option]
			o.Ballots += n.Ballots
			o.Weight = addUpTo(o.Weight, n.Weight)
		}
		if p.line {
			key := countKey{question: n.Question}
			l := lines[key]
			if l.weight == nil {
				l.weight = new(big.Int)
			}
			l.ballots += n.Ballots
			l.weight.Add(l.weight, weightInt(n.Weight))
			lines[key] = l
			s.lines = true
			s.reached = max(s.reached, l.ballots)
			if l.weight.Cmp(s.whole) > 0 {
				s.whole.Set(l.weight)
			}
			continue
		}
		if a.byOption() {
			// A platform that counts by itself says how often each option was chosen, but not by how many people in
			// all: at least as many as chose any one of them.
			o := s.out.Options[p.option]
			s.reached = max(s.reached, o.Ballots)
			if w := weightInt(o.Weight); w.Cmp(s.whole) > 0 {
				s.whole.Set(w)
			}
			continue
		}
		s.reached += n.Ballots
		s.whole.Add(s.whole, weightInt(n.Weight))
	}

	for i := range sheets {
		s := &sheets[i]
		if len(sheets) == 1 {
			s.reached = max(s.reached, t.Voters)
			if a.byOption() && !a.points() && !s.lines {
				s.widen(t)
			}
		}
		s.out.Voters = s.reached
		s.out.Weight = maxSum
		if s.whole.IsInt64() {
			s.out.Weight = Weight(s.whole.Int64())
		}
		for j := range s.out.Options {
			s.out.Options[j].Share = share(s.out.Options[j].Weight, s.whole)
		}
		if a.points() {
			a.showPoints(s)
		}
		s.sortRankings()
	}
	return sheets, ignored
}

// widen takes the weight of all who voted from the tally, where the counts could only tell that it is not less: with
// people, but without their weight, each weighs One.
func (s *sheet) widen(t Tally) {
	w := t.Weight
	if w <= 0 {
		people := new(big.Int).Mul(big.NewInt(max(t.Voters, 0)), weightInt(One))
		if !s.weighted() && people.Cmp(s.whole) > 0 {
			s.whole.Set(people)
		}
		return
	}
	if x := weightInt(w); x.Cmp(s.whole) > 0 {
		s.whole.Set(x)
	}
}

// weighted says whether any vote weighs something else than One.
func (s *sheet) weighted() bool {
	return slices.ContainsFunc(s.out.Options, func(o OptionCount) bool {
		return o.Weight%One != 0 || int64(o.Weight/One) != o.Ballots
	})
}

func (a Ask) listUsers(out *Outcome, ballots []Ballot) {
	if !a.VotersVisible() || len(ballots) == 0 {
		return
	}
	ballots = slices.Clone(ballots)
	slices.SortFunc(ballots, func(x, y Ballot) int {
		return cmp.Or(cmp.Compare(x.At.UnixMicro(), y.At.UnixMicro()), cmp.Compare(x.Voter, y.Voter))
	})
	lists := map[countKey]*[]string{}
	for i := range out.Questions {
		q := &out.Questions[i]
		for j := range q.Options {
			o := &q.Options[j]
			lists[countKey{q.Question, o.Option}] = &o.Users
			if a.byOption() {
				lists[countKey{optionKey(q.Question, o.Option), Yes}] = &o.Users
			}
		}
	}
	if a.PollType == Ranked || a.points() {
		return // who prefers what to what is more than a list of names for each option: the ballots say it
	}
	var hits []Ballot
	for _, b := range ballots {
		if lists[countKey{b.Question, b.Choice}] != nil {
			hits = append(hits, b)
		}
	}
	if len(hits) > MaxListed {
		return
	}
	for _, b := range hits {
		users := lists[countKey{b.Question, b.Choice}]
		*users = append(*users, b.Voter)
	}
}

func weightInt(w Weight) *big.Int { return big.NewInt(int64(w)) }

// addUpTo keeps a sum in range. Only sums of more than nine million million votes are cut.
func addUpTo(x, y Weight) Weight {
	if sum, err := x.plus(y); err == nil {
		return sum
	}
	return maxSum
}

func share(part Weight, whole *big.Int) Weight {
	if whole.Sign() == 0 {
		return 0
	}
	n := new(big.Int).Mul(weightInt(part), weightInt(One))
	return Weight(n.Quo(n, whole).Int64())
}
