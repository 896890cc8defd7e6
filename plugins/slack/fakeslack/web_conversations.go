package fakeslack

import (
	"slices"
	"strings"
	"unicode/utf8"
)

func (r *request) convOpen() (object, error) {
	if id := r.arg("channel"); id != "" {
		c := r.w.channels[id]
		if c == nil || !c.has(r.me()) {
			return nil, refuse("channel_not_found")
		}
		if c.kind != kindIM && c.kind != kindMPIM {
			return nil, refuse("method_not_supported_for_channel_type")
		}
		return r.opened(c, true), nil
	}
	users := splitList(r.arg("users"))
	switch {
	case r.arg("users") == "":
		return nil, refuse("users_list_not_supplied")
	case len(users) == 0:
		return nil, refuse("not_enough_users")
	case len(users) > 8:
		return nil, refuse("too_many_users")
	}
	for _, id := range users {
		u := r.w.users[id]
		if u == nil {
			return nil, refuse("user_not_found")
		}
		if u.deleted {
			return nil, refuse("user_disabled")
		}
		if u.bot && id != r.me() && len(users) == 1 {
			return nil, refuse("cannot_dm_bot")
		}
	}
	people := union(nil, append(users, r.me()))
	if len(people) < 2 {
		return nil, refuse("invalid_user_combination")
	}
	scope := "im:write"
	if len(people) > 2 {
		scope = "mpim:write"
	}
	if err := r.needScope(scope); err != nil {
		return nil, err
	}
	c, existed := r.w.openDM(people)
	return r.opened(c, existed), nil
}

func (r *request) opened(c *channel, existed bool) object {
	o := object{"channel": object{"id": c.id}}
	if r.flag("return_im") {
		o["channel"] = r.w.channelJSON(c, r.me())
	}
	if existed {
		o["no_op"], o["already_open"] = true, true
	}
	return o
}

// splitList reads a comma-separated list, spaces allowed.
func splitList(s string) []string {
	var out []string
	for f := range strings.SplitSeq(s, ",") {
		if f = strings.TrimSpace(f); f != "" {
			out = append(out, f)
		}
	}
	return out
}

func (r *request) convJoin() (object, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, err
	}
	if c.kind != kindPublic {
		return nil, refuse("method_not_supported_for_channel_type")
	}
	if c.archived {
		return nil, refuse("is_archived")
	}
	joined := r.w.join(c, r.me(), "")
	o := object{"channel": r.w.channelJSON(c, r.me())}
	if !joined {
		o["warning"] = "already_in_channel"
		o["response_metadata"] = object{"warnings": []string{"already_in_channel"}}
	}
	return o, nil
}

var kindOfType = map[string]kind{"public_channel": kindPublic, "private_channel": kindPrivate, "mpim": kindMPIM, "im": kindIM}

// typesArg reads the types argument; each type needs its own scope.
func (r *request) typesArg() ([]kind, error) {
	var kinds []kind
	for _, t := range splitList(orElse(r.arg("types"), "public_channel")) {
		k, ok := kindOfType[t]
		if !ok {
			return nil, refuse("invalid_types")
		}
		if err := r.needScope((&channel{kind: k}).scope("read")); err != nil {
			return nil, err
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

func (r *request) listChannels(keep func(*channel) bool) (object, error) {
	kinds, err := r.typesArg()
	if err != nil {
		return nil, err
	}
	var list []*channel
	for _, c := range r.w.sortedChannels() {
		if slices.Contains(kinds, c.kind) && !(c.archived && r.flag("exclude_archived")) && keep(c) {
			list = append(list, c)
		}
	}
	list, next, err := page(r, list, 100, 999, func(c *channel) string { return c.id }, ascending)
	if err != nil {
		return nil, err
	}
	out := make([]object, 0, len(list))
	for _, c := range list {
		o := r.w.channelJSON(c, r.me())
		if c.kind != kindIM {
			o["num_members"] = len(c.members)
		}
		out = append(out, o)
	}
	return object{"channels": out, "response_metadata": metadata(next)}, nil
}

func (r *request) convList() (object, error) {
	return r.listChannels(func(c *channel) bool { return c.visible(r.me()) })
}

func (r *request) usersConversations() (object, error) {
	who := orElse(r.arg("user"), r.me())
	if r.w.users[who] == nil {
		return nil, refuse("user_not_found")
	}
	return r.listChannels(func(c *channel) bool { return c.has(who) && c.visible(r.me()) })
}

func (r *request) convInfo() (object, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, err
	}
	if err := r.needScope(c.scope("read")); err != nil {
		return nil, err
	}
	o := r.w.channelJSON(c, r.me())
	if r.flag("include_num_members") {
		o["num_members"] = len(c.members)
	}
	return object{"channel": o}, nil
}

func (r *request) convMembers() (object, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, err
	}
	if err := r.needScope(c.scope("read")); err != nil {
		return nil, err
	}
	members := slices.Sorted(slices.Values(c.members))
	members, next, err := page(r, members, 100, 999, func(u string) string { return u }, ascending)
	if err != nil {
		return nil, err
	}
	return object{"members": append([]string{}, members...), "response_metadata": metadata(next)}, nil
}

// manageable finds a channel that the caller may rename, archive and so on: one that is no direct message and that it is in.
func (r *request) manageable(narrow string) (*channel, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, err
	}
	if c.kind == kindIM || c.kind == kindMPIM {
		return nil, refuse("method_not_supported_for_channel_type")
	}
	if err := r.needScope(manageScope(c, narrow)); err != nil {
		return nil, err
	}
	if !c.has(r.me()) {
		return nil, refuse("not_in_channel")
	}
	return c, nil
}

// manageScope: channels:manage or groups:write, and the narrower scope of the same name where there is one ("topic", "invites").
func manageScope(c *channel, narrow string) string {
	scope := "channels:manage|channels:write"
	base := "channels"
	if c.kind == kindPrivate {
		scope, base = "groups:write", "groups"
	}
	if narrow != "" {
		scope += "|" + base + ":write." + narrow
	}
	return scope
}

func checkChannelName(name string) error {
	switch {
	case name == "":
		return refuse("invalid_name_required")
	case utf8.RuneCountInString(name) > 80:
		return refuse("invalid_name_maxlength")
	case strings.Trim(name, "-_.") == "":
		return refuse("invalid_name_punctuation")
	}
	for _, c := range name {
		if c < 128 && !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return refuse("invalid_name_specials")
		}
	}
	if strings.ToLower(name) != name {
		return refuse("invalid_name")
	}
	return nil
}

// nameTaken compares with every channel, private and archived ones too.
func (w *Workspace) nameTaken(name string, but *channel) bool {
	for _, c := range w.channels {
		if c != but && c.name == name {
			return true
		}
	}
	return false
}

func (r *request) convRename() (object, error) {
	c, err := r.manageable("")
	if err != nil {
		return nil, err
	}
	if err := checkChannelName(r.arg("name")); err != nil {
		return nil, err
	}
	if r.w.nameTaken(r.arg("name"), c) {
		return nil, refuse("name_taken")
	}
	// An app may rename what it or its installer created, a person also what the person administers.
	u := r.w.users[r.me()]
	if r.tok.kind == kindUser && c.creator != r.me() && !u.admin {
		return nil, refuse("not_authorized")
	}
	if c.name != r.arg("name") {
		r.w.rename(c, r.me(), r.arg("name"))
	}
	return object{"channel": r.w.channelJSON(c, r.me())}, nil
}

func (r *request) convKick() (object, error) {
	c, err := r.manageable("")
	if err != nil {
		return nil, err
	}
	who := r.arg("user")
	switch {
	case r.w.users[who] == nil:
		return nil, refuse("user_not_found")
	case who == r.me():
		return nil, refuse("cant_kick_self")
	case c.general:
		return nil, refuse("cant_kick_from_general")
	case !c.has(who):
		return nil, refuse("not_in_channel")
	}
	r.w.leave(c, who, r.me())
	return nil, nil
}

func (r *request) convInvite() (object, error) {
	users := splitList(r.arg("users"))
	if len(users) == 0 {
		return nil, refuse("no_user")
	}
	if len(users) > 100 {
		return nil, refuse("too_many_users")
	}
	c, err := r.manageable("invites")
	if err != nil {
		return nil, err
	}
	if c.archived {
		return nil, refuse("is_archived")
	}
	var good []string
	var bad []object
	for _, id := range users {
		code := ""
		switch u := r.w.users[id]; {
		case u == nil:
			code = "user_not_found"
		case id == r.me():
			code = "cant_invite_self"
		case u.deleted:
			code = "user_is_deactivated"
		case c.has(id):
			code = "already_in_channel"
		default:
			good = append(good, id)
			continue
		}
		bad = append(bad, object{"user": id, "ok": false, "error": code})
	}
	if len(bad) > 0 && (!r.flag("force") || len(good) == 0) {
		return nil, &apiError{bad[0]["error"].(string), object{"errors": bad}}
	}
	for _, id := range good {
		r.w.join(c, id, r.me())
	}
	o := object{"channel": r.w.channelJSON(c, r.me())}
	if len(bad) > 0 {
		o["errors"] = bad
	}
	return o, nil
}

func (r *request) convArchive() (object, error) {
	c, err := r.manageable("")
	if err != nil {
		return nil, err
	}
	if c.archived {
		return nil, refuse("already_archived")
	}
	if c.general {
		return nil, refuse("cant_archive_general")
	}
	r.w.archive(c, r.me())
	return nil, nil
}

func (r *request) convCreate() (object, error) {
	k := kindPublic
	if r.flag("is_private") {
		k = kindPrivate
	}
	if err := r.needScope(manageScope(&channel{kind: k}, "")); err != nil {
		return nil, err
	}
	if err := checkChannelName(r.arg("name")); err != nil {
		return nil, err
	}
	if r.w.nameTaken(r.arg("name"), nil) {
		return nil, refuse("name_taken")
	}
	c := &channel{id: r.s.id("C"), name: r.arg("name"), kind: k, creator: r.me(), created: r.s.opt.Now(), members: []string{r.me()}}
	r.w.create(c)
	return object{"channel": r.w.channelJSON(c, r.me())}, nil
}

func (r *request) convLeave() (object, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, err
	}
	switch {
	case c.kind == kindIM || c.kind == kindMPIM:
		return nil, refuse("method_not_supported_for_channel_type")
	case c.archived:
		return nil, refuse("is_archived")
	case c.general:
		return nil, refuse("cant_leave_general")
	case !c.has(r.me()):
		return object{"not_in_channel": true}, nil
	case c.kind == kindPrivate && len(c.members) == 1:
		return nil, refuse("last_member")
	}
	r.w.leave(c, r.me(), "")
	return nil, nil
}

func (r *request) convSetTopic() (object, error) {
	c, err := r.channelArg()
	if err != nil {
		return nil, err
	}
	switch {
	case c.kind == kindIM:
		return nil, refuse("method_not_supported_for_channel_type")
	case !c.has(r.me()):
		return nil, refuse("not_in_channel")
	case c.archived:
		return nil, refuse("is_archived")
	case utf8.RuneCountInString(r.arg("topic")) > 250:
		return nil, refuse("too_long")
	}
	if c.kind != kindMPIM {
		if err := r.needScope(manageScope(c, "topic")); err != nil {
			return nil, err
		}
	}
	r.w.setTopic(c, r.me(), r.arg("topic"))
	return object{"channel": r.w.channelJSON(c, r.me())}, nil
}
