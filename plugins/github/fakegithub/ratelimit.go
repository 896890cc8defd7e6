package fakegithub

import (
	"net/http"
	"strconv"
	"time"
)

// bucket is one hour of somebody's primary rate limit.
type bucket struct {
	used  int
	reset time.Time
}

// checkRate counts the request, tells the limit in the headers, and refuses what is over it. Requests as the app itself count for the app.
func (r *request) checkRate() error {
	s, now := r.s, r.s.opt.Now()
	key, name := r.limited()
	b := s.limits[key]
	if b == nil || !now.Before(b.reset) {
		b = &bucket{reset: now.Add(time.Hour)}
		s.limits[key] = b
	}
	limit := s.opt.RateLimit
	free := r.route != nil && r.route.path == "/rate_limit"
	over := b.used >= limit && !free
	if !over && !free {
		b.used++
	}
	r.header.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	r.header.Set("X-RateLimit-Remaining", strconv.Itoa(limit-b.used))
	r.header.Set("X-RateLimit-Used", strconv.Itoa(b.used))
	r.header.Set("X-RateLimit-Reset", strconv.FormatInt(b.reset.Unix(), 10))
	r.header.Set("X-RateLimit-Resource", "core")
	if over {
		return refuse(http.StatusForbidden, "API rate limit exceeded for "+name+".")
	}
	return nil
}

// limited names whose limit it is: for the counting, and for people.
func (r *request) limited() (key, name string) {
	switch {
	case r.tok != nil && r.tok.install != nil && r.tok.user == nil:
		return "installation " + text(r.tok.install.id), "installation ID " + text(r.tok.install.id)
	case r.tok != nil:
		return "user " + text(r.tok.user.id), "user ID " + text(r.tok.user.id)
	}
	return "app", "app ID " + text(r.s.app.ID)
}

func (r *request) getRateLimit() (any, error) {
	key, _ := r.limited()
	b := r.s.limits[key]
	one := object{"limit": r.s.opt.RateLimit, "remaining": r.s.opt.RateLimit - b.used, "reset": b.reset.Unix(), "used": b.used}
	return object{"resources": object{"core": one, "search": one}, "rate": one}, nil
}
