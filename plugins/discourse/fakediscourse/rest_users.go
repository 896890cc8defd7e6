package fakediscourse

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// showUser is an account's page as somebody sees it.
func (f *Forum) showUser(u, by *user) object {
	isStaff, own := by != nil && by.staff(), by != nil && by.id == u.id
	groups := []object{}
	for _, g := range f.sortedGroups() {
		if g.name != "everyone" && f.inGroup(g, u) {
			groups = append(groups, f.showGroup(g, by))
		}
	}
	o := f.basicUser(u)
	maps.Copy(o, object{
		"last_posted_at": nil, "last_seen_at": iso(u.seen), "created_at": iso(u.created), "ignored": false, "muted": false,
		"can_ignore_user": false, "can_mute_user": false, "can_send_private_messages": true, "can_send_private_message_to_user": true,
		"trust_level": u.trust, "moderator": u.moderator, "admin": u.admin, "title": nullable(u.title), "badge_count": 0,
		"user_fields":   f.showFields(u),
		"custom_fields": object{}, "time_read": 0, "recent_time_read": 0, "primary_group_id": nil, "primary_group_name": nil,
		"primary_group_flair_url": nil, "primary_group_flair_bg_color": nil, "primary_group_flair_color": nil, "flair_group_id": nil,
		"flair_name": nil, "flair_url": nil, "flair_bg_color": nil, "flair_color": nil, "featured_topic": nil, "timezone": nil,
		"can_edit": isStaff || own, "can_edit_username": isStaff, "can_edit_email": isStaff, "can_edit_name": isStaff || own,
		"uploaded_avatar_id": nil, "pending_count": 0, "profile_view_count": 0, "can_upload_profile_header": true,
		"can_upload_user_card_background": true, "invited_by": nil, "groups": groups, "featured_user_badge_ids": []int{},
		"card_badge": nil, "website_name": nil, "post_count": f.postCount(u), "can_be_deleted": isStaff && !u.staff(), "can_delete_all_posts": isStaff,
		"pending_posts_count": 0, "user_option": object{}, "locale": nil, "muted_category_ids": []int{}, "regular_category_ids": []int{},
		"watched_tags": []string{}, "watching_first_post_tags": []string{}, "tracked_tags": []string{}, "muted_tags": []string{},
		"tracked_category_ids": []int{}, "watched_category_ids": []int{}, "watched_first_post_category_ids": []int{},
		"system_avatar_upload_id": nil, "system_avatar_template": o["avatar_template"], "muted_usernames": []string{}, "ignored_usernames": []string{},
		"allowed_pm_usernames": []string{}, "mailing_list_posts_per_day": 0, "can_change_bio": true, "can_change_location": true,
		"can_change_website": true, "can_change_tracking_preferences": true, "user_api_keys": nil, "sidebar_tags": []string{},
		"sidebar_category_ids": []int{}, "display_sidebar_tags": false, "can_pick_theme_with_custom_homepage": false, "group_users": []object{}, "has_title_badges": false, "second_factor_enabled": false, "staged": false,
		"topic_count": 0, "use_logo_small_as_avatar": false, "user_auth_tokens": []object{}, "user_notification_schedule": nil,
	})
	if u.suspended(f.now()) {
		o["suspended_till"] = iso(u.suspendedTill)
		if isStaff {
			o["suspend_reason"] = firstLine(u.suspendReason)
		}
	}
	if isStaff && u.silenced(f.now()) {
		o["silenced_till"], o["silence_reason"] = iso(u.silencedTill), u.silenceReason
	}
	if isStaff && u.externalID != "" {
		o["external_id"] = u.externalID
	}
	return o
}

// showFields are an account's fields by their IDs; those that it has not filled in are null.
func (f *Forum) showFields(u *user) object {
	o := object{}
	for _, d := range f.fields {
		o[itoa(d.id)] = nullable(u.fields[itoa(d.id)])
	}
	return o
}

func (f *Forum) postCount(u *user) int {
	n := 0
	for _, p := range f.posts {
		if p.user == u.id && p.typ == 1 && p.deletedAt.IsZero() {
			n++
		}
	}
	return n
}

func (r *request) getUser() (any, error) {
	u := r.f.userByName(r.vars["username"])
	if u == nil {
		return nil, refuse("not_found")
	}
	return object{"user_badges": []object{}, "badges": []object{}, "badge_types": []object{}, "users": []object{}, "user": r.f.showUser(u, r.user)}, nil
}

func (r *request) userByExternalID() (any, error) {
	for _, u := range r.f.users {
		if u.externalID != "" && u.externalID == r.vars["external_id"] {
			return object{"user_badges": []object{}, "user": r.f.showUser(u, r.user)}, nil
		}
	}
	return nil, refuse("not_found")
}

// createUser makes an account; by an administrator's key it is active at once.
func (r *request) createUser() (any, error) {
	for _, name := range []string{"email", "username", "password"} {
		if _, err := r.need(name); err != nil {
			return nil, err
		}
	}
	if r.f.userByName(r.str("username")) != nil {
		return object{"success": false, "message": "Username must be unique", "errors": object{"username": []string{"must be unique"}},
			"values": object{"username": r.str("username")}, "is_developer": false}, nil
	}
	u := &user{id: r.f.nextID("user"), username: r.str("username"), name: r.str("name"), email: r.str("email"), trust: 1}
	r.f.addUser(u)
	u.active = r.user != nil && r.user.admin && r.bool("active")
	r.f.tellUser("user_created", u)
	return object{"success": true, "active": u.active, "message": "Your account is activated and ready to use.", "user_id": u.id}, nil
}

// updateUser changes an account's name, title and fields. The webhook comes even if nothing changed.
func (r *request) updateUser() (any, error) {
	u := r.f.userByName(r.vars["username"])
	switch {
	case u == nil:
		return nil, refuse("not_found")
	case u.id != r.user.id && !r.user.staff():
		return nil, refuse("invalid_access")
	}
	if r.has("name") {
		u.name = r.str("name")
	}
	for id, v := range r.object("user_fields") {
		if slices.ContainsFunc(r.f.fields, func(d userField) bool { return itoa(d.id) == id }) {
			u.fields[id] = text(v)
		}
	}
	r.f.tellUser("user_updated", u)
	return object{"success": "OK", "user": r.f.showUser(u, r.user)}, nil
}

func (r *request) userEmails() (any, error) {
	u := r.f.userByName(r.vars["username"])
	switch {
	case u == nil:
		return nil, refuse("not_found")
	case u.id != r.user.id && !r.user.admin:
		return nil, refuse("invalid_access")
	}
	return object{"email": u.email, "secondary_emails": []string{}, "unconfirmed_emails": []string{}, "associated_accounts": []object{}}, nil
}

// directory lists accounts, 50 to a page.
func (r *request) directory() (any, error) {
	var all []*user
	for _, u := range r.f.sortedUsers() {
		if u.id > 0 && u.active {
			all = append(all, u)
		}
	}
	n := int(r.int("page"))
	items := []object{}
	for _, u := range page(all, n*50, 50) {
		o := r.f.basicUser(u)
		o["title"] = nullable(u.title)
		items = append(items, object{"id": u.id, "likes_received": 0, "likes_given": 0, "topics_entered": 0, "topic_count": 0, "post_count": r.f.postCount(u),
			"posts_read": 0, "days_visited": 0, "user": o})
	}
	return object{"directory_items": items, "total_rows_directory_items": len(all),
		"load_more_directory_items": "/directory_items.json?page=" + itoa(int64(n+1)),
		"meta":                      object{"last_updated_at": iso(r.f.now()), "total_rows_directory_items": len(all), "load_more_directory_items": "/directory_items.json?page=" + itoa(int64(n+1))}}, nil
}

// adminRow is an account as lists for staff have it.
func (f *Forum) adminRow(u *user, emails bool) object {
	o := f.basicUser(u)
	maps.Copy(o, object{"active": u.active, "admin": u.admin, "moderator": u.moderator, "last_seen_at": iso(u.seen), "last_emailed_at": nil,
		"created_at": iso(u.created), "last_seen_age": nil, "last_emailed_age": nil, "created_at_age": f.now().Sub(u.created).Seconds(),
		"username_lower": strings.ToLower(u.username), "trust_level": u.trust, "manual_locked_trust_level": nil, "title": nullable(u.title),
		"time_read": 0, "staged": false, "days_visited": 0, "posts_read_count": 0, "topics_entered": 0, "post_count": f.postCount(u),
		"flag_level": 0, "trust_level_locked": false, "blocked": false, "suspended_at": nil, "suspended_till": nil, "suspended": nil})
	if emails {
		o["email"] = u.email
		o["secondary_emails"] = []string{}
	}
	if u.suspended(f.now()) {
		o["suspended_at"], o["suspended_till"], o["suspended"] = iso(u.suspendedAt), iso(u.suspendedTill), true
	}
	if u.silenced(f.now()) {
		o["silenced_at"], o["silenced_till"], o["silenced"] = iso(u.silencedAt), iso(u.silencedTill), true
		o["silence_reason"] = u.silenceReason
	}
	return o
}

// adminUsers lists accounts for staff, 100 to a page.
func (r *request) adminUsers() (any, error) {
	const perPage = 100
	now := r.f.now()
	wants := map[string]func(*user) bool{
		"": anyUser, "active": func(u *user) bool { return u.active }, "new": anyUser, "staff": (*user).staff,
		"suspended": func(u *user) bool { return u.suspended(now) }, "silenced": func(u *user) bool { return u.silenced(now) },
		"blocked": func(u *user) bool { return u.silenced(now) }, "suspect": func(*user) bool { return false },
	}
	want := wants[r.vars["flag"]]
	if want == nil {
		want = anyUser
	}
	var all []*user
	filter := strings.ToLower(orElse(r.str("filter"), r.str("email")))
	for _, u := range r.f.sortedUsers() {
		if u.id > 0 && want(u) && (strings.Contains(strings.ToLower(u.username), filter) || strings.Contains(strings.ToLower(u.email), filter)) {
			all = append(all, u)
		}
	}
	out := []object{}
	for _, u := range page(all, (max(1, int(r.int("page")))-1)*perPage, perPage) {
		out = append(out, r.f.adminRow(u, r.bool("show_emails") && r.user.admin))
	}
	return out, nil
}

func anyUser(*user) bool { return true }

// account finds the account of a path for staff.
func (r *request) account() (*user, error) {
	if u := r.f.users[r.id()]; u != nil {
		return u, nil
	}
	return nil, refuse("not_found")
}

func (r *request) adminUser() (any, error) {
	u, err := r.account()
	if err != nil {
		return nil, err
	}
	f := r.f
	o := f.adminRow(u, false)
	groups := []object{}
	for _, g := range f.sortedGroups() {
		if g.name != "everyone" && f.inGroup(g, u) {
			groups = append(groups, f.showGroup(g, r.user))
		}
	}
	plain := !u.staff() && u.id > 0
	maps.Copy(o, object{
		"can_send_activation_email": true, "can_activate": !u.active, "can_deactivate": u.active, "ip_address": "192.0.2.1", "registration_ip_address": nil,
		"can_grant_admin": plain, "can_revoke_admin": u.admin && u.id > 0, "can_grant_moderation": plain, "can_revoke_moderation": u.moderator && u.id > 0,
		"can_impersonate": plain, "like_count": 0, "like_given_count": 0, "topic_count": 0, "post_edits_count": 0, "flags_given_count": 0,
		"flags_received_count": 0, "private_topics_count": 0, "can_delete_all_posts": plain, "can_be_deleted": plain, "can_be_anonymized": plain,
		"can_be_merged": plain, "full_suspend_reason": nil, "latest_export": nil, "silence_reason": nil, "post_count": f.postCount(u),
		"primary_group_id": nil, "badge_count": 0, "warnings_received_count": 0, "bounce_score": 0, "reset_bounce_score_after": nil,
		"can_view_action_logs": true, "can_disable_second_factor": false, "can_delete_sso_record": false, "api_key_count": 0, "similar_users_count": 0,
		"single_sign_on_record": nil, "approved_by": nil, "suspended_by": nil, "silenced_by": nil, "penalty_counts": object{"silenced": 0, "suspended": 0, "total": 0},
		"next_penalty": nil, "tl3_requirements": nil, "groups": groups, "external_ids": object{}, "include_ip": true, "user_fields": f.showFields(u),
		"upcoming_changes_stats": []object{}, "associated_accounts": []object{}, "has_bounce_errors": false,
	})
	if u.suspended(f.now()) {
		o["full_suspend_reason"] = u.suspendReason
	}
	if u.silenced(f.now()) {
		o["silence_reason"] = u.silenceReason
	}
	if u.suspendedBy != 0 { // the last who did, also when it is over (app/serializers/admin_detailed_user_serializer.rb, checked 2026-11)
		o["suspended_by"] = f.basicUser(f.user0(u.suspendedBy))
	}
	if u.silencedBy != 0 {
		o["silenced_by"] = f.basicUser(f.user0(u.silencedBy))
	}
	return o, nil
}

// penalty is what suspending and silencing have in common: who may do it, to whom, until when and why.
func (r *request) penalty(until string) (u *user, till time.Time, reason string, err error) {
	if u, err = r.account(); err != nil {
		return nil, till, "", err
	}
	if u.staff() || u.id < 0 {
		return nil, till, "", refuse("invalid_access")
	}
	when, err := r.need(until)
	if err != nil {
		return nil, till, "", err
	}
	if reason, err = r.need("reason"); err != nil {
		return nil, till, "", err
	}
	if till = parseTime(when); till.IsZero() {
		return nil, till, "", badParam(until)
	}
	if len([]rune(reason)) > 300 {
		return nil, till, "", invalid("Reason is too long (maximum is 300 characters)")
	}
	return u, till, reason, nil
}

// details are what the log of the staff says of a penalty: the reason, and what was written to the person (app/services/staff_message_format.rb, checked
// 2026-11).
func (r *request) details(reason string) string {
	if message := r.str("message"); strings.TrimSpace(message) != "" {
		return reason + "\n\n" + message
	}
	return reason
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// already is the refusal to do again what was done.
func (r *request) already(what string, by int64) error {
	return &apiError{status: http.StatusConflict, raw: object{"failed": "FAILED",
		"message": "User was already " + what + " by " + r.f.user0(by).username + " less than a minute ago."}}
}

func (r *request) suspend() (any, error) {
	u, till, reason, err := r.penalty("suspend_until")
	if err != nil {
		return nil, err
	}
	if u.suspended(r.f.now()) {
		return nil, r.already("suspended", u.suspendedBy)
	}
	r.f.suspend(u, r.user, till, r.details(reason))
	return object{"suspension": object{"suspend_reason": firstLine(u.suspendReason), "full_suspend_reason": u.suspendReason, "suspended_till": iso(u.suspendedTill),
		"suspended_at": iso(u.suspendedAt), "suspended_by": r.f.basicUser(r.user)}}, nil
}

// suspend suspends an account, which signs it out.
func (f *Forum) suspend(u, by *user, till time.Time, reason string) {
	u.suspendedAt, u.suspendedTill, u.suspendReason, u.suspendedBy = f.now(), till, reason, by.id
	f.note("suspend_user", by, u.username, reason)
	f.tellUser("user_logged_out", u)
	f.tellUser("user_suspended", u)
}

func (r *request) unsuspend() (any, error) {
	u, err := r.account()
	if err != nil {
		return nil, err
	}
	r.f.unsuspend(u, r.user)
	return object{"suspension": object{"suspended_till": nil, "suspended_at": nil}}, nil
}

// unsuspend takes a suspension back. Where there is none nobody is told (app/services/user_suspender.rb, checked 2026-11).
func (f *Forum) unsuspend(u, by *user) {
	if u.suspendedTill.IsZero() {
		return
	}
	u.suspendedAt, u.suspendedTill, u.suspendReason = time.Time{}, time.Time{}, "" // who did it stays in the log
	f.note("unsuspend_user", by, u.username, "")
	f.tellUser("user_unsuspended", u)
}

func (r *request) silence() (any, error) {
	u, till, reason, err := r.penalty("silenced_till")
	if err != nil {
		return nil, err
	}
	if u.silenced(r.f.now()) {
		return nil, r.already("silenced", u.silencedBy)
	}
	r.f.silence(u, r.user, till, r.details(reason))
	return object{"silence": object{"silenced": true, "silence_reason": firstLine(u.silenceReason), "full_silence_reason": u.silenceReason, "silenced_till": iso(till), "silenced_at": iso(u.silencedAt),
		"silenced_by": r.f.basicUser(r.user)}}, nil
}

// silence silences an account. There is no webhook for it, but for the message about it that the system writes to the account.
func (f *Forum) silence(u, by *user, till time.Time, reason string) {
	u.silencedAt, u.silencedTill, u.silenceReason, u.silencedBy = f.now(), till, reason, by.id
	f.note("silence_user", by, u.username, reason)
	f.systemMessage(u, "Account temporarily on hold", "Your account is silenced by staff: you cannot post for now.")
}

func (r *request) unsilence() (any, error) {
	u, err := r.account()
	if err != nil {
		return nil, err
	}
	r.f.unsilence(u, r.user)
	return object{"unsilence": object{"silenced": false, "silence_reason": nil, "silenced_till": nil, "silenced_at": nil}}, nil
}

func (f *Forum) unsilence(u, by *user) {
	if u.silencedTill.IsZero() {
		return
	}
	u.silencedAt, u.silencedTill, u.silenceReason = time.Time{}, time.Time{}, ""
	f.note("unsilence_user", by, u.username, "")
	f.systemMessage(u, "Account no longer on hold", "Your account is no longer silenced: you can post again.")
}

func (r *request) logOut() (any, error) {
	u, err := r.account()
	if err != nil {
		return nil, err
	}
	r.f.tellUser("user_logged_out", u)
	return done()
}

func (r *request) listUserFields() (any, error) {
	out := []object{}
	for _, d := range r.f.fields {
		out = append(out, object{"id": d.id, "name": d.name, "description": d.name, "field_type": "text", "editable": true, "required": false,
			"requirement": "optional", "show_on_profile": true, "show_on_user_card": false, "searchable": false, "position": d.id})
	}
	return object{"user_fields": out}, nil
}
