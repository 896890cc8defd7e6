package fakediscord

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// bucket counts the requests of a window of the fake's clock.
type bucket struct {
	used  int
	until time.Time
}

// take uses the bucket once, if it may, and says how many are left and how long the window lasts.
func (b *bucket) take(now time.Time, most int, window time.Duration) (left int, reset time.Duration, ok bool) {
	if !now.Before(b.until) || b.until.Sub(now) > window {
		b.used, b.until = 0, now.Add(window)
	}
	if b.used >= most {
		return 0, b.until.Sub(now), false
	}
	b.used++
	return most - b.used, b.until.Sub(now), true
}

// limitOf is how many requests a route takes in which time, for each channel, guild or webhook. Discord publishes no such numbers, and
// says not to rely on any; these are what its headers told in 2026.
func (r *route) limitOf() (int, time.Duration) {
	switch {
	case r.method == http.MethodPost && strings.HasSuffix(r.path, "/messages"), r.method == http.MethodPatch && strings.Contains(r.path, "/messages/"):
		return 5, 5 * time.Second
	case strings.Contains(r.path, "/reactions/") && r.method != http.MethodGet:
		return 4, time.Second
	case strings.HasSuffix(r.path, "/members") && r.method == http.MethodGet:
		return 10, 10 * time.Second
	}
	return 50, time.Second
}

const globalLimit = 50 // a second, for each bot

// checkRate counts the request, and puts what Discord tells of its limits on the answer. It refuses only with Options.RateLimits.
func (r *request) checkRate(h http.Header) error {
	s, now := r.s, r.s.opt.Now()
	major := r.vars["guild_id"] + r.vars["channel_id"] + r.vars["webhook_id"] + r.vars["webhook_token"]
	key := r.route.name() + " " + major
	b := s.limits[key]
	if b == nil {
		b = &bucket{}
		s.limits[key] = b
	}
	most, window := r.route.limitOf()
	left, reset, ok := b.take(now, most, window)
	sum := sha256.Sum256([]byte(r.route.name()))
	h.Set("X-RateLimit-Bucket", hex.EncodeToString(sum[:16]))
	h.Set("X-RateLimit-Limit", strconv.Itoa(most))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Reset", fmt.Sprintf("%.3f", float64(now.Add(reset).UnixMilli())/1000))
	h.Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", reset.Seconds()))
	if !s.opt.RateLimits {
		return nil
	}
	if !ok {
		return limited(reset, "user")
	}
	if r.route.free || r.route.auth == authNone {
		return nil
	}
	if _, reset, ok := s.global.take(now, globalLimit, time.Second); !ok {
		return limited(reset, "global")
	}
	return nil
}
