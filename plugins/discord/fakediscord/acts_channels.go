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
func (g *Guild) RenameChannel(actor, channelID, name string) error {
	return g.in(channelID, actor, func(c *channel) error {
		need := PermManageChannels
		if c.thread != nil {
			need = PermManageThreads
		}
		if err := c.need(actor, need); err != nil {
			return err
		}
		g.renameChannel(actor, c, &name, "")
		return nil
	})
}

// DeleteChannel deletes a channel or thread.
func (g *Guild) DeleteChannel(actor, channelID string) error {
	return g.in(channelID, actor, func(c *channel) error {
		need := PermManageChannels
		if c.thread != nil {
			need = PermManageThreads
		}
		if err := c.need(actor, need); err != nil {
			return err
		}
		g.deleteChannel(actor, c, "")
		return nil
	})
}

// StartThread begins a public thread, at a message or without one (an empty ID), and returns its ID.
func (g *Guild) StartThread(channelID, message, user, name string) (id string, err error) {
	err = g.in(channelID, user, func(c *channel) error {
		if err := c.need(user, PermPublicThreads); err != nil {
			return err
		}
		if c.thread != nil || !c.textual() || strings.TrimSpace(name) == "" {
			return refuse(50024)
		}
		id = message
		if m := c.messages[message]; message != "" && (m == nil || m.thread != "") {
			return refuse(160004)
		} else if m != nil {
			m.thread = id
		} else {
			id = g.s.snowflake()
		}
		c.begin(user, name, c.openThread(), id, nil, "")
		return nil
	})
	return id, err
}

// ArchiveThread archives a thread or opens it again, and locks it if lock is set.
func (g *Guild) ArchiveThread(thread, user string, archived, lock bool) error {
	return g.in(thread, user, func(c *channel) error {
		t := c.thread
		if t == nil {
			return refuse(50024)
		}
		if t.owner != user || lock {
			if err := c.need(user, PermManageThreads); err != nil {
				return err
			}
		}
		t.locked = lock
		c.setArchived(archived)
		return nil
	})
}
