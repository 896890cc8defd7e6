package fakediscourse

import (
	"strings"
	"time"
)

// UserOption says more about an account.
type UserOption func(*user)

// Admin makes an administrator.
func Admin() UserOption { return func(u *user) { u.admin = true } }

// Moderator makes a moderator.
func Moderator() UserOption { return func(u *user) { u.moderator = true } }

// Trust gives a trust level, 0 to 4. Without it, it is 1.
func Trust(level int) UserOption { return func(u *user) { u.trust = level } }

// Email gives an address. Without it, it is the username at forum.invalid.
func Email(address string) UserOption { return func(u *user) { u.email = address } }

// Name gives a full name.
func Name(name string) UserOption { return func(u *user) { u.name = name } }

// ExternalID is the account's ID at the site that the forum takes its logins from.
func ExternalID(id string) UserOption { return func(u *user) { u.externalID = id } }

// AddUser adds an account with an ID of the caller's, or with 0 the next, and returns the ID. It tells nobody.
func (f *Forum) AddUser(id int64, username string, opts ...UserOption) int64 {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if id == 0 {
		id = f.nextID("user")
	}
	u := &user{id: id, username: username, email: strings.ToLower(username) + "@forum.invalid", trust: 1}
	for _, o := range opts {
		o(u)
	}
	f.addUser(u)
	return id
}

// AddUserField adds a field for accounts, and returns its ID.
func (f *Forum) AddUserField(name string) int64 {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	d := userField{f.nextID("field"), name}
	f.fields = append(f.fields, d)
	return d.id
}

// AddGroup adds a group with members, and returns its ID. It tells nobody.
func (f *Forum) AddGroup(name string, members ...string) int64 {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	g := f.addGroup(f.nextID("group"), name, false)
	for _, m := range members {
		if u := f.userByName(m); u != nil {
			g.add(u.id)
		}
	}
	return g.id
}

// AddCategory adds a category that only the groups see, or everybody if there are none, and returns its ID. It tells nobody.
func (f *Forum) AddCategory(name string, groups ...string) int64 {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	c := &category{id: f.nextID("category"), name: name, slug: slug(name), color: "0088CC", groups: groups}
	f.categories[c.id] = c
	return c.id
}

// as runs what somebody does, and returns when the webhooks were told.
func (f *Forum) as(username string, do func(*user) error) error {
	f.s.mu.Lock()
	u := f.userByName(username)
	var err error
	if u == nil {
		err = notAllowed("there is no %s", username)
	} else if u.suspended(f.now()) {
		err = notAllowed("%s is suspended", username)
	} else {
		err = do(u)
	}
	f.s.mu.Unlock()
	if err == nil {
		f.s.told()
	}
	return err
}

// onPost runs what somebody does to a post that they see.
func (f *Forum) onPost(username string, id int64, do func(*user, *post) error) error {
	return f.as(username, func(u *user) error {
		p := f.posts[id]
		if p == nil || !f.sees(u, p.t) || !p.deletedAt.IsZero() && !u.staff() {
			return notAllowed("%s sees no post %d", username, id)
		}
		return do(u, p)
	})
}

// onTopic runs what somebody does to a topic that they see.
func (f *Forum) onTopic(username string, id int64, do func(*user, *topic) error) error {
	return f.as(username, func(u *user) error {
		t := f.topics[id]
		if t == nil || !f.sees(u, t) {
			return notAllowed("%s sees no topic %d", username, id)
		}
		return do(u, t)
	})
}

// staffOnly runs what only staff may do to an account.
func (f *Forum) staffOnly(by, whom string, do func(by, whom *user) error) error {
	return f.as(by, func(u *user) error {
		w := f.userByName(whom)
		switch {
		case w == nil:
			return notAllowed("there is no %s", whom)
		case !u.staff():
			return notAllowed("%s is not staff", by)
		}
		return do(u, w)
	})
}

// Suspend suspends an account, as a staff member does.
func (f *Forum) Suspend(by, whom string, till time.Time, reason string) error {
	return f.staffOnly(by, whom, func(by, whom *user) error {
		if whom.staff() {
			return notAllowed("%s is staff", whom.username)
		}
		f.suspend(whom, by, till, reason)
		return nil
	})
}

// Unsuspend takes a suspension back.
func (f *Forum) Unsuspend(by, whom string) error {
	return f.staffOnly(by, whom, func(by, whom *user) error {
		f.unsuspend(whom, by)
		return nil
	})
}

// Silence silences an account, as a staff member does. The system writes a message to the account about it, and there is no webhook but those of that.
func (f *Forum) Silence(by, whom string, till time.Time, reason string) error {
	return f.staffOnly(by, whom, func(by, whom *user) error {
		if whom.staff() {
			return notAllowed("%s is staff", whom.username)
		}
		f.silence(whom, by, till, reason)
		return nil
	})
}

// Unsilence takes it back, with a message too.
func (f *Forum) Unsilence(by, whom string) error {
	return f.staffOnly(by, whom, func(by, whom *user) error {
		f.unsilence(whom, by)
		return nil
	})
}

// JoinGroup puts an account into a group, as an administrator or the account itself does.
func (f *Forum) JoinGroup(group, username string) error {
	return f.as(username, func(u *user) error {
		g := f.groupByName(group)
		if g == nil || g.automatic || g.in[u.id] {
			return notAllowed("%s cannot join %s", username, group)
		}
		f.join(g, u)
		return nil
	})
}

// LeaveGroup takes an account out of a group.
func (f *Forum) LeaveGroup(group, username string) error {
	return f.as(username, func(u *user) error {
		g := f.groupByName(group)
		if g == nil || !g.in[u.id] {
			return notAllowed("%s is not in %s", username, group)
		}
		f.leave(g, u)
		return nil
	})
}

// ChangeField fills in a field of one's account; an empty value empties it.
func (f *Forum) ChangeField(username string, field int64, value string) error {
	return f.as(username, func(u *user) error {
		known := false
		for _, d := range f.fields {
			known = known || d.id == field
		}
		if !known {
			return notAllowed("there is no field %d", field)
		}
		u.fields[itoa(field)] = value
		f.tellUser("user_updated", u)
		return nil
	})
}

// Rename gives an account another username, as staff do or the account itself. Its ID stays.
func (f *Forum) Rename(username, to string) error {
	return f.as(username, func(u *user) error {
		if f.userByName(to) != nil {
			return notAllowed("%s is taken", to)
		}
		delete(f.names, strings.ToLower(u.username))
		u.username = to
		f.names[strings.ToLower(to)] = u
		f.tellUser("user_updated", u)
		return nil
	})
}

// Promote changes an account's trust level.
func (f *Forum) Promote(username string, level int) error {
	return f.as(username, func(u *user) error {
		u.trust = level
		f.tell("user_promoted", f.userPayload(u), nil)
		return nil
	})
}

// SetStaff makes an account an administrator or moderator, or takes that away. There is no webhook for it.
func (f *Forum) SetStaff(username string, admin, moderator bool) error {
	return f.as(username, func(u *user) error {
		u.admin, u.moderator = admin, moderator
		return nil
	})
}

// Register makes an account with the next ID, and tells webhooks so.
func (f *Forum) Register(username string, opts ...UserOption) int64 {
	id := f.AddUser(0, username, opts...)
	f.s.mu.Lock()
	f.tellUser("user_created", f.users[id])
	f.s.mu.Unlock()
	f.s.told()
	return id
}

// SignIn signs somebody in to the forum.
func (f *Forum) SignIn(username string) error {
	return f.as(username, func(u *user) error {
		u.seen = f.now()
		f.tellUser("user_logged_in", u)
		return nil
	})
}

// SignOut signs somebody out.
func (f *Forum) SignOut(username string) error {
	return f.as(username, func(u *user) error {
		f.tellUser("user_logged_out", u)
		return nil
	})
}

// Destroy deletes an account that wrote nothing.
func (f *Forum) Destroy(by, whom string) error {
	return f.staffOnly(by, whom, func(_, whom *user) error {
		if whom.staff() || f.postCount(whom) > 0 {
			return notAllowed("%s cannot be deleted", whom.username)
		}
		payload := f.userPayload(whom)
		delete(f.users, whom.id)
		delete(f.names, strings.ToLower(whom.username))
		for _, g := range f.groups {
			g.remove(whom.id)
		}
		f.tell("user_destroyed", payload, nil)
		return nil
	})
}

// AddUsers adds so many accounts, named by the prefix and a number from 1, and returns their usernames. It tells nobody.
func (f *Forum) AddUsers(prefix string, n int) []string {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	var out []string
	for i := range n {
		u := &user{id: f.nextID("user"), username: prefix + itoa(int64(i+1)), trust: 1}
		u.email = strings.ToLower(u.username) + "@forum.invalid"
		f.addUser(u)
		out = append(out, u.username)
	}
	return out
}
