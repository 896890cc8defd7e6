package discourse

import (
	"net/http"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// A forum lets a key of its administrators make 60 requests a minute (max_admin_api_reqs_per_minute in discourse_defaults.conf, checked 2026-11): in no minute are
// there more than these.
const (
	paceEvery = 1200 * time.Millisecond
	paceBurst = 10
)

// pace is the feature of the same purpose. The forum counts by the key; all of an instance's requests are made with its own.
func (d *Discourse) pace(*http.Request) gateway.Pace {
	return gateway.Pace{Key: d.ID(), Every: paceEvery, Burst: paceBurst}
}
