package fakediscord

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/internal/specs"
)

// seeds are the JSON samples of Discord's documentation, where they are at hand.
func seeds(f *testing.F) {
	f.Helper()
	f.Add([]byte(`{"content":"x","components":[{"type":1,"components":[{"type":2,"style":1,"label":"a","custom_id":"1"}]}]}`))
	f.Add([]byte(`{"flags":32768,"components":[{"type":17,"components":[{"type":9,"components":[{"type":10,"content":"x"}],"accessory":{"type":2,"style":1,"label":"a","custom_id":"1"}}]}]}`))
	f.Add([]byte(`{"poll":{"question":{"text":"q"},"answers":[{"poll_media":{"text":"a","emoji":{"name":"x"}}}]}}`))
	f.Add([]byte(`{"name":"vote","description":"d","options":[{"type":1,"name":"a","description":"d","options":[{"type":3,"name":"b","description":"d"}]}]}`))
	if os.Getenv("GATEWAY_SPECS") == "" {
		return
	}
	files, err := filepath.Glob(filepath.Join(specs.Dir(f), "discord", "doc-examples", "*.json"))
	require.NoError(f, err)
	for _, file := range files {
		if raw, err := os.ReadFile(file); err == nil {
			f.Add(raw)
		}
	}
}

// FuzzMessage: whatever a body says, the message that it makes can be shown, and is within Discord's limits.
func FuzzMessage(f *testing.F) {
	seeds(f)
	s := New(Options{Now: func() time.Time { return time.Unix(1772366400, 0) }})
	f.Cleanup(s.Close)
	s.AddUser("101", "alice")
	g := s.AddGuild("1", "G", "101").AddChannel("2", "c", TextChannel)
	f.Fuzz(func(t *testing.T, body []byte) {
		var in messageForm
		if json.Unmarshal(body, &in) != nil {
			return
		}
		d, err := in.draft(s)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len([]rune(d.content)), 2000)
		require.LessOrEqual(t, len(d.components), 40)
		require.LessOrEqual(t, len(d.embeds), 10)
		s.mu.Lock()
		defer s.mu.Unlock()
		m := &message{c: g.channels["2"], author: "101"}
		m.apply(d)
		require.NotEqual(t, "null", string(rawJSON(m.event())))
		_, _ = findComponent(m.components, "1")
	})
}

// FuzzCommand: whatever a command says, it can be shown and called or is refused.
func FuzzCommand(f *testing.F) {
	seeds(f)
	s := New(Options{})
	f.Cleanup(s.Close)
	g := s.AddGuild("1", "G", "101")
	f.Fuzz(func(t *testing.T, body []byte) {
		var in commandForm
		var raw object
		if json.Unmarshal(body, &raw) != nil || json.Unmarshal(body, &in) != nil || in.check() != nil {
			return
		}
		c := &command{id: "5", name: in.Name, typ: 1, raw: raw}
		require.NotEqual(t, "null", string(rawJSON(c.show())))
		_, _ = c.fill(s, g, nil, map[string]any{"a": 1}, object{})
	})
}

// FuzzGatewayPayload: whatever a client sends, the Gateway answers or closes with a code of its own.
func FuzzGatewayPayload(f *testing.F) {
	for op, d := range map[int]string{1: `5`, 2: `{"token":"x","intents":1,"properties":{}}`, 6: `{"token":"x","session_id":"y","seq":1}`, 8: `{"guild_id":"1","query":"","limit":0}`} {
		f.Add(op, []byte(d))
	}
	s := New(Options{BotToken: "x"})
	f.Cleanup(s.Close)
	s.AddGuild("1", "G", "101").Install(0)
	f.Fuzz(func(t *testing.T, op int, d []byte) {
		c := &conn{s: s, closed: make(chan struct{}), wake: make(chan struct{}, 1)}
		c.receive(op, d)
		c.receive(op, d)
		c.receive(8, d)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.ended {
			require.NotEmpty(t, closeText[c.code])
		}
		s.ForgetSessions()
	})
}

// FuzzRoute: no path breaks the table, and what a route finds has no empty part.
func FuzzRoute(f *testing.F) {
	for _, r := range routes {
		f.Add(r.method, "/api/v10"+r.path)
	}
	f.Add("GET", "/api/v10/channels/1/messages/2/reactions/%F0%9F%91%8D/@me")
	f.Add("GET", "/api//")
	f.Fuzz(func(t *testing.T, method, path string) {
		_, rest := splitPath(path)
		r, vars, err := findRoute(method, rest)
		require.Equal(t, r == nil, err != nil)
		for _, v := range vars {
			require.NotEmpty(t, v)
		}
		if r != nil {
			require.Equal(t, method, r.method)
		}
	})
}
