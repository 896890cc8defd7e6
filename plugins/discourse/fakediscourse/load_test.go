package fakediscourse_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

// Ten thousand people vote, and are listed page by page.
func TestManyVoters(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	_, id := w.topic("[poll public=true]\n* A\n* B\n[/poll] \n")
	require.NoError(t, w.f.VoteMany(id, "poll", w.f.AddUsers("voter", 10_000), func(i int) []int { return []int{1 + i%2} }))
	p := w.ok("GET", "/posts/"+num(id)+".json", "")
	require.Equal(t, 5000.0, p.at(t, "polls", 0, "options", 1, "votes"))
	require.Less(t, len(p.body), 20_000)
	option := p.at(t, "polls", 0, "options", 1, "id").(string)
	seen := map[any]bool{}
	for n := 1; ; n++ {
		v := w.ok("GET", fmt.Sprintf("/polls/voters.json?post_id=%d&poll_name=poll&option_id=%s&limit=50&page=%d", id, option, n), "")
		page, before := v.at(t, "voters").(map[string]any)[option].([]any), len(seen)
		for _, x := range page {
			seen[x.(map[string]any)["id"]] = true
		}
		if len(seen) == before {
			break
		}
	}
	require.Len(t, seen, 5000)
}

// Everybody does everything at once.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	topic, post := w.topic("[poll public=true]\n* A\n* B\n[/poll] \n")
	people := w.f.AddUsers("u", 8)
	var all sync.WaitGroup
	for i, who := range people {
		all.Go(func() {
			for n := range 10 {
				_ = w.f.VoteInPoll(who, post, "poll", 1+n%2)
				_, _ = w.f.Reply(who, topic, fmt.Sprintf("%s %d %d", hello, i, n))
				_ = w.f.Like(who, post)
				w.s.Calls()
				w.s.Deliveries()
				w.f.PostByID(post)
				w.f.Members("staff")
			}
		})
	}
	all.Wait()
	require.NoError(t, w.s.Flush(context.Background()))
	v, _ := w.f.Topic(topic)
	require.Len(t, v.Posts, 81)
	x, _ := w.f.Poll(post, "poll")
	require.Len(t, x.Voters, 8)
	require.Len(t, w.s.DeliveriesOf("post_liked"), 8)
}
