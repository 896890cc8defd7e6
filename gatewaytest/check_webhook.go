package gatewaytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
)

func (d Delivery) name(i int) string {
	if d.Name != "" {
		return d.Name
	}
	return fmt.Sprint(i + 1)
}

// signed gives a delivery's headers with those that sign its body now.
func (c *checked) signed(r *Rig, header http.Header, body []byte) http.Header {
	return c.signedAt(r.Clock.Now(), header, body)
}

func (c *checked) signedAt(at time.Time, header http.Header, body []byte) http.Header {
	out := http.Header{}
	maps.Copy(out, header.Clone())
	if c.sign != nil {
		for name, v := range c.sign(body, at) {
			out[http.CanonicalHeaderKey(name)] = v
		}
	}
	return out
}

// webhook checks what comes in from outside.
func (c *checked) webhook(t TB) {
	t.Helper()
	if len(c.deliveries) == 0 {
		t.Fatalf("the plugin has a webhook: say with WithDeliveries what its platform sends")
	}
	if c.sign == nil && !c.m.Webhook.Unsigned {
		t.Fatalf("the plugin has a webhook whose deliveries are signed: say with WithSign how")
	}
	for i, d := range c.deliveries {
		sub(t, d.name(i), func(t TB) { c.accepted(t, d) })
		sub(t, d.name(i)+" forged", func(t TB) { c.forged(t, d) })
		sub(t, d.name(i)+" damaged", func(t TB) { c.damaged(t, d) })
		if c.m.Webhook.Global {
			sub(t, d.name(i)+" early", func(t TB) { c.early(t, d) })
		}
	}
	sub(t, "unreadable", c.unreadable)
}

// accepted checks that a delivery has its effect, once.
func (c *checked) accepted(t TB, d Delivery) {
	t.Helper()
	r, _ := c.rig(t)
	inst := c.enable(t, r)
	header := c.signed(r, d.Header, d.Body)
	if w := r.DeliverTo(inst, header, d.Body); w.Code/100 != 2 {
		t.Fatalf("the platform got %d %s", w.Code, w.Body)
	}
	r.Due()
	if d.Event != "" && len(r.Events(d.Event)) == 0 {
		t.Errorf("it became no event %s; there are %d others", d.Event, len(r.Events()))
	}
	waiting, err := r.Inbox(t.Context(), "", 10)
	for _, w := range waiting {
		t.Errorf("it waits for %s: is it for the instance that WithConfig makes? (%s)", w.For, w.Error)
	}
	for _, line := range r.Log.Lines("level=ERROR") {
		t.Errorf("it made an error: %s", line)
	}
	events := len(r.Events())
	if w := r.DeliverTo(inst, header, d.Body); w.Code/100 != 2 {
		t.Errorf("the same again: the platform got %d, and will send it again and again", w.Code)
	}
	r.Due()
	r.Clock.Advance(time.Minute)
	if w := r.DeliverTo(inst, c.signed(r, d.Header, d.Body), d.Body); w.Code/100 != 2 {
		t.Errorf("the same again a minute later: the platform got %d, and will send it again and again", w.Code)
	}
	r.Due()
	if n := len(r.Events()); n != events {
		t.Errorf("it was replayed and became %d events, want %d", n, events)
	}
	w := r.Serve(r.request(http.MethodGet, r.hook(inst), nil, nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET is answered with %d, want 405", w.Code)
	}
	if err != nil {
		t.Errorf("listing the inbox: %v", err)
	}
}

// forged checks that what the platform did not sign changes nothing.
func (c *checked) forged(t TB, d Delivery) {
	t.Helper()
	r, spy := c.rig(t)
	inst := c.enable(t, r)
	path, want := r.hook(inst), http.StatusUnauthorized
	try := func(what string, header http.Header, body []byte) {
		t.Helper()
		before := spy.store.changes()
		w := r.Serve(r.request(http.MethodPost, path, header, body))
		if w.Code != want {
			t.Errorf("%s: answered with %d, want %d", what, w.Code, want)
		}
		if spy.store.changes() != before {
			t.Errorf("%s: something was stored", what)
		}
	}
	if c.m.Webhook.Unsigned {
		path, want = path+"x", http.StatusNotFound
		try("the URL's token changed", d.Header, d.Body)
		path = path[:strings.LastIndexByte(path, '/')]
		try("the URL without its token", d.Header, d.Body)
		return
	}
	now := r.Clock.Now()
	good := c.signed(r, d.Header, d.Body)
	try("not signed at all", d.Header, d.Body)
	for name := range c.sign(d.Body, now) {
		name = http.CanonicalHeaderKey(name)
		for what, value := range map[string][]string{"missing": nil, "empty": {""}, "changed": {changed(good.Get(name))}} {
			bad := good.Clone()
			bad[name] = value
			if value == nil {
				delete(bad, name)
			}
			try("header "+name+" "+what, bad, d.Body)
		}
	}
	for _, i := range []int{0, len(d.Body) / 2, len(d.Body) - 1} {
		if i < 0 {
			continue
		}
		body := bytes.Clone(d.Body)
		body[i] ^= 1
		try(fmt.Sprintf("byte %d of the body changed", i), good, body)
	}
	try("the body cut off", good, d.Body[:len(d.Body)/2])
	// A platform that does not sign the time cannot be held to it.
	if past := now.Add(-time.Hour); !reflect.DeepEqual(c.sign(d.Body, past), c.sign(d.Body, now)) {
		try("signed an hour ago", c.signedAt(past, d.Header, d.Body), d.Body)
		try("signed in an hour", c.signedAt(now.Add(time.Hour), d.Header, d.Body), d.Body)
	}
}

// changed is a header's value with one character changed, in the middle: the last one of base64 may have bits without meaning.
func changed(v string) string {
	if v == "" {
		return "0"
	}
	i, c := len(v)/2, byte('0')
	if v[i] == '0' {
		c = '1'
	}
	return v[:i] + string(c) + v[i+1:]
}

// damaged checks deliveries of which a part is not what it should be, although they are signed.
func (c *checked) damaged(t TB, d Delivery) {
	t.Helper()
	var tree any
	if err := json.Unmarshal(d.Body, &tree); err != nil {
		return // not JSON; "unreadable" has what can be done to it
	}
	r, _ := c.rig(t)
	inst := c.enable(t, r)
	tried := 0
	damage(tree, "", func(at string) {
		if tried++; tried > 1000 {
			return
		}
		body := mustJSON(tree)
		if w := r.DeliverTo(inst, c.signed(r, d.Header, body), body); w.Code >= 500 {
			t.Errorf("with another value at %s: answered with %d", orRoot(at), w.Code)
		}
	})
	r.Due()
}

// damage puts odd values into each place of v in turn, and calls try with v changed so.
func damage(v any, at string, try func(at string)) {
	each := func(old any, set func(any), at string) {
		for _, odd := range []any{nil, 7, "", []any{}, map[string]any{}, true, "x" + strings.Repeat("y", 300)} {
			set(odd)
			try(at)
		}
		set(old)
		damage(old, at, try)
	}
	switch c := v.(type) {
	case map[string]any:
		for _, name := range sortedKeys(c) {
			old := c[name]
			delete(c, name)
			try(at + "/" + name)
			each(old, func(v any) { c[name] = v }, at+"/"+name)
		}
	case []any:
		for i, old := range c {
			each(old, func(v any) { c[i] = v }, fmt.Sprintf("%s/%d", at, i))
		}
	}
}

// unreadable checks bodies that are no delivery of this platform, although they are signed.
func (c *checked) unreadable(t TB) {
	t.Helper()
	r, _ := c.rig(t)
	inst := c.enable(t, r)
	const deep = 100_000
	for _, content := range c.contents() {
		form := strings.HasPrefix(content.Get("Content-Type"), "application/x-www-form-urlencoded")
		for _, b := range []struct {
			name, body string
			bad        bool // no JSON object
		}{
			{"empty", "", true},
			{"a list", `[]`, true},
			{"a number", `7`, true},
			{"no JSON", `{"a":`, true},
			{"two documents", `{} {}`, false},
			{"deeply nested", strings.Repeat(`{"a":`, deep) + "1" + strings.Repeat("}", deep), true},
			{"deeply nested lists", strings.Repeat("[", deep), true},
			{"not UTF-8", "\xff\xfe\xfd", true},
			{"not UTF-8 in a text", "{\"type\":\"\xff\xfe\"}", false},
			{"null", `null`, false},
			{"an empty object", `{}`, false},
			{"a form", `payload=%7B%22type%22%3A&payload=%5B%5D&%zz`, false},
			{"a form with null", `payload=null`, false},
			{"a form with an empty object", `payload=%7B%7D`, false},
		} {
			body := []byte(b.body)
			w := r.DeliverTo(inst, c.signed(r, content, body), body)
			switch {
			case b.bad && !form && w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge:
				t.Errorf("%s: answered with %d, want 400 or 413", b.name, w.Code)
			case w.Code >= 500:
				t.Errorf("%s: answered with %d", b.name, w.Code)
			}
		}
		huge := bytes.Repeat([]byte("a"), 1<<20+1) // the default of Options.MaxBody, and one
		if w := r.DeliverTo(inst, c.signed(r, content, huge), huge); w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("larger than Options.MaxBody: answered with %d, want 413", w.Code)
		}
	}
	r.Due()
}

// contents are the headers of the deliveries, one for each type of content.
func (c *checked) contents() []http.Header {
	var out []http.Header
	seen := map[string]bool{}
	for _, d := range c.deliveries {
		if ct := d.Header.Get("Content-Type"); !seen[ct] {
			seen[ct] = true
			out = append(out, d.Header)
		}
	}
	return out
}

// early checks a delivery for a workspace that nobody has enabled yet: it waits, and has its effect when somebody does.
func (c *checked) early(t TB, d Delivery) {
	t.Helper()
	message, err := c.m.Webhook.Parse(&gateway.Delivery{Header: d.Header, Body: d.Body})
	if err != nil {
		t.Fatalf("it cannot be read: %v", err)
	}
	if c.m.Webhook.Greet != nil {
		if _, greeted := c.m.Webhook.Greet(message); greeted {
			return // it is for no community
		}
	}
	if c.m.Webhook.Route == nil || len(c.m.Webhook.Route(message).Platform) == 0 {
		return // it is for nobody
	}
	r, _ := c.rig(t)
	if w := r.Deliver(c.m.Name, c.signed(r, d.Header, d.Body), d.Body); w.Code/100 != 2 {
		t.Errorf("before anybody has enabled the plugin: answered with %d, and the platform may never send it again", w.Code)
	}
	r.Due()
	waiting, err := r.Inbox(t.Context(), "", 10)
	if err != nil || len(waiting) == 0 {
		t.Errorf("before anybody has enabled the plugin it does not wait in the inbox (%v)", err)
	}
	c.enable(t, r)
	r.Due()
	if d.Event != "" && len(r.Events(d.Event)) == 0 {
		t.Errorf("it waited until the plugin was enabled, and became no event %s", d.Event)
	}
}
