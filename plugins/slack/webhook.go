package slack

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// webhook is the way of every delivery.
func (s *app) webhook() gateway.Webhook[*Slack, *message] {
	return gateway.Webhook[*Slack, *message]{
		Verify: func(_ *Slack, d *gateway.Delivery) error { return verify(s.SigningSecret, d) },
		Parse:  parse,
		Greet:  greet,
		ID:     func(m *message) string { return first(m.fact, m.id) },
		Route:  func(m *message) gateway.Target { return gateway.Target{Platform: m.teams, Process: m.process} },
		Refs: func(m *message) []string {
			if m.channel == "" || m.ts == "" {
				return nil
			}
			return []string{messageRef(m.channel, m.ts)}
		},
		Echo:    (*Slack).echo,
		Receive: (*Slack).receive,
		Slow:    func(m *message) bool { return slices.Contains(goodbyes, m.typ) },
		Handle:  (*Slack).handle,
		Answer:  (*Slack).answer,
	}
}

// goodbyes are the events after which our token may not work any more.
var goodbyes = []string{"app_uninstalled", "tokens_revoked", "team_access_revoked"}

// window is how far a delivery's time may be from ours, either way; Slack's own SDKs say five minutes.
const window = 5 * time.Minute

// verify checks Slack's signature (https://docs.slack.dev/authentication/verifying-requests-from-slack).
func verify(secret gateway.Secret, d *gateway.Delivery) error {
	if secret == "" {
		return errors.New("there is no signing secret to check it with")
	}
	stamp := d.Header.Get("X-Slack-Request-Timestamp")
	sec, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errors.New("it has no time")
	}
	// Compared as numbers: a time.Duration would overflow far in the future and seem near.
	if now := d.Received.Unix(); sec < now-int64(window/time.Second) || sec > now+int64(window/time.Second) {
		return errors.New("it was signed too long ago, or too far in the future")
	}
	given, ok := strings.CutPrefix(d.Header.Get("X-Slack-Signature"), "v0=")
	got, err := hex.DecodeString(given)
	if !ok || err != nil {
		return errors.New("it has no signature")
	}
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	fmt.Fprintf(mac, "v0:%s:", stamp)
	mac.Write(d.Body)
	if !hmac.Equal(got, mac.Sum(nil)) {
		return errors.New("its signature is wrong")
	}
	return nil
}

// greet answers what is for no community.
func greet(m *message) (gateway.Reply, bool) {
	switch {
	case m.challenge != "":
		return gateway.Reply{ContentType: "text/plain; charset=utf-8", Body: []byte(m.challenge)}, true
	case m.check, m.typ == "":
		return gateway.Reply{}, true
	}
	return gateway.Reply{}, false
}

// messageRef names a message among a workspace's: time stamps are unique in a channel only.
func messageRef(channel, ts string) string { return "message:" + channel + ":" + ts }

// postingRef stands for whatever our bot is just posting in a channel: its time stamp is not known before Slack answers.
func postingRef(channel string) string { return "posting:" + channel }

// echo says under which names a call of ours would have announced this.
func (s *Slack) echo(m *message) []string {
	var out []string
	if m.posted && m.channel != "" {
		posting := postingRef(m.channel)
		if !s.ours(m.user, m.bot) {
			posting = echoOfPerson(posting, m.user)
		}
		out = append(out, messageRef(m.channel, m.ts), posting)
	}
	switch {
	case m.echo == "":
	case m.by == "" || s.ours(m.by, m.by):
		out = append(out, m.echo)
	default:
		out = append(out, echoOfPerson(m.echo, m.by)) // whom we may have acted for
	}
	return out
}

// receive makes the event. A click on one of our votes is a ballot, and no event besides.
func (s *Slack) receive(ctx context.Context, m *message) (gateway.Reply, error) {
	if m.process != "" {
		return gateway.Reply{}, nil
	}
	meta := gateway.Meta{ID: m.id, Initiator: m.user, Bot: s.ours(m.user, m.bot), At: m.at}
	if meta.Bot && meta.Initiator == "" {
		meta.Initiator = s.config.BotUserID // a message under another name names the bot only
	}
	if m.typ == "app_rate_limited" {
		s.Log.WarnContext(ctx, "Slack holds events back because there are too many; messages are fetched when it is over", "since", m.at)
		if s.Now().Sub(m.at).Abs() < time.Hour { // or the number is no time
			if err := s.Repair(ctx, gateway.Gap{Since: m.at, Until: m.at.Add(rateWindow)}); err != nil {
				return gateway.Reply{}, err
			}
		}
	}
	return gateway.Reply{}, s.Emit(ctx, m.typ, meta, m.data)
}

// rateWindow is for how long one app_rate_limited speaks: Slack sends another each minute (https://docs.slack.dev/apis/events-api/#rate-limiting).
const rateWindow = 2 * time.Minute

// handle looks whether our token still works after Slack said that one does not. Asking makes sure of it: the delivery may be
// late, and the app installed again meanwhile. Of people's own tokens Slack says whose.
func (s *Slack) handle(ctx context.Context, m *message) error {
	var gone struct {
		Tokens struct {
			OAuth []string `json:"oauth"`
		} `json:"tokens"`
	}
	if m.typ == "tokens_revoked" && json.Unmarshal(m.data, &gone) == nil {
		for _, user := range gone.Tokens.OAuth {
			if err := s.RefuseToken(ctx, user, m.at); err != nil {
				return err
			}
		}
	}
	err := s.call(ctx, "auth.test", nil, nil)
	if badCredentials(err) {
		return nil // call has paused the instance
	}
	return err
}

// told is a reply that one person gets to read.
type told struct {
	Text string `json:"text"`
}

// tell says something to whoever clicked, and to nobody else, after the delivery was acknowledged.
func tell(text string) (gateway.Reply, error) {
	raw, err := json.Marshal(told{text})
	return gateway.Reply{Then: raw}, err
}

// answer brings what tell said: by the response URL, which Slack gives with a click, or otherwise as an ephemeral message.
func (s *Slack) answer(ctx context.Context, m *message, then json.RawMessage) error {
	var t told
	if err := json.Unmarshal(then, &t); err != nil {
		return gateway.Errorf(gateway.Internal, "decoding an answer: %w", err)
	}
	err := s.respond(ctx, m.responseURL, t.Text)
	if err == nil || gateway.CodeOf(err) == gateway.Unavailable {
		return err
	}
	err = s.call(ctx, "chat.postEphemeral", args{"channel": m.channel, "user": m.user, "thread_ts": m.thread, "text": t.Text}, nil)
	switch gateway.CodeOf(err) {
	case gateway.NotFound, gateway.Conflict, gateway.Invalid, gateway.Unknown:
		s.Log.InfoContext(ctx, "somebody could not be told what became of a click", "user", m.user, "channel", m.channel, "error", err)
		return nil // they see the message itself; telling them twice would be worse
	}
	return err
}

// respond posts to a response URL. It is used only if it is Slack's: whatever else a payload names there would be an address of
// somebody's choice that we call from inside our network.
func (s *Slack) respond(ctx context.Context, to, text string) error {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "https" || u.Host != "hooks.slack.com" || u.User != nil {
		return gateway.Errorf(gateway.NotFound, "there is no response URL of Slack's")
	}
	body, err := json.Marshal(map[string]any{"response_type": "ephemeral", "replace_original": false, "text": text})
	if err != nil {
		return gateway.Errorf(gateway.Internal, "encoding an answer: %w", err)
	}
	status, _, _, err := post(ctx, s.Guarded, to, "application/json; charset=utf-8", nil, string(body))
	switch {
	case err != nil || status >= 500 || status == http.StatusTooManyRequests:
		return gateway.Errorf(gateway.Unavailable, "a response URL did not answer (status %d)", status) // the URL itself is a capability
	case status >= 300:
		return gateway.Errorf(gateway.NotFound, "a response URL works no more (status %d)", status)
	}
	return nil
}
