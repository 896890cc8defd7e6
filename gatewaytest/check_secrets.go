package gatewaytest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// leaks uses the plugin in all ways and looks for its secrets in all that comes out. It does so with made-up secrets, and with
// those of WithConfig, which a platform's fake may know.
func (c *checked) leaks(t TB) {
	t.Helper()
	own := map[string]string{}
	for i, s := range c.secrets {
		own[s] = fmt.Sprintf("number %d of WithSecrets", i+1)
	}
	var config, poisoned any
	if err := json.Unmarshal(c.config, &config); err != nil {
		t.Fatalf("reading the configuration: %v", err)
	}
	if err := json.Unmarshal(c.config, &poisoned); err != nil {
		t.Fatalf("reading the configuration: %v", err)
	}
	made := map[string]string{}
	for _, path := range c.schema.Secrets() {
		replace(config, tokens(path), false, func(old string) string {
			if len(old) >= 8 { // a shorter one could stand anywhere by chance
				own[old] = "field " + path
			}
			return old
		})
		replace(poisoned, tokens(path), true, func(string) string {
			canary := "canary" + strings.ToLower(rand.Text())
			made[canary] = "field " + path
			return canary
		})
	}
	if len(made) > 0 {
		sub(t, "made up", func(t TB) { c.leak(t, mustJSON(poisoned), made, false) })
	}
	if len(own) > 0 || len(made) == 0 {
		sub(t, "own", func(t TB) { c.leak(t, c.config, own, true) })
	}
}

// seer looks for secrets.
type seer struct {
	t       TB
	secrets map[string]string // to where they come from
	told    map[string]bool
}

// look fails the test if text holds a secret. It does not say which text: that would show the secret.
func (s *seer) look(where, text string) {
	s.t.Helper()
	for secret, from := range s.secrets {
		if strings.Contains(text, secret) && !s.told[where+from] {
			s.told[where+from] = true
			s.t.Errorf("%s shows the secret of %s", where, from)
		}
	}
}

func (s *seer) answer(where string, out []byte, err error) {
	s.t.Helper()
	s.look("the answer of "+where, string(out))
	if err != nil {
		s.look("the error of "+where, err.Error())
	}
}

// leak does the looking for one configuration.
func (c *checked) leak(t TB, config json.RawMessage, secrets map[string]string, mustEnable bool) {
	t.Helper()
	r, spy := c.rig(t)
	s := &seer{t, secrets, map[string]bool{}}
	town := r.Community("town")
	for _, wrong := range wrongConfigs(config, c.schema.Secrets()) {
		_, err := town.Enable(t.Context(), c.m.Name, wrong, "another")
		s.answer("enabling it with a wrong configuration", nil, err)
	}
	// What was accepted all the same must not stand in the way.
	if other, err := town.Instance(t.Context(), "another"); err == nil {
		if err := other.Remove(t.Context()); err != nil {
			t.Errorf("removing an instance: %v", err)
		}
	}
	inst, err := town.Enable(t.Context(), c.m.Name, config)
	s.answer("enabling it", nil, err)
	switch {
	case err == nil:
		c.use(t, r, inst, s)
		c.behalf(t, r, spy, inst, s)
	case mustEnable:
		t.Errorf("the configuration of WithConfig is refused: %v", err)
	default: // it tries its secrets, and made-up ones do not work
	}
	for _, self := range spy.opened() {
		s.printed("the plugin's value", self)
	}
	for _, e := range r.Events() {
		s.look("event "+e.Type, string(mustJSON(e)))
	}
	s.look("the log", r.Log.String())
	s.look("the store", spy.store.written())
}

func (s *seer) printed(what string, v any) {
	s.t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		s.look(what+" printed with "+verb, fmt.Sprintf(verb, v))
	}
	if raw, err := json.Marshal(v); err == nil {
		s.look(what+" as JSON", string(raw))
	}
}

// use asks the instance for everything that it can do.
func (c *checked) use(t TB, r *Rig, inst *gateway.Instance, s *seer) {
	t.Helper()
	s.printed("the instance", inst)
	out, err := inst.Config(t.Context())
	s.answer("Instance.Config", out, err)
	catalog, err := r.Community("town").Catalog(t.Context())
	s.answer("Community.Catalog", mustJSON(catalog), err)
	for _, a := range c.m.Actions {
		for _, in := range oddInputs(a.Input) {
			out, err := inst.Do(t.Context(), versioned(a.Name, a.Version), in.raw)
			s.answer("action "+a.Name, out, err)
		}
	}
	for _, p := range c.m.Processes {
		for _, in := range oddInputs(p.Input) {
			started, err := inst.Start(t.Context(), versioned(p.Name, p.Version), in.raw)
			s.answer("process "+p.Name, mustJSON(started), err)
		}
	}
	for _, d := range c.m.Choices {
		list, err := inst.Choices(t.Context(), d.Name, "a")
		s.answer("choices "+d.Name, mustJSON(list), err)
	}
	for _, d := range c.m.Roles {
		reading, err := r.Community("town").ReadRole(t.Context(), gateway.RoleKey(inst.Name(), d.Name+"/a"), 0)
		s.answer("role "+d.Name, mustJSON(reading), err)
	}
	if c.m.Webhook != nil {
		for i, d := range c.deliveries {
			s.http(d.name(i), r.DeliverTo(inst, c.signed(r, d.Header, d.Body), d.Body))
			s.http(d.name(i)+" without a signature", r.DeliverTo(inst, d.Header, d.Body))
			s.http(d.name(i)+" cut in half", r.DeliverTo(inst, c.signed(r, d.Header, d.Body[:len(d.Body)/2]), d.Body[:len(d.Body)/2]))
		}
	}
	r.Due()
	all, err := r.Community("town").Processes(t.Context(), "", 1000)
	s.answer("Community.Processes", mustJSON(all), err)
}

func (s *seer) http(what string, w *httptest.ResponseRecorder) {
	s.t.Helper()
	s.look("the HTTP answer to delivery "+what, fmt.Sprint(w.Header())+w.Body.String())
}

// wrongConfigs are configurations that hold the same secrets and may be refused.
func wrongConfigs(config json.RawMessage, secret []string) []json.RawMessage {
	var fields map[string]any
	if err := json.Unmarshal(config, &fields); err != nil {
		return nil
	}
	out := []json.RawMessage{mustJSON([]any{fields}), mustJSON(string(config)), config[:len(config)-1]}
	for name, v := range fields {
		wrong := map[string]any{"no such field " + name: v}
		for n, v := range fields {
			wrong[n] = map[string]any{"value": v}
		}
		out = append(out, mustJSON(wrong))

		other := maps.Clone(fields) // fits the schema; whether the plugin takes it is its affair
		switch v.(type) {
		case string:
			other[name] = "no such value"
		case float64:
			other[name] = -1
		}
		for _, path := range secret {
			if tokens(path)[0] == name {
				other[name] = v
			}
		}
		out = append(out, mustJSON(other))
	}
	return out
}

// tokens takes a JSON pointer apart.
func tokens(pointer string) []string {
	parts := strings.Split(pointer, "/")[1:]
	for i, p := range parts {
		parts[i] = unescape(p)
	}
	return parts
}

// replace puts texts in the places that a pointer names; * is every item and value. absent: a field that is not there is made.
func replace(v any, at []string, absent bool, with func(old string) string) {
	if len(at) == 0 {
		return
	}
	put := func(old any, set func(any)) {
		if len(at) > 1 {
			replace(old, at[1:], absent, with)
			return
		}
		text, _ := old.(string)
		set(with(text))
	}
	switch c := v.(type) {
	case map[string]any:
		for name, old := range c {
			if at[0] == "*" || at[0] == name {
				put(old, func(v any) { c[name] = v })
			}
		}
		if _, there := c[at[0]]; !there && absent && len(at) == 1 && at[0] != "*" {
			c[at[0]] = with("")
		}
	case []any:
		for i, old := range c {
			put(old, func(v any) { c[i] = v })
		}
	}
}
