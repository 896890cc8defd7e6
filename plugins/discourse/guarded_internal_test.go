package discourse

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

func TestWhatMethodMayCall(t *testing.T) {
	for path, denied := range map[string]bool{
		"/admin":                                true,
		"/admin.json":                           true,
		"/admin/site_settings":                  true,
		"/admin/site_settings.json":             true,
		"/admin/site_settings/s3_secret.json":   true,
		"/ADMIN/Site_Settings":                  true,
		"/%61dmin/site_settings":                true,
		"/%2561dmin/site_settings":              true,
		"/admin%2Fsite_settings":                true,
		"/admin%5Csite_settings":                true,
		"/admin/config/about":                   true,
		"/admin/config":                         true,
		"/admin/impersonate":                    true,
		"/admin/impersonate.json":               true,
		"/admin/api/keys":                       true,
		"/admin/backups":                        true,
		"/admin/plugins/explorer/queries/1/run": true,
		"/admin/email/sent.json":                true,
		"/admin/logs/staff_action_logs.json":    true,
		"/admin/users/42/generate_api_key":      true,
		"/admin/users/42/grant_admin":           true,
		"/admin/users/42/sso_record":            true,
		"/admin/users/invite_admin":             true,
		"/admin/users/42/suspend/more":          true,
		"/session":                              true,
		"/session/email-login/abc":              true,
		"/session/Email-Login/abc.json":         true,
		"/session/forgot_password":              true,
		"/session/become":                       true,
		"/u/email-login":                        true,
		"/users/email-login.json":               true,
		"/u/password-reset/abc":                 true,
		"/users/password-reset/abc":             true,
		"/u/second_factors.json":                true,
		"/u/create_second_factor_totp":          true,
		"/u/ann/preferences/email":              true,
		"/u/ann/preferences/email.json":         true,
		"/u/ann/preferences/EMAIL":              true,
		"/users/ann/preferences/email":          true,
		"/my/preferences/email":                 true,
		"/u/ann/preferences/primary-email":      true,
		"/u/ann%2Fpreferences/email":            true,
		"/u/ann/preferences/email/":             true,
		"/user-api-key/new":                     true,
		"/sidekiq":                              true,
		"/wizard/steps/privacy.json":            true, // it sets who may join, and what is public
		"/finish-installation/register":         true,
		"/logs/messages.json":                   true,

		"/admin/users/42":               false,
		"/admin/users/42.json":          false,
		"/admin/users/list/active.json": false,
		"/admin/users/42/suspend.json":  false,
		"/admin/users/42/silence":       false,
		"/admin/users/42/trust_level":   false,
		"/admin/groups/41/owners.json":  false,
		"/admin/reports/signups.json":   false,
		"/session/current.json":         false,
		"/u/ann.json":                   false,
		"/u/ann/preferences/username":   false,
		"/t/1.json":                     false,
		"/groups/admin/members.json":    false,
		"/u/admin.json":                 false,
		"/":                             false,
	} {
		err := open(path)
		require.Equal(t, denied, gateway.CodeOf(err) == gateway.Denied, path)
		require.Equal(t, denied, err != nil, path)
	}
}

// What is filled in cannot spell what may not be called.
func TestWhatIsFilledInCannotSpellIt(t *testing.T) {
	for _, in := range []Method{
		{Route: "/{a}/site_settings.json", Arguments: map[string]json.RawMessage{"a": json.RawMessage(`"admin"`)}},
		{Route: "/{a}", Arguments: map[string]json.RawMessage{"a": json.RawMessage(`"admin/site_settings"`)}},
		{Route: "/{a}/site_settings", Arguments: map[string]json.RawMessage{"a": json.RawMessage(`"%61dmin"`)}},
		{Route: "/u/ann/{a}/email", Arguments: map[string]json.RawMessage{"a": json.RawMessage(`"preferences"`)}},
		{Route: "/u/ann/{a}", Arguments: map[string]json.RawMessage{"a": json.RawMessage(`"preferences/email.json"`)}},
	} {
		path, _, err := route(in)
		require.NoError(t, err)
		require.Equal(t, gateway.Denied, gateway.CodeOf(open(path)), path)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("/admin%2Fsite_settings")
	f.Add("/%2561dmin/users/42.json")
	f.Fuzz(func(t *testing.T, path string) {
		err := open("/admin/" + path)
		if parts := partsOf("/admin/" + path); err == nil && (len(parts) < 2 || parts[0] != "admin" || below([]string{"admin", "site_settings"}, parts)) {
			t.Fatalf("%q is open", path)
		}
	})
}
