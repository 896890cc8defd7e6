package slack_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
)

// more are the actions that have a test file of their own.
func more() []deed {
	return append(deeds(),
		deed{action: "post-message", in: `{"channel":"CHALL","text":"x"}`, method: "chat.postMessage"},
		deed{action: "method", in: `{"method_name":"users.lookupByEmail","email":"x@y.example"}`, method: "users.lookupByEmail"},
	)
}

// S9 and V6: whatever Slack answers, every action gives a typed result, says how long to wait, and does not call a method again that Slack does
// not want to be called.
func TestEveryActionUnderEveryFault(t *testing.T) {
	faults := []struct {
		name  string
		fault fakeslack.Fault
		codes []gateway.Code
	}{
		{"429", fakeslack.Fault{RetryAfter: 17 * time.Second}, []gateway.Code{gateway.Unavailable}},
		{"500 with a page", fakeslack.Fault{Status: http.StatusInternalServerError, Body: "<html>sorry</html>"}, []gateway.Code{gateway.Unavailable, gateway.Unknown}},
		{"a page", fakeslack.Fault{Body: "<html>maintenance</html>"}, []gateway.Code{gateway.Unavailable, gateway.Unknown}},
		{"half an answer", fakeslack.Fault{Body: `{"ok":tr`}, []gateway.Code{gateway.Unavailable, gateway.Unknown}},
		{"another shape", fakeslack.Fault{Body: `[]`}, []gateway.Code{gateway.Unavailable, gateway.Unknown}},
		{"a proxy's refusal", fakeslack.Fault{Status: http.StatusForbidden, Body: "no"}, []gateway.Code{gateway.Unavailable}},
		{"nothing", fakeslack.Fault{CloseBefore: true}, []gateway.Code{gateway.Unavailable, gateway.Unknown}},
		{"internal_error", fakeslack.Fault{Error: "internal_error"}, []gateway.Code{gateway.Unavailable, gateway.Unknown}},
		{"a reason nobody knew", fakeslack.Fault{Error: "moon_in_wrong_phase"}, []gateway.Code{gateway.Conflict}},
		{"invalid arguments", fakeslack.Fault{Error: "invalid_arguments"}, []gateway.Code{gateway.Invalid}},
	}
	s := newStage(t)
	for _, d := range more() {
		for _, f := range faults {
			f.fault.Method, f.fault.Times = d.method, -1
			in := s.fake.Fail(f.fault)
			_, err := s.try(d.action, d.in)
			require.Error(t, err, "%s %s", d.action, f.name)
			require.Contains(t, f.codes, gateway.CodeOf(err), "%s %s: %v", d.action, f.name, err)
			require.NotContains(t, err.Error(), s.w.BotToken())
			if f.fault.RetryAfter > 0 {
				var e *gateway.Error
				require.True(t, errors.As(err, &e))
				require.Equal(t, 17*time.Second, e.After)
				n := len(s.fake.CallsTo(d.method))
				_, err = s.try(d.action, d.in)
				require.ErrorIs(t, err, gateway.Unavailable)
				require.Len(t, s.fake.CallsTo(d.method), n, "%s: not before the time has passed", d.action)
				s.clock.advance(18 * time.Second)
			}
			in.Remove()
		}
	}
	status, _, err := s.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status, "none of it says anything of the token")
}

// A limit holds for one method in one workspace.
func TestLimitsAreOfOneMethodInOneWorkspace(t *testing.T) {
	s := newStage(t)
	other := s.rig.town("T2")
	s.fake.Fail(fakeslack.Fault{Method: "users.info", RetryAfter: time.Minute})
	_, err := s.try("get-user", `{"user":"UANN"}`)
	require.ErrorIs(t, err, gateway.Unavailable)
	_, err = s.try("get-team", `{}`)
	require.NoError(t, err)
	_, err = other.inst.Do(t.Context(), "get-user", slack.GetUser{User: "UANN"})
	require.NoError(t, err)
	s.clock.advance(61 * time.Second)
	_, err = s.try("get-user", `{"user":"UANN"}`)
	require.NoError(t, err)
}

// What lacks its scope fails with the scope's name, and the catalogue said so before.
func TestMissingScopesAreNamed(t *testing.T) {
	r := newRig(t)
	w := r.fake.AddWorkspace("T1", "Town")
	w.AddUser("UANN", "ann")
	w.Install("chat:write", "groups:write", "users:read")
	town := r.enable(w, "t1")
	cat, err := town.c.Catalog(t.Context())
	require.NoError(t, err)
	missing := map[string]string{}
	for _, a := range cat.Plugins[0].Actions {
		missing[a.Name] = a.Unavailable
	}
	require.Equal(t, "the platform has not granted pins:write", missing["pin-message"])
	require.Equal(t, "the platform has not granted channels:read|groups:read|im:read|mpim:read", missing["rename-conversation"], "one of several is named as such")
	require.Empty(t, missing["archive-conversation"], "groups:write is enough for private channels")
	require.Empty(t, missing["get-user"])
	require.Empty(t, missing["update-message"])
	require.Contains(t, string(cat.Plugins[0].Public), `"scopes":["chat:write","groups:write","users:read"]`)
	_, err = town.inst.Do(t.Context(), "pin-message", slack.Item{Place: slack.Place{Channel: "CHALL"}, TS: "1.0"})
	require.ErrorIs(t, err, gateway.Denied)
	require.ErrorContains(t, err, "pins:write")
}
