package discord

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// Every message that is posted carries a nonce made of the call that posts it. Discord, asked to enforce it, gives a second request with it the first
// one's message, "for a few minutes" (https://docs.discord.com/developers/resources/message#create-message, checked 2026-11), and names it in the event of the
// message. A channel's history does not name it: there, ours is the message that says the same and that no answer has named.

// nonceOf makes a nonce: at most 25 characters.
func nonceOf(call string) string {
	sum := sha256.Sum256([]byte(call))
	return "gw" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// posting is what is durable before Discord hears of a message.
type posting struct {
	Channel string    `json:"channel"`
	Since   time.Time `json:"since"`
}

// Posted is the answer of whatever posts a message.
type Posted struct {
	Channel string `json:"channel" jsonschema_description:"Where the message is, also for messages to people."`
	ID      string `json:"id" jsonschema_description:"The message's ID."`
}

// postOnce posts a message in a channel that was looked at. What is saved before is what [Discord.findPosted] needs where the answer is lost.
func (d *Discord) postOnce(ctx context.Context, channel string, fields map[string]any, needs string) (Posted, error) {
	call := gateway.CallOf(ctx)
	if err := call.Save(ctx, posting{Channel: channel, Since: call.Started()}); err != nil {
		return Posted{}, err
	}
	return d.send(ctx, channel, nonceOf(call.ID()), fields, needs)
}

// toPost is what the bot needs to post.
const toPost = "SEND_MESSAGES (in a thread SEND_MESSAGES_IN_THREADS)"

// send posts under a nonce.
func (d *Discord) send(ctx context.Context, channel, nonce string, fields map[string]any, needs string) (Posted, error) {
	c := gateway.CallOf(ctx)
	if err := c.Expect(ctx, nonceRef(nonce)); err != nil {
		return Posted{}, err
	}
	fields["nonce"], fields["enforce_nonce"] = nonce, true
	var out struct {
		ID string `json:"id"`
	}
	q := call{method: http.MethodPost, path: path("channels", channel, "messages"), body: fields, once: true, needs: orElse(needs, toPost)}
	err := d.call(ctx, q, &out)
	if err == nil && out.ID == "" {
		err = gateway.Errorf(gateway.Unknown, "discord: a message was posted without saying which")
	}
	if err != nil {
		return Posted{}, err
	}
	c.Caused(messageRef(channel, out.ID), nonceRef(nonce))
	if err := d.claim(ctx, out.ID); err != nil {
		d.Log.WarnContext(ctx, "that a message was posted could not be noted", "channel", channel, "message", out.ID, "error", err)
	}
	return Posted{channel, out.ID}, nil
}

// known are the last messages, channels and roles of which it is known what made them.
var known gateway.Key[[]string] = "made"

// maxKnown bounds them: it is more than a bot makes in a server within the time in which an answer is looked for.
const maxKnown = 500

// claim notes that it is known what posted a message, or made something.
func (d *Discord) claim(ctx context.Context, id string) error {
	_, err := known.Update(ctx, d, func(list []string) ([]string, error) {
		if slices.Contains(list, id) {
			return list, nil
		}
		return append(list[max(0, len(list)-maxKnown+1):], id), nil
	})
	return err
}

// findPosted is the look-up of post-message: it looks where the message was to go, since the first try.
func (d *Discord) findPosted(ctx context.Context, in Message) (Posted, gateway.Found, error) {
	return d.findSame(ctx, in.became)
}

// became reports whether a message may be what became of the input: Discord trims texts, and adds embeds of what is behind links.
func (in Message) became(m Post) bool {
	return m.Content == strings.TrimSpace(in.Content) && len(m.Embeds) >= len(in.Embeds) && (m.Poll == nil) == (in.More["poll"] == nil)
}

// findSame looks for what a call posted; same says what it would look like.
func (d *Discord) findSame(ctx context.Context, same func(Post) bool) (Posted, gateway.Found, error) {
	call := gateway.CallOf(ctx)
	var p posting
	if !call.Saved(&p) {
		return Posted{}, gateway.DidNot, nil // Discord never heard of it
	}
	nonce := nonceOf(call.ID())
	id, err := d.find(ctx, p, nonce, same)
	switch {
	case refusedAs(err, codeUnknownChannel):
		return Posted{}, gateway.DidNot, nil
	case err != nil:
		return Posted{}, gateway.CannotTell, err
	case id == "":
		return Posted{}, gateway.DidNot, nil
	}
	call.Caused(messageRef(p.Channel, id), nonceRef(nonce))
	return Posted{p.Channel, id}, gateway.Happened, nil
}

// nonce is what the program that posted a message calls it; false where Discord does not say it any more.
func (p Post) nonce() (string, bool) {
	var s string
	if len(p.Nonce) == 0 || json.Unmarshal(p.Nonce, &s) != nil {
		return "", false
	}
	return s, s != ""
}

// lookPages bounds what a look-up reads, 100 messages each.
const lookPages = 50

// ordinary are the kinds of messages that are posted: simply, and in reply. Of the others Discord says something in the name of who did it: that a message was
// pinned, what came of a poll (https://docs.discord.com/developers/resources/message#message-object-message-types, checked 2026-11).
var ordinary = []int{0, 19}

// find looks in a channel for the message of our own, since a time, that has a nonce, or, where the history does not name any, is the same and has been
// posted by nothing that is known. "": there is none. What is found is known from then on.
func (d *Discord) find(ctx context.Context, p posting, nonce string, same func(Post) bool) (id string, err error) {
	const limit = 100
	have, err := known.Get(ctx, d)
	if err != nil {
		return "", err
	}
	after := snowflakeAt(p.Since.Add(-time.Minute)) // our clock may be ahead of Discord's
	for range lookPages {
		var page []struct {
			Post
			Webhook text `json:"webhook_id"`
		}
		q := url.Values{"limit": {itoa(limit)}, "after": {after}}
		if err := d.call(ctx, call{path: path("channels", p.Channel, "messages"), query: q, needs: "READ_MESSAGE_HISTORY"}, &page); err != nil {
			return "", err
		}
		for _, m := range slices.Backward(page) { // newest first
			named, ok := m.nonce()
			posted := d.ours(m.Author.ID) && slices.Contains(ordinary, m.Type) && m.Webhook == "" // no answer to an interaction, and no word of Discord's own
			if posted && !slices.Contains(have, m.ID) && (ok && named == nonce || !ok && same(m.Post)) {
				return m.ID, d.claim(ctx, m.ID)
			}
		}
		if len(page) == 0 {
			return "", d.hidden(ctx, p, after)
		}
		if len(page) < limit {
			return "", nil
		}
		after = page[0].ID
	}
	return "", gateway.Errorf(gateway.Unavailable, "discord: more than %d messages came since; whether ours is behind them is not known", limit*lookPages)
}

// nonceLife is for how long a nonce is surely known to Discord, which says "a few minutes".
const nonceLife = 2 * time.Minute

// hidden is the error of a channel whose history seems to be empty after a message, and is not: without READ_MESSAGE_HISTORY Discord shows nothing, and no
// error (https://docs.discord.com/developers/resources/message#get-channel-messages, checked 2026-11). As long as the nonce is known that does no harm.
func (d *Discord) hidden(ctx context.Context, p posting, after string) error {
	if d.Now().Sub(p.Since) < nonceLife {
		return nil
	}
	var place struct {
		GuildID text `json:"guild_id"`
		Last    text `json:"last_message_id"`
	}
	if err := d.call(ctx, call{path: path("channels", p.Channel), needs: "VIEW_CHANNEL"}, &place); err != nil {
		return err
	}
	if place.GuildID == "" || !snowflakeTime(string(place.Last)).After(snowflakeTime(after)) {
		return nil
	}
	return gateway.Errorf(gateway.Denied, "discord: what was posted in channel %s cannot be read: the bot needs the permission READ_MESSAGE_HISTORY there", p.Channel)
}

// directToMember is [Discord.direct] for who is in our guild: Discord lets the bot write to everybody who shares any guild with it, and the others are
// other communities'. NotFound: they are not in it.
func (d *Discord) directToMember(ctx context.Context, user string) (string, error) {
	if err := d.call(ctx, call{path: d.in("members", user)}, nil); err != nil {
		return "", fmt.Errorf("looking for a person in this server: %w", err)
	}
	return d.direct(ctx, user)
}

// direct gives the conversation with one person.
func (d *Discord) direct(ctx context.Context, user string) (string, error) {
	var out struct {
		ID string `json:"id"`
	}
	err := d.call(ctx, call{method: http.MethodPost, path: "/users/@me/channels", body: map[string]string{"recipient_id": user}}, &out)
	if err == nil && out.ID == "" {
		err = gateway.Errorf(gateway.Unavailable, "discord: the conversation with %s has no ID", user)
	}
	if err != nil {
		return "", fmt.Errorf("opening the conversation with a person: %w", err)
	}
	return out.ID, nil
}
