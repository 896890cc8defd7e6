package fakediscord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
)

// Reply is how the app answered what a person did, as the person sees it.
type Reply struct {
	ID, Token string // of the interaction
	HTTP      Answer // the answer to the delivery; empty if it came through the Gateway
	Type      int    // 4 message, 5 deferred, 6 deferred update, 7 update, 9 modal; 0 while there is none
	Message   *Message
	Modal     map[string]any
	// Failed is what Discord shows as "This interaction failed": why.
	Failed string
}

// Click is a press of a button, or a choice of values in a select, on one of the app's messages. It returns when the app has
// answered, or Discord gave up waiting; [Server.Reply] shows what comes later.
func (g *Guild) Click(channel, message, user, customID string, values ...string) (Reply, error) {
	return g.s.click(g, channel, message, user, customID, values)
}

// ClickDirect is [Guild.Click] in somebody's direct messages with the bot.
func (s *Server) ClickDirect(message, user, customID string, values ...string) (Reply, error) {
	s.mu.Lock()
	c := s.dms[user]
	s.mu.Unlock()
	if c == nil {
		return Reply{}, refuse(10003)
	}
	return s.click(nil, c.id, message, user, customID, values)
}

func (s *Server) click(g *Guild, channel, message, user, customID string, values []string) (Reply, error) {
	s.mu.Lock()
	m, err := s.clickable(channel, message, user, customID, values)
	if err != nil {
		s.mu.Unlock()
		return Reply{}, err
	}
	i := s.interact(interactionComponent, g, m.c, user)
	i.message = m
	data := object{"custom_id": customID, "component_type": 2, "id": 1}
	if f, ok := findComponent(m.components, customID); ok {
		data["component_type"] = f.Type
		if f.Type != 2 {
			data["values"] = list(values)
		}
	}
	body := i.payload(data)
	body["message"] = m.show(s.app.BotUser)
	return s.deliver(i, body)
}

// clickable finds the message and checks that the person could do that with it.
func (s *Server) clickable(channel, message, user, customID string, values []string) (*message, error) {
	c, err := s.seen(channel, user)
	if err != nil {
		return nil, err
	}
	m := c.messages[message]
	if m == nil || m.whisperTo != "" && m.whisperTo != user {
		return nil, refuse(10008)
	}
	f, ok := findComponent(m.components, customID)
	switch {
	case m.author != s.app.BotUser:
		return nil, notAllowed("the message is not the app's")
	case !ok:
		return nil, notAllowed("the message has no component %q", customID)
	case f.Disabled:
		return nil, notAllowed("the component %q is disabled", customID)
	case f.Type == 2 && len(values) > 0:
		return nil, notAllowed("buttons have no values")
	}
	if f.Type == 2 {
		return m, nil
	}
	least, most := 1, 1
	if f.Min != nil {
		least = *f.Min
	}
	if f.Max != nil {
		most = *f.Max
	}
	if len(values) < least || len(values) > most {
		return nil, notAllowed("%d values chosen of %d to %d", len(values), least, most)
	}
	for _, v := range values {
		if f.Type == 3 && !slices.ContainsFunc(f.Options, func(o selectOption) bool { return o.Value == v }) {
			return nil, notAllowed("no option %q", v)
		}
	}
	return m, nil
}

type clickableComponent struct {
	component
	Disabled bool
}

// findComponent looks through rows, sections and containers.
func findComponent(all []any, customID string) (clickableComponent, bool) {
	for _, x := range all {
		var f clickableComponent
		whole, _ := x.(object)
		if json.Unmarshal(rawJSON(x), &f) != nil {
			continue
		}
		if deref(f.CustomID) == customID && customID != "" {
			return f, true
		}
		inner, _ := whole["components"].([]any)
		if acc := whole["accessory"]; acc != nil {
			inner = append(slices.Clone(inner), acc)
		}
		if found, ok := findComponent(inner, customID); ok {
			return found, true
		}
	}
	return clickableComponent{}, false
}

// Submit sends the modal that a reply showed, with values by the custom IDs of its inputs.
func (g *Guild) Submit(r Reply, user string, values map[string]string) (Reply, error) {
	s := g.s
	s.mu.Lock()
	from := s.hooks[r.Token]
	if from == nil || from.modal == nil || from.user != user {
		s.mu.Unlock()
		return Reply{}, notAllowed("no modal is open")
	}
	i := s.interact(interactionModal, g, from.channel, user)
	i.message, i.opener = from.message, from
	rows := []object{}
	all, _ := from.modal["components"].([]any)
	for _, row := range all {
		o, _ := row.(object)
		inner, _ := o["components"].([]any)
		if one := o["component"]; one != nil {
			inner = []any{one}
		}
		var filled []object
		for _, x := range inner {
			f, _ := x.(object)
			id, _ := f["custom_id"].(string)
			filled = append(filled, object{"type": f["type"], "id": 2, "custom_id": id, "value": values[id]})
		}
		if o["component"] != nil && len(filled) == 1 {
			rows = append(rows, object{"type": o["type"], "id": 1, "component": filled[0]})
			continue
		}
		rows = append(rows, object{"type": o["type"], "id": 1, "components": list(filled)})
	}
	body := i.payload(object{"custom_id": from.modal["custom_id"], "components": rows})
	if i.message != nil {
		body["message"] = i.message.show(s.app.BotUser)
	}
	return s.deliver(i, body)
}

// interact begins an interaction. The caller holds s.mu.
func (s *Server) interact(typ int, g *Guild, c *channel, user string) *interaction {
	i := &interaction{s: s, id: s.snowflake(), token: "fake-interaction-" + secretText(24), typ: typ, guild: g, channel: c, user: user,
		created: s.opt.Now()}
	s.hooks[i.token] = i
	return i
}

// payload is the interaction as it is sent. The caller holds s.mu.
func (i *interaction) payload(data object) object {
	s, g := i.s, i.guild
	o := object{
		"id": i.id, "application_id": s.app.AppID, "type": i.typ, "data": data, "token": i.token, "version": 1, "locale": "en-US",
		"channel_id": i.channel.id, "channel": i.channel.show(), "entitlements": []any{}, "entitlement_sku_ids": []any{},
		"authorizing_integration_owners": i.owners(), "attachment_size_limit": 10485760,
	}
	if g == nil {
		o["user"], o["context"], o["app_permissions"] = s.showUser(i.user), 1, bits(permAll)
		return o
	}
	m := g.members[i.user].show()
	m["permissions"] = bits(g.perms(i.user, i.channel))
	o["guild_id"], o["guild"] = g.id, object{"id": g.id, "locale": "en-US", "features": []string{}}
	o["guild_locale"], o["context"], o["member"] = "en-US", 0, m
	o["app_permissions"] = bits(g.perms(s.app.BotUser, i.channel))
	o["channel"].(object)["permissions"] = m["permissions"]
	return o
}

// deliver sends the interaction and takes the answer. It is called with s.mu held, and releases it.
func (s *Server) deliver(i *interaction, body object) (Reply, error) {
	name := interactionNames[i.typ]
	log := &Delivery{Kind: "interaction", Type: name, ID: i.id, Body: rawJSON(body)}
	if i.guild != nil {
		log.Guild = i.guild.id
	}
	s.queue.mu.Lock()
	byHTTP := s.queue.url != ""
	s.queue.mu.Unlock()
	if !byHTTP {
		s.tell("INTERACTION_CREATE", i.guild, body, nil)
		s.mu.Unlock()
		s.settle()
		return s.Reply(i.token), nil
	}
	fault := s.faults.Delivery(name)
	s.mu.Unlock()
	s.queue.record(log)
	var first Answer
	var failed error
	for n := range 1 + fault.Duplicate {
		a, err := s.attempt(context.Background(), log, fault)
		s.queue.tried(log, a, err)
		if n == 0 {
			first, failed = a, err
		}
	}
	if failed == nil {
		failed = s.take(i, first)
	}
	s.settle()
	r := s.Reply(i.token)
	r.HTTP = first
	if failed != nil && r.Type == 0 {
		r.Failed = failed.Error()
	}
	return r, nil
}

// take reads the answer to the delivery. 202 without a body means that the app answers by request.
func (s *Server) take(i *interaction, a Answer) error {
	if !a.OK() {
		return fmt.Errorf("fakediscord: the interaction was answered with status %d", a.Status)
	}
	if a.Status == http.StatusAccepted && len(a.Body) == 0 {
		return nil
	}
	if !isJSON(a.Header) {
		return fmt.Errorf("fakediscord: the interaction was answered with the Content-Type %q", a.Header.Get("Content-Type"))
	}
	var f answerForm
	if err := json.Unmarshal(a.Body, &f); err != nil {
		return fmt.Errorf("fakediscord: the answer to the interaction: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := i.answer(f)
	var e *apiError
	if errors.As(err, &e) && e.errors != nil {
		return fmt.Errorf("fakediscord: the answer to the interaction: %w: %s", err, rawJSON(e.errors))
	}
	return err
}

func isJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// Reply shows how an interaction was answered so far, by its token.
func (s *Server) Reply(token string) Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.hooks[token]
	if i == nil {
		return Reply{}
	}
	r := Reply{ID: i.id, Token: i.token, Type: i.answered, Modal: i.modal}
	if i.answered == 0 {
		r.Failed = "there is no answer yet"
	}
	if i.original != nil && !i.original.deleted {
		m := i.original.seen()
		r.Message = &m
	}
	return r
}
