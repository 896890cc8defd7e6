package discourse

import (
	"encoding/json"
	"html"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/vote"
)

func TestParseVoters(t *testing.T) {
	for name, c := range map[string]struct {
		in     string
		want   []voter
		err    string
		ranked bool
	}{
		"nobody":      {`null`, []voter{}, "", false},
		"no lists":    {`{}`, []voter{}, "", false},
		"other lists": {`{"b":[{"id":7}]}`, []voter{}, "", false},
		"by option":   {`{"a":[{"id":7,"username":"ann"},{"id":-1}],"b":[{"id":8}]}`, []voter{{7, 1}, {-1, 1}}, "", false},
		"numbers":     {`[{"id":7},{"id":9}]`, []voter{{7, 1}, {9, 1}}, "", false},
		"ranks":       {`{"a":[{"rank":"2","user":{"id":7}},{"rank":"Abstain","user":{"id":8}},{"rank":1,"user":{"id":9}}]}`, []voter{{7, 2}, {8, 0}, {9, 1}}, "", true},
		"no rank":     {`{"a":[{"user":{"id":7}}]}`, nil, "no rank", true},
		"a large":     {`{"a":[{"rank":"256","user":{"id":7}}]}`, nil, "no rank", true},
		"no ID":       {`{"a":[{"username":"ann"}]}`, nil, "no ID", false},
		"deleted":     {`{"a":[null,{"id":7},null]}`, []voter{{}, {7, 1}, {}}, "", false},
		"no ranker":   {`{"a":[{"rank":"1","user":null},{"rank":"2","user":{"id":7}}]}`, []voter{{}, {7, 2}}, "", true},
		"not lists":   {`{"a":7}`, nil, "decoding", false},
		"text":        {`"a"`, nil, "decoding", false},
		"nothing":     {``, nil, "decoding", false},
		"unranked":    {`{"a":[{"id":7,"username":"ann"}]}`, nil, "without their ranks", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseVoters([]byte(c.in), "a", c.ranked)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// Whoever is gone votes for nothing, and is no voter.
func TestVotersWhoAreGone(t *testing.T) {
	s := &scan{Marks: map[int64][]byte{}}
	s.mark(voter{}, 2)
	s.mark(voter{7, 1}, 2)
	require.Equal(t, map[int64][]byte{7: {1, 0}}, s.Marks)
}

func FuzzParseVoters(f *testing.F) {
	f.Add(`{"a":[{"rank":"Abstain","user":{"id":8}}]}`, true)
	f.Add(`[{"id":7}]`, false)
	f.Fuzz(func(t *testing.T, s string, ranked bool) {
		got, err := parseVoters([]byte(s), "a", ranked)
		if err != nil {
			require.Nil(t, got)
		}
		for _, v := range got {
			require.True(t, v.ID != 0 || v.Mark == 0, "who is gone has chosen nothing")
		}
	})
}

func TestChoicesAndHeldAreTheSame(t *testing.T) {
	options := []string{"a", "b", "c"}
	for _, c := range []struct {
		typ   vote.PollType
		marks []byte
		want  []string
	}{
		{vote.Choice, []byte{0, 1, 0}, []string{"b"}},
		{vote.Choice, []byte{1, 0, 1}, []string{"c"}}, // changed while the lists were read
		{vote.Multiple, []byte{1, 0, 1}, []string{"a", "c"}},
		{vote.Approval, []byte{1, 1, 1}, options},
		{vote.Ranked, []byte{3, 0, 1}, []string{"c", "a"}},
		{vote.Ranked, []byte{2, 2, 1}, []string{"c", "a", "b"}},
		{vote.Ranked, []byte{0, 0, 0}, nil},
		{vote.Choice, []byte{0, 0, 0, 1}, nil},
	} {
		ask := &vote.Ask{PollType: c.typ, Options: options}
		got := choices(ask, c.marks)
		require.Equal(t, c.want, got)
		if len(got) == 0 {
			continue
		}
		lines, err := ask.Pick("", got...)
		require.NoError(t, err)
		var ballots []vote.Ballot
		for i := range lines { // a store lists them by question
			l := lines[len(lines)-1-i]
			ballots = append(ballots, vote.Ballot{Question: l.Question, Choice: l.Choice})
		}
		require.Equal(t, got, held(ask, ballots))
	}
}

// Two options that look alike, or one that looks like nothing, cannot be told apart by who votes.
func TestOptionsThatLookAlike(t *testing.T) {
	for _, options := range [][]string{{"a", " a"}, {"a", "a\u200b"}, {"\u2066a", "a"}, {"a\u00ad", "a"}, {"a", "\u200b\ufeff"}, {"a\nb", "a b"}} {
		in := Poll{Ask: vote.Ask{Title: "Where?", PollType: vote.Choice, Options: options}}
		require.Error(t, in.check(), "%q", options)
	}
	for _, options := range [][]string{{"a", "A"}, {"\U0001F468\u200d\U0001F33E", "\U0001F469\u200d\U0001F33E"}, {"می\u200cخواهم", "نمی\u200cخواهم"}} {
		in := Poll{Ask: vote.Ask{Title: "Where?", PollType: vote.Choice, Options: options}}
		require.NoError(t, in.check(), "%q", options)
	}
}

// Discourse looks for mentions when references are characters again.
func TestPlainCallsNobody(t *testing.T) {
	for _, in := range []string{"@staff", "ask @ann, or @bob", "a@b"} {
		for i, part := range strings.Split(html.UnescapeString(plain(in)), "@") {
			require.True(t, i == 0 || strings.HasPrefix(part, "\u200b"), in)
		}
	}
	require.Equal(t, "one\ntwo\n\nthree", plainLines("one\r\ntwo\n\n\u202ethree\n"))
}

func TestAccountOf(t *testing.T) {
	for in, want := range map[string]bool{"42": true, "-1": true, "": false, "0": false, "042": false, "+7": false, "person:7": false, "ann": false, "99999999999999999999": false} {
		_, ok := accountOf(in)
		require.Equal(t, want, ok, in)
	}
}

// Whatever a driver writes, the text has one poll with its title and so many options, one for each line.
func FuzzPollMarkup(f *testing.F) {
	f.Add("Where?\n[/poll]", "details\n[poll]\n* x\n[/poll]", "a", "b\u2028* c")
	f.Add("`", "```\n", "* [/poll]", "<!--")
	f.Add("\u202etitle", "\r[poll]\r", "@staff", "&#10;* x")
	f.Fuzz(func(t *testing.T, title, details, a, b string) {
		in := Poll{Ask: vote.Ask{Title: title, Details: details, PollType: vote.Choice, Options: []string{a, b}}}
		raw, err := in.markup()
		if err != nil {
			return
		}
		start := strings.LastIndex(raw, "[poll name=poll ")
		require.GreaterOrEqual(t, start, 0)
		lines := strings.Split(raw[start:], "\n")
		require.Len(t, lines, 5)
		require.Equal(t, "[poll name=poll type=regular results=always public=true chartType=bar]", lines[0])
		require.Equal(t, "[/poll]", lines[4])
		for _, l := range []string{lines[2], lines[3]} {
			require.True(t, strings.HasPrefix(l, "* "))
			require.NotEmpty(t, strings.TrimSpace(l[2:]))
		}
		rest := raw[:start] + strings.Join(lines[1:4], "\n")
		require.False(t, strings.ContainsAny(rest, "[]<>@`\\\r"), rest)
		for _, r := range html.UnescapeString(raw) {
			require.False(t, unicode.Is(unicode.Bidi_Control, r))
		}
	})
}

func TestAPollWhoseTermsWereChanged(t *testing.T) {
	v := pollView{Public: true}
	require.NoError(t, json.Unmarshal([]byte(`{"public":true,"type":"regular","title":"Where?","close":"2026-11-20T12:00:00Z","options":[{"id":"a"},{"id":"b"}]}`), &v))
	ask := &vote.Ask{PollType: vote.Choice, Options: []string{"river", "hill"}}
	b := pollBox{Options: v.names(), Terms: v.sum()}
	require.True(t, b.same(ask, v))
	require.False(t, (&pollBox{Options: []string{"b", "a"}, Terms: b.Terms}).same(ask, v))
	v.Title.v = "Where not?"
	require.False(t, b.same(ask, v))
}
