package gateway

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	netguard "github.com/metagov/gateway-go/internal/guard"
	"github.com/metagov/gateway-go/store"
)

// hookKey is one secret of an endpoint. The first of a row's is the one that its owner was given last.
type hookKey struct {
	Key   []byte    `json:"key"`
	Until time.Time `json:"until,omitzero"` // zero: it has not been replaced
}

// newHookKey makes 32 random bytes; Standard Webhooks asks for 24 to 64.
func newHookKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	return key
}

func hookSecret(key []byte) Secret {
	return Secret("whsec_" + base64.StdEncoding.EncodeToString(key))
}

func sealedForHooks(row store.Endpoint) []byte { return []byte("gateway endpoint " + row.ID) }

func (g *Gateway) sealHookKeys(row *store.Endpoint, keys []hookKey) error {
	if g.o.Seal == nil {
		return Errorf(Invalid, "an endpoint has a secret; set Options.Seal (see NewSeal) so that it can be kept sealed")
	}
	raw, err := json.Marshal(keys)
	if err != nil {
		return Errorf(Internal, "encoding the secrets of endpoint %s: %w", row.ID, err)
	}
	if row.Sealed, err = g.o.Seal.Encrypt(raw, sealedForHooks(*row)); err != nil {
		return Errorf(Unavailable, "sealing the secrets of endpoint %s: %w", row.ID, err)
	}
	return nil
}

// openHookKeys gives the secrets that sign now, newest first.
func (g *Gateway) openHookKeys(row store.Endpoint, now time.Time) (keys []hookKey, err error) {
	if g.o.Seal == nil {
		return nil, Errorf(Invalid, "endpoint %s has sealed secrets, and there is no Options.Seal to open them", row.ID)
	}
	raw, err := g.o.Seal.Decrypt(row.Sealed, sealedForHooks(row))
	if err != nil {
		return nil, Errorf(Invalid, "opening the secrets of endpoint %s: none of the keys in Options.Seal fits", row.ID)
	}
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, Errorf(Internal, "the secrets of endpoint %s cannot be read", row.ID) // the decoder's error could repeat them
	}
	return slices.DeleteFunc(keys, func(k hookKey) bool { return !k.Until.IsZero() && !k.Until.After(now) }), nil
}

// signHook makes the header webhook-signature: of each secret, with a space between, the version and the HMAC-SHA256 of
// "id.timestamp.body" (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
func signHook(keys []hookKey, id, timestamp string, body []byte) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		h := hmac.New(sha256.New, k.Key)
		h.Write([]byte(id + "." + timestamp + "."))
		h.Write(body)
		out[i] = "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	return strings.Join(out, " ")
}

// hookBody is what a receiver parses.
type hookBody struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"` // of what happened, whenever it is sent
	Data      any       `json:"data"`
}

// ownMessages begins the types of messages that are about no event.
const ownMessages = "gateway"

// hookType is the type of the message that tells of an event: "slack.message", "process.completed".
func hookType(e store.Event) string {
	if e.Process == "" {
		return e.Plugin + "." + e.Type
	}
	var d struct{ Status string }
	_ = json.Unmarshal(e.Data, &d) // our own bytes
	return processEvent + "." + d.Status
}

// hookID names a message: the same whenever it is sent, another for each endpoint.
func hookID(endpoint string, seq int64) string {
	return "msg_" + endpoint + "_" + strconv.FormatInt(seq, 10)
}

// hookMessage makes the body that tells of an event; nil where it tells of a status that is history: the one after it is told too.
func (g *Gateway) hookMessage(ctx context.Context, e store.Event) ([]byte, error) {
	b := hookBody{Type: hookType(e), Timestamp: e.At}
	if e.Process == "" {
		b.Data = struct {
			Community string `json:"community"`
			Event
		}{e.Community, eventOf(e)}
	} else {
		p, err := g.snapshot(ctx, e.Process)
		if errors.Is(err, NotFound) {
			return nil, nil // too old, and deleted
		}
		if err != nil {
			return nil, err
		}
		if string(e.Data) != string(statusData(string(p.Status))) {
			return nil, nil
		}
		b.Data = struct {
			Community string `json:"community"`
			Seq       int64  `json:"seq"` // the place of the change in the gateway's log
			Process
		}{e.Community, e.Seq, p}
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, Errorf(Internal, "encoding event %d for an endpoint: %w", e.Seq, err)
	}
	return raw, nil
}

// HookAnswer is what an endpoint said to a message.
type HookAnswer struct {
	Status int           `json:"status,omitempty"` // HTTP status, 0 where none came
	Took   time.Duration `json:"took"`
	Error  string        `json:"error,omitempty"` // why the message was not taken; "" if it was
}

// hookAnswer is that with what only the gateway needs.
type hookAnswer struct {
	HookAnswer
	after time.Duration // do not send again before
	cause string        // of the error, for the operator's log only
}

// gone says that the endpoint wants nothing any more.
func (a hookAnswer) gone() bool { return a.Status == http.StatusGone }

const (
	maxHookAnswer = 64 << 10 // bytes of an answer that are read, so that its connection can be used again
	maxRetryAfter = 24 * time.Hour
)

// post sends a message once. What the endpoint answers beside its status is not kept: it could be anything. The error is ours: the
// endpoint was not asked.
func (g *Gateway) post(ctx context.Context, row store.Endpoint, id string, body []byte) (a hookAnswer, err error) {
	began := time.Now()
	defer func() { a.Took = time.Since(began) }()
	now := g.now()
	keys, err := g.openHookKeys(row, now)
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, g.o.HookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, row.URL, bytes.NewReader(body))
	if err != nil {
		a.Error = "its URL cannot be used"
		return a, nil
	}
	ts := strconv.FormatInt(g.clock.wall().Unix(), 10) // what receivers compare it with, also where we go by another since it jumped
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "metagov-gateway")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", ts)
	req.Header.Set("Webhook-Signature", signHook(keys, id, ts, body))
	resp, err := g.hooks.client.Do(req)
	if err != nil {
		a.Error, a.cause = g.hooks.trouble(row.URL, err), brief(text(err))
		return a, nil
	}
	defer resp.Body.Close()
	a.Status = resp.StatusCode
	if d, ok := pauseAsked(resp.Header.Get("Retry-After"), g.clock.wall()); ok {
		a.after = min(max(d, 0), maxRetryAfter)
	}
	switch {
	case a.Status >= 200 && a.Status < 300:
	case a.Status >= 300 && a.Status < 400:
		a.Error = "answered " + strconv.Itoa(a.Status) + ": redirects are not followed"
	default:
		a.Error = "answered " + strconv.Itoa(a.Status)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxHookAnswer)
	return a, nil
}

// trouble says why there was no answer to whoever configures an endpoint, who need not be the operator. The error itself is for the
// log: it may name a resolver, repeat what some server inside the network says to strangers, or tell what names and ports there are.
func (h *hooks) trouble(address string, err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, netguard.ErrRefused) && h.guard.Check(address) != nil:
		return brief(text(err)) // for what stands in the address
	case errors.Is(err, netguard.ErrRefused), errors.As(err, &dns):
		return "its host cannot be found, or is refused"
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection could be made"
	case errors.As(err, &cert):
		return "its certificate is not valid"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "it took too long"
	}
	return "the connection failed, or the answer was not HTTP"
}

// newHooks makes what outgoing hooks need in memory.
func newHooks(gd *netguard.Guard, timeout time.Duration, s *sight) *hooks {
	return &hooks{
		guard: gd, client: s.watched(gd.NoRedirects(timeout)),
		owners: map[string]int{}, running: map[string]int{}, failing: map[string]bool{}, waiting: map[string]bool{}, targets: map[string][]hookTarget{},
	}
}

// check refuses an address that must not or cannot be called.
func (h *hooks) check(address string) error {
	u, err := url.Parse(address)
	if err != nil || len(address) > 2048 || u.Fragment != "" {
		return Errorf(Invalid, "the endpoint's URL: want http(s)://host[/path], at most 2,048 bytes, without a fragment")
	}
	if err := h.guard.Check(address); err != nil {
		return Errorf(Invalid, "the endpoint's URL: %w", err)
	}
	return nil
}
