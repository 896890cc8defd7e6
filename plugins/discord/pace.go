package discord

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// Discord counts by route and by the channel, guild or webhook in it, tells with each answer how many requests there are and until when, and says that
// nobody should write these numbers down (https://docs.discord.com/developers/topics/rate-limits, checked 2026-11). So they are learned.

// maxLearned bounds the memory of rates.
const maxLearned = 4096

// limits is what was learned, for all instances: the bot is one.
type limits struct {
	mu    sync.Mutex
	rates map[string]rate
	until time.Time // until then nothing may be sent
}

// rate is so many requests in so long.
type rate struct {
	n   int
	per time.Duration
}

// learn reads the headers of an answer. The time until the bucket is full again is the bucket's whole time only with the first request of it, so
// the longest that was seen counts.
func (l *limits) learn(key string, h http.Header, _ time.Time) {
	n, err := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	after, err2 := strconv.ParseFloat(h.Get("X-RateLimit-Reset-After"), 64)
	if err != nil || err2 != nil || n <= 0 || !(after > 0) || after > maxRetryAfter.Seconds() {
		return
	}
	per := time.Duration(after * float64(time.Second))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rates == nil || len(l.rates) >= maxLearned {
		l.rates = map[string]rate{}
	}
	if old, ok := l.rates[key]; ok && old.n == n {
		per = max(per, old.per)
	}
	l.rates[key] = rate{n, per}
}

func (l *limits) rate(key string) rate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rates[key]
}

// hold keeps all requests back, and held says for how long they are.
func (l *limits) hold(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.until) {
		l.until = until
	}
}

func (l *limits) held(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until.Sub(now)
}

// pacedKey is where a request's context says what is counted.
type pacedKey struct{}

func pacing(ctx context.Context, b bucket) context.Context {
	return context.WithValue(ctx, pacedKey{}, b)
}

// bucket is what Discord counts a request in.
type bucket struct {
	key  string
	rate string // under which name it is learned how many requests it holds: the same for all interactions, each of which is counted by itself
}

// pace is the feature of the same purpose: the bucket holds what Discord has said that it holds, and nothing is held up before it has.
func (d *Discord) pace(r *http.Request) gateway.Pace {
	b, ok := r.Context().Value(pacedKey{}).(bucket)
	if !ok || b.key == "" {
		return gateway.Pace{}
	}
	out := gateway.Pace{Key: b.key}
	if is := d.app.limits.rate(b.rate); is.n > 0 {
		out.Every, out.Burst = is.per/time.Duration(is.n), is.n
	}
	return out
}

// major are the parts of a path by which Discord counts apart: what comes after them stays.
var major = map[string]bool{"channels": true, "guilds": true, "webhooks": true, "interactions": true}

// bucket is what a request is counted in. People's own tokens are counted apart, and so is each interaction, by its token.
func (c *client) bucket(q call) bucket {
	parts := strings.Split(strings.TrimPrefix(q.path, "/"), "/")
	id := ""
	if len(parts) > 1 && major[parts[0]] {
		id = parts[1]
	}
	who := "bot"
	if !strings.HasPrefix(c.auth, "Bot ") {
		who = c.auth
	}
	name := who + " " + q.name() + " "
	if len(parts) > 2 && withToken[parts[0]] {
		return bucket{name + digest([]byte(parts[1]+"/"+parts[2])), name}
	}
	return bucket{name + id, name + id}
}

// withToken are the routes whose third part is a token.
var withToken = map[string]bool{"webhooks": true, "interactions": true}

// template is a path without what is different each time.
func template(p string) string {
	parts := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for i := range parts {
		isID := len(parts[i]) > 0 && strings.Trim(parts[i], "0123456789") == ""
		token := i == 2 && withToken[parts[0]]
		emoji := i > 0 && parts[i-1] == "reactions"
		if isID || token || emoji {
			parts[i] = "…"
		}
	}
	return "/" + strings.Join(parts, "/")
}
