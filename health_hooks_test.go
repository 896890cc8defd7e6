package gateway_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// Health lists the endpoints of all communities that are in trouble, and no others.
func TestHealthOfEndpoints(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newHookRig(t, s)
		good, bad := newReceiver(t, r), newReceiver(t, r)
		bad.answers(func(_ hookMessage, w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) })
		c, _ := r.town("oak", "S1")
		r.endpoint(r.Endpoints(), good.URL, false)
		failing, _ := r.endpoint(r.Endpoints(), bad.URL, false)
		off, _ := r.endpoint(r.Endpoints(), good.URL, false)
		require.NoError(t, r.Endpoints().Disable(t.Context(), off, "moved"))
		r.endpoint(c.Endpoints(), bad.URL, false) // the community's own affair
		r.saysAll("S1", "1")
		r.due()
		h, err := r.Health(t.Context())
		require.NoError(t, err)
		got := map[string]string{}
		for _, e := range h.Endpoints {
			got[e.ID] = e.Status + e.Reason
		}
		require.Equal(t, map[string]string{failing: "active", off: "disabledmoved"}, got)
		for _, sub := range h.Subscriptions {
			require.True(t, sub.Here)
		}
	})
}
