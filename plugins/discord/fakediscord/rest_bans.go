package fakediscord

import "slices"

// banForm is what a ban may say.
type banForm struct {
	Seconds *int `json:"delete_message_seconds"`
	Days    *int `json:"delete_message_days"`
}

func (f banForm) seconds() (int, error) {
	if f.Seconds != nil && f.Days != nil {
		return 0, invalid("delete_message_days", "CANNOT_SPECIFY_BOTH", "delete_message_seconds and delete_message_days are exclusive.")
	}
	if d := deref(f.Days); d < 0 || d > 7 {
		return 0, outside("delete_message_days", 0, 7)
	}
	s := deref(f.Seconds) + deref(f.Days)*86400
	if s < 0 || s > 604800 {
		return 0, outside("delete_message_seconds", 0, 604800)
	}
	return s, nil
}

func (r *request) putBan() (any, error) {
	g, err := r.guildWith(PermBanMembers)
	if err != nil {
		return nil, err
	}
	var in banForm
	if err := r.into(&in); err != nil {
		return nil, err
	}
	seconds, err := in.seconds()
	if err != nil {
		return nil, err
	}
	return nil, g.ban(r.me(), r.vars["user_id"], r.call.Reason, seconds)
}

func (r *request) deleteBan() (any, error) {
	g, err := r.guildWith(PermBanMembers)
	if err != nil {
		return nil, err
	}
	return nil, g.unban(r.me(), r.vars["user_id"], r.call.Reason)
}

func (r *request) getBan() (any, error) {
	g, err := r.guildWith(PermBanMembers)
	if err != nil {
		return nil, err
	}
	b, ok := g.bans[r.vars["user_id"]]
	if !ok {
		return nil, refuse(10026)
	}
	return object{"user": r.s.showUser(r.vars["user_id"]), "reason": nullable(b.reason)}, nil
}

// listBans pages by user ID; with "before" the page is the last one before it.
func (r *request) listBans() (any, error) {
	g, err := r.guildWith(PermBanMembers)
	if err != nil {
		return nil, err
	}
	limit, err := count(r.call.Query, 1, 1000, 1000)
	if err != nil {
		return nil, err
	}
	after, err := cursor(r.call.Query, "after")
	if err != nil {
		return nil, err
	}
	before, err := cursor(r.call.Query, "before")
	if err != nil {
		return nil, err
	}
	var ids []string
	for id := range g.bans {
		if n := num(id); before != 0 && n < before || before == 0 && n > after {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compareIDs)
	if before != 0 && len(ids) > limit {
		ids = ids[len(ids)-limit:]
	}
	out := []object{}
	for _, id := range ids[:min(limit, len(ids))] {
		out = append(out, object{"user": r.s.showUser(id), "reason": nullable(g.bans[id].reason)})
	}
	return out, nil
}

// bulkBan bans up to 200; it needs MANAGE_GUILD too. Who cannot be banned is listed, and if that is everybody it is an error.
func (r *request) bulkBan() (any, error) {
	g, err := r.guildWith(PermBanMembers | PermManageGuild)
	if err != nil {
		return nil, err
	}
	var in struct {
		Users   []string `json:"user_ids"`
		Seconds *int     `json:"delete_message_seconds"`
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if len(in.Users) == 0 || len(in.Users) > 200 {
		return nil, badLength("user_ids", 1, 200)
	}
	seconds, err := banForm{Seconds: in.Seconds}.seconds()
	if err != nil {
		return nil, err
	}
	banned, failed := []string{}, []string{}
	for _, id := range in.Users {
		if _, already := g.bans[id]; already || g.ban(r.me(), id, r.call.Reason, seconds) != nil {
			failed = append(failed, id)
		} else {
			banned = append(banned, id)
		}
	}
	if len(banned) == 0 {
		return nil, refuse(500000)
	}
	return object{"banned_users": banned, "failed_users": failed}, nil
}
