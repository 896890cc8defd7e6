package discourse

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// The headers that say what a delivery is of: the name of what happened, and the field of the body that it is about.
const (
	eventHeader = "X-Discourse-Event"
	kindHeader  = "X-Discourse-Event-Type"
)

// webhook is the way of every delivery.
func webhook() gateway.Webhook[*Discourse, *message] {
	return gateway.Webhook[*Discourse, *message]{
		Verify:  func(d *Discourse, del *gateway.Delivery) error { return d.verify(del) },
		Parse:   parse,
		Greet:   func(m *message) (gateway.Reply, bool) { return gateway.Reply{}, m.event == "ping" },
		ID:      func(m *message) string { return m.id },
		Refs:    (*message).refs,
		Echo:    func(d *Discourse, m *message) []string { return m.echoes(d.config.username(), d.config.AccountID) },
		Receive: (*Discourse).receive,
		Slow:    func(m *message) bool { return m.event == suspended && m.asked == nil },
		Handle:  (*Discourse).handle,
		Keep:    []string{eventHeader, kindHeader},
	}
}

// verify refuses whatever the instance's own forum did not sign. There is no forum where the URL names no instance.
func (d *Discourse) verify(del *gateway.Delivery) error {
	if d == nil {
		return verify("", "", del)
	}
	return verify(d.config.WebhookSecret, d.config.URL, del)
}

// receive makes the event.
func (d *Discourse) receive(ctx context.Context, m *message) (gateway.Reply, error) {
	if m.event == suspended && m.asked == nil {
		return gateway.Reply{}, nil // its event is made when it is known who did it
	}
	by := m.initiator()
	meta := gateway.Meta{ID: m.id, Initiator: by, Bot: d.own(by), At: m.at()}
	if err := d.Emit(ctx, m.event, meta, m.data); err != nil {
		return gateway.Reply{}, err
	}
	return gateway.Reply{}, d.receiveFields(ctx, m)
}

// own says that an account is the gateway's own. The system account is not: the forum itself acts as it too. Nor is that of a user API key: its person does.
func (d *Discourse) own(id string) bool {
	return id != "" && id != systemID && id == d.config.AccountID && d.config.UserAPIKey == ""
}

// suspended is the event of a suspension. Discourse does not say in it who did it, nor why, and is asked.
const suspended = "user_suspended"

// askedField is what is added to its data.
const askedField = "suspension"

// suspension is what the forum says of one, for those who may read an account as an administrator does.
type suspension struct {
	By     *person    `json:"by"`
	Reason string     `json:"reason"`
	Until  *time.Time `json:"until"`
}

// handle asks who suspended an account, and why, and brings the delivery again with that in it. Where the key may not ask, or the account is gone or not
// suspended any more, it says that nobody knows. It runs as a durable task after the delivery was kept.
func (d *Discourse) handle(ctx context.Context, m *message) error {
	what := suspension{}
	u, err := d.client().account(ctx, m.about.ID.v)
	switch gateway.CodeOf(err) {
	case "":
		what = u.suspension(d.Now())
	case gateway.Denied, gateway.NotFound, gateway.Invalid:
		d.Log.WarnContext(ctx, "who suspended somebody is not known: the forum does not say", "error", err)
	default:
		return err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(m.data, &object); err != nil {
		return gateway.Errorf(gateway.Internal, "reading a delivery again: %w", err)
	}
	if object[askedField], err = json.Marshal(what); err != nil {
		return gateway.Errorf(gateway.Internal, "encoding who suspended somebody: %w", err)
	}
	body, err := json.Marshal(object)
	if err != nil {
		return gateway.Errorf(gateway.Internal, "encoding a delivery again: %w", err)
	}
	return d.Accept(ctx, deliveryHeader(m.event, m.kind), body)
}

// deliveryHeader is what a delivery has beside its signature.
func deliveryHeader(event, kind string) http.Header {
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set(eventHeader, event)
	if kind != "" {
		h.Set(kindHeader, kind)
	}
	return h
}
