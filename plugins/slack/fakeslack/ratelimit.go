package fakeslack

import (
	"math"
	"time"
)

// perMinute is what Slack's tiers allow at least.
var perMinute = [...]int{0, 1, 20, 50, 100}

// checkRate counts requests per method and workspace in the last minute of the fake's clock.
func (r *request) checkRate(name string) error {
	if r.def.tier == 0 || r.tok == nil {
		return nil
	}
	return r.s.limit(name+" "+r.call.Team, perMinute[r.def.tier], time.Minute)
}

// checkChannelRate is chat.postMessage's own limit: one message a second for each channel.
func (r *request) checkChannelRate(c *channel) error {
	return r.s.limit("chat.postMessage "+c.id, 1, time.Second)
}

func (s *Server) limit(key string, most int, window time.Duration) error {
	if !s.opt.RateLimits {
		return nil
	}
	now := s.opt.Now()
	recent := s.limits[key][:0:0]
	for _, t := range s.limits[key] {
		if now.Sub(t) < window {
			recent = append(recent, t)
		}
	}
	s.limits[key] = recent
	if len(recent) >= most {
		wait := recent[0].Add(window).Sub(now)
		return &apiError{"ratelimited", object{"retry_after": int(math.Max(1, math.Ceil(wait.Seconds())))}}
	}
	s.limits[key] = append(recent, now)
	return nil
}
