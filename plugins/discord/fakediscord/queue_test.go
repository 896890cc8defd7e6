package fakediscord_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

func TestAWebhookEventIsOvertaken(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	w.Fail(fakediscord.Fault{Delivery: "APPLICATION_DEAUTHORIZED", Reorder: true})
	w.Deauthorize(alice)
	require.Empty(t, w.app.all())
	w.Deauthorize(bob)
	var who []string
	for _, got := range w.app.all() {
		data := got["event"].(map[string]any)["data"].(map[string]any)
		who = append(who, data["user"].(map[string]any)["id"].(string))
	}
	require.Equal(t, []string{bob, alice}, who)
	require.Zero(t, w.SendLate(w.ctx), "nothing is left to send")
}
