package github

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/vote"
)

func ask(t testing.TB, a vote.Ask) *vote.Ask {
	t.Helper()
	a, err := a.Normalize(time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return &a
}

func TestSpoken(t *testing.T) {
	one := ask(t, vote.Ask{Title: "x"})
	many := ask(t, vote.Ask{Title: "x", PollType: vote.Multiple, Options: []string{"Green tea", "soup", "3"}})
	alike := ask(t, vote.Ask{Title: "x", PollType: vote.Choice, Options: []string{"Tea", "tea", "`go`", "go", "a``b"}})
	for name, c := range map[string]struct {
		ask  *vote.Ask
		body string
		want []string
		ok   bool
	}{
		"text in a deeper fence":       {one, "````\n```\n/vote yes\n```\n````\n/vote no", []string{"no"}, true},
		"a shorter fence ends none":    {one, "````\n/vote yes\n```\n/vote yes", nil, false},
		"a longer fence does":          {one, "```\n/vote no\n`````  \n/vote yes", []string{"yes"}, true},
		"another fence ends none":      {one, "```\n~~~\n/vote yes", nil, false},
		"a fence with words ends none": {one, "```\n``` go\n/vote yes", nil, false},
		"a fence has words at first":   {one, "``` go\n/vote no\n```\n/vote yes", []string{"yes"}, true},
		"code in a line is no fence":   {one, "```x``` is code\n/vote yes", []string{"yes"}, true},
		"with tildes it is one":        {one, "~~~ a`b`\n/vote yes", nil, false},
		"four spaces are no fence":     {one, "    ```\n/vote yes", []string{"yes"}, true},
		"nor is a tab":                 {one, "\t```\n/vote yes", []string{"yes"}, true},
		"four spaces end none":         {one, "```\n    ```\n/vote yes", nil, false},
		"three spaces are a fence":     {one, "   ```\n/vote no\n   ```\n/vote yes", []string{"yes"}, true},
		"hidden":                       {one, "<!--\n/vote yes\n-->\nHello", nil, false},
		"hidden for ever":              {one, "<!-- x\n\n/vote yes", nil, false},
		"after what is hidden":         {one, "<!-- x\n/vote no\n-->\n/vote yes", []string{"yes"}, true},
		"hidden in one line":           {one, "<!-- /vote no -->\n/vote yes", []string{"yes"}, true},
		"hidden behind words":          {one, "well <!-- x\n/vote no\n--> then\n/vote yes", []string{"yes"}, true},
		"an arrow that hides nothing":  {one, "well <!-- x\n\n/vote yes", []string{"yes"}, true},
		"a fence in what is hidden":    {one, "<!--\n```\n-->\n/vote yes", []string{"yes"}, true},
		"hiding in code":               {one, "```\n<!--\n```\n/vote yes", []string{"yes"}, true},
		"a fence in a list":            {one, "- ```\n  /vote no\n  ```\n/vote yes", []string{"yes"}, true},
		"a fence in a long list":       {one, "10. ```\n    /vote no\n    ```\n/vote yes", []string{"yes"}, true},
		"nothing of it":                {one, "- ```\n  /vote no\n\n  /vote no", nil, false},
		"a list that ends ends it":     {one, "* ```\n  /vote no\n/vote yes", []string{"yes"}, true},
		"a list in a list":             {one, "- 1. ~~~\n     /vote no\n     ~~~\n\n/vote yes", []string{"yes"}, true},
		"code in a list is no fence":   {one, "- ```x``` is code\n/vote yes", []string{"yes"}, true},
		"a little to the right":        {one, "   /vote yes", []string{"yes"}, true},
		"taken back to the right":      {one, "/vote yes\n  /unvote  ", nil, true},
		"other kinds of space":         {one, "/vote\u00a0yes\u00a0", []string{"yes"}, true},
		"exactly, one":                 {alike, "/vote Tea", []string{"Tea"}, true},
		"exactly, the other":           {alike, "/vote tea", []string{"tea"}, true},
		"neither exactly":              {alike, "/vote TEA", []string{"Tea"}, true},
		"with its own ticks":           {alike, "/vote `go`", []string{"`go`"}, true},
		"without":                      {alike, "/vote go", []string{"go"}, true},
		"as it is shown":               {alike, "/vote `'go'`", []string{"`go`"}, true},
		"in ticks":                     {one, "/vote `Yes`", []string{"yes"}, true},
		"ticks within":                 {alike, "/vote a``b", []string{"a``b"}, true},
		"a line":                       {one, "I think\r\n/vote yes\r\n", []string{"yes"}, true},
		"the last counts":              {one, "/vote yes\n/vote no", []string{"no"}, true},
		"in capitals":                  {one, "/VOTE YES", []string{"yes"}, true},
		"by number":                    {one, "/vote 2", []string{"no"}, true},
		"a text before numbers":        {many, "/vote 3", []string{"3"}, true},
		"several":                      {many, "/vote soup\n/vote green  TEA", []string{"Green tea", "soup"}, true},
		"taken back":                   {one, "/vote yes\n/unvote", nil, true},
		"taken back, and again":        {many, "/vote soup\n/unvote\n/vote 1", []string{"Green tea"}, true},
		"no such choice":               {one, "/vote perhaps", nil, false},
		"in a quote":                   {one, "> /vote yes", nil, false},
		"in code":                      {one, "    /vote yes\n```\n/vote yes\n```", nil, false},
		"in unended code":              {one, "~~~\n/vote yes", nil, false},
		"within a line":                {one, "please /vote yes", nil, false},
		"nothing":                      {one, "", nil, false},
	} {
		got, ok := spoken(c.ask, c.body)
		require.Equal(t, c.ok, ok, name)
		require.Equal(t, c.want, got, name)
	}
}

// The longest comment is read quickly, whatever is in it.
func TestSpokenOfTheLongest(t *testing.T) {
	for _, part := range []string{"a<!--\n", "<!--\n", "```\n", "<!-- -->", "\n", "/vote yes\n", "`"} {
		began := time.Now()
		spoken(ask(t, vote.Ask{Title: "x"}), strings.Repeat(part, 65_000/len(part)))
		require.Less(t, time.Since(began), 5*time.Second, "%q", part)
	}
}

func TestWaiting(t *testing.T) {
	now := time.Unix(1000, 0)
	for name, c := range map[string]struct {
		status int
		header map[string]string
		body   string
		want   time.Duration
	}{
		"no limit":               {403, nil, `{"message":"Resource not accessible by integration"}`, 0},
		"primary":                {403, map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1090"}, "", 90 * time.Second},
		"primary, over":          {403, map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "900"}, "", time.Second},
		"primary, far away":      {429, map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "999999999999"}, "", time.Hour},
		"primary, unreadable":    {403, map[string]string{"X-Ratelimit-Remaining": "0"}, "", time.Minute},
		"secondary, said":        {403, map[string]string{"Retry-After": "7"}, "", 7 * time.Second},
		"secondary, too long":    {403, map[string]string{"Retry-After": "99999999"}, "", time.Hour},
		"secondary, in words":    {403, nil, `{"message":"You have exceeded a secondary rate limit"}`, time.Minute},
		"secondary, for content": {403, nil, `{"message":"You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later."}`, time.Minute},
		"secondary, long ago":    {403, nil, `{"message":"You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."}`, time.Minute},
		"secondary, by its page": {403, nil, `{"message":"Forbidden","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`, time.Minute},
		"primary, in words":      {403, nil, `{"message":"API rate limit exceeded for installation ID 4711."}`, time.Minute},
		"too many":               {429, nil, "", time.Minute},
		"not found with a wait":  {404, map[string]string{"Retry-After": "7"}, "", 0},
	} {
		h := http.Header{}
		for k, v := range c.header {
			h.Set(k, v)
		}
		require.Equal(t, c.want, waiting(answer{status: c.status, header: h, body: []byte(c.body)}, now), name)
	}
}

func TestTheNextPage(t *testing.T) {
	h := http.Header{"Link": {`<https://api.github.com/x?page=1>; rel="prev", <https://evil.example/x?page=3&per_page=100>; rel="next"`}}
	next := answer{header: h}.next()
	q, err := turned(next, url.Values{"page": {"2"}})
	require.NoError(t, err)
	require.Equal(t, "3", q.Get("page"), "only the query is taken: our token goes nowhere else")
	_, err = turned(next, q)
	require.Error(t, err, "a page that leads to itself")
	require.Empty(t, answer{header: http.Header{}}.next())
}
