package fakediscord

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

func (g *Guild) sortedChannels() []*channel {
	out := make([]*channel, 0, len(g.channels))
	for _, c := range g.channels {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *channel) int { return compareIDs(a.id, b.id) })
	return out
}

// listChannels lists all channels but threads, also those that the bot does not see.
func (r *request) listChannels() (any, error) {
	g, err := r.guild()
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, c := range g.sortedChannels() {
		if c.thread == nil {
			out = append(out, c.show())
		}
	}
	return out, nil
}

func (r *request) getChannel() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	return c.show(), nil
}

// channelForm is what a channel may be made of or changed to.
type channelForm struct {
	Name       *string `json:"name"`
	Type       *int    `json:"type"`
	Topic      *string `json:"topic"`
	Parent     *string `json:"parent_id"`
	Position   *int    `json:"position"`
	Slow       *int    `json:"rate_limit_per_user"`
	NSFW       *bool   `json:"nsfw"`
	Bitrate    *int    `json:"bitrate"`
	UserLimit  *int    `json:"user_limit"`
	Archived   *bool   `json:"archived"`
	Locked     *bool   `json:"locked"`
	Invitable  *bool   `json:"invitable"`
	Minutes    *int    `json:"auto_archive_duration"`
	Overwrites *[]struct {
		ID          string
		Type        int
		Allow, Deny json.RawMessage
	} `json:"permission_overwrites"`
}

func (f *channelForm) check(g *Guild) error {
	if f.Name != nil {
		if n := utf8.RuneCountInString(strings.TrimSpace(*f.Name)); n < 1 || n > 100 {
			return badLength("name", 1, 100)
		}
	}
	if f.Topic != nil && utf8.RuneCountInString(*f.Topic) > 1024 && deref(f.Type) != ForumChannel {
		return tooLong("topic", 1024)
	}
	if s := deref(f.Slow); s < 0 || s > 21600 {
		return outside("rate_limit_per_user", 0, 21600)
	}
	if f.Minutes != nil && !slices.Contains([]int{60, 1440, 4320, 10080}, *f.Minutes) {
		return invalid("auto_archive_duration", "BASE_TYPE_CHOICES", "Value must be one of (60, 1440, 4320, 10080).")
	}
	if p := deref(f.Parent); p != "" && (g.channels[p] == nil || g.channels[p].typ != Category) {
		return invalid("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist")
	}
	return nil
}

// channelName is a name as Discord keeps it in text channels: small, with hyphens for spaces.
func channelName(name string, typ int) string {
	name = strings.TrimSpace(name)
	if typ == TextChannel || typ == NewsChannel || typ == ForumChannel {
		return strings.ToLower(strings.Join(strings.Fields(name), "-"))
	}
	return name
}

func (r *request) postChannel() (any, error) {
	g, err := r.guildWith(PermManageChannels)
	if err != nil {
		return nil, err
	}
	var in channelForm
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if in.Name == nil {
		return nil, required("name")
	}
	if err := in.check(g); err != nil {
		return nil, err
	}
	typ := deref(in.Type)
	if !slices.Contains([]int{TextChannel, VoiceChannel, Category, NewsChannel, StageChannel, ForumChannel}, typ) {
		return nil, invalid("type", "BASE_TYPE_CHOICES", "Value must be a type of guild channels.")
	}
	c := g.createChannel(r.me(), channelName(*in.Name, typ), typ, r.call.Reason, func(c *channel) error { return c.apply(r.me(), &in) })
	if c == nil {
		return nil, refuse(50013)
	}
	return c.show(), nil
}

// createChannel makes a channel and tells of it. It is nil if set refuses. The caller holds s.mu.
func (g *Guild) createChannel(actor, name string, typ int, reason string, set func(*channel) error) *channel {
	c := &channel{srv: g.s, g: g, id: g.s.snowflake(), name: name, typ: typ, position: len(g.channels), bitrate: 64000}
	if set != nil && set(c) != nil {
		return nil
	}
	g.channels[c.id] = c
	g.log(auditEntry{action: AuditChannelCreate, user: actor, target: c.id, reason: reason,
		change: []object{change("name", nil, name), change("type", nil, typ)}})
	g.emit("CHANNEL_CREATE", c.show(), c)
	return c
}

// apply sets what the form names, but the name. Overwrites may give only what the actor has.
func (c *channel) apply(actor string, in *channelForm) error {
	set := func(to *int, from *int) {
		if from != nil {
			*to = *from
		}
	}
	set(&c.position, in.Position)
	set(&c.slow, in.Slow)
	set(&c.bitrate, in.Bitrate)
	set(&c.userLimit, in.UserLimit)
	if in.Topic != nil {
		c.topic = *in.Topic
	}
	if in.Parent != nil {
		c.parent = *in.Parent
	}
	if in.NSFW != nil {
		c.nsfw = *in.NSFW
	}
	if in.Overwrites == nil {
		return nil
	}
	c.overwrites = nil
	for _, o := range *in.Overwrites {
		allow, ok := permissionBits(o.Allow)
		deny, ok2 := permissionBits(o.Deny)
		if !ok || !ok2 {
			return invalid("permission_overwrites", "BASE_TYPE_CONVERT", "Permissions are numbers.")
		}
		mine := c.g.guildPerms(actor)
		if mine&PermAdministrator == 0 {
			mine &^= PermManageRoles // administrators alone give it in channels this way
		}
		if (allow|deny)&^mine != 0 {
			return refuse(50013)
		}
		c.setOverwrite(overwrite{o.ID, o.Type == 1, allow, deny})
	}
	return nil
}

// permissionBits reads permissions as a number or as the digits of one; null and nothing are 0.
func permissionBits(raw json.RawMessage) (uint64, bool) {
	text := strings.Trim(string(raw), `"`)
	if text == "" || text == "null" {
		return 0, true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

func (r *request) patchChannel() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	if c.g == nil {
		return nil, refuse(50003)
	}
	var in channelForm
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if err := in.check(c.g); err != nil {
		return nil, err
	}
	if c.thread != nil {
		return r.patchThread(c, &in)
	}
	need := PermManageChannels
	if in.Overwrites != nil {
		need |= PermManageRoles
	}
	if err := c.need(r.me(), need); err != nil {
		return nil, err
	}
	if in.Overwrites != nil || r.has("topic") || r.has("parent_id") || in.Slow != nil || in.NSFW != nil || in.Position != nil ||
		in.Bitrate != nil || in.UserLimit != nil || in.Name == nil {
		if err := c.apply(r.me(), &in); err != nil {
			return nil, err
		}
	}
	c.g.renameChannel(r.me(), c, in.Name, r.call.Reason)
	return c.show(), nil
}

// renameChannel tells of a changed channel, with a new name if there is one. The caller holds s.mu.
func (g *Guild) renameChannel(actor string, c *channel, name *string, reason string) {
	var changes []object
	if name != nil && channelName(*name, c.typ) != c.name {
		changes = append(changes, change("name", c.name, channelName(*name, c.typ)))
		c.name = channelName(*name, c.typ)
	}
	action, event := AuditChannelUpdate, "CHANNEL_UPDATE"
	if c.thread != nil {
		action, event = AuditThreadUpdate, "THREAD_UPDATE"
	}
	g.log(auditEntry{action: action, user: actor, target: c.id, reason: reason, change: changes})
	g.emit(event, c.show(), c)
}

func (r *request) deleteChannel() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	if c.g == nil {
		delete(r.s.dms, c.recipient)
		return c.show(), nil
	}
	need := PermManageChannels
	if c.thread != nil {
		need = PermManageThreads
	}
	if err := c.need(r.me(), need); err != nil {
		return nil, err
	}
	c.g.deleteChannel(r.me(), c, r.call.Reason)
	return c.show(), nil
}

// deleteChannel removes a channel, and its threads, of which Discord says nothing. The caller holds s.mu.
func (g *Guild) deleteChannel(actor string, c *channel, reason string) {
	for _, x := range g.sortedChannels() {
		if x.thread != nil && x.parent == c.id {
			delete(g.channels, x.id)
		}
	}
	for _, x := range g.sortedChannels() {
		if x.thread == nil && x.parent == c.id { // a category's channels stay
			x.parent = ""
			g.emit("CHANNEL_UPDATE", x.show(), x)
		}
	}
	action, event, o := AuditChannelDelete, "CHANNEL_DELETE", c.show()
	if c.thread != nil {
		action, event = AuditThreadDelete, "THREAD_DELETE"
		o = object{"id": c.id, "guild_id": g.id, "parent_id": c.parent, "type": c.typ}
	}
	g.log(auditEntry{action: action, user: actor, target: c.id, reason: reason, change: []object{change("name", c.name, nil)}})
	g.emit(event, o, c)
	delete(g.channels, c.id)
	for _, m := range g.members {
		if m.voice != nil && m.voice.channel == c.id {
			g.leaveVoice(m)
		}
	}
}

// putOverwrite sets an exception. It needs MANAGE_ROLES in the channel, and gives or denies only what the actor has there.
func (r *request) putOverwrite() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	if c.g == nil || c.thread != nil {
		return nil, refuse(50024)
	}
	if err := c.need(r.me(), PermManageRoles); err != nil {
		return nil, err
	}
	var in struct {
		Type        *int
		Allow, Deny json.RawMessage
	}
	if err := r.into(&in); err != nil {
		return nil, err
	}
	id := r.vars["overwrite_id"]
	if in.Type == nil || *in.Type < 0 || *in.Type > 1 {
		return nil, required("type")
	}
	if *in.Type == 0 && c.g.roles[id] == nil {
		return nil, refuse(10011)
	}
	if *in.Type == 1 && r.s.users[id] == nil {
		return nil, refuse(10013)
	}
	allow, ok := permissionBits(in.Allow)
	deny, ok2 := permissionBits(in.Deny)
	if !ok || !ok2 {
		return nil, invalid("allow", "NUMBER_TYPE_COERCE", "Value is not int.")
	}
	old, had := c.overwrite(id)
	if changed := (allow ^ old.allow) | (deny ^ old.deny); changed&^c.g.changeable(r.me(), c) != 0 {
		return nil, refuse(50013)
	}
	c.setOverwrite(overwrite{id, *in.Type == 1, allow, deny})
	action := AuditOverwriteCreate
	if had {
		action = AuditOverwriteUpdate
	}
	c.g.log(auditEntry{action: action, user: r.me(), target: c.id, reason: r.call.Reason,
		option: object{"id": id, "type": strconv.Itoa(*in.Type)},
		change: []object{change("allow", bits(old.allow), bits(allow)), change("deny", bits(old.deny), bits(deny))}})
	c.g.emit("CHANNEL_UPDATE", c.show(), c)
	return nil, nil
}

// changeable are the permissions that somebody may allow or deny in a channel: their own in the guild, and by an overwrite that gives them
// MANAGE_ROLES in the channel all.
func (g *Guild) changeable(id string, c *channel) uint64 {
	for _, o := range c.overwrites {
		mine := o.member && o.id == id || !o.member && slices.Contains(g.members[id].roles, o.id)
		if mine && o.allow&PermManageRoles != 0 {
			return permAll
		}
	}
	return g.guildPerms(id)
}

func (c *channel) overwrite(id string) (overwrite, bool) {
	for _, o := range c.overwrites {
		if o.id == id {
			return o, true
		}
	}
	return overwrite{}, false
}

func (r *request) deleteOverwrite() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	if c.g == nil || c.thread != nil {
		return nil, refuse(50024)
	}
	if err := c.need(r.me(), PermManageRoles); err != nil {
		return nil, err
	}
	id := r.vars["overwrite_id"]
	old, had := c.overwrite(id)
	if !had {
		return nil, refuse(10009)
	}
	c.overwrites = slices.DeleteFunc(c.overwrites, func(x overwrite) bool { return x.id == id })
	typ := "0"
	if old.member {
		typ = "1"
	}
	c.g.log(auditEntry{action: AuditOverwriteDelete, user: r.me(), target: c.id, reason: r.call.Reason, option: object{"id": id, "type": typ}})
	c.g.emit("CHANNEL_UPDATE", c.show(), c)
	return nil, nil
}
