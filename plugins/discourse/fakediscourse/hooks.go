package fakediscourse

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"
)

// hook is a webhook. Guarded by Server.mu.
type hook struct {
	f                *Forum
	id               int64
	url, secret      string
	contentType      int // 1 is JSON, 2 is a form
	wildcard, verify bool
	active           bool
	types            []int64
	categories       []int64
	groups           []int64
	tags             []string
	lastStatus       int
	events           []hookEvent
}

// hookEvent is a line of what administrators see of deliveries.
type hookEvent struct {
	id      int64
	status  int               // of the answer; -1 is none
	headers map[string]string // of the request
	event   string
	body    string
	answer  Answer
	at      time.Time
}

func (e hookEvent) failed() bool { return e.status < 200 || e.status > 299 }

// The states of a webhook's last delivery.
const (
	statusInactive   = 1
	statusFailed     = 2
	statusSuccessful = 3
)

var contentTypes = map[int]string{1: "application/json", 2: "application/x-www-form-urlencoded"}

func (f *Forum) sortedHooks() []*hook {
	out := make([]*hook, 0, len(f.hooks))
	for _, h := range f.hooks {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b *hook) int { return cmp.Compare(a.id, b.id) })
	return out
}

func (h *hook) show() object {
	types := []object{}
	for _, t := range eventTypes() {
		if id, _ := t["id"].(int64); slices.Contains(h.types, id) {
			types = append(types, t)
		}
	}
	return object{"id": h.id, "payload_url": h.url, "content_type": h.contentType, "last_delivery_status": h.lastStatus, "secret": h.secret,
		"wildcard_web_hook": h.wildcard, "verify_certificate": h.verify, "active": h.active, "web_hook_event_types": types,
		"category_ids": list(h.categories), "tag_names": list(h.tags), "group_ids": list(h.groups)}
}

func (r *request) listHooks() (any, error) {
	from := int(r.int("offset"))
	out := []object{}
	for _, h := range page(r.f.sortedHooks(), from, 50) {
		out = append(out, h.show())
	}
	return object{"web_hooks": out, "total_rows_web_hooks": len(r.f.hooks),
		"load_more_web_hooks": "/admin/api/web_hooks.json?limit=50&offset=" + itoa(int64(from+50)),
		"extras":              r.f.hookExtras()}, nil
}

// hookExtras are what webhooks can choose of: the kinds of events by group, or in a list as older versions had them.
func (f *Forum) hookExtras() object {
	o := object{"content_types": []object{{"id": 1, "name": contentTypes[1]}, {"id": 2, "name": contentTypes[2]}},
		"delivery_statuses": []object{{"id": 1, "name": "inactive"}, {"id": 2, "name": "failed"}, {"id": 3, "name": "successful"}, {"id": 4, "name": "disabled"}}}
	if f.settings.OldHooks {
		o["event_types"] = eventTypes()
		return o
	}
	groups := map[string][]object{}
	for _, t := range eventTypes() {
		groups[text(t["group"])] = append(groups[text(t["group"])], t)
	}
	o["grouped_event_types"], o["default_event_types"] = groups, groups["post"]
	return o
}

func (r *request) hook() (*hook, error) {
	if h := r.f.hooks[r.id()]; h != nil {
		return h, nil
	}
	return nil, refuse("not_found")
}

func (r *request) getHook() (any, error) {
	h, err := r.hook()
	if err != nil {
		return nil, err
	}
	return object{"web_hook": h.show()}, nil
}

func (r *request) createHook() (any, error) {
	h := &hook{f: r.f, contentType: 1, verify: true, lastStatus: statusInactive}
	if err := h.set(r.object("web_hook")); err != nil {
		return nil, err
	}
	h.id = r.f.nextID("hook")
	r.f.hooks[h.id] = h
	r.f.note("web_hook_create", r.user, h.url, "")
	return object{"web_hook": h.show()}, nil
}

func (r *request) updateHook() (any, error) {
	h, err := r.hook()
	if err != nil {
		return nil, err
	}
	now := *h
	if err := now.set(r.object("web_hook")); err != nil {
		return nil, err
	}
	*h = now
	return object{"web_hook": h.show()}, nil
}

func (r *request) deleteHook() (any, error) {
	h, err := r.hook()
	if err != nil {
		return nil, err
	}
	delete(r.f.hooks, h.id)
	r.f.note("web_hook_destroy", r.user, h.url, "")
	return done()
}

// set takes what a request says of a webhook, and says what is wrong with the result.
func (h *hook) set(in object) error {
	if in == nil {
		return missing("web_hook")
	}
	if v, ok := in["payload_url"]; ok {
		h.url = strings.TrimSpace(text(v))
	}
	if v, ok := in["content_type"]; ok {
		h.contentType = atoi(text(v), 0)
	}
	if v, ok := in["secret"]; ok {
		h.secret = text(v)
	}
	for name, to := range map[string]*bool{"wildcard_web_hook": &h.wildcard, "verify_certificate": &h.verify, "active": &h.active} {
		if v, ok := in[name]; ok {
			*to = text(v) == "true" || text(v) == "1"
		}
	}
	if v, ok := in["web_hook_event_type_ids"]; ok {
		h.types = nil
		for _, id := range texts(v) {
			if known(num(id)) {
				h.types = append(h.types, num(id))
			}
		}
	}
	for name, to := range map[string]*[]int64{"category_ids": &h.categories, "group_ids": &h.groups} {
		if v, ok := in[name]; ok {
			*to = nil
			for _, id := range texts(v) {
				*to = append(*to, num(id))
			}
		}
	}
	if v, ok := in["tag_names"]; ok {
		h.tags = texts(v)
	}
	return h.check()
}

func known(id int64) bool {
	for _, n := range eventIDs {
		if n == id {
			return true
		}
	}
	return false
}

func (h *hook) check() error {
	var errs []string
	u, err := url.Parse(h.url)
	switch {
	case h.url == "":
		errs = append(errs, "Payload URL can't be blank", "Payload URL is invalid")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		errs = append(errs, "Payload URL is invalid")
	}
	if h.secret != "" && len(h.secret) < 12 {
		errs = append(errs, "Secret is too short (minimum is 12 characters)")
	}
	if contentTypes[h.contentType] == "" {
		errs = append(errs, "Content type is not included in the list")
	}
	if !h.wildcard && len(h.types) == 0 {
		errs = append(errs, "Web hook event types can't be blank")
	}
	if len(errs) > 0 {
		return invalid(errs...)
	}
	return nil
}

func (r *request) pingHook() (any, error) {
	h, err := r.hook()
	if err != nil {
		return nil, err
	}
	r.f.ping(h)
	return done()
}

func (f *Forum) ping(h *hook) { f.deliver(h, "ping", "ping", []byte(`{"ping":"OK"}`)) }

// show is an event with the headers of its request, as text in JSON.
func (e hookEvent) show(hook *hook) object {
	return object{"id": e.id, "web_hook_id": hook.id, "request_url": hook.url, "status": e.status, "headers": string(rawJSON(e.headers)), "payload": e.body,
		"response_headers": string(rawJSON(e.answer.Header)), "response_body": string(e.answer.Body), "duration": 12, "created_at": iso(e.at), "redelivering": false}
}

func (r *request) hookEvents() (any, error) {
	h, err := r.hook()
	if err != nil {
		return nil, err
	}
	newest := slices.Clone(h.events)
	slices.Reverse(newest)
	if s := r.str("status"); s != "" {
		newest = slices.DeleteFunc(newest, func(e hookEvent) bool {
			return s == "successful" && e.failed() || s == "failed" && !e.failed()
		})
	}
	from := int(r.int("offset"))
	out := []object{}
	for _, e := range page(newest, from, 50) {
		out = append(out, e.show(h))
	}
	return object{"web_hook_events": out, "total_rows_web_hook_events": len(newest),
		"load_more_web_hook_events": "/admin/api/web_hook_events/" + itoa(h.id) + ".json?limit=50&offset=" + itoa(int64(from+50)),
		"extras":                    object{"web_hook_id": h.id}}, nil
}

// tried writes an attempt down: one by hand takes the place of the first.
func (h *hook) tried(e hookEvent) {
	for i := range h.events {
		if h.events[i].id == e.id {
			e.at = h.events[i].at
			h.events[i] = e
			return
		}
	}
	h.events = append(h.events, e)
}

// again sends an event again, under its ID of then.
func (h *hook) again(e hookEvent) {
	h.f.s.queue.add(&delivery{hook: h, again: e.id,
		log: &Delivery{Forum: h.f.base, Hook: h.id, Event: e.event, Type: eventType(e.event), Body: []byte(e.body)}})
}

func (r *request) redeliver() (any, error) {
	h, err := r.hook()
	if err != nil {
		return nil, err
	}
	for _, e := range h.events {
		if itoa(e.id) == r.vars["event_id"] {
			h.again(e)
			return object{"web_hook_event": e.show(h)}, nil
		}
	}
	return nil, refuse("not_found")
}

// redeliverFailed sends events again that failed, those of the IDs.
func (r *request) redeliverFailed() (any, error) {
	h, err := r.hook()
	if err != nil {
		return nil, err
	}
	ids, some := r.list("event_ids"), []string{}
	for _, e := range h.events {
		if e.failed() && slices.Contains(ids, itoa(e.id)) {
			h.again(e)
			some = append(some, itoa(e.id))
		}
	}
	if len(some) == 0 {
		return nil, refuse("not_found")
	}
	return object{"event_ids": some}, nil
}

// RedeliverFailed has everything delivered to a webhook again that failed, as an administrator does, and waits for it.
func (f *Forum) RedeliverFailed(hookID int64) {
	f.s.mu.Lock()
	if h := f.hooks[hookID]; h != nil {
		for _, e := range h.events {
			if e.failed() {
				h.again(e)
			}
		}
	}
	f.s.mu.Unlock()
	f.s.told()
}

// Webhook is a webhook that an administrator makes by hand. The zero values of Events, and of what is not named, mean every event, JSON
// and that it is switched on.
type Webhook struct {
	URL, Secret string
	Events      []string // such as "post_created"; empty is every one
	Form        bool     // content type application/x-www-form-urlencoded
	Inactive    bool
	// Of what the webhook hears alone; empty is everything.
	Categories, Groups []int64
	Tags               []string
}

// AddWebhook makes a webhook, as an administrator does, and returns its ID. The secret may be empty: then nothing is signed.
func (f *Forum) AddWebhook(w Webhook) (int64, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	h := &hook{f: f, url: w.URL, secret: w.Secret, contentType: 1, verify: true, active: !w.Inactive, wildcard: len(w.Events) == 0,
		lastStatus: statusInactive, categories: w.Categories, groups: w.Groups, tags: w.Tags}
	if w.Form {
		h.contentType = 2
	}
	for _, e := range w.Events {
		h.types = append(h.types, eventID(e))
	}
	if err := h.check(); err != nil {
		return 0, err
	}
	h.id = f.nextID("hook")
	f.hooks[h.id] = h
	return h.id, nil
}

// RemoveWebhook deletes a webhook, as an administrator does.
func (f *Forum) RemoveWebhook(id int64) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	delete(f.hooks, id)
}

// Ping sends a ping to a webhook, as an administrator does, and waits for it.
func (f *Forum) Ping(id int64) error {
	f.s.mu.Lock()
	h := f.hooks[id]
	if h != nil {
		f.ping(h)
	}
	f.s.mu.Unlock()
	if h == nil {
		return notAllowed("there is no webhook %d", id)
	}
	f.s.told()
	return nil
}

// HookView is a webhook as it is now.
type HookView struct {
	ID          int64
	URL, Secret string
	ContentType string
	Events      []string // empty if Wildcard
	Wildcard    bool
	Active      bool
	VerifyCert  bool
	LastStatus  string // "inactive", "failed" or "successful"
}

// Webhooks lists the webhooks, by ID.
func (f *Forum) Webhooks() []HookView {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	var out []HookView
	for _, h := range f.sortedHooks() {
		v := HookView{ID: h.id, URL: h.url, Secret: h.secret, ContentType: contentTypes[h.contentType], Wildcard: h.wildcard, Active: h.active,
			VerifyCert: h.verify, LastStatus: map[int]string{1: "inactive", 2: "failed", 3: "successful"}[h.lastStatus]}
		for _, t := range eventTypes() {
			if id, _ := t["id"].(int64); slices.Contains(h.types, id) {
				v.Events = append(v.Events, text(t["name"]))
			}
		}
		out = append(out, v)
	}
	return out
}
