package gateway_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// TestAnInstallThatDies is about the moment between the exchange, after which the platform has the app installed, and the
// instance that holds its credentials.
func TestAnInstallThatDies(t *testing.T) {
	die := func(r *rig) {
		b := r.browser()
		state := b.consent(gateway.AuthRequest{Redirect: driver})
		r.api.on("configure", func(context.Context) error { runtime.Goexit(); return nil }) // as a crash: nothing runs after it
		done := make(chan struct{})
		go func() { defer close(done); b.comesBack(state) }()
		<-done
		r.api.on("configure", nil)
	}
	t.Run("it is undone by the next program", func(t *testing.T) {
		eachStore(t, func(t *testing.T, s store.Store) {
			r := newOAuthRig(t, s)
			die(r)
			require.Empty(t, r.api.lines("undo"))
			for _, task := range r.tasks(store.TaskQuery{Kind: "install"}) {
				require.NotContains(t, string(task.Payload), "token-canary", "what the platform gave is sealed")
			}
			r.again()
			r.wait(5 * time.Minute)
			require.Equal(t, []string{"undo S1 first"}, r.api.lines("undo"))
			r.wait(5 * time.Minute)
			require.Len(t, r.api.lines("undo"), 1, "once")
		})
	})
	t.Run("another install came meanwhile, and its credentials are left alone", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		die(r)
		b := r.browser()
		require.Empty(t, b.comesBack(b.consent(gateway.AuthRequest{Redirect: driver})).Query().Get("error"))
		r.wait(5 * time.Minute)
		require.Equal(t, []string{"undo S1"}, r.api.lines("undo"), "not as the first")
	})
	t.Run("the platform does not take the undoing at first", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		r.api.fails("configure", gateway.Errorf(gateway.Denied, "no"))
		r.api.fails("undo", gateway.Errorf(gateway.Unavailable, "down"))
		b := r.browser()
		require.Equal(t, "denied", b.comesBack(b.consent(gateway.AuthRequest{Redirect: driver})).Query().Get("error"))
		r.api.on("undo", nil)
		r.wait(5 * time.Minute)
		require.Equal(t, []string{"undo S1 first"}, r.api.lines("undo"))
	})
	t.Run("the exchange fails after the platform has given credentials", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		grant := r.api.grant
		r.api.grant = func(x gateway.OAuthExchange) (gateway.Grant[forumConfig], error) {
			g, _ := grant(x)
			return g, gateway.Errorf(gateway.Denied, "not this way")
		}
		b := r.browser()
		require.Equal(t, "denied", b.comesBack(b.consent(gateway.AuthRequest{Redirect: driver})).Query().Get("error"))
		require.Equal(t, []string{"undo S1 first"}, r.api.lines("undo"))
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "install"}))
	})
	t.Run("an install that went well is not looked at again", func(t *testing.T) {
		r := newOAuthRig(t, nil)
		b := r.browser()
		require.Empty(t, b.comesBack(b.consent(gateway.AuthRequest{Redirect: driver})).Query().Get("error"))
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "install"}))
	})
}

// TestARefusalOfOldCredentials comes late: the instance has others by then.
func TestARefusalOfOldCredentials(t *testing.T) {
	r := newRig(t, gateway.Options{})
	_, before := r.town("a", "S1")
	require.NoError(t, before.Reconfigure(t.Context(), forumConfig{Site: "S1", Token: "new"}))
	require.NoError(t, before.Pause(t.Context(), gateway.BadCredentials))
	status, _, err := before.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status)
	require.NoError(t, before.Pause(t.Context(), "for the night"))
	status, reason, err := before.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"paused", "for the night"}, []string{status, reason})
}
