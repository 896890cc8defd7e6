package discord

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	gateway "github.com/metagov/gateway-go"
)

// act is one call that changes something which repeating does not change further.
type act struct {
	call
	echoes []string // as what Discord's events of it will be known, see [(*Discord).echo]
	gone   []int    // Discord's codes for it when it is so already
}

// attempted is what is durable before Discord hears of an act.
type attempted struct {
	Sent bool `json:"sent"`
}

// perform acts. An answer that is lost makes it act again, which does no harm and shows what became of it. same says that it was so before, and nothing
// was done. What Discord's events of it will look like is kept before it hears of it.
func (d *Discord) perform(ctx context.Context, a act, out any) (same bool, err error) {
	call := gateway.CallOf(ctx)
	var before attempted
	again := call.Saved(&before) && before.Sent
	if err := call.Save(ctx, attempted{true}); err != nil {
		return false, err
	}
	if len(a.echoes) > 0 {
		if err := call.Expect(ctx, a.echoes...); err != nil {
			return false, err
		}
	}
	a.once = true // whether it was done is not known where the answer is lost
	err = d.call(ctx, a.call, out)
	if gateway.CodeOf(err) == gateway.Unknown && !again {
		again = true
		err = d.call(ctx, a.call, out)
	}
	switch {
	case refusedAs(err, a.gone...) && !again:
		return true, nil
	case err == nil, refusedAs(err, a.gone...): // of which the first attempt was not answered
		call.Caused(a.echoes...)
		d.did(ctx, a.echoes)
		return false, nil
	}
	return false, err
}

// done is [Discord.perform] for an action that has nothing else to say.
func (d *Discord) done(ctx context.Context, a act) (Done, error) {
	same, err := d.perform(ctx, a, nil)
	return Done{Already: same}, err
}

// in is a path in our guild.
func (d *Discord) in(parts ...string) string {
	return path(slices.Concat([]string{"guilds", d.config.GuildID}, parts)...)
}

// guildOf refuses a channel that is in another guild: the bot may be in it too, and it may be another community's.
func (d *Discord) guildOf(ctx context.Context, channel string) error {
	_, err := d.place(ctx, channel)
	return err
}

// place says where a channel of our guild is. NotFound: there is none of that ID.
func (d *Discord) place(ctx context.Context, id string) (place, error) {
	if at, ok := d.app.channels.get(id); ok && at.guild == d.config.GuildID {
		return at, nil
	}
	var out struct {
		Channel
		GuildID string `json:"guild_id"`
	}
	if err := d.call(ctx, call{path: path("channels", id), needs: "VIEW_CHANNEL"}, &out); err != nil {
		return place{}, err
	}
	if out.GuildID != d.config.GuildID {
		return place{}, gateway.Errorf(gateway.NotFound, "channel %s is not in server %s", id, d.config.GuildID)
	}
	at := place{guild: out.GuildID}
	if out.Thread != nil {
		at.parent = out.ParentID
	}
	d.app.channels.put(id, at)
	return at, nil
}

// inThread calls for a change in a channel. If that is a thread that has been put away it is taken out first: Discord puts threads away by itself after a
// while without a message, and lets nothing in them be changed then (https://docs.discord.com/developers/topics/threads#active-archived-threads,
// checked 2026-11).
func (d *Discord) inThread(ctx context.Context, channel string, q call) error {
	err := d.call(ctx, q, nil)
	if !refusedAs(err, codeThreadArchived) {
		return err
	}
	open := call{method: http.MethodPatch, path: path("channels", channel), body: map[string]any{"archived": false}, needs: "MANAGE_THREADS"}
	if err := d.call(ctx, open, nil); err != nil {
		return fmt.Errorf("taking a thread out again: %w", err)
	}
	return d.call(ctx, q, nil)
}
