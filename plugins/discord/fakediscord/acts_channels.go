package fakediscord

import "strings"

// CreateChannel makes a channel, and returns its ID.
func (g *Guild) CreateChannel(actor, name string, typ int) (id string, err error) {
	err = g.do(func() error {
		if g.guildPerms(actor)&PermManageChannels == 0 {
			return refuse(50013)
		}
		id = g.createChannel(actor, channelName(name, typ), typ, "", nil).id
		return nil
	})
	return id, err
}

// RenameChannel renames a channel or thread.
func (g *Guild) RenameChannel(actor, channel, name string) error {
	return g.in(channel, actor, func(a *channelAct) error {
		need := PermManageChannels
		if a.c.thread != nil {
			need = PermManageThreads
		}
		if err := a.c.need(actor, need); err != nil {
			return err
		}
		g.renameChannel(actor, a.c, &name, "")
		return nil
	})
}

// DeleteChannel deletes a channel or thread.
func (g *Guild) DeleteChannel(actor, channel string) error {
	return g.in(channel, actor, func(a *channelAct) error {
		need := PermManageChannels
		if a.c.thread != nil {
			need = PermManageThreads
		}
		if err := a.c.need(actor, need); err != nil {
			return err
		}
		g.deleteChannel(actor, a.c, "")
		return nil
	})
}

// StartThread begins a public thread, at a message or without one (an empty ID), and returns its ID.
func (g *Guild) StartThread(channel, message, user, name string) (id string, err error) {
	err = g.in(channel, user, func(a *channelAct) error {
		if err := a.c.need(user, PermPublicThreads); err != nil {
			return err
		}
		if a.c.thread != nil || !a.c.textual() || strings.TrimSpace(name) == "" {
			return refuse(50024)
		}
		id = message
		if m := a.c.messages[message]; message != "" && (m == nil || m.thread != "") {
			return refuse(160004)
		} else if m != nil {
			m.thread = id
		} else {
			id = g.s.snowflake()
		}
		a.c.begin(user, name, publicThread, id, nil, "")
		return nil
	})
	return id, err
}

// ArchiveThread archives a thread or opens it again, and locks it if lock is set.
func (g *Guild) ArchiveThread(thread, user string, archived, lock bool) error {
	return g.in(thread, user, func(a *channelAct) error {
		t := a.c.thread
		if t == nil {
			return refuse(50024)
		}
		if t.owner != user || lock {
			if err := a.c.need(user, PermManageThreads); err != nil {
				return err
			}
		}
		t.locked = lock
		a.c.setArchived(archived)
		return nil
	})
}
