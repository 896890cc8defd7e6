package fakediscourse

import (
	"html"
	"slices"
	"strconv"
	"strings"
)

func (p *poll) over(f *Forum) bool {
	return p.status == "closed" || !p.closeAt.IsZero() && !f.now().Before(p.closeAt)
}

// shows says whether somebody sees the results now. The results of "on_vote" are there for whoever voted and, but in older
// versions, for the post's author, not for staff as such (plugins/poll/app/models/poll.rb, checked 2026-11).
func (p *poll) shows(f *Forum, u *user) bool {
	if p.results == "staff_only" {
		return u != nil && u.staff()
	}
	return p.results == "always" || p.over(f) || p.results == "on_vote" && u != nil && (p.votes[u.id] != nil || p.p.user == u.id && !f.settings.OldVoters)
}

// showPolls are a post's polls as somebody sees them.
func (f *Forum) showPolls(p *post, u *user) []object {
	out := []object{}
	for _, x := range p.polls {
		out = append(out, f.showPoll(x, u))
	}
	return out
}

func (f *Forum) showPoll(p *poll, u *user) object {
	shows := p.shows(f, u)
	options := []object{}
	for _, o := range p.options {
		opt := object{"id": o.id, "html": o.html}
		if shows {
			opt["votes"] = len(p.votersOf(o.id))
		}
		options = append(options, opt)
	}
	o := object{"id": p.id, "name": p.name, "type": p.typ, "status": p.status, "results": p.results, "options": options, "voters": len(p.voted),
		"chart_type": p.chart, "title": nullable(p.title), "dynamic": false}
	if p.over(f) {
		o["status"] = "closed"
	}
	if p.public {
		o["public"] = true
	}
	if p.typ == "number" || p.typ == "multiple" {
		for name, n := range map[string]int{"min": p.min, "max": p.max} {
			if n != 0 {
				o[name] = n
			}
		}
	}
	if p.step != 0 && p.typ == "number" {
		o["step"] = p.step
	}
	if p.groups != "" {
		o["groups"] = p.groups
	}
	if !p.closeAt.IsZero() {
		o["close"] = iso(p.closeAt)
	}
	if p.public && shows {
		o["preloaded_voters"] = f.voterPage(p, "", 1, 25)
	}
	if p.typ == "ranked_choice" && shows {
		o["ranked_choice_outcome"] = p.outcome()
	}
	return o
}

// votersOf lists who chose an option, in the order in which they voted. Whoever ranks options says something of each, and be it 0.
func (p *poll) votersOf(option string) []int64 {
	var out []int64
	for _, id := range p.voted {
		if _, ok := p.votes[id][option]; ok {
			out = append(out, id)
		}
	}
	return out
}

// votesOf are somebody's own votes in the polls of a post, if they voted in any.
func (f *Forum) votesOf(p *post, u *user) object {
	if u == nil || !slices.ContainsFunc(p.polls, func(x *poll) bool { return x.votes[u.id] != nil }) {
		return nil
	}
	out := object{}
	for _, x := range p.polls {
		v := x.votes[u.id]
		if x.typ == "ranked_choice" && v != nil {
			out[x.name] = x.ranking(v)
			continue
		}
		ids := []string{}
		for _, o := range x.options {
			if v[o.id] != 0 {
				ids = append(ids, o.id)
			}
		}
		out[x.name] = ids
	}
	return out
}

func (p *poll) ranking(v map[string]int) []object {
	out := []object{}
	for _, o := range p.options {
		out = append(out, object{"digest": o.id, "rank": v[o.id]})
	}
	return out
}

// voterPage is what a page of voters is: a list for a poll of numbers, otherwise lists by option, and null if there are none. Each page
// but the first begins with the last voter of the one before, since Discourse counts rows from offset to offset+limit, both included, and
// rows begin with 1 (plugins/poll/lib/poll.rb, checked 2026-11).
func (f *Forum) voterPage(p *poll, option string, n, limit int) any {
	from, count := (n-1)*limit-1, limit+1
	if n == 1 {
		from, count = 0, limit
	}
	all, some := []object{}, false
	by := object{}
	old := f.settings.OldVoters && option != ""
	for _, o := range p.options {
		if option != "" && o.id != option && !(old && p.typ == "number") {
			continue
		}
		got := page(p.votersOf(o.id), from, count)
		if len(got) == 0 {
			continue
		}
		some = true
		names := f.voterNames(p, o.id, got)
		for i := range names {
			if u, ok := names[i]["user"].(object); ok && old {
				names[i] = u
			}
		}
		by[o.id] = names
		all = append(all, names...)
	}
	switch {
	case !some:
		return nil
	case p.typ == "number":
		return all
	}
	return by
}

// voterNames shows voters of one option: by rank, and then by name.
func (f *Forum) voterNames(p *poll, option string, ids []int64) []object {
	ids = slices.Clone(ids)
	slices.SortStableFunc(ids, func(a, b int64) int {
		if c := max(1, p.votes[a][option]) - max(1, p.votes[b][option]); p.typ == "ranked_choice" && c != 0 {
			return c
		}
		return strings.Compare(f.user0(a).username, f.user0(b).username)
	})
	out := []object{}
	for _, id := range ids {
		u := f.user0(id)
		o := f.basicUser(u)
		o["title"] = nullable(u.title)
		if p.typ == "ranked_choice" {
			rank := "Abstain"
			if n := p.votes[id][option]; n > 0 {
				rank = strconv.Itoa(n)
			}
			o = object{"rank": rank, "user": o}
		}
		out = append(out, o)
	}
	return out
}

// pollToActOn finds the poll of a request, in Discourse's order of refusals.
func (f *Forum) pollToActOn(postID int64, name, archived string) (*poll, error) {
	if f.settings.PollsOff {
		return nil, refuse("not_found")
	}
	p := f.posts[postID]
	if p == nil || !p.deletedAt.IsZero() {
		return nil, invalid("Cannot act on a deleted post.")
	}
	if p.t.archived {
		return nil, invalid(archived)
	}
	x := p.pollNamed(html.EscapeString(name))
	if x == nil {
		x = p.pollNamed(name)
	}
	if x == nil {
		return nil, invalid("No poll named <strong>" + escape(name) + "</strong> associated with this post.")
	}
	return x, nil
}

func (f *Forum) mayVote(u *user, x *poll) error {
	t := x.p.t
	if !f.sees(u, t) || !t.deletedAt.IsZero() || u.silenced(f.now()) && !u.staff() {
		return invalid("You can't vote because you can't post in this topic.")
	}
	if x.over(f) {
		return invalid("Poll must be open to vote.")
	}
	if x.groups != "" && !slices.ContainsFunc(split(x.groups), func(name string) bool {
		g := f.groupByName(name)
		return g != nil && f.inGroup(g, u)
	}) {
		return invalid("You need to be a member of " + x.groups + " to vote in this poll.")
	}
	return nil
}

// cast counts a vote, which takes the place of the person's earlier one. Options that there are not are passed over.
func (f *Forum) cast(u *user, x *poll, chosen map[string]int) error {
	if err := f.mayVote(u, x); err != nil {
		return err
	}
	mine := map[string]int{}
	for _, o := range x.options {
		if rank, ok := chosen[o.id]; ok {
			mine[o.id] = rank
		}
	}
	n := len(mine)
	switch {
	case n == 0:
		return invalid("You must select at least 1 valid option.")
	case x.typ == "multiple" && x.hasMin && n < x.min:
		return invalid("A minimum of " + strconv.Itoa(x.min) + " options is required for this poll.")
	case x.typ == "multiple" && x.max > 0 && n > x.max:
		return invalid("A maximum of " + strconv.Itoa(x.max) + " options is allowed for this poll.")
	case x.typ == "ranked_choice" && n != len(x.options):
		return invalid("The number of options provided does not match the number of options in the poll.")
	case x.typ != "multiple" && x.typ != "ranked_choice" && n > 1:
		return invalid("Only 1 vote is allowed for this poll.")
	}
	if x.votes[u.id] == nil {
		x.voted = append(x.voted, u.id)
	}
	x.votes[u.id] = mine
	return nil
}

func (p *poll) withdraw(u *user) {
	delete(p.votes, u.id)
	p.voted = slices.DeleteFunc(p.voted, func(id int64) bool { return id == u.id })
}

const closedTopicVote = "The topic must be open to vote."

func (r *request) vote() (any, error) {
	for _, name := range []string{"post_id", "poll_name"} {
		if _, err := r.need(name); err != nil {
			return nil, err
		}
	}
	if r.in["options"] == nil {
		return nil, missing("options")
	}
	x, err := r.f.pollToActOn(r.int("post_id"), r.str("poll_name"), closedTopicVote)
	if err != nil {
		return nil, err
	}
	chosen := map[string]int{}
	for _, id := range r.list("options") {
		chosen[id] = 1
	}
	if x.typ == "ranked_choice" {
		chosen = ranks(r.in["options"])
	}
	if err := r.f.cast(r.user, x, chosen); err != nil {
		return nil, err
	}
	var mine any = r.list("options")
	if x.typ == "ranked_choice" {
		mine = x.ranking(x.votes[r.user.id])
	}
	return object{"poll": r.f.showPoll(x, r.user), "vote": mine}, nil
}

// ranks reads a ranking: {"0": {"digest", "rank"}, ...} as a form gives it, or a list of such.
func ranks(v any) map[string]int {
	out := map[string]int{}
	take := func(e any) {
		if o, ok := e.(object); ok {
			out[text(o["digest"])] = atoi(text(o["rank"]), 0)
		}
	}
	switch all := v.(type) {
	case object:
		for _, e := range all {
			take(e)
		}
	case []any:
		for _, e := range all {
			take(e)
		}
	}
	return out
}

func (r *request) removeVote() (any, error) {
	x, err := r.f.pollToActOn(r.int("post_id"), r.str("poll_name"), closedTopicVote)
	if err != nil {
		return nil, err
	}
	if err := r.f.mayVote(r.user, x); err != nil {
		return nil, err
	}
	x.withdraw(r.user)
	return object{"poll": r.f.showPoll(x, r.user)}, nil
}

func (r *request) toggleStatus() (any, error) {
	for _, name := range []string{"post_id", "poll_name", "status"} {
		if _, err := r.need(name); err != nil {
			return nil, err
		}
	}
	x, err := r.f.pollToActOn(r.int("post_id"), r.str("poll_name"), "The topic must be open to toggle status.")
	if err != nil {
		return nil, err
	}
	if err := r.f.toggle(r.user, x, r.str("status")); err != nil {
		return nil, err
	}
	return object{"poll": r.f.showPoll(x, r.user)}, nil
}

// toggle closes or opens a poll. One whose time is up stays over.
func (f *Forum) toggle(u *user, x *poll, status string) error {
	if u.id != x.p.user && !u.staff() {
		return invalid("Only a staff member or the original poster can toggle a poll status.")
	}
	if status != "open" && status != "closed" {
		return badParam("status")
	}
	x.status = status
	return nil
}

// voters lists who voted, where that is public and to be seen.
func (r *request) voters() (any, error) {
	for _, name := range []string{"post_id", "poll_name"} {
		if _, err := r.need(name); err != nil {
			return nil, err
		}
	}
	if r.f.settings.PollsOff {
		return nil, refuse("not_found")
	}
	p := r.f.posts[r.int("post_id")]
	if p == nil || !p.deletedAt.IsZero() {
		return nil, badParam("post_id")
	}
	x := p.pollNamed(r.str("poll_name"))
	if x == nil || !x.public || !x.shows(r.f, r.user) {
		return nil, badParam("poll_name")
	}
	limit := 25
	if r.has("limit") {
		limit = min(max(int(r.int("limit")), 1), 50)
	}
	option := strings.TrimSpace(r.str("option_id"))
	if option != "" && !slices.ContainsFunc(x.options, func(o pollOption) bool { return o.id == option }) {
		return nil, badParam("option_id")
	}
	return object{"voters": r.f.voterPage(x, option, max(1, int(r.int("page"))), limit)}, nil
}
