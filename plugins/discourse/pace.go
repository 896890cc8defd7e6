package discourse

import (
	"net/http"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// usualRate is how many requests a minute a forum lets an administrator's key make where nobody has set it otherwise (max_admin_api_reqs_per_minute in
// discourse_defaults.conf, checked 2026-11).
const usualRate = 60

// A forum lets somebody's own key make 20 requests a minute, and 2,880 a day (max_user_api_reqs_per_minute and _per_day there).
const (
	ownEvery = 31 * time.Second
	ownBurst = 18
)

// pace is the feature of the same purpose. The forum counts by the key, with which all of an instance's requests are made, and in any minute: two thirds of
// the rate may come at once, and the third comes back in the minute after.
func (d *Discourse) pace(*http.Request) gateway.Pace {
	n := d.config.PerMinute
	if d.config.UserAPIKey != "" && (n <= 0 || n == usualRate) { // which is what stands there where nobody has said
		return gateway.Pace{Key: d.ID(), Every: ownEvery, Burst: ownBurst}
	}
	if n <= 0 {
		n = usualRate
	}
	burst := max(1, n*2/3)
	return gateway.Pace{Key: d.ID(), Every: time.Minute / time.Duration(max(1, n-burst)), Burst: burst}
}
