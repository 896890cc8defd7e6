package fakediscord

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

// SetRequestURL says where interactions and webhook events are delivered. A nil client is a plain http.Client. An empty URL
// switches both off: interactions then come through the Gateway.
func (s *Server) SetRequestURL(url string, client *http.Client) {
	s.SetURLs(url, url, client)
}

// SetURLs is [Server.SetRequestURL] with an address of its own for webhook events.
func (s *Server) SetURLs(interactions, events string, client *http.Client) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	s.queue.url, s.queue.events, s.queue.client = interactions, events, fake.NoRedirects(client)
}

// Sign puts Discord's signature of the body, at the fake's time, on a request.
func (s *Server) Sign(r *http.Request, body []byte) { s.SignAt(r, body, s.opt.Now()) }

// SignAt is [Server.Sign] with another time, to try what is too old.
func (s *Server) SignAt(r *http.Request, body []byte, at time.Time) {
	ts := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set("X-Signature-Timestamp", ts)
	r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(s.key, append([]byte(ts), body...))))
}

// Send delivers a payload as it is given, signed, at once and outside the queue, to the interactions URL, or if it has an "event" or
// is webhook events' ping (type 0) to theirs. It is for trying payloads that the fake does not make by itself. There are no retries.
func (s *Server) Send(ctx context.Context, payload []byte) (Answer, error) {
	var head struct {
		ID      string
		Type    int
		GuildID string `json:"guild_id"`
		Event   *struct{ Type string }
	}
	if err := json.Unmarshal(payload, &head); err != nil {
		return Answer{}, fmt.Errorf("fakediscord: send: %w", err)
	}
	log := &Delivery{Kind: "interaction", Type: interactionNames[head.Type], Guild: head.GuildID, ID: head.ID, Body: payload}
	if head.Event != nil || head.Type == 0 {
		log.Kind, log.Type = "webhook_event", "PING"
	}
	if head.Event != nil {
		log.Type = head.Event.Type
	}
	s.queue.record(log)
	a, err := s.attempt(ctx, log, fake.Strike{})
	s.queue.tried(log, a, err)
	return a, err
}

// Probe does what Discord does when a URL is entered, and now and then later: it sends a ping, and requests with bad signatures, which have
// to be answered with 401. The error says what Discord would object to.
func (s *Server) Probe(ctx context.Context) error {
	a, err := s.Send(ctx, rawJSON(object{"id": "1", "application_id": s.app.AppID, "type": interactionPing, "token": "fake-ping", "version": 1}))
	if err != nil {
		return err
	}
	var pong struct{ Type int }
	if a.Status != http.StatusOK || !isJSON(a.Header) || json.Unmarshal(a.Body, &pong) != nil || pong.Type != answerPong {
		return fmt.Errorf("fakediscord: probe: the ping was answered with status %d and %.100q", a.Status, a.Body)
	}
	if a, err = s.Send(ctx, rawJSON(object{"version": 1, "application_id": s.app.AppID, "type": 0})); err != nil {
		return err
	}
	if a.Status != http.StatusNoContent {
		return fmt.Errorf("fakediscord: probe: the ping of webhook events was answered with status %d instead of 204", a.Status)
	}
	for _, bad := range []string{"wrong", "missing", "other body", "no hex"} {
		a, err := s.SendBadly(ctx, bad)
		if err != nil {
			return err
		}
		if a.Status != http.StatusUnauthorized {
			return fmt.Errorf("fakediscord: probe: a request with a bad signature (%s) was answered with status %d instead of 401", bad, a.Status)
		}
	}
	return nil
}

// SendBadly delivers a ping with a bad signature: "wrong", "missing", "other body" or "no hex".
func (s *Server) SendBadly(ctx context.Context, how string) (Answer, error) {
	body := rawJSON(object{"id": "2", "application_id": s.app.AppID, "type": interactionPing, "token": "fake-ping", "version": 1})
	a, err := s.post(ctx, &Delivery{Kind: "interaction", Body: body}, func(r *http.Request) {
		s.Sign(r, body)
		switch how {
		case "missing":
			r.Header.Del("X-Signature-Ed25519")
		case "other body":
			s.Sign(r, []byte(`{"type":2}`))
		case "no hex":
			r.Header.Set("X-Signature-Ed25519", "zz")
		default:
			r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(make([]byte, ed25519.SignatureSize)))
		}
	})
	if err != nil {
		return Answer{}, fmt.Errorf("fakediscord: %w", err)
	}
	return Answer(a), nil
}

// attempt sends once by HTTP.
func (s *Server) attempt(ctx context.Context, log *Delivery, fault fake.Strike) (Answer, error) {
	fault.CloseBefore = fault.CloseBefore || fault.Drop // of an interaction a person hears that it was lost
	a, err := fault.Deliver(ctx, s.opt.AckTimeout, func(ctx context.Context) (fake.Answer, error) {
		return s.post(ctx, log, func(r *http.Request) { s.Sign(r, log.Body) })
	})
	if err != nil {
		return Answer{}, fmt.Errorf("fakediscord: %w", err)
	}
	return Answer(a), nil
}

func (s *Server) post(ctx context.Context, log *Delivery, sign func(*http.Request)) (fake.Answer, error) {
	q := s.queue
	q.mu.Lock()
	target, client := q.url, q.client
	if log.Kind == "webhook_event" {
		target = q.events
	}
	q.mu.Unlock()
	if target == "" {
		return fake.Answer{}, errors.New("no request URL is set")
	}
	return fake.Post(ctx, client, target, log.Body, func(r *http.Request) {
		r.Header.Set("User-Agent", "Discord-Interactions/1.0 (+https://discord.com)")
		r.Header.Set("Content-Type", "application/json")
		sign(r)
	})
}

// webhookEvent queues a webhook event. The caller holds s.mu.
func (s *Server) webhookEvent(typ string, g *Guild, data object) {
	log := &Delivery{Kind: "webhook_event", Type: typ, Body: rawJSON(object{
		"version": 1, "application_id": s.app.AppID, "type": 1,
		"event": object{"type": typ, "timestamp": iso(s.opt.Now()), "data": data},
	})}
	if g != nil {
		log.Guild = g.id
	}
	s.queue.add(log)
}
