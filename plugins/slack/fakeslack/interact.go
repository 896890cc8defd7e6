package fakeslack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const triggerLife = 3 * time.Second

type trigger struct {
	w       *Workspace
	user    string
	expires time.Time
	used    bool
}

// newTrigger makes a trigger_id. The caller holds s.mu.
func (w *Workspace) newTrigger(user string) string {
	w.s.seq++
	id := fmt.Sprintf("%d.%d.%s", 1_000_000_000+w.s.seq, 2_000_000_000+w.s.seq, secretText(16))
	w.s.triggers[id] = &trigger{w: w, user: user, expires: w.s.opt.Now().Add(triggerLife)}
	return id
}

// ClickOption changes a click.
type ClickOption func(*clicking)

type clicking struct {
	forged bool
}

// ForgedClick sends a click that the message does not offer, or of somebody who could not click: a correctly signed payload that
// Slack itself would never send.
func ForgedClick() ClickOption { return func(c *clicking) { c.forged = true } }

// Click is a person who presses the button with this action_id in a message. If value is not "" the button must carry that value.
// Ephemeral messages that the person sees count too. It is refused if the message has no such button, is deleted, or the person
// cannot see it. The answer is the app's; what the app does later it does by itself.
func (w *Workspace) Click(ctx context.Context, user, channel, ts, actionID, value string, o ...ClickOption) (Answer, error) {
	return w.interact(ctx, user, channel, ts, actionID, o,
		func(e object) bool { return e["type"] == "button" && (value == "" || e["value"] == value) },
		func(e object, action object) {
			if e == nil {
				e = object{"type": "button", "text": object{"type": "plain_text", "text": "?", "emoji": true}, "value": value}
			}
			for _, k := range []string{"text", "value", "style", "url", "accessibility_label"} {
				if v, ok := e[k]; ok {
					action[k] = v
				}
			}
		})
}

// Select is a person who chooses an option, by its value, of a static_select, radio_buttons or overflow menu in a message.
func (w *Workspace) Select(ctx context.Context, user, channel, ts, actionID, value string, o ...ClickOption) (Answer, error) {
	return w.interact(ctx, user, channel, ts, actionID, o,
		func(e object) bool { return findOption(e, value) != nil },
		func(e object, action object) {
			option := object{"text": object{"type": "plain_text", "text": value, "emoji": true}, "value": value}
			action["type"] = "static_select"
			if e != nil {
				option = findOption(e, value)
				action["type"] = e["type"]
				if p, ok := e["placeholder"]; ok {
					action["placeholder"] = p
				}
			}
			action["selected_option"] = option
		})
}

func (w *Workspace) interact(ctx context.Context, user, channel, ts, actionID string, o []ClickOption,
	fits func(object) bool, fill func(element, action object)) (Answer, error) {
	var how clicking
	for _, f := range o {
		f(&how)
	}
	w.s.mu.Lock()
	payload, err := w.clickPayload(user, channel, ts, actionID, how, fits, fill)
	body := rawJSON(payload)
	w.s.mu.Unlock()
	if err != nil {
		return Answer{}, err
	}
	return w.s.deliverNow(ctx, &Delivery{Kind: "interactive", Type: "block_actions", Team: w.id}, body)
}

func (w *Workspace) clickPayload(user, channelID, ts, actionID string, how clicking, fits func(object) bool, fill func(element, action object)) (object, error) {
	if w.install == nil {
		return nil, notAllowed("the app is not installed in %s", w.id)
	}
	_, c, err := w.person(user, channelID)
	if err != nil && !how.forged {
		return nil, err
	}
	if c == nil {
		c = &channel{id: channelID, name: "unknown", kind: kindPublic}
	}
	m := w.seen(c, user, ts)
	if m == nil && !how.forged {
		return nil, notAllowed("%s sees no message %s in %s", user, ts, channelID)
	}
	if m == nil {
		m = &message{ts: ts, user: w.install.botUser, botID: w.install.botID}
	}
	block, element := findElement(m.blocks, actionID, fits)
	if element == nil && !how.forged {
		return nil, notAllowed("message %s has no such element %q", ts, actionID)
	}
	blockID := "forged"
	action := object{"type": "button", "action_id": actionID, "action_ts": w.s.ts()}
	if block != nil {
		blockID, _ = block["block_id"].(string)
	}
	action["block_id"] = blockID
	fill(element, action)
	state := object{}
	if opt, ok := action["selected_option"]; ok {
		state[blockID] = object{actionID: object{"type": action["type"], "selected_option": opt}}
	}
	container := object{"type": "message", "message_ts": ts, "channel_id": channelID, "is_ephemeral": m.ephemeral}
	if m.threadTS != "" {
		container["thread_ts"] = m.threadTS
	}
	p := w.interaction("block_actions", user)
	p["container"], p["channel"], p["state"], p["actions"] = container, object{"id": c.id, "name": c.shownName()}, object{"values": state}, []object{action}
	p["trigger_id"], p["response_url"] = w.newTrigger(user), w.newHook("actions", channelID, user, m)
	if !m.ephemeral {
		p["message"] = w.messageJSON(c, m)
	}
	return p, nil
}

func (c *channel) shownName() string {
	switch c.kind {
	case kindIM:
		return "directmessage"
	case kindPrivate:
		return "privategroup"
	}
	return c.name
}

// seen finds a message that the user sees in the channel, ephemeral ones too.
func (w *Workspace) seen(c *channel, user, ts string) *message {
	if m := c.find(ts); m != nil {
		return m
	}
	for _, e := range w.ephemerals {
		if e.channel == c.id && e.user == user && e.msg.ts == ts && !e.msg.deleted {
			return e.msg
		}
	}
	return nil
}

// interaction has the fields that all interactions share.
func (w *Workspace) interaction(typ, user string) object {
	name := user
	if u := w.users[user]; u != nil {
		name = u.name
	}
	o := object{
		"type": typ, "token": w.s.app.VerificationToken, "api_app_id": w.s.app.AppID,
		"user": object{"id": user, "username": name, "name": name, "team_id": w.id},
		"team": w.teamObject(), "enterprise": nil, "is_enterprise_install": w.install != nil && w.install.org,
	}
	if w.enterprise != "" {
		o["enterprise"] = object{"id": w.enterprise, "name": w.s.enterprises[w.enterprise]}
	}
	return o
}

func (w *Workspace) teamObject() object {
	o := object{"id": w.id, "domain": w.domain}
	if w.enterprise != "" {
		o["enterprise_id"], o["enterprise_name"] = w.enterprise, w.s.enterprises[w.enterprise]
	}
	return o
}

// Command is a person who types a slash command. An answer with a text is shown as Slack shows it: to that person alone, or in the
// channel for response_type in_channel.
func (w *Workspace) Command(ctx context.Context, user, channel, command, text string) (Answer, error) {
	w.s.mu.Lock()
	u, c, err := w.person(user, channel)
	if err == nil && !strings.HasPrefix(command, "/") {
		err = notAllowed("a command begins with /, not %q", command)
	}
	if err == nil && (w.install == nil || w.install.token == nil || !w.install.token.has("commands")) {
		err = notAllowed("the app is not installed with the commands scope")
	}
	if err != nil {
		w.s.mu.Unlock()
		return Answer{}, err
	}
	hookURL := w.newHook("commands", channel, user, nil)
	p := object{
		"token": w.s.app.VerificationToken, "team_id": w.id, "team_domain": w.domain, "channel_id": channel, "channel_name": c.shownName(),
		"user_id": user, "user_name": u.name, "command": command, "text": text, "api_app_id": w.s.app.AppID,
		"is_enterprise_install": fmt.Sprint(w.install.org), "response_url": hookURL, "trigger_id": w.newTrigger(user),
	}
	if w.enterprise != "" {
		p["enterprise_id"], p["enterprise_name"] = w.enterprise, w.s.enterprises[w.enterprise]
	}
	body := rawJSON(p)
	hook := w.s.hooks[strings.TrimPrefix(hookURL, "https://hooks.slack.com")]
	w.s.mu.Unlock()
	a, err := w.s.deliverNow(ctx, &Delivery{Kind: "slash_commands", Type: command, Team: w.id}, body)
	if err != nil || !a.OK() || len(strings.TrimSpace(string(a.Body))) == 0 {
		return a, err
	}
	in := hookBody{Text: string(a.Body)}
	if strings.HasPrefix(strings.TrimSpace(in.Text), "{") {
		in = hookBody{}
		if err := json.Unmarshal(a.Body, &in); err != nil {
			return a, fmt.Errorf("fakeslack: the answer to %s: %w", command, err)
		}
	}
	in.ReplaceOriginal, in.DeleteOriginal = false, false
	if in.Text == "" && len(in.Blocks) == 0 && len(in.Attachments) == 0 {
		return a, nil
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if err := hook.apply(in); err != nil {
		return a, fmt.Errorf("fakeslack: the answer to %s: %w", command, err)
	}
	return a, nil
}

// Shortcut is a person who uses a global shortcut of the app.
func (w *Workspace) Shortcut(ctx context.Context, user, callbackID string) (Answer, error) {
	w.s.mu.Lock()
	u := w.users[user]
	if u == nil || u.deleted || w.install == nil {
		w.s.mu.Unlock()
		return Answer{}, notAllowed("%s has no shortcuts of the app", user)
	}
	p := w.interaction("shortcut", user)
	p["callback_id"], p["trigger_id"], p["action_ts"] = callbackID, w.newTrigger(user), w.s.ts()
	body := rawJSON(p)
	w.s.mu.Unlock()
	return w.s.deliverNow(ctx, &Delivery{Kind: "interactive", Type: "shortcut", Team: w.id}, body)
}

// MessageShortcut is a person who uses a shortcut of the app on a message.
func (w *Workspace) MessageShortcut(ctx context.Context, user, channel, ts, callbackID string) (Answer, error) {
	w.s.mu.Lock()
	_, c, err := w.person(user, channel)
	if err == nil && w.install == nil {
		err = notAllowed("the app is not installed")
	}
	if err == nil && c.find(ts) == nil {
		err = notAllowed("no message %s in %s", ts, channel)
	}
	if err != nil {
		w.s.mu.Unlock()
		return Answer{}, err
	}
	m := c.find(ts)
	p := w.interaction("message_action", user)
	p["callback_id"], p["trigger_id"], p["action_ts"] = callbackID, w.newTrigger(user), w.s.ts()
	p["channel"], p["message_ts"], p["message"] = object{"id": c.id, "name": c.shownName()}, ts, w.messageJSON(c, m)
	p["response_url"] = w.newHook("app", channel, user, nil)
	body := rawJSON(p)
	w.s.mu.Unlock()
	return w.s.deliverNow(ctx, &Delivery{Kind: "interactive", Type: "message_action", Team: w.id}, body)
}
