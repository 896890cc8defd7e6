package slack

import (
	"context"
	"net/http"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// Slack counts by method, workspace and app (https://docs.slack.dev/apis/web-api/rate-limits). Its tiers say how many calls a minute are at least
// let through: 1, 20, 50, 100; "bursts" are let through too, how large is not said, and where one was too large Slack says for how long to wait.
var perMinute = map[string]int{
	"conversations.list": 20, "conversations.create": 20, "conversations.rename": 20, "conversations.archive": 20, "conversations.unarchive": 20,
	"users.list": 20, "usergroups.list": 20, "usergroups.create": 20, "usergroups.update": 20, "usergroups.users.update": 20, "usergroups.users.list": 20,
	"pins.add": 20, "pins.remove": 20, "pins.list": 20,
	"chat.postEphemeral": 100, "users.info": 100, "conversations.members": 100, "views.open": 100, "views.update": 100,
}

// tier3 is what methods have that are not listed: most of those that change something.
const tier3 = 50

// pacedKey is where a request's context says what is called.
type pacedKey struct{}

type paced struct{ team, method, channel string }

// pacing says in a context what a request calls, for [(*Slack).pace]: it stands in the body, which is the transport's.
func pacing(ctx context.Context, team, method string, a args) context.Context {
	channel, _ := a["channel"].(string)
	return context.WithValue(ctx, pacedKey{}, paced{team, method, channel})
}

// pace is the feature of the same purpose. Posting is counted by channel, one message a second "with short bursts"; response URLs are not
// counted at all.
func (s *Slack) pace(r *http.Request) gateway.Pace {
	c, ok := r.Context().Value(pacedKey{}).(paced)
	if !ok {
		return gateway.Pace{}
	}
	key := c.team + "/" + c.method
	switch c.method {
	case "chat.postMessage":
		return gateway.Pace{Key: key + "/" + c.channel, Every: time.Second, Burst: 10}
	case "auth.test", "oauth.v2.access":
		return gateway.Pace{Key: key} // hundreds a minute, or told by nobody
	}
	n := perMinute[c.method]
	if n == 0 {
		n = tier3
	}
	return gateway.Pace{Key: key, Every: time.Minute / time.Duration(n), Burst: n}
}
