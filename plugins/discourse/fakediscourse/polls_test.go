package fakediscourse_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// What Discourse makes of markup: which polls there are, with which titles and options.
func TestPollMarkup(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	for name, c := range map[string]struct {
		raw   string
		polls []string // name|type|title|options
	}{
		"plain":               {"[poll]\n* A\n* B\n[/poll]", []string{"poll|regular||A;B"}},
		"other bullets":       {"[poll]\n- A\n- B\n[/poll]", []string{"poll|regular||A;B"}},
		"numbered":            {"[poll]\n1. A\n2. B\n[/poll]", []string{"poll|regular||A;B"}},
		"title":               {"[poll name=x]\n# Which one?\n\n* A\n* B\n[/poll]", []string{"x|regular|Which one?|A;B"}},
		"text around":         {"Please vote.\n\n[poll]\n* A\n* B\n[/poll]\n\nThank you.", []string{"poll|regular||A;B"}},
		"two":                 {"[poll name=a]\n* A\n* B\n[/poll]\n\n[poll name=b]\n* C\n* D\n[/poll]", []string{"a|regular||A;B", "b|regular||C;D"}},
		"attributes":          {`[poll name="n" type='multiple' min=1 max=2 evil=x]` + "\n* A\n* B\n[/poll]", []string{"n|multiple||A;B"}},
		"numbers":             {"[poll type=number min=1 max=9 step=4]\n[/poll]", []string{"poll|number||1;5;9"}},
		"markup in an option": {"[poll]\n* **A** <script>x\n* [B](https://evil.example)\n[/poll]", []string{`poll|regular||<strong>A</strong> x;<a href="https://evil.example">B</a>`}},
		"more markup": {"[poll]\n* _A_ ~~b~~ [b]c[/b] :heart: :none: @bob\n* [x](javascript:x) ![y](https://z.example/y.png)\n[/poll]", []string{
			`poll|regular||<em>A</em> <s>b</s> <span class="bbcode-b">c</span> <img src="/images/emoji/twitter/heart.png" title=":heart:" class="emoji" alt=":heart:"> ` +
				`:none: <a class="mention" href="/u/bob">@bob</a>;<a>x</a> <img src="https://z.example/y.png" alt="y">`}},
		"typography":            {"[poll]\n* \"A\" -- it's...\n* &#34;B&#34; &#45;&#45; it&#39;s&#46;&#46;&#46;\n[/poll]", []string{`poll|regular||“A” – it’s…;"B" -- it's...`}},
		"references":            {"[poll]\n* &#42;A&#42; &#91;&#47;poll&#93;\n* B &lt;b&gt;\n[/poll]", []string{"poll|regular||*A* [/poll];B &lt;b&gt;"}},
		"escapes":               {"[poll]\n* \\*A\\*\n* B\n[/poll]", []string{"poll|regular||*A*;B"}},
		"close tag in a line":   {"[poll]\n* A [/poll]\n* B\n[/poll]", []string{"poll|regular||A [/poll];B"}},
		"injected option":       {"[poll]\n* A\n* evil\n* B\n[/poll]", []string{"poll|regular||A;evil;B"}},
		"injected close":        {"[poll name=one]\n* A\n[/poll]\n\n[poll name=evil]\n* X\n* B\n[/poll]", []string{"one|regular||A", "evil|regular||X;B"}},
		"closed too early":      {"[poll]\n* A\n[/poll]\n* B\n[/poll]", []string{"poll|regular||A"}},
		"fenced":                {"```\n[poll]\n* A\n* B\n[/poll]\n```\n" + hello, nil},
		"indented":              {"    [poll]\n    * A\n    * B\n    [/poll]\n\n" + hello, nil},
		"not closed":            {"[poll]\n* A\n* B\n\n" + hello, nil},
		"text on the tag":       {"[poll] " + hello + "\n* A\n* B\n[/poll]", nil},
		"paragraph inside":      {"[poll]\n" + hello + "\n\n* A\n* B\n[/poll]", nil},
		"options of numbers":    {"[poll type=number min=1 max=3]\n* A\n[/poll]\n" + hello, nil},
		"nested":                {"[poll]\n[poll]\n* A\n* B\n[/poll]\n[/poll]\n" + hello, nil},
		"capitals":              {"[POLL]\n* A\n* B\n[/Poll]", []string{"poll|regular||A;B"}},
		"windows":               {"[poll]\r\n* A\r\n* B\r\n[/poll]", []string{"poll|regular||A;B"}},
		"continued":             {"[poll]\n* A\ngoes on\n* B\n[/poll]", []string{"poll|regular||A\ngoes on;B"}},
		"deeper list":           {"[poll]\n* A\n  * deeper\n* B\n[/poll]", []string{"poll|regular||A\n* deeper;B"}},
		"two lists":             {"[poll]\n* A\n- B\n[/poll]", []string{"poll|regular||A;B"}},
		"paragraphs":            {"[poll]\n* A\n\n* B\n[/poll]", []string{"poll|regular||<p>A</p>;<p>B</p>"}},
		"line across":           {"[poll]\n* A\n* B\n* * *\n[/poll]\n" + hello, nil},
		"two headings":          {"[poll]\n# T\n# U\n* A\n* B\n[/poll]\n" + hello, nil},
		"paragraph after":       {"[poll]\n* A\n* B\n\nText.\n[/poll]\n" + hello, nil},
		"name as HTML":          {`[poll name="<b>"]` + "\n* A\n* B\n[/poll]", []string{"&lt;b&gt;|regular||A;B"}},
		"title cannot escape":   {"[poll]\n# T [/poll]\n* A\n* B\n[/poll]", []string{"poll|regular|T [/poll]|A;B"}},
		"attribute in brackets": {"[poll name=a]b]\n* A\n* B\n[/poll]\n" + hello, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, id, err := w.f.Post("carla", fakediscourse.NewTopic{Title: "A topic about " + name, Raw: c.raw})
			require.NoError(t, err)
			p, _ := w.f.PostByID(id)
			var got []string
			for _, x := range p.Polls {
				var options []string
				for _, o := range x.Options {
					options = append(options, o.HTML)
				}
				got = append(got, strings.Join([]string{x.Name, x.Type, x.Title, strings.Join(options, ";")}, "|"))
			}
			require.Equal(t, c.polls, got)
		})
	}
}

func TestPollErrors(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	many := "[poll]\n" + strings.Repeat("* x", 1)
	for i := range 21 {
		many += "\n* " + num(int64(i))
	}
	for raw, says := range map[string]string{
		"[poll]\n* A\n* A\n[/poll]":                                            "Poll must have different options.",
		"[poll name=x]\n* A\n* A\n[/poll]":                                     "Poll named <strong>x</strong> must have different options.",
		"[poll]\n* A\n*\n[/poll] and":                                          "", // not closed: no poll
		"[poll]\n* A\n* \n* B\n[/poll]":                                        "must not have any empty options",
		"[poll]\n[/poll] \n" + hello + "":                                      "at least 1 option",
		many + "\n[/poll]":                                                     "less than 20 options",
		"[poll type=multiple min=3 max=2]\n* A\n* B\n[/poll]":                  "invalid parameters",
		"[poll type=multiple max=5]\n* A\n* B\n[/poll]":                        "invalid parameters",
		"[poll type=evil]\n* A\n* B\n[/poll]":                                  "not a valid poll type",
		"[poll results=never]\n* A\n* B\n[/poll]":                              "invalid parameters",
		"[poll]\n* A\n* B\n[/poll]\n\n[poll]\n* C\n* D\n[/poll]":               "multiple polls without a name",
		"[poll name=x]\n* A\n* B\n[/poll]\n\n[poll name=x]\n* C\n* D\n[/poll]": "multiple polls with the same name",
	} {
		a := w.send("bob", "POST", "/posts.json", string(rawOf(t, map[string]any{"title": "A topic about " + says + raw[:12] + num(int64(len(raw))), "raw": raw})))
		if says == "" {
			require.Equal(t, 200, a.status, string(a.body))
			continue
		}
		require.Equal(t, 422, a.status, raw)
		require.Equal(t, "create_post", a.at(t, "action"))
		require.Contains(t, a.at(t, "errors", 0), says)
	}
	w.refused(422, "permission to create polls", "newcomer", "POST", "/posts.json", `{"title":"May I have a poll too?","raw":"[poll]\n* A\n* B\n[/poll] \n"}`)
}

func TestVote(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	_, id := w.topic("[poll name=a type=multiple min=1 max=2 public=true]\n* A\n* B\n* C\n[/poll]\n\n[poll name=b groups=jury]\n* A\n* B\n[/poll]\n\n[poll name=c]\n* A\n* B\n[/poll]")
	w.f.AddGroup("jury", "carla")
	p, _ := w.f.PostByID(id)
	option := func(poll, n int) string { return p.Polls[poll].Options[n].ID }
	vote := func(poll string, ids ...string) string {
		return string(rawOf(t, map[string]any{"post_id": id, "poll_name": poll, "options": ids}))
	}
	w.heard()

	a := w.okAs("bob", "PUT", "/polls/vote.json", vote("a", option(0, 0), option(0, 2)))
	require.Equal(t, []any{option(0, 0), option(0, 2)}, a.at(t, "vote"))
	require.Equal(t, 1.0, a.at(t, "poll", "voters"))
	w.okAs("bob", "PUT", "/polls/vote", vote("a", option(0, 1), "unknown"))
	v, _ := w.f.Poll(id, "a")
	require.Equal(t, []string{"bob"}, v.Options[1].Voters)
	require.Empty(t, v.Options[0].Voters)
	own := w.okAs("bob", "GET", "/posts/"+num(id)+".json", "")
	require.Equal(t, []any{option(0, 1)}, own.at(t, "polls_votes", "a"))
	require.Nil(t, w.okAs("carla", "GET", "/posts/"+num(id)+".json", "").at(t, "polls_votes"))

	w.refused(422, "at least 1 valid option", "bob", "PUT", "/polls/vote", vote("a", "unknown"))
	w.refused(422, "maximum of 2", "bob", "PUT", "/polls/vote", vote("a", option(0, 0), option(0, 1), option(0, 2)))
	w.refused(422, "Only 1 vote", "bob", "PUT", "/polls/vote", vote("c", option(2, 0), option(2, 1)))
	w.refused(422, "No poll named", "bob", "PUT", "/polls/vote", vote("nope", option(0, 0)))
	w.refused(422, "member of jury", "bob", "PUT", "/polls/vote", vote("b", option(1, 0)))
	w.refused(400, "options", "bob", "PUT", "/polls/vote", `{"post_id":`+num(id)+`,"poll_name":"a"}`)
	w.refused(403, "not_logged_in", "", "PUT", "/polls/vote", vote("a", option(0, 0)))
	w.okAs("carla", "PUT", "/polls/vote", vote("b", option(1, 0)))
	w.okAs("bob", "DELETE", "/polls/vote", `{"post_id":`+num(id)+`,"poll_name":"a"}`)
	v, _ = w.f.Poll(id, "a")
	require.Empty(t, v.Voters)

	// A suspended or silenced person has no vote, nor has anybody once it is closed.
	require.Empty(t, w.events(), "votes tell nobody")
	require.NoError(t, w.f.Silence("ann", "bob", w.clock().Add(time.Hour), "noise"))
	w.heard()
	require.ErrorIs(t, w.f.VoteInPoll("bob", id, "a", 1), fakediscourse.ErrRefused)
	w.pass(2 * time.Hour)
	require.NoError(t, w.f.VoteInPoll("bob", id, "a", 1))
	w.refused(422, "Only a staff member", "carla", "PUT", "/polls/toggle_status", `{"post_id":`+num(id)+`,"poll_name":"a","status":"closed"}`)
	w.refused(400, "status", "ann", "PUT", "/polls/toggle_status", `{"post_id":`+num(id)+`,"poll_name":"a","status":"evil"}`)
	require.NoError(t, w.f.ClosePoll("bob", id, "a"))
	w.refused(422, "Poll must be open", "carla", "PUT", "/polls/vote", vote("a", option(0, 0)))
	require.NoError(t, w.f.OpenPoll("ann", id, "a"))
	require.NoError(t, w.f.VoteInPoll("carla", id, "a", 2))
	require.NoError(t, w.f.DeleteTopic("ann", p.Topic))
	w.refused(422, "deleted post", "carla", "PUT", "/polls/vote", vote("a", option(0, 0)))
	require.Equal(t, []string{"post_destroyed", "topic_destroyed"}, w.events(), "closing tells nobody")
}

func TestPollResultsSettings(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	closes := w.clock().Add(time.Hour).Format(time.RFC3339)
	sees := func(as string, id int64) bool {
		t.Helper()
		o := w.okAs(as, "GET", "/posts/"+num(id)+".json", "").at(t, "polls", 0).(map[string]any)
		_, votes := o["options"].([]any)[0].(map[string]any)["votes"]
		_, voters := o["preloaded_voters"]
		require.Equal(t, votes, voters)
		require.NotNil(t, o["voters"], "how many voted is no secret")
		status := w.send(as, "GET", "/polls/voters.json?post_id="+num(id)+"&poll_name=poll", "").status
		require.Equal(t, map[bool]int{true: 200, false: 400}[votes], status)
		return votes
	}
	for setting, c := range map[string]struct{ voter, other, staff, after bool }{
		"always":     {true, true, true, true},
		"on_vote":    {true, false, false, true},
		"on_close":   {false, false, false, true},
		"staff_only": {false, false, true, false},
	} {
		_, id := w.topic("[poll public=true results=" + setting + " close=" + closes + "]\n* A\n* B\n[/poll]")
		require.NoError(t, w.f.VoteInPoll("bob", id, "poll", 1))
		require.Equal(t, []bool{c.voter, c.other, c.staff}, []bool{sees("bob", id), sees("carla", id), sees("system", id)}, setting)
		w.pass(time.Hour)
		require.Equal(t, c.after, sees("carla", id), setting)
		require.Equal(t, "closed", w.ok("GET", "/posts/"+num(id)+".json", "").at(t, "polls", 0, "status"))
		w.pass(-time.Hour)
	}
	_, id := w.topic("[poll public=true results=on_vote]\n* A\n* B\n[/poll]")
	require.True(t, sees("bob", id), "its author")
	require.False(t, sees("system", id))
	_, id = w.topic("[poll]\n* A\n* B\n[/poll] \n")
	require.NoError(t, w.f.VoteInPoll("bob", id, "poll", 1))
	w.refused(400, "poll_name", "system", "GET", "/polls/voters.json?post_id="+num(id)+"&poll_name=poll", "")
	require.Nil(t, w.ok("GET", "/posts/"+num(id)+".json", "").at(t, "polls", 0, "public"))
}

// Each page but the first begins with the last voter of the one before.
func TestVoterPages(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	_, id := w.topic("[poll public=true]\n* A\n* B\n[/poll] \n")
	require.NoError(t, w.f.VoteMany(id, "poll", w.f.AddUsers("voter", 120), func(i int) []int { return []int{1 + i/110} }))
	p, _ := w.f.PostByID(id)
	a, b := p.Polls[0].Options[0].ID, p.Polls[0].Options[1].ID
	ask := func(more string) answer {
		return w.ok("GET", "/polls/voters.json?post_id="+num(id)+"&poll_name=poll"+more, "")
	}
	seen := map[string]bool{}
	for n, want := range []int{50, 51, 11, 0} {
		v := ask("&limit=100&page=" + num(int64(n+1)) + "&option_id=" + a)
		if want == 0 {
			require.Nil(t, v.at(t, "voters"))
			continue
		}
		all := v.at(t, "voters", a).([]any)
		require.Len(t, all, want)
		for _, x := range all {
			seen[x.(map[string]any)["username"].(string)] = true
		}
	}
	require.Len(t, seen, 110)
	both := ask("").at(t, "voters").(map[string]any)
	require.Len(t, both[a], 25)
	require.Len(t, both[b], 10)
	w.refused(400, "option_id", "system", "GET", "/polls/voters.json?post_id="+num(id)+"&poll_name=poll&option_id=x", "")

	_, numbers := w.topic("[poll type=number min=1 max=3 public=true]\n[/poll]\nRate it, please.")
	require.Nil(t, w.ok("GET", "/polls/voters.json?post_id="+num(numbers)+"&poll_name=poll", "").at(t, "voters"))
	require.NoError(t, w.f.VoteInPoll("carla", numbers, "poll", 3))
	require.Equal(t, "Carla", w.ok("GET", "/polls/voters.json?post_id="+num(numbers)+"&poll_name=poll", "").at(t, "voters", 0, "username"))
}

func TestRankedChoice(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	_, id := w.topic("[poll type=ranked_choice public=true]\n* A\n* B\n* C\n[/poll]")
	get := func() answer { return w.ok("GET", "/posts/"+num(id)+".json", "") }
	require.Nil(t, get().at(t, "polls", 0, "ranked_choice_outcome"))
	voters := w.f.AddUsers("v", 5)
	rankings := [][]int{{1, 2}, {1, 3}, {2, 3, 1}, {2, 3, 1}, {3, 2}}
	require.NoError(t, w.f.VoteMany(id, "poll", voters, func(i int) []int { return rankings[i] }))
	o := get()
	require.Equal(t, "B", o.at(t, "polls", 0, "ranked_choice_outcome", "winning_candidate", "html"))
	require.Equal(t, "C", o.at(t, "polls", 0, "ranked_choice_outcome", "round_activity", 0, "eliminated", 0, "html"))
	require.Equal(t, 5.0, o.at(t, "polls", 0, "options", 2, "votes"), "every option is ranked, and be it not at all")
	c := o.at(t, "polls", 0, "options", 2, "id").(string)
	v := w.ok("GET", "/polls/voters.json?post_id="+num(id)+"&poll_name=poll&option_id="+c, "").at(t, "voters", c).([]any)
	require.Equal(t, "Abstain", v[0].(map[string]any)["rank"])
	require.Equal(t, "2", v[4].(map[string]any)["rank"])

	// As a browser's form has it; every option is ranked, or it is refused.
	ids := []string{}
	for i := range 3 {
		ids = append(ids, o.at(t, "polls", 0, "options", i, "id").(string))
	}
	form := "post_id=" + num(id) + "&poll_name=poll&options[0][digest]=" + ids[0] + "&options[0][rank]=1"
	require.Equal(t, 422, w.send("bob", "PUT", "/polls/vote", form, "Content-Type", "application/x-www-form-urlencoded").status)
	form += "&options[1][digest]=" + ids[1] + "&options[1][rank]=0&options[2][digest]=" + ids[2] + "&options[2][rank]=2"
	a := w.send("bob", "PUT", "/polls/vote", form, "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, 200, a.status, string(a.body))
	require.Equal(t, 2.0, a.at(t, "vote", 2, "rank"))
}

func TestRankedChoiceTie(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	_, id := w.topic("[poll type=ranked_choice]\n* A\n* B\n[/poll] \n")
	require.NoError(t, w.f.VoteInPoll("bob", id, "poll", 1))
	require.NoError(t, w.f.VoteInPoll("carla", id, "poll", 2))
	o := w.ok("GET", "/posts/"+num(id)+".json", "")
	require.Equal(t, true, o.at(t, "polls", 0, "ranked_choice_outcome", "tied"))
	require.Len(t, o.at(t, "polls", 0, "ranked_choice_outcome", "tied_candidates"), 2)
}

// An edit keeps the votes of polls that it does not change; one that people voted in cannot be changed for long.
func TestPollEdits(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	const poll = "[poll]\n* A\n* B\n[/poll]\n\nPlease vote."
	_, id := w.topic(poll)
	require.NoError(t, w.f.VoteInPoll("carla", id, "poll", 1))
	require.NoError(t, w.f.EditPost("bob", id, poll+" Now."))
	v, _ := w.f.Poll(id, "poll")
	require.Equal(t, []string{"Carla"}, v.Voters)
	require.NoError(t, w.f.EditPost("bob", id, strings.Replace(poll, "* B", "* C", 1)))
	v, _ = w.f.Poll(id, "poll")
	require.Empty(t, v.Voters)
	require.NoError(t, w.f.VoteInPoll("carla", id, "poll", 2))
	w.pass(6 * time.Minute)
	require.ErrorContains(t, w.f.EditPost("bob", id, poll), "after the first 5 minutes")
	require.NoError(t, w.f.EditPost("bob", id, hello))
	_, ok := w.f.Poll(id, "poll")
	require.False(t, ok)
}
