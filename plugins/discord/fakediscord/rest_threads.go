package fakediscord

import (
	"slices"
	"time"
)

// threadForm is what begins a thread.
type threadForm struct {
	channelForm
	Message *messageForm `json:"message"`
}

func (r *request) threadForm(c *channel) (*threadForm, error) {
	var in threadForm
	if err := r.into(&in); err != nil {
		return nil, err
	}
	if in.Name == nil {
		return nil, required("name")
	}
	return &in, in.check(c.g)
}

// postThread begins a thread without a message, private unless the type says otherwise, or a post in a forum.
func (r *request) postThread() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	if c.g == nil || c.thread != nil || c.typ != TextChannel && c.typ != NewsChannel && c.typ != ForumChannel {
		return nil, refuse(50024)
	}
	in, err := r.threadForm(c)
	if err != nil {
		return nil, err
	}
	if c.typ == ForumChannel {
		return r.postForum(c, in)
	}
	typ, need := privateThread, PermPrivateThreads
	switch {
	case (in.Type == nil || *in.Type == privateThread) && c.typ == TextChannel:
	case in.Type != nil && *in.Type == c.openThread():
		typ, need = c.openThread(), PermPublicThreads
	case in.Type == nil, slices.Contains([]int{newsThread, publicThread, privateThread}, *in.Type):
		return nil, refuse(50024) // not in a channel of this type
	default:
		return nil, invalid("type", "BASE_TYPE_CHOICES", "Value must be one of (10, 11, 12).")
	}
	if err := c.need(r.me(), need); err != nil {
		return nil, err
	}
	t := c.begin(r.me(), *in.Name, typ, c.srv.snowflake(), in, r.call.Reason)
	return t.created(r.me()), nil
}

func (r *request) postForum(c *channel, in *threadForm) (any, error) {
	if err := c.need(r.me(), PermSendMessages); err != nil {
		return nil, err
	}
	if in.Message == nil {
		return nil, required("message")
	}
	d, err := in.Message.draft(r.s)
	if err != nil {
		return nil, err
	}
	if d.empty() {
		return nil, refuse(50006)
	}
	t := c.begin(r.me(), *in.Name, publicThread, r.s.snowflake(), in, r.call.Reason)
	m := &message{c: t, author: r.me()}
	m.apply(d)
	t.post(m)
	o := t.created(r.me())
	o["message"] = m.show(r.me())
	return o, nil
}

// postMessageThread begins a public thread at a message; it has the message's ID.
func (r *request) postMessageThread() (any, error) {
	m, err := r.message(PermPublicThreads)
	if err != nil {
		return nil, err
	}
	c := m.c
	if c.g == nil || c.typ != TextChannel && c.typ != NewsChannel {
		return nil, refuse(50024)
	}
	in, err := r.threadForm(c)
	if err != nil {
		return nil, err
	}
	if m.thread != "" || c.g.channels[m.id] != nil {
		return nil, refuse(160004)
	}
	t := c.begin(r.me(), *in.Name, c.openThread(), m.id, in, r.call.Reason)
	m.thread = t.id
	m.flags |= 1 << 5
	m.tell()
	return t.created(r.me()), nil
}

// openThread is the type of the channel's threads that everybody sees.
func (c *channel) openThread() int {
	if c.typ == NewsChannel {
		return newsThread
	}
	return publicThread
}

// begin makes a thread. The caller holds s.mu.
func (c *channel) begin(owner, name string, typ int, id string, in *threadForm, reason string) *channel {
	now := c.srv.opt.Now()
	t := &channel{srv: c.srv, g: c.g, id: id, name: name, typ: typ, parent: c.id, thread: &thread{
		owner: owner, begun: now, archivedAt: now, minutes: 4320, members: []string{owner}, invitable: true}}
	if in != nil && in.Minutes != nil {
		t.thread.minutes = *in.Minutes
	}
	if in != nil && in.Slow != nil {
		t.slow = *in.Slow
	}
	if in != nil && in.Invitable != nil {
		t.thread.invitable = *in.Invitable
	}
	c.g.channels[id] = t
	c.g.log(auditEntry{action: AuditThreadCreate, user: owner, target: id, reason: reason, change: []object{change("name", nil, name)}})
	o := t.show()
	o["newly_created"] = true
	c.g.emit("THREAD_CREATE", o, t)
	return t
}

func (c *channel) hasMember(id string) bool { return slices.Contains(c.thread.members, id) }

// created is a thread as who began it is answered.
func (c *channel) created(me string) object {
	o := c.show()
	if c.hasMember(me) {
		o["member"] = c.showMember(me)
	}
	return o
}

func (c *channel) showMember(id string) object {
	return object{"id": c.id, "user_id": id, "join_timestamp": iso(c.thread.begun), "flags": 0}
}

func (c *channel) join(who string) {
	if !c.hasMember(who) {
		c.thread.members = append(c.thread.members, who)
		c.membersChanged([]string{who}, nil)
	}
}

func (c *channel) membersChanged(added, removed []string) {
	in := []object{}
	for _, id := range added {
		in = append(in, c.showMember(id))
	}
	c.g.emit("THREAD_MEMBERS_UPDATE", object{"id": c.id, "guild_id": c.g.id, "member_count": len(c.thread.members),
		"added_members": in, "removed_member_ids": list(removed)}, c)
}

func (c *channel) setArchived(archived bool) {
	c.thread.archived, c.thread.archivedAt = archived, c.srv.opt.Now()
	c.g.emit("THREAD_UPDATE", c.show(), c)
}

// archivedErr refuses changes in archived threads.
func (c *channel) archivedErr() error {
	if c.thread != nil && c.thread.archived {
		return refuse(50083)
	}
	return nil
}

// patchThread changes a thread: who owns it may archive and rename it, MANAGE_THREADS allows all. An archived one only opens.
func (r *request) patchThread(c *channel, in *channelForm) (any, error) {
	me, t := r.me(), c.thread
	manage := c.g.perms(me, c)&PermManageThreads != 0
	opens := in.Archived != nil && !*in.Archived
	switch {
	case t.archived && !opens: // nor can it be locked then
		return nil, refuse(50083)
	case manage:
	case in.Locked != nil, in.Slow != nil, t.locked, t.owner != me:
		// Who may write in an unlocked thread may open it again.
		if !opens || t.locked || in.Locked != nil || c.need(me, PermSendInThreads) != nil {
			return nil, refuse(50013)
		}
	}
	if in.Locked != nil {
		t.locked = *in.Locked
	}
	if in.Archived != nil && t.archived != *in.Archived {
		t.archived, t.archivedAt = *in.Archived, r.s.opt.Now()
	}
	if in.Minutes != nil {
		t.minutes = *in.Minutes
	}
	if in.Slow != nil {
		c.slow = *in.Slow
	}
	if in.Invitable != nil {
		t.invitable = *in.Invitable
	}
	c.g.renameChannel(me, c, in.Name, r.call.Reason)
	return c.show(), nil
}

func (r *request) activeThreads() (any, error) {
	g, err := r.guild()
	if err != nil {
		return nil, err
	}
	threads, members := []object{}, []object{}
	for _, c := range g.sortedChannels() {
		if c.thread == nil || c.thread.archived {
			continue
		}
		if _, err := r.s.seen(c.id, r.me()); err == nil {
			threads = append(threads, c.show())
			if c.hasMember(r.me()) {
				members = append(members, c.showMember(r.me()))
			}
		}
	}
	return object{"threads": threads, "members": members, "has_more": false}, nil
}

// archivedThreads pages by the time of archiving, newest first.
func (r *request) archivedThreads() (any, error) {
	c, err := r.channelWith(PermReadMessageHistory)
	if err != nil {
		return nil, err
	}
	if c.g == nil {
		return nil, refuse(50024)
	}
	limit, err := count(r.call.Query, 2, 100, 50)
	if err != nil {
		return nil, err
	}
	var before time.Time
	if v := r.call.Query.Get("before"); v != "" {
		t, ok := parseTime(v)
		if !ok {
			return nil, invalid("before", "DATE_TIME_TYPE_PARSE", "Could not parse the time.")
		}
		before = t
	}
	var found []*channel
	for _, x := range c.g.sortedChannels() {
		if x.thread != nil && x.parent == c.id && x.thread.archived && x.typ != privateThread && (before.IsZero() || x.thread.archivedAt.Before(before)) {
			found = append(found, x)
		}
	}
	slices.SortStableFunc(found, func(a, b *channel) int { return b.thread.archivedAt.Compare(a.thread.archivedAt) })
	threads := []object{}
	for _, x := range found[:min(limit, len(found))] {
		threads = append(threads, x.show())
	}
	return object{"threads": threads, "members": []any{}, "has_more": len(found) > limit}, nil
}

func (r *request) threadMembers() (any, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	if c.thread == nil {
		return nil, refuse(50024)
	}
	out := []object{}
	for _, id := range c.thread.members {
		out = append(out, c.showMember(id))
	}
	return out, nil
}

// threadFor is the thread of the path with the person of the path, "@me" being the bot.
func (r *request) threadFor() (c *channel, who string, err error) {
	if c, err = r.channel(); err != nil {
		return nil, "", err
	}
	if c.thread == nil {
		return nil, "", refuse(50024)
	}
	return c, r.vars["user_id"], c.archivedErr()
}

func (r *request) putThreadMember() (any, error) {
	c, who, err := r.threadFor()
	if err != nil {
		return nil, err
	}
	if err := c.need(r.me(), PermSendInThreads); err != nil {
		return nil, err
	}
	if c.g.members[who] == nil {
		return nil, refuse(10007)
	}
	c.join(who)
	return nil, nil
}

func (r *request) deleteThreadMember() (any, error) {
	c, who, err := r.threadFor()
	if err != nil {
		return nil, err
	}
	if c.g.perms(r.me(), c)&PermManageThreads == 0 && (c.typ != privateThread || c.thread.owner != r.me()) {
		return nil, refuse(50013)
	}
	if !c.hasMember(who) {
		return nil, refuse(10007)
	}
	c.thread.members = slices.DeleteFunc(c.thread.members, func(x string) bool { return x == who })
	c.membersChanged(nil, []string{who})
	return nil, nil
}
