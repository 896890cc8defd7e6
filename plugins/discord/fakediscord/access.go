package fakediscord

import (
	"net/url"
	"strconv"
	"time"
)

// This file finds what a request is about, and whether who asks may.

// guild is the guild of the path; the bot has to be in it. Discord tells a guild that is not there from one without the bot
// in neither case.
func (r *request) guild() (*Guild, error) {
	g := r.s.guild(r.vars["guild_id"])
	if g == nil || !g.bot {
		if r.route.path == "/guilds/{guild_id}" {
			return nil, refuse(10004)
		}
		return nil, refuse(50001)
	}
	return g, nil
}

// guildWith also wants permissions in the guild.
func (r *request) guildWith(perms uint64) (*Guild, error) {
	g, err := r.guild()
	if err != nil {
		return nil, err
	}
	if g.guildPerms(r.me())&perms != perms {
		return nil, refuse(50013)
	}
	return g, nil
}

// channel is the channel of the path, which the bot has to see.
func (r *request) channel() (*channel, error) {
	return r.s.seen(r.vars["channel_id"], r.me())
}

// seen finds a channel that somebody sees.
func (s *Server) seen(id, who string) (*channel, error) {
	c := s.channel(id)
	switch {
	case c == nil:
		return nil, refuse(10003)
	case c.g == nil:
		if who != s.app.BotUser && who != c.recipient {
			return nil, refuse(50001)
		}
	case !c.visible(who):
		return nil, refuse(50001)
	}
	return c, nil
}

// visible says whether somebody sees a channel of a guild: private threads only those who are in them, and who manages threads.
func (c *channel) visible(who string) bool {
	p := c.g.perms(who, c)
	return p&PermViewChannel != 0 && (c.typ != privateThread || c.hasMember(who) || p&PermManageThreads != 0)
}

// channelWith also wants permissions in the channel. In direct messages all that matters is allowed.
func (r *request) channelWith(perms uint64) (*channel, error) {
	c, err := r.channel()
	if err != nil {
		return nil, err
	}
	return c, c.need(r.me(), perms)
}

func (c *channel) need(who string, perms uint64) error {
	if c.g != nil && c.g.perms(who, c)&perms != perms {
		return refuse(50013)
	}
	return nil
}

// message is the message of the path.
func (r *request) message(perms uint64) (*message, error) {
	c, err := r.channelWith(perms)
	if err != nil {
		return nil, err
	}
	m := c.messages[r.vars["message_id"]]
	if m == nil || m.whisperTo != "" {
		return nil, refuse(10008)
	}
	return m, nil
}

// count reads a limit of a page.
func count(q url.Values, least, most, fallback int) (int, error) {
	if !q.Has("limit") {
		return fallback, nil
	}
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil {
		return 0, invalid("limit", "NUMBER_TYPE_COERCE", "Value is not int.")
	}
	if n < least || n > most {
		return 0, outside("limit", least, most)
	}
	return n, nil
}

// cursor reads an ID to page from; 0 if there is none.
func cursor(q url.Values, name string) (uint64, error) {
	v := q.Get(name)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		return 0, notSnowflake(name, v)
	}
	return n, nil
}

func parseTime(v string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, v)
	return t, err == nil
}
