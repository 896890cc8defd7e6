package discourse

import (
	"net/http"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// usualRate is how many requests a minute a forum lets an administrator's key make where nobody has set it otherwise (max_admin_api_reqs_per_minute in
// discourse_defaults.conf, checked 2026-11).
const usualRate = 60

// pace is the feature of the same purpose. The forum counts by the key, with which all of an instance's requests are made, and in any minute: two thirds of
// the rate may come at once, and the third comes back in the minute after.
func (d *Discourse) pace(*http.Request) gateway.Pace {
	n := d.config.PerMinute
	if n <= 0 {
		n = usualRate
	}
	burst := max(1, n*2/3)
	return gateway.Pace{Key: d.ID(), Every: time.Minute / time.Duration(max(1, n-burst)), Burst: burst}
}
