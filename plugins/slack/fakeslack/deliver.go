package fakeslack

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
	"strconv"
	"strings"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// Delivery is one event that the fake sent or tried to send to the app, or an interaction.
type Delivery struct {
	Kind     string // "events_api", "interactive" or "slash_commands", as Socket Mode calls them
	Type     string // of the event or the interaction, such as "message" or "block_actions"
	Subtype  string
	Team     string
	EventID  string
	Body     []byte // as sent: JSON, or the form
	Attempts []Attempt
	Dropped  string // why it was never sent: "no request URL", "missing scope channels:history"
	GivenUp  bool   // no more retries: three were made, or the app asked for none
}

// Attempt is one try of a delivery.
type Attempt struct {
	At       time.Time
	RetryNum int // 0 for the first
	Reason   string
	Answer   Answer
	Failed   string // Slack's word for what went wrong, "" for success: http_timeout, connection_failed, http_error
}

// SetRequestURL says where events, interactivity and commands are delivered. A nil client is a plain http.Client.
// An empty URL switches deliveries off. A connected socket takes precedence.
func (s *Server) SetRequestURL(url string, client *http.Client) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	s.queue.url, s.queue.client = url, fake.NoRedirects(client)
}

// Sign puts Slack's signature of the body, at the fake's time, on a request.
func (s *Server) Sign(r *http.Request, body []byte) { s.SignAt(r, body, s.opt.Now()) }

// SignAt is [Server.Sign] with another time, to try what is too old.
func (s *Server) SignAt(r *http.Request, body []byte, at time.Time) {
	ts := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.app.SigningSecret))
	fmt.Fprintf(mac, "v0:%s:", ts)
	mac.Write(body)
	r.Header.Set("X-Slack-Request-Timestamp", ts)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
}

// envelope wraps an event of the Events API. The caller holds s.mu.
func (w *Workspace) envelope(event object) (object, string) {
	s := w.s
	if event["event_ts"] == nil {
		event["event_ts"] = s.ts()
	}
	id := s.id("Ev")
	o := object{
		"token": s.app.VerificationToken, "team_id": w.id, "context_team_id": w.id, "context_enterprise_id": nil,
		"api_app_id": s.app.AppID, "event": event, "type": "event_callback", "event_id": id,
		"event_time": unix(s.opt.Now()), "is_ext_shared_channel": false,
	}
	if w.enterprise != "" {
		o["enterprise_id"], o["context_enterprise_id"] = w.enterprise, w.enterprise
	}
	return o, id
}

// emit queues an event if the app is installed, may know of it by scope, and is a member of the channel (nil: no channel).
func (w *Workspace) emit(event object, scope string, c *channel) {
	if w.install == nil || c != nil && !c.has(w.install.botUser) {
		return
	}
	o, id := w.envelope(event)
	auth := object{"enterprise_id": nil, "team_id": w.id, "user_id": w.install.botUser, "is_bot": true, "is_enterprise_install": w.install.org}
	if w.enterprise != "" {
		auth["enterprise_id"] = w.enterprise
	}
	o["authorizations"] = []object{auth}
	place := "T"
	if c != nil {
		place = c.id
	}
	o["event_context"] = "4-" + secretText(4) + "-" + w.id + "-" + place
	dropped := ""
	if t := w.install.token; t == nil || t.revoked != "" || !t.hasAny(scope) {
		dropped = "missing scope " + scope
	}
	w.s.queue.add(newDelivery(w.id, event, id, o, dropped))
}

// emitBare queues an event about the end of an installation: it is for no authorization.
func (w *Workspace) emitBare(event object) {
	if w.install == nil {
		return
	}
	o, id := w.envelope(event)
	w.s.queue.add(newDelivery(w.id, event, id, o, ""))
}

func newDelivery(team string, event object, id string, envelope object, dropped string) *delivery {
	typ, _ := event["type"].(string)
	sub, _ := event["subtype"].(string)
	body := rawJSON(envelope)
	return &delivery{payload: body, log: &Delivery{
		Kind: "events_api", Type: typ, Subtype: sub, Team: team, EventID: id, Body: body, Dropped: dropped,
	}}
}

// Send delivers a payload as it is given, signed, at once and outside the queue: an Events API envelope, an interaction
// (anything else with a type), or a slash command (an object with "command"). It is for trying payloads that the fake does not
// make by itself. There are no retries.
func (s *Server) Send(ctx context.Context, payload []byte) (Answer, error) {
	var head struct {
		Type, Command string
		TeamID        string `json:"team_id"`
		EventID       string `json:"event_id"`
		Event         struct{ Type, Subtype string }
	}
	if err := json.Unmarshal(payload, &head); err != nil {
		return Answer{}, fmt.Errorf("fakeslack: send: %w", err)
	}
	log := &Delivery{Team: head.TeamID, EventID: head.EventID, Type: orElse(head.Event.Type, head.Type), Subtype: head.Event.Subtype}
	switch {
	case head.Command != "":
		log.Kind = "slash_commands"
	case head.Type == "event_callback" || head.Type == "url_verification" || head.Type == "app_rate_limited":
		log.Kind = "events_api"
	default:
		log.Kind = "interactive"
	}
	return s.deliverNow(ctx, log, payload)
}

// VerifyURL sends url_verification to the request URL, as Slack does when the URL is entered, and checks the echo.
func (s *Server) VerifyURL(ctx context.Context) error {
	challenge := secretText(16)
	a, err := s.Send(ctx, rawJSON(object{"token": s.app.VerificationToken, "challenge": challenge, "type": "url_verification"}))
	if err != nil {
		return err
	}
	var echo struct{ Challenge string }
	if json.Unmarshal(a.Body, &echo) != nil {
		echo.Challenge = strings.TrimSpace(strings.TrimPrefix(string(a.Body), "challenge="))
	}
	if a.Status != http.StatusOK || echo.Challenge != challenge {
		return fmt.Errorf("fakeslack: verify URL: status %d without the challenge", a.Status)
	}
	return nil
}

// deliverNow sends what a person waits for: once, by socket or HTTP.
func (s *Server) deliverNow(ctx context.Context, log *Delivery, payload []byte) (Answer, error) {
	d := &delivery{payload: payload, log: log}
	d.log.Body = d.httpBody()
	s.queue.mu.Lock()
	s.queue.log = append(s.queue.log, d.log)
	s.queue.mu.Unlock()
	try := fake.Try{Strike: s.faults.Delivery(d.log.Type)}
	var a Answer
	var failed error
	for range 1 + try.Duplicate {
		answer, reason, err := s.attempt(ctx, d, try)
		s.queue.note(d, try, answer, reason)
		if a.Status == 0 {
			a, failed = answer, err
		}
	}
	return a, failed
}

// httpBody is the body of the POST: JSON for events, forms for the rest.
func (d *delivery) httpBody() []byte {
	switch d.log.Kind {
	case "events_api":
		return d.payload
	case "slash_commands":
		var m object
		form := url.Values{}
		if json.Unmarshal(d.payload, &m) == nil {
			for k, v := range m {
				form.Set(k, fmt.Sprint(v))
			}
		}
		return []byte(form.Encode())
	}
	return []byte(url.Values{"payload": {string(d.payload)}}.Encode())
}

var errNoURL = errors.New("no request URL is set and no socket is connected")

// attempt sends once. The reason is Slack's word for a failure.
func (s *Server) attempt(ctx context.Context, d *delivery, try fake.Try) (a Answer, reason string, err error) {
	sent, err := try.Deliver(ctx, s.opt.AckTimeout, func(ctx context.Context) (fake.Answer, error) {
		if s.overSocket() {
			return s.sock.send(ctx, d, try)
		}
		return s.post(ctx, d, try)
	})
	switch {
	case err == nil && sent.Status >= 200 && sent.Status <= 299:
	case err == nil:
		reason = "http_error"
	case fake.TimedOut(err):
		reason = "http_timeout"
	default:
		reason = "connection_failed"
	}
	if err != nil {
		err = fmt.Errorf("fakeslack: %w", err)
	}
	return Answer(sent), reason, err
}

// overSocket says whether deliveries go by Socket Mode: while a socket is connected, and for an app without a request URL also
// between two connections, so that what happens then waits for the next one.
func (s *Server) overSocket() bool {
	connected, ever := s.sock.connected()
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return connected || ever && s.queue.url == ""
}

func (s *Server) post(ctx context.Context, d *delivery, try fake.Try) (fake.Answer, error) {
	s.queue.mu.Lock()
	target, client := s.queue.url, s.queue.client
	s.queue.mu.Unlock()
	if target == "" {
		return fake.Answer{}, errNoURL
	}
	body := d.httpBody()
	return fake.Post(ctx, client, target, body, func(r *http.Request) {
		r.Header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if d.log.Kind == "events_api" {
			r.Header.Set("Content-Type", "application/json")
		}
		if try.Retry > 0 {
			r.Header.Set("X-Slack-Retry-Num", strconv.Itoa(try.Retry))
			r.Header.Set("X-Slack-Retry-Reason", try.Reason)
		}
		s.Sign(r, body)
	})
}
