package discord

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// webhook is the way of every delivery, by HTTP and by the Gateway.
func (a *app) webhook() gateway.Webhook[*Discord, *message] {
	return gateway.Webhook[*Discord, *message]{
		Verify: func(_ *Discord, d *gateway.Delivery) error { return verify(a.key, d) },
		Parse:  parse,
		Greet: func(m *message) (gateway.Reply, bool) {
			if m.greet == nil {
				return gateway.Reply{}, false
			}
			return *m.greet, true
		},
		ID: func(m *message) string { return m.fact },
		Route: func(m *message) gateway.Target {
			t := gateway.Target{Process: m.process}
			if m.guild != "" {
				t.Platform = []string{m.guild}
			}
			return t
		},
		Refs:    refs,
		Echo:    (*Discord).echo,
		Receive: (*Discord).receive,
		Slow:    func(m *message) bool { return m.mayHaveActor() || m.isGoodbye() },
		Handle:  (*Discord).handle,
		Ack:     ack,
	}
}

// window is how far a delivery's time may be from ours. Discord documents none; it does not retry interactions, keeps what happens for a lost connection
// for a few minutes, and clocks differ.
const window = 5 * time.Minute

// verify checks Discord's signature (https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint-validating-security-request-headers).
// Discord now and then sends wrong ones, and takes an endpoint out of use that does not answer them with 401.
func verify(key ed25519.PublicKey, d *gateway.Delivery) error {
	if len(key) != ed25519.PublicKeySize {
		return errors.New("there is no public key to check it with")
	}
	at := d.Header.Get("X-Signature-Timestamp")
	signature, err := hex.DecodeString(d.Header.Get("X-Signature-Ed25519"))
	if err != nil || len(signature) != ed25519.SignatureSize {
		return errors.New("it has no signature")
	}
	if !ed25519.Verify(key, append([]byte(at), d.Body...), signature) {
		return errors.New("its signature is wrong")
	}
	if sec, ok := seconds(at); !ok || d.Received.Sub(sec).Abs() > window {
		return errors.New("it was signed too long ago, or too far in the future")
	}
	return nil
}

// seconds reads the time of a signature: seconds since 1970, in ten digits for the next centuries.
func seconds(s string) (time.Time, bool) {
	var n int64
	if len(s) == 0 || len(s) > 11 {
		return time.Time{}, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return time.Time{}, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return time.Unix(n, 0), true
}

// refs names the messages that something is about, or the channel that was deleted.
func refs(m *message) []string {
	var out []string
	if m.place && m.channel != "" {
		out = append(out, channelRef(m.channel))
	}
	for _, id := range m.ids {
		if m.channel != "" && m.interaction == 0 {
			out = append(out, messageRef(m.channel, id))
		}
	}
	return out
}

func channelRef(id string) string { return "channel:" + id }

func messageRef(channel, id string) string { return "message:" + channel + ":" + id }

// bulkRef names the deletion of messages together, in whatever order they are named.
func bulkRef(channel string, ids []string) string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return "deleted-bulk:" + channel + ":" + digest([]byte(strings.Join(ids, ",")))
}

func nonceRef(nonce string) string { return "nonce:" + nonce }

// echo says under which names a call of ours would have announced this. What people do never matches.
func (d *Discord) echo(m *message) []string {
	about := ""
	if len(m.ids) > 0 {
		about = messageRef(m.channel, m.ids[0])
	}
	switch {
	case m.entry != nil && d.ours(m.entry.UserID):
		return []string{auditRef(m.entry.ActionType, m.entry.TargetID)}
	case m.typ == "MESSAGE_CREATE" && d.ours(m.user):
		out := []string{about}
		if m.nonce != "" {
			out = append(out, nonceRef(m.nonce))
		}
		return out
	case m.typ == "MESSAGE_UPDATE" && d.ours(m.user):
		return []string{"edited:" + about}
	case m.typ == "MESSAGE_DELETE":
		return []string{"deleted:" + about}
	case m.typ == "MESSAGE_DELETE_BULK":
		return []string{bulkRef(m.channel, m.ids)}
	case m.typ == "MESSAGE_REACTION_ADD" && d.ours(m.user):
		return []string{m.typ + ":" + about}
	case m.typ == "MESSAGE_REACTION_REMOVE":
		return []string{"unreacted:" + about + ":" + m.reaction}
	case m.typ == "THREAD_CREATE" && d.ours(m.user):
		return []string{"thread:" + string(m.parent())}
	}
	return nil
}

// parent is the channel of a thread.
func (m *message) parent() text {
	var t struct {
		Parent text `json:"parent_id"`
	}
	_ = json.Unmarshal(m.data, &t) // it was read before
	return t.Parent
}

// receive makes the event. A click on one of our votes is a ballot, and no event besides; nor is what has to wait for who did it.
func (d *Discord) receive(ctx context.Context, m *message) (gateway.Reply, error) {
	switch {
	case m.process != "":
		return gateway.Reply{}, nil
	case m.entry != nil:
		return gateway.Reply{}, d.receiveEntry(ctx, m)
	case m.mayHaveActor():
		return gateway.Reply{}, d.await(ctx, m)
	case m.typ == "GUILD_CREATE":
		return gateway.Reply{}, d.arrive(ctx, m)
	}
	return gateway.Reply{}, d.emit(ctx, m)
}

// added is when the bot was added to the guild, as Discord says it.
var added gateway.Key[string] = "added"

// arrive makes an event of a guild to which the bot was added. Discord tells of all guilds with each new session, for longer than deliveries are kept, and
// of those that it has lost for a while.
func (d *Discord) arrive(ctx context.Context, m *message) error {
	var a about
	if m.outage || json.Unmarshal(m.data, &a) != nil { // it was read before
		return nil
	}
	known := false
	_, err := added.Update(ctx, d, func(before string) (string, error) {
		known = before != "" && before == string(a.Joined)
		return string(a.Joined), nil
	})
	if err != nil || known {
		return err
	}
	return d.emit(ctx, m)
}

// emit makes the event of a delivery.
func (d *Discord) emit(ctx context.Context, m *message) error {
	return d.Emit(ctx, m.typ, gateway.Meta{ID: m.fact, Initiator: m.user, Bot: d.ours(m.user), At: m.at}, m.data)
}

// goodbyes are the events after which the bot may not be in the guild any more.
var goodbyes = []string{"GUILD_DELETE", "APPLICATION_DEAUTHORIZED"}

// isGoodbye passes over GUILD_DELETE of an outage: the guild comes back.
func (m *message) isGoodbye() bool { return slices.Contains(goodbyes, m.typ) && !m.outage }

// handle does what takes time: it asks who did something where the audit log has not said so by itself, and whether we are still in the guild after
// somebody said that we are not. The delivery may be late, and the bot added again meanwhile.
func (d *Discord) handle(ctx context.Context, m *message) error {
	if !m.isGoodbye() {
		return d.askWho(ctx, m)
	}
	err := d.present(ctx)
	if badCredentials(err) || gone(err) {
		if e := d.Pause(ctx, gateway.BadCredentials); e != nil {
			return e
		}
		return nil
	}
	return err
}

// The types of answers to an interaction (https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-response-object).
const (
	pong          = 1
	answerMessage = 4
	answerLater   = 5
	updateLater   = 6
	ephemeral     = 1 << 6 // of a message's flags: only who clicked sees it
)

// reply is an answer without content.
func reply(kind int) *gateway.Reply {
	return &gateway.Reply{Body: []byte(`{"type":` + itoa(kind) + `}`)}
}

// tell answers whoever clicked, and nobody else.
func tell(content string) gateway.Reply {
	raw, err := json.Marshal(map[string]any{
		"type": answerMessage, "data": map[string]any{"content": clip(content, maxContent), "flags": ephemeral, "allowed_mentions": noMentions},
	})
	if err != nil { // text and numbers
		return gateway.Reply{}
	}
	return gateway.Reply{Body: raw}
}

// noMentions is allowed_mentions of all that a vote or an answer of ours says: nobody is rung by it, whatever is in it.
var noMentions = map[string]any{"parse": []string{}}

// ack answers in time what nobody has answered: Discord waits for three seconds, and shows a failure afterwards. A command is answered later, by the
// action respond; a click needs nothing more.
func ack(m *message) gateway.Reply {
	switch m.interaction {
	case 0:
		return gateway.Reply{Status: http.StatusNoContent}
	case componentKind:
		return *reply(updateLater)
	case autocompleteKind:
		return gateway.Reply{Body: []byte(`{"type":8,"data":{"choices":[]}}`)}
	case modalKind:
		if m.inMessage {
			return *reply(updateLater)
		}
	}
	return *reply(answerLater)
}

// outsideReply answers an interaction that belongs to no guild: in direct messages, or of an app that somebody added to their own account.
func outsideReply(k kind) *gateway.Reply {
	switch k {
	case autocompleteKind:
		r := ack(&message{interaction: k})
		return &r
	case componentKind:
		return reply(updateLater)
	}
	r := tell("This works only in a server that has added the app.")
	return &r
}
