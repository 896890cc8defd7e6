package fakeslack

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrRefused is wrapped by the error of everything that Slack would not let a person do.
var ErrRefused = errors.New("fakeslack: Slack does not allow it")

func notAllowed(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, a...))
}

// PostOption changes what [Workspace.Post] posts.
type PostOption func(*message)

// InThread makes the message a reply.
func InThread(ts string) PostOption { return func(m *message) { m.threadTS = ts } }

// AlsoInChannel makes a reply stand in the channel too.
func AlsoInChannel() PostOption { return func(m *message) { m.broadcast = true } }

// act does what a person does, and waits until the events of it were attempted once, or ctx ends. A handler that a delivery waits
// for must therefore not call these methods with the same goroutine.
func (w *Workspace) act(ctx context.Context, do func() error) error {
	w.s.mu.Lock()
	err := do()
	w.s.mu.Unlock()
	if err != nil {
		return err
	}
	return w.s.Flush(ctx)
}

// person finds a member who may act in a channel.
func (w *Workspace) person(userID, channelID string) (*user, *channel, error) {
	u := w.users[userID]
	if u == nil || u.deleted {
		return nil, nil, notAllowed("no active member %s", userID)
	}
	c := w.channels[channelID]
	if c == nil || !c.visible(userID) {
		return nil, nil, notAllowed("%s sees no channel %s", userID, channelID)
	}
	return u, c, nil
}

func (w *Workspace) member(user, channelID string) (*channel, error) {
	_, c, err := w.person(user, channelID)
	if err != nil {
		return nil, err
	}
	if !c.has(user) {
		return nil, notAllowed("%s is not in %s", user, channelID)
	}
	if c.archived {
		return nil, notAllowed("%s is archived", channelID)
	}
	return c, nil
}

func (w *Workspace) memberMessage(user, channelID, ts string) (*channel, *message, error) {
	c, err := w.member(user, channelID)
	if err != nil {
		return nil, nil, err
	}
	m := c.find(ts)
	if m == nil {
		return nil, nil, notAllowed("no message %s in %s", ts, channelID)
	}
	return c, m, nil
}

// Post is a member who posts a message. When it returns, the app was told, or its request URL failed; see [Server.Deliveries].
func (w *Workspace) Post(ctx context.Context, user, channel, text string, o ...PostOption) (ts string, err error) {
	err = w.act(ctx, func() error {
		c, err := w.member(user, channel)
		if err != nil {
			return err
		}
		if strings.TrimSpace(text) == "" {
			return notAllowed("an empty message")
		}
		m := &message{user: user, text: text, clientID: uuidText(), blocks: richText(text)}
		for _, f := range o {
			f(m)
		}
		if m.threadTS != "" && c.find(m.threadTS) == nil {
			return notAllowed("no message %s to reply to", m.threadTS)
		}
		w.post(c, m)
		ts = m.ts
		return nil
	})
	return ts, err
}

// richText is what Slack's own editor makes of a plain line.
func richText(text string) []any {
	return []any{object{"type": "rich_text", "block_id": secretText(3), "elements": []any{
		object{"type": "rich_text_section", "elements": []any{object{"type": "text", "text": text}}},
	}}}
}

func uuidText() string {
	h := secretText(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// Edit is a member who changes an own message.
func (w *Workspace) Edit(ctx context.Context, user, channel, ts, text string) error {
	return w.act(ctx, func() error {
		c, m, err := w.memberMessage(user, channel, ts)
		if err != nil {
			return err
		}
		if m.user != user || m.postedByApp {
			return notAllowed("%s did not write %s", user, ts)
		}
		w.edit(c, m, user, func(m *message) { m.text, m.blocks = text, richText(text) })
		return nil
	})
}

// Delete is a member who deletes an own message, or an administrator who deletes any.
func (w *Workspace) Delete(ctx context.Context, user, channel, ts string) error {
	return w.act(ctx, func() error {
		c, m, err := w.memberMessage(user, channel, ts)
		if err != nil {
			return err
		}
		if m.user != user && !w.users[user].admin {
			return notAllowed("%s may not delete %s", user, ts)
		}
		w.delete(c, m)
		return nil
	})
}

// React is a member who adds a reaction; name is without colons.
func (w *Workspace) React(ctx context.Context, user, channel, ts, name string) error {
	return w.act(ctx, func() error {
		c, m, err := w.memberMessage(user, channel, ts)
		if err != nil {
			return err
		}
		if !emojiName.MatchString(name) || !w.react(c, m, user, name) {
			return notAllowed("reaction %q", name)
		}
		return nil
	})
}

// Unreact is a member who takes an own reaction back.
func (w *Workspace) Unreact(ctx context.Context, user, channel, ts, name string) error {
	return w.act(ctx, func() error {
		c, m, err := w.memberMessage(user, channel, ts)
		if err != nil {
			return err
		}
		if !w.unreact(c, m, user, name) {
			return notAllowed("no reaction %q of %s", name, user)
		}
		return nil
	})
}

// Pin is a member who pins a message.
func (w *Workspace) Pin(ctx context.Context, user, channel, ts string) error {
	return w.act(ctx, func() error {
		c, m, err := w.memberMessage(user, channel, ts)
		if err != nil {
			return err
		}
		if !w.pin(c, m, user) {
			return notAllowed("%s is pinned", ts)
		}
		return nil
	})
}

// Unpin is a member who unpins a message.
func (w *Workspace) Unpin(ctx context.Context, user, channel, ts string) error {
	return w.act(ctx, func() error {
		c, m, err := w.memberMessage(user, channel, ts)
		if err != nil {
			return err
		}
		if !w.unpin(c, m, user) {
			return notAllowed("%s is not pinned", ts)
		}
		return nil
	})
}

// Join is a person who joins a public channel.
func (w *Workspace) Join(ctx context.Context, user, channel string) error {
	return w.act(ctx, func() error {
		_, c, err := w.person(user, channel)
		if err != nil {
			return err
		}
		if c.kind != kindPublic || c.archived || !w.join(c, user, "") {
			return notAllowed("%s cannot join %s", user, channel)
		}
		return nil
	})
}

// Leave is a member who leaves a channel.
func (w *Workspace) Leave(ctx context.Context, user, channel string) error {
	return w.act(ctx, func() error {
		c, err := w.member(user, channel)
		if err != nil {
			return err
		}
		if c.general || c.kind == kindIM || c.kind == kindMPIM {
			return notAllowed("%s cannot leave %s", user, channel)
		}
		w.leave(c, user, "")
		return nil
	})
}

// Invite is a member who brings another into a channel, the app's bot user too.
func (w *Workspace) Invite(ctx context.Context, user, channel, invited string) error {
	return w.act(ctx, func() error {
		c, err := w.member(user, channel)
		if err != nil {
			return err
		}
		if u := w.users[invited]; u == nil || u.deleted || c.kind == kindIM || c.kind == kindMPIM || !w.join(c, invited, user) {
			return notAllowed("%s cannot be invited", invited)
		}
		return nil
	})
}

// Kick is a member who removes another from a channel.
func (w *Workspace) Kick(ctx context.Context, user, channel, kicked string) error {
	return w.act(ctx, func() error {
		c, err := w.member(user, channel)
		if err != nil {
			return err
		}
		if kicked == user || c.general || !c.has(kicked) || c.kind == kindIM || c.kind == kindMPIM {
			return notAllowed("%s cannot be removed", kicked)
		}
		w.leave(c, kicked, user)
		return nil
	})
}

// Rename is the creator of a channel, or an administrator in it, who renames it.
func (w *Workspace) Rename(ctx context.Context, user, channel, name string) error {
	return w.act(ctx, func() error {
		c, err := w.member(user, channel)
		if err != nil {
			return err
		}
		if c.creator != user && !w.users[user].admin {
			return notAllowed("%s may not rename %s", user, channel)
		}
		if err := checkChannelName(name); err != nil || c.name == name || w.nameTaken(name, c) {
			return notAllowed("the name %q", name)
		}
		w.rename(c, user, name)
		return nil
	})
}

// SetTopic is a member who sets a channel's topic.
func (w *Workspace) SetTopic(ctx context.Context, user, channel, topic string) error {
	return w.act(ctx, func() error {
		c, err := w.member(user, channel)
		if err != nil {
			return err
		}
		w.setTopic(c, user, topic)
		return nil
	})
}

// Archive is a member who archives a channel.
func (w *Workspace) Archive(ctx context.Context, user, channel string) error {
	return w.act(ctx, func() error {
		c, err := w.member(user, channel)
		if err != nil {
			return err
		}
		if c.general || c.kind == kindIM || c.kind == kindMPIM {
			return notAllowed("%s cannot be archived", channel)
		}
		w.archive(c, user)
		return nil
	})
}

// OpenDM returns the direct message, or group message, of these people, and makes it if there is none.
func (w *Workspace) OpenDM(users ...string) string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	c, _ := w.openDM(users)
	return c.id
}
