package fakediscourse

import "net/http"

func (r *request) basicInfo() (any, error) {
	s := r.f.settings
	return object{"logo_url": r.f.base + "/images/logo.png", "logo_small_url": r.f.base + "/images/logo-small.png", "apple_touch_icon_url": "", "favicon_url": "",
		"title": s.Title, "description": s.Description, "header_primary_color": "333333", "header_background_color": "ffffff",
		"login_required": s.LoginRequired, "locale": "en", "include_in_discourse_discover": false, "mobile_logo_url": ""}, nil
}

func (r *request) about() (any, error) {
	s := r.f.settings
	admins, mods := []object{}, []object{}
	for _, u := range r.f.sortedUsers() {
		if u.id > 0 && u.admin {
			admins = append(admins, r.f.basicUser(u))
		}
		if u.id > 0 && u.moderator {
			mods = append(mods, r.f.basicUser(u))
		}
	}
	return object{"users": append(admins, mods...), "about": object{"stats": object{"topics_count": len(r.f.topics), "posts_count": len(r.f.posts), "users_count": len(r.f.users) - 2},
		"description": s.Description, "title": s.Title, "locale": "en", "version": version, "https": true, "can_see_about_stats": true, "contact_url": "", "contact_email": ""}}, nil
}

func (r *request) status() (any, error) {
	return &reply{status: http.StatusOK, text: "ok"}, nil
}

func (r *request) getSite() (any, error) {
	cats, groups, fields := []object{}, []object{}, []object{}
	for _, c := range r.f.sortedCategories() {
		if r.f.seesCategory(r.user, c) {
			cats = append(cats, r.f.showCategory(c))
		}
	}
	for _, g := range r.f.sortedGroups() {
		groups = append(groups, object{"id": g.id, "name": g.name, "flair_url": nil, "flair_bg_color": nil, "flair_color": nil, "automatic": g.automatic})
	}
	for _, d := range r.f.fields {
		fields = append(fields, object{"id": d.id, "name": d.name, "description": d.name, "field_type": "text", "editable": true, "required": false, "position": d.id})
	}
	return object{"default_archetype": "regular", "categories": cats, "groups": groups, "user_fields": fields,
		"notification_types": object{"mentioned": 1, "replied": 2}, "post_types": object{"regular": 1, "moderator_action": 2, "small_action": 3, "whisper": 4},
		"trust_levels": object{"newuser": 0, "basic": 1, "member": 2, "regular": 3, "leader": 4}, "can_tag_topics": true, "can_create_tag": true,
		"can_tag_pms": false, "auth_providers": []object{}, "top_tags": []string{}, "archetypes": []object{{"id": "regular", "name": "Regular Topic", "options": []object{}}},
		"post_action_types": []object{{"id": 2, "name_key": "like", "name": "Like", "is_flag": false}}, "topic_flag_types": []object{}}, nil
}

// currentSession is who a key acts as.
func (r *request) currentSession() (any, error) {
	if r.user == nil {
		return nil, refuse("not_found")
	}
	o := r.f.basicUser(r.user)
	o["admin"], o["moderator"], o["staff"], o["trust_level"] = r.user.admin, r.user.moderator, r.user.staff(), r.user.trust
	return object{"current_user": o}, nil
}

// note writes a line of the staff action log.
func (f *Forum) note(action string, by *user, target, details string) {
	f.log = append(f.log, LogEntry{Action: action, By: by.username, Target: target, Details: details})
}

// StaffLog shows the staff action log, oldest first.
func (f *Forum) StaffLog() []LogEntry {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	return append([]LogEntry(nil), f.log...)
}
