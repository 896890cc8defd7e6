package fakeslack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// view is a modal or an App Home.
type view struct {
	id, user, hash string
	body           object // type, title, blocks, callback_id, private_metadata, … as the app gave it
	root, previous string
	closed         bool
}

func (r *request) readView(types ...string) (object, error) {
	text := r.arg("view")
	if text == "" {
		return nil, refuseWith("invalid_arguments", "[ERROR] missing required field: view")
	}
	return r.s.checkView([]byte(text), types...)
}

func (s *Server) checkView(text []byte, types ...string) (object, error) {
	var v object
	if json.Unmarshal(text, &v) != nil {
		return nil, refuseWith("invalid_arguments", "[ERROR] view is not an object")
	}
	typ, _ := v["type"].(string)
	if !slices.Contains(types, typ) {
		return nil, refuseWith("invalid_arguments", "[ERROR] unsupported type [json-pointer:/view/type]")
	}
	c := &blockChecker{}
	if typ == "modal" {
		c.text("/view", v, "title", 24, true, "plain_text")
		c.text("/view", v, "submit", 24, false, "plain_text")
		c.text("/view", v, "close", 24, false, "plain_text")
	}
	c.str("/view", v, "private_metadata", 3000, false)
	c.str("/view", v, "callback_id", 255, false)
	c.str("/view", v, "external_id", 255, false)
	blocks, err := s.parseBlocks(string(rawJSON(v["blocks"])), maxViewBlocks)
	if err != nil {
		if e, ok := err.(*apiError); ok {
			return nil, &apiError{"invalid_arguments", e.extra}
		}
		return nil, err
	}
	if blocks == nil && typ == "modal" {
		c.fail("/view", "missing required field: blocks")
	}
	input := slices.ContainsFunc(blocks, func(b any) bool { o, _ := b.(object); return o["type"] == "input" })
	if input && typ == "modal" && v["submit"] == nil {
		c.fail("/view", "submit is required when an input block is in the view")
	}
	if len(c.messages) > 0 {
		return nil, refuseWith("invalid_arguments", c.messages...)
	}
	v["blocks"] = blocks
	return v, nil
}

func (w *Workspace) viewJSON(v *view) object {
	o := object{
		"id": v.id, "team_id": w.id, "hash": v.hash, "state": object{"values": object{}}, "private_metadata": "", "callback_id": "",
		"external_id": "", "clear_on_close": false, "notify_on_close": false, "root_view_id": v.root, "previous_view_id": nil,
		"app_id": w.s.app.AppID, "app_installed_team_id": w.id, "bot_id": w.install.botID, "title": nil, "close": nil, "submit": nil,
	}
	if v.previous != "" {
		o["previous_view_id"] = v.previous
	}
	for k, x := range v.body {
		o[k] = x
	}
	return o
}

func (w *Workspace) newHash() string {
	return fmt.Sprintf("%d.%s", unix(w.s.opt.Now()), secretText(4))
}

func (r *request) viewsOpen() (object, error) {
	id := orElse(r.arg("trigger_id"), r.arg("interactivity_pointer"))
	t := r.s.triggers[id]
	switch {
	case id == "":
		return nil, refuseWith("invalid_arguments", "[ERROR] missing required field: trigger_id")
	case t == nil || t.w != r.w:
		return nil, refuse("invalid_trigger_id")
	case t.used:
		return nil, refuse("exchanged_trigger_id")
	case r.s.opt.Now().After(t.expires):
		return nil, refuse("expired_trigger_id")
	}
	body, err := r.readView("modal")
	if err != nil {
		return nil, err
	}
	t.used = true
	v := &view{id: r.s.id("V"), user: t.user, hash: r.w.newHash(), body: body}
	v.root = v.id
	r.w.views[v.id] = v
	return object{"view": r.w.viewJSON(v)}, nil
}

func (r *request) viewsUpdate() (object, error) {
	var v *view
	for _, x := range r.w.views {
		ext, _ := x.body["external_id"].(string)
		if !x.closed && (x.id == r.arg("view_id") || r.arg("view_id") == "" && ext != "" && ext == r.arg("external_id")) {
			v = x
		}
	}
	if v == nil {
		return nil, refuse("not_found")
	}
	if h := r.arg("hash"); h != "" && h != v.hash {
		return nil, refuse("hash_conflict")
	}
	body, err := r.readView(v.body["type"].(string))
	if err != nil {
		return nil, err
	}
	v.body, v.hash = body, r.w.newHash()
	return object{"view": r.w.viewJSON(v)}, nil
}

func (r *request) viewsPublish() (object, error) {
	if u := r.w.users[r.arg("user_id")]; u == nil || u.deleted {
		return nil, refuseWith("invalid_arguments", "[ERROR] invalid user_id")
	}
	v := r.w.homes[r.arg("user_id")]
	if h := r.arg("hash"); h != "" && v != nil && h != v.hash {
		return nil, refuse("hash_conflict")
	}
	body, err := r.readView("home")
	if err != nil {
		return nil, err
	}
	if v == nil {
		v = &view{id: r.s.id("V"), user: r.arg("user_id")}
		v.root = v.id
		r.w.homes[v.user] = v
		r.w.views[v.id] = v
	}
	v.body, v.hash = body, r.w.newHash()
	return object{"view": r.w.viewJSON(v)}, nil
}

// View is a modal that is open, or an App Home.
type View struct {
	ID, User string
	JSON     json.RawMessage
}

// OpenViews returns the modals that a person has open, oldest first.
func (w *Workspace) OpenViews(user string) []View {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	var out []View
	for _, v := range w.views {
		if v.user == user && !v.closed && v.body["type"] == "modal" {
			out = append(out, View{v.id, v.user, rawJSON(w.viewJSON(v))})
		}
	}
	slices.SortFunc(out, func(a, b View) int { return compareIDs(a.ID, b.ID) })
	return out
}

// compareIDs orders generated IDs by age: longer ones are younger.
func compareIDs(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Home returns what the app published as a person's App Home.
func (w *Workspace) Home(user string) (View, bool) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	v := w.homes[user]
	if v == nil {
		return View{}, false
	}
	return View{v.id, v.user, rawJSON(w.viewJSON(v))}, true
}

// Submit is a person who submits a modal. values are state.values: block_id to action_id to the element's state, for example
// {"b": {"a": {"type": "plain_text_input", "value": "x"}}}. The answer's response_action is followed: errors keeps the modal open,
// update and push change it, otherwise it closes.
func (w *Workspace) Submit(ctx context.Context, user, viewID string, values map[string]map[string]any) (Answer, error) {
	return w.endView(ctx, user, viewID, "view_submission", values)
}

// CloseView is a person who cancels a modal; the app hears of it if the modal has notify_on_close.
func (w *Workspace) CloseView(ctx context.Context, user, viewID string) (Answer, error) {
	return w.endView(ctx, user, viewID, "view_closed", nil)
}

func (w *Workspace) endView(ctx context.Context, user, viewID, typ string, values map[string]map[string]any) (Answer, error) {
	w.s.mu.Lock()
	v := w.views[viewID]
	if v == nil || v.user != user || v.closed || v.body["type"] != "modal" || w.install == nil {
		w.s.mu.Unlock()
		return Answer{}, notAllowed("%s has no open modal %s", user, viewID)
	}
	shown := w.viewJSON(v)
	state := object{}
	for k, x := range values {
		state[k] = x
	}
	shown["state"] = object{"values": state}
	p := w.interaction(typ, user)
	p["view"] = shown
	if typ == "view_submission" {
		p["trigger_id"], p["response_urls"] = w.newTrigger(user), []string{}
	} else {
		p["is_cleared"] = false
		v.closed = true
	}
	quiet := typ == "view_closed" && v.body["notify_on_close"] != true
	body := rawJSON(p)
	w.s.mu.Unlock()
	if quiet {
		return Answer{Status: 200}, nil
	}
	a, err := w.s.deliverNow(ctx, &Delivery{Kind: "interactive", Type: typ, Team: w.id}, body)
	if err != nil || typ == "view_closed" || !a.OK() {
		return a, err
	}
	return a, w.follow(v, a.Body)
}

// follow does what the answer to a submission asks for.
func (w *Workspace) follow(v *view, body []byte) error {
	var in struct {
		Action string          `json:"response_action"`
		View   json.RawMessage `json:"view"`
	}
	if len(body) > 0 && utf8.Valid(body) {
		// A body that is no JSON is treated as empty: the modal closes.
		_ = json.Unmarshal(body, &in)
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	switch in.Action {
	case "errors":
		return nil
	case "update", "push":
		content, err := w.s.checkView(in.View, "modal")
		if err != nil {
			return fmt.Errorf("fakeslack: the view of the answer: %w", err)
		}
		if in.Action == "update" {
			v.body, v.hash = content, w.newHash()
			return nil
		}
		next := &view{id: w.s.id("V"), user: v.user, hash: w.newHash(), body: content, root: v.root, previous: v.id}
		w.views[next.id] = next
		return nil
	case "clear":
		for _, x := range w.views {
			if x.root == v.root {
				x.closed = true
			}
		}
	}
	v.closed = true
	return nil
}

// OpenHome is a person who opens the app's home tab.
func (w *Workspace) OpenHome(ctx context.Context, user string) error {
	return w.act(ctx, func() error {
		u := w.users[user]
		if u == nil || u.deleted || w.install == nil {
			return notAllowed("%s cannot open the app's home", user)
		}
		dm, _ := w.openDM([]string{user, w.install.botUser})
		o := object{"type": "app_home_opened", "user": user, "channel": dm.id, "tab": "home"}
		if v := w.homes[user]; v != nil {
			o["view"] = w.viewJSON(v)
		}
		// This event needs no scope, so any scope that the app has will do.
		w.emit(o, orElse(firstOf(w.install.token), "none"), nil)
		return nil
	})
}

func firstOf(t *token) string {
	if t == nil || len(t.scopes) == 0 {
		return ""
	}
	return t.scopes[0]
}
