package fakegithub

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"net/url"

	"github.com/metagov/gateway-go/internal/fake"
)

// SetRequestURL says where the app's webhook is. A nil client is a plain http.Client. An empty URL switches deliveries off.
func (s *Server) SetRequestURL(url string, client *http.Client) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	s.queue.url, s.queue.client = url, fake.NoRedirects(client)
}

// Sign puts GitHub's signatures of the body on a request: by SHA-256, and the old one by SHA-1.
func (s *Server) Sign(r *http.Request, body []byte) {
	s.queue.mu.Lock()
	secret := s.queue.secret
	s.queue.mu.Unlock()
	r.Header.Set("X-Hub-Signature", "sha1="+mac(sha1.New, secret, body))
	r.Header.Set("X-Hub-Signature-256", "sha256="+mac(sha256.New, secret, body))
}

func mac(h func() hash.Hash, secret string, body []byte) string {
	m := hmac.New(h, []byte(secret))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

// Send delivers a payload as it is given, signed, at once and outside the queue, as an event of the given name. It is for trying
// payloads that the fake does not make by itself. It stands in the log, and can be redelivered.
func (s *Server) Send(ctx context.Context, event string, payload []byte) (Answer, error) {
	var head struct {
		Action       string
		Installation struct{ ID int64 }
		Repository   struct{ ID int64 }
	}
	_ = json.Unmarshal(payload, &head) // whatever it is, it is sent
	log := s.newDelivery(event, head.Action, payload)
	log.Installation, log.Repository = head.Installation.ID, head.Repository.ID
	s.queue.mu.Lock()
	s.queue.log = append(s.queue.log, log)
	s.queue.mu.Unlock()
	a := s.queue.try(ctx, &delivery{log: log}, fake.Strike{})
	if a.Answer.Status == 0 {
		return a.Answer, fmt.Errorf("fakegithub: deliver %s: %s", event, a.Failed)
	}
	return a.Answer, nil
}

func (s *Server) newDelivery(event, action string, payload []byte) *Delivery {
	d := &Delivery{GUID: guid(), Event: event, Action: action, Payload: payload, Body: payload}
	if s.opt.Form {
		d.Body = []byte(url.Values{"payload": {string(payload)}}.Encode())
	}
	return d
}

// guid is an identifier such as 72d3162e-cc78-11e3-81ab-4c9367dc0958.
func guid() string {
	t := randomText(16)
	return t[:8] + "-" + t[8:12] + "-" + t[12:16] + "-" + t[16:20] + "-" + t[20:]
}

// attempt sends once.
func (s *Server) attempt(ctx context.Context, d *delivery, fault fake.Strike) Attempt {
	out := Attempt{At: s.opt.Now(), Redelivery: d.again}
	a, err := fault.Deliver(ctx, s.opt.AckTimeout, func(ctx context.Context) (fake.Answer, error) {
		s.queue.mu.Lock()
		target, client := s.queue.url, s.queue.client
		s.queue.mu.Unlock()
		return fake.Post(ctx, client, target, d.log.Body, func(r *http.Request) {
			s.head(r, d.log)
			out.header = r.Header
		})
	})
	out.Answer = Answer(a)
	switch {
	case fake.TimedOut(err):
		out.Failed = "timed out"
	case err != nil:
		out.Failed = "failed to connect to host"
	case !out.Answer.OK():
		out.Failed = fmt.Sprintf("Invalid HTTP Response: %d", out.Answer.Status)
	}
	return out
}

// head writes a delivery's headers (https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers, 2026-11).
func (s *Server) head(r *http.Request, d *Delivery) {
	h := r.Header
	h.Set("Accept", "*/*")
	h.Set("User-Agent", "GitHub-Hookshot/fa4e000")
	h.Set("Content-Type", "application/json")
	if s.opt.Form {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	h.Set("X-GitHub-Hook-ID", text(hookID))
	h.Set("X-GitHub-Event", d.Event)
	h.Set("X-GitHub-Delivery", d.GUID)
	h.Set("X-GitHub-Hook-Installation-Target-Type", "integration")
	h.Set("X-GitHub-Hook-Installation-Target-ID", text(s.app.ID))
	s.Sign(r, d.Body)
}

// hookID is the app's webhook's.
const hookID = 700001

// event is something to tell the app of.
type event struct {
	name, action string
	repo         *Repo
	org          *Org
	sender       *account
	fields       object
	permission   string // the permission without which the app is not told, "" for none
}

// emit tells the installation of the account that it happened in. The caller holds s.mu.
func (s *Server) emit(e event) {
	if e.repo != nil && e.org == nil {
		e.org = s.orgOf(e.repo.owner)
	}
	owner := e.org.owner()
	if e.repo != nil {
		owner = e.repo.owner
	}
	i := s.installOn(owner)
	if i == nil || e.repo != nil && !i.covers(e.repo) {
		return
	}
	o := object{"sender": s.userJSON(e.sender), "installation": object{"id": i.id, "node_id": node("Integration", i.id)}}
	if e.action != "" {
		o["action"] = e.action
	}
	if e.repo != nil {
		o["repository"] = s.repoJSON(e.repo, true)
	}
	if e.org != nil {
		o["organization"] = s.orgJSON(e.org)
	}
	for k, v := range e.fields {
		o[k] = v
	}
	d := s.newDelivery(e.name, e.action, rawJSON(o))
	d.Installation = i.id
	if e.repo != nil {
		d.Repository = e.repo.id
	}
	switch {
	case !i.suspended.IsZero():
		d.Dropped = "suspended"
	case e.permission != "" && !i.may(e.permission, "read"):
		d.Dropped = "missing permission " + e.permission
	case !i.subscribed(e.name):
		d.Dropped = "not subscribed to " + e.name
	}
	s.queue.add(d, false)
}

// emitInstall tells of an installation itself; every app is told of these, also of its end.
func (s *Server) emitInstall(i *installation, name, action string, sender *account, fields object) {
	o := object{"action": action, "installation": s.installJSON(i, true), "sender": s.userJSON(sender)}
	for k, v := range fields {
		o[k] = v
	}
	d := s.newDelivery(name, action, rawJSON(o))
	d.Installation = i.id
	s.queue.add(d, false)
}
