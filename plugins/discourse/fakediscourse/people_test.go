package fakediscourse_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discourse/fakediscourse"
)

func TestSuspending(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	const body = `{"suspend_until":"3018-01-01","reason":"spam, ref 7"}`
	w.refused(404, "not_found", "bob", "PUT", "/admin/users/43/suspend.json", body) // for others there is no such page
	w.refused(403, "invalid_access", "system", "PUT", "/admin/users/90/suspend.json", body)
	w.refused(403, "invalid_access", "system", "PUT", "/admin/users/-1/suspend.json", body)
	w.refused(404, "not_found", "system", "PUT", "/admin/users/999/suspend.json", body)
	w.refused(400, "reason", "system", "PUT", "/admin/users/42/suspend.json", `{"suspend_until":"3018-01-01"}`)
	w.refused(400, "suspend_until", "system", "PUT", "/admin/users/42/suspend.json", `{"reason":"x"}`)
	w.refused(400, "suspend_until", "system", "PUT", "/admin/users/42/suspend.json", `{"suspend_until":"soon","reason":"x"}`)
	a := w.okAs("ann", "PUT", "/admin/users/42/suspend.json", body)
	require.Equal(t, "spam, ref 7", a.at(t, "suspension", "suspend_reason"))
	require.Equal(t, "ann", a.at(t, "suspension", "suspended_by", "username"))
	got := w.heard()
	require.Len(t, got, 2)
	require.Equal(t, "user_logged_out", got[0].header.Get("X-Discourse-Event"))
	got = got[1:]
	require.Equal(t, "user_suspended", got[0].header.Get("X-Discourse-Event"))
	require.Equal(t, 42.0, answer{body: got[0].body}.at(t, "user", "id"))
	require.NotNil(t, answer{body: got[0].body}.at(t, "user", "suspended_till"))
	w.refused(409, "already suspended by ann", "system", "PUT", "/admin/users/42/suspend.json", body)

	// A suspended person does nothing, and nobody does anything in their name.
	w.refused(403, "invalid_access", "bob", "GET", "/latest.json", "")
	_, _, err := w.f.Post("bob", fakediscourse.NewTopic{Title: "A long enough title", Raw: hello})
	require.ErrorIs(t, err, fakediscourse.ErrRefused)
	require.Equal(t, true, w.ok("GET", "/admin/users/42.json", "").at(t, "suspended"))
	require.Len(t, w.ok("GET", "/admin/users/list/suspended.json", "").at(t), 1)
	w.ok("PUT", "/admin/users/42/unsuspend.json", "")
	require.Equal(t, []string{"user_unsuspended"}, w.events())
	a = w.okAs("ann", "PUT", "/admin/users/43/suspend.json", `{"suspend_until":"3018-01-01","reason":"spam","message":"Dear you,\n\nthis is spam."}`)
	require.Equal(t, "spam", a.at(t, "suspension", "suspend_reason"))
	require.Equal(t, "spam\n\nDear you,\n\nthis is spam.", a.at(t, "suspension", "full_suspend_reason"))
	w.ok("PUT", "/admin/users/43/unsuspend.json", "")
	w.heard()
	w.okAs("bob", "GET", "/latest.json", "")
	require.NoError(t, w.f.Suspend("ann", "bob", w.clock().Add(time.Hour), "again"))
	require.ErrorIs(t, w.f.Suspend("bob", "carla", w.clock().Add(time.Hour), "x"), fakediscourse.ErrRefused)
	require.ErrorIs(t, w.f.Suspend("ann", "admin", w.clock().Add(time.Hour), "x"), fakediscourse.ErrRefused)
	w.pass(2 * time.Hour)
	w.okAs("bob", "GET", "/latest.json", "")
	v, _ := w.f.User("bob")
	require.Zero(t, v.SuspendedTill)
	require.NoError(t, w.f.Unsuspend("ann", "bob"))
	require.Equal(t, "suspend_user", w.f.StaffLog()[0].Action)
}

func TestSilencing(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	a := w.ok("PUT", "/admin/users/42/silence.json", `{"silenced_till":"2027-01-01T10:00:00Z","reason":"noise"}`)
	require.Equal(t, true, a.at(t, "silence", "silenced"))
	w.refused(409, "already silenced", "system", "PUT", "/admin/users/42/silence.json", `{"silenced_till":"2027-01-01","reason":"noise"}`)
	w.refused(403, "invalid_access", "bob", "POST", "/posts.json", `{"title":"A long enough title","raw":"`+hello+`"}`)
	require.Equal(t, false, w.ok("PUT", "/admin/users/42/unsilence.json", "").at(t, "unsilence", "silenced"))
	require.NoError(t, w.f.Silence("ann", "bob", w.clock().Add(time.Hour), "noise"))
	require.NoError(t, w.f.Unsilence("ann", "bob"))
	require.Equal(t, []string{"topic_created", "post_created"}, w.events()[:2], "there is no webhook but for the messages about it")
	require.Len(t, w.f.Topics(), 4)
	require.Equal(t, []string{"system", "bob"}, w.f.Topics()[0].Recipients)
	require.NoError(t, w.f.Unsilence("ann", "bob"))
	require.Len(t, w.f.Topics(), 4, "nothing is taken back twice")
}

func TestGroups(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	id := w.f.AddGroup("jury", "bob")
	path := "/groups/" + num(id) + "/members.json"
	w.refused(403, "invalid_access", "carla", "PUT", path, `{"usernames":"carla"}`)
	require.Equal(t, []any{"Carla", "joshua"}, w.ok("PUT", path, `{"usernames":"carla,joshua"}`).at(t, "usernames"))
	got := w.heard()
	require.Len(t, got, 2)
	require.Equal(t, "user_added_to_group", got[0].header.Get("X-Discourse-Event"))
	require.Equal(t, "group_user", got[0].header.Get("X-Discourse-Event-Type"))
	require.Equal(t, 43.0, answer{body: got[0].body}.at(t, "group_user", "user_id"))
	w.refused(422, "'bob' is already a member", "system", "PUT", path, `{"usernames":"bob"}`)
	w.refused(422, "bob, joshua", "system", "PUT", path, `{"usernames":"bob,joshua"}`)
	w.refused(400, "invalid_parameters", "system", "PUT", path, `{"usernames":"nemo"}`)
	w.refused(403, "invalid_access", "system", "PUT", "/groups/14/members.json", `{"usernames":"bob"}`)
	w.refused(404, "not_found", "system", "PUT", "/groups/99/members.json", `{"usernames":"bob"}`)
	a := w.ok("DELETE", path, `{"usernames":"bob,newcomer"}`)
	require.Equal(t, []any{"newcomer"}, a.at(t, "skipped_usernames"))
	require.Equal(t, []string{"user_removed_from_group"}, w.events())
	require.Equal(t, []string{"Carla", "joshua"}, w.f.Members("jury"))
	require.NoError(t, w.f.JoinGroup("jury", "bob"))
	require.ErrorIs(t, w.f.JoinGroup("jury", "bob"), fakediscourse.ErrRefused)
	require.NoError(t, w.f.LeaveGroup("jury", "bob"))
	require.ErrorIs(t, w.f.LeaveGroup("jury", "bob"), fakediscourse.ErrRefused)
	require.Equal(t, []string{"user_added_to_group", "user_removed_from_group"}, w.events())

	// Automatic groups follow from rank.
	require.Equal(t, []string{"admin", "ann"}, w.f.Members("staff"))
	require.Equal(t, 1.0, w.ok("GET", "/groups/moderators/members.json", "").at(t, "meta", "total"))
}

func TestGroupPages(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	w.f.AddGroup("crowd", w.f.AddUsers("u", 120)...)
	seen := map[any]bool{}
	for offset := 0; offset < 120; offset += 50 {
		for _, m := range w.ok("GET", "/groups/crowd/members.json?offset="+num(int64(offset)), "").at(t, "members").([]any) {
			seen[m.(map[string]any)["id"]] = true
		}
	}
	require.Len(t, seen, 120)
	require.Len(t, w.ok("GET", "/groups/crowd/members.json?limit=1000", "").at(t, "members"), 120)
	w.refused(400, "limit", "system", "GET", "/groups/crowd/members.json?limit=1001", "")
	w.refused(400, "offset", "system", "GET", "/groups/crowd/members.json?offset=-1", "")
	require.Len(t, w.ok("GET", "/admin/users.json?page=2", "").at(t), 26) // 126 in all, without the forum's own
	require.Equal(t, "bob", w.ok("GET", "/admin/users/list/active.json?filter=bob", "").at(t, 0, "username"))
}

// A change of a field is told with all fields, but without those of before.
func TestUserFields(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	wallet, pronouns := w.f.AddUserField("Wallet"), w.f.AddUserField("Pronouns")
	require.NoError(t, w.f.ChangeField("bob", wallet, "0xabc"))
	got := w.heard()
	require.Equal(t, "user_updated", got[0].header.Get("X-Discourse-Event"))
	fields := answer{body: got[0].body}.at(t, "user", "user_fields")
	require.Equal(t, map[string]any{num(wallet): "0xabc", num(pronouns): nil}, fields)
	require.Equal(t, "bob@forum.invalid", answer{body: got[0].body}.at(t, "user", "email"))
	require.ErrorIs(t, w.f.ChangeField("bob", 99, "x"), fakediscourse.ErrRefused)
	w.okAs("bob", "PUT", "/u/bob.json", `{"user_fields":{"`+num(pronouns)+`":"they","99":"x"},"name":"Bobby"}`)
	v, _ := w.f.User("bob")
	require.Equal(t, map[int64]string{wallet: "0xabc", pronouns: "they"}, v.Fields)
	w.refused(403, "invalid_access", "bob", "PUT", "/u/carla.json", `{"name":"x"}`)
	require.Equal(t, "Wallet", w.ok("GET", "/admin/config/user-fields.json", "").at(t, "user_fields", 0, "name"))
}

func TestAccounts(t *testing.T) {
	w := newWorld(t, fakediscourse.Options{})
	require.NoError(t, w.f.Rename("bob", "robert"))
	w.refused(404, "not_found", "system", "GET", "/u/bob.json", "")
	require.Equal(t, 42.0, w.ok("GET", "/u/robert.json", "").at(t, "user", "id"))
	require.ErrorIs(t, w.f.Rename("robert", "carla"), fakediscourse.ErrRefused)
	require.NoError(t, w.f.Promote("robert", 3))
	require.NoError(t, w.f.SignIn("robert"))
	require.NoError(t, w.f.SignOut("robert"))
	require.NoError(t, w.f.SetStaff("robert", false, true))
	require.Positive(t, w.f.Register("dora", fakediscourse.Email("dora@forum.invalid"), fakediscourse.ExternalID("ext-1"), fakediscourse.Admin()))
	require.Equal(t, "dora", w.ok("GET", "/u/by-external/ext-1.json", "").at(t, "user", "username"))
	require.NoError(t, w.f.Destroy("ann", "newcomer"))
	require.ErrorIs(t, w.f.Destroy("ann", "admin"), fakediscourse.ErrRefused)
	require.Equal(t, []string{"user_updated", "user_promoted", "user_logged_in", "user_logged_out", "user_created", "user_destroyed"}, w.events())
	require.Equal(t, "carla@forum.invalid", w.ok("GET", "/u/carla/emails.json", "").at(t, "email"))
	w.refused(403, "invalid_access", "joshua", "GET", "/u/carla/emails.json", "")
	require.Equal(t, false, w.ok("POST", "/users.json", `{"name":"x","email":"x@forum.invalid","password":"fake-password","username":"Carla"}`).at(t, "success"))
	_, ok := w.f.User("nobody")
	require.False(t, ok)
}
