package fakediscourse

import "slices"

// outcome counts a ranking: whoever has fewest first places is out, until somebody has more than half.
func (p *poll) outcome() any {
	var ballots [][]string
	for _, id := range p.voted {
		v := p.votes[id]
		var order []string
		for _, o := range p.options {
			if v[o.id] > 0 {
				order = append(order, o.id)
			}
		}
		slices.SortStableFunc(order, func(a, b string) int { return v[a] - v[b] })
		ballots = append(ballots, order)
	}
	if len(ballots) == 0 {
		return nil
	}
	rounds := []object{}
	for n := 1; n <= 50; n++ {
		tally, total := tallyOf(ballots)
		leader, most, least := extremes(p, tally)
		if most > total/2 {
			won := p.enrich(leader)
			return object{"tied": false, "tied_candidates": nil, "winner": true, "winning_candidate": won,
				"round_activity": append(rounds, object{"round": n, "majority": won, "eliminated": nil})}
		}
		var out []object
		for _, o := range p.options {
			if c, ok := tally[o.id]; ok && c == least {
				out = append(out, p.enrich(o.id))
				for i := range ballots {
					ballots[i] = slices.DeleteFunc(ballots[i], func(id string) bool { return id == o.id })
				}
			}
		}
		rounds = append(rounds, object{"round": n, "majority": nil, "eliminated": out})
		if !slices.ContainsFunc(ballots, func(b []string) bool { return len(b) > 0 }) {
			return object{"tied": true, "tied_candidates": out, "winner": nil, "winning_candidate": nil, "round_activity": rounds}
		}
	}
	return nil
}

func tallyOf(ballots [][]string) (tally map[string]int, total int) {
	tally = map[string]int{}
	for _, b := range ballots {
		for i, id := range b {
			if i == 0 {
				tally[id]++
				total++
			} else if _, ok := tally[id]; !ok {
				tally[id] = 0
			}
		}
	}
	return tally, total
}

func extremes(p *poll, tally map[string]int) (leader string, most, least int) {
	most, least = -1, int(^uint(0)>>1)
	for _, o := range p.options {
		n, ok := tally[o.id]
		if !ok {
			continue
		}
		if n > most {
			leader, most = o.id, n
		}
		least = min(least, n)
	}
	return leader, most, least
}

func (p *poll) enrich(id string) object {
	for _, o := range p.options {
		if o.id == id {
			return object{"digest": id, "html": o.html}
		}
	}
	return object{"digest": id}
}
