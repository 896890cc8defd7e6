package fakegithub

import (
	"fmt"
	"slices"
)

// act is what an owner does in the organisation, with the lock held.
func (o *Org) act(by, what string, do func(a *account) error) error {
	o.s.mu.Lock()
	a := o.s.user(by)
	m := of(o.members, a)
	err := fmt.Errorf("%w: they are no owner", ErrRefused)
	if m != nil && m.role == "admin" {
		err = do(a)
	}
	o.s.mu.Unlock()
	o.s.told()
	if err != nil {
		return fmt.Errorf("fakegithub: %s by %s in %s: %w", what, by, o.acc.login, err)
	}
	return nil
}

// AddMember makes somebody a member, without an invitation, and without telling the app. role is member or admin.
func (o *Org) AddMember(login, role string) {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	a := o.s.user(login)
	o.members = append(without(o.members, a), &member{a, role})
}

// Invite invites somebody.
func (o *Org) Invite(by, who, role string) error {
	return o.act(by, "invite", func(a *account) error {
		o.invite(a, o.s.user(who), role)
		return nil
	})
}

// Join is somebody accepting an invitation.
func (o *Org) Join(who string) error {
	o.s.mu.Lock()
	a := o.s.user(who)
	i := invitationOf(o.invited, a)
	if i != nil {
		o.add(a, a, i.role)
	}
	o.s.mu.Unlock()
	o.s.told()
	if i == nil {
		return fmt.Errorf("%w: %s is not invited to %s", ErrRefused, who, o.acc.login)
	}
	return nil
}

// Leave is somebody leaving by themselves.
func (o *Org) Leave(who string) {
	o.s.mu.Lock()
	a := o.s.user(who)
	o.remove(a, a)
	o.s.mu.Unlock()
	o.s.told()
}

// Remove takes somebody out.
func (o *Org) Remove(by, who string) error {
	return o.act(by, "remove a member", func(a *account) error {
		o.remove(a, o.s.user(who))
		return nil
	})
}

// Block blocks somebody, who must not be a member.
func (o *Org) Block(by, who string) error {
	return o.act(by, "block", func(a *account) error {
		w := o.s.user(who)
		if of(o.members, w) != nil || slices.Contains(o.blocked, w) {
			return fmt.Errorf("%w: %s is a member, or blocked already", ErrRefused, who)
		}
		o.block(a, w)
		return nil
	})
}

// Unblock takes a block back.
func (o *Org) Unblock(by, who string) error {
	return o.act(by, "unblock", func(a *account) error {
		o.unblock(a, o.s.user(who))
		return nil
	})
}

// AddTeam makes a team and gives its slug. The app is not told.
func (o *Org) AddTeam(name string) string {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	t, _ := o.team(name)
	return t.slug
}

// onTeam is act for a team.
func (o *Org) onTeam(by, what, slug string, do func(a *account, t *team)) error {
	return o.act(by, what, func(a *account) error {
		for _, t := range o.teams {
			if t.slug == slug {
				do(a, t)
				return nil
			}
		}
		return fmt.Errorf("%w: there is no team %q", ErrRefused, slug)
	})
}

// JoinTeam puts a member into a team. role is member or maintainer.
func (o *Org) JoinTeam(by, slug, who, role string) error {
	return o.onTeam(by, "put into a team", slug, func(a *account, t *team) { o.join(a, t, o.s.user(who), role) })
}

// LeaveTeam takes somebody out of a team.
func (o *Org) LeaveTeam(by, slug, who string) error {
	return o.onTeam(by, "take out of a team", slug, func(a *account, t *team) {
		if w := o.s.user(who); of(t.members, w) != nil {
			o.leave(a, t, w)
		}
	})
}
