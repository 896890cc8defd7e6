package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/sqlite"
)

func TestSecretsAreNeverPrinted(t *testing.T) {
	c := forumConfig{Site: "S1", Token: "canary"}
	type holder struct {
		P *forumConfig
		M map[string]gateway.Secret
		L []gateway.Secret
		A any
	}
	h := holder{&c, map[string]gateway.Secret{"a": c.Token}, []gateway.Secret{c.Token}, c.Token}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T %v", "%10v", "%e", "%U"} {
		fmt.Fprintf(&out, verb+"\n", c.Token)
		fmt.Fprintf(&out, verb+"\n", c)
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} { // with others fmt calls no methods behind a pointer; vet refuses them
		fmt.Fprintf(&out, verb+"\n", h)
	}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "secret", c.Token, "config", c, "holder", h)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", c.Token, "config", c, "holder", h)
	for _, v := range []any{c, h, c.Token} {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(raw)
	}
	fmt.Fprintln(&out, fmt.Errorf("with %v and %w", c.Token, gateway.Errorf(gateway.Invalid, "%v", c)))
	require.NotContains(t, out.String(), "canary")
	require.NotContains(t, strings.ToLower(out.String()), fmt.Sprintf("%x", "canary"))
	require.Contains(t, out.String(), "•••")
	require.Equal(t, "canary", c.Token.Reveal())
	require.Empty(t, gateway.Secret("").String())
	require.Equal(t, `gateway.Secret("•••")`, fmt.Sprintf("%#v", c.Token))
}

func TestSecretsAreSealedAtRest(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "gateway.db")
	s, err := sqlite.Open(path)
	require.NoError(t, err)
	key := gateway.NewSealKey()
	r := newRig(t, gateway.Options{Store: s, Seal: newSeal(t, key), PublicURL: "https://gov.example"})
	r.api.grant = func(gateway.OAuthExchange) (gateway.Grant[forumConfig], error) {
		return gateway.Grant[forumConfig]{PlatformID: "S2", Config: forumConfig{Site: "S2", Token: "canary-2"}}, nil
	}
	c, inst := r.town("a", "S1")
	b := r.browser()
	link, err := r.AuthorizeURL(ctx, gateway.AuthRequest{Plugin: "forum"})
	require.NoError(t, err)
	state := b.get(strings.TrimPrefix(link, "https://gov.example")).Query().Get("state")
	b.get("/auth/forum/callback?code=code-canary&state=" + state)
	require.Equal(t, 200, b.last.Code)
	link, err = r.AuthorizeURL(ctx, gateway.AuthRequest{Plugin: "forum"})
	require.NoError(t, err)

	config, err := inst.Config(ctx)
	require.NoError(t, err)
	require.JSONEq(t, `{"site":"S1","token":"•••"}`, string(config))
	catalog, err := c.Catalog(ctx)
	require.NoError(t, err)
	raw, err := json.Marshal(catalog)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "canary")
	require.NotContains(t, fmt.Sprintf("%+v %#v", inst, catalog), "canary")
	require.NotContains(t, r.logs.String(), "canary")
	require.NoError(t, s.Close())

	// What a thief of the file can read.
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NotContains(t, string(raw), "canary", f)
		require.NotContains(t, string(raw), state, "nor a ticket that could still be used")
		require.NotContains(t, string(raw), link[strings.Index(link, "=")+1:])
	}

	// Another key does not open it, and says so; both together do.
	for name, k := range map[string]struct {
		keys []string
		ok   bool
	}{
		"another key": {[]string{gateway.NewSealKey()}, false},
		"rotated":     {[]string{gateway.NewSealKey(), key}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sqlite.Open(path)
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			r.o.Store, r.o.Seal = s, newSeal(t, k.keys...)
			r.again()
			c, err := r.Community(ctx, "a")
			require.NoError(t, err)
			inst, err := c.Instance(ctx, "forum")
			require.NoError(t, err)
			_, err = inst.Do(ctx, "post", post{Text: "x"})
			if k.ok {
				require.NoError(t, err)
				require.NoError(t, inst.Reconfigure(ctx, forumConfig{Site: "S1", Token: "canary"})) // sealed anew
				r.o.Seal = newSeal(t, k.keys[0])
				r.again()
				c, err := r.Community(ctx, "a")
				require.NoError(t, err)
				inst, err := c.Instance(ctx, "forum")
				require.NoError(t, err)
				_, err = inst.Do(ctx, "post", post{Text: "x"})
				require.NoError(t, err, "the old key is not needed any more")
				return
			}
			require.ErrorIs(t, err, gateway.Invalid)
			require.ErrorContains(t, err, "Options.Seal")
			catalog, err := c.Catalog(ctx)
			require.NoError(t, err)
			require.Contains(t, catalog.Plugins[0].Unavailable, "Options.Seal")
		})
	}
}

func TestASecretWithoutSealIsRefused(t *testing.T) {
	g, err := gateway.New(gateway.Options{Store: memory.New(), Plugins: []gateway.Plugin{newForum(&forumAPI{})}})
	require.NoError(t, err)
	c, err := g.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "forum", forumConfig{Site: "S1", Token: "canary"})
	require.ErrorIs(t, err, gateway.Invalid)
	require.ErrorContains(t, err, "Options.Seal")
	_, err = c.Enable(t.Context(), "forum", forumConfig{Site: "S1"})
	require.NoError(t, err, "without a secret nothing has to be sealed")
	for _, keys := range [][]string{{}, {""}, {"short"}} {
		_, err := gateway.NewSeal(keys...)
		require.ErrorIs(t, err, gateway.Invalid)
	}
}

// The sealed bytes of one instance are worth nothing in another's row.
func TestSealedBytesCannotBeMoved(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	_, a := r.town("a", "S1")
	_, b := r.town("b", "S2")
	require.NoError(t, r.store.Update(ctx, func(tx store.Tx) error {
		from, err := tx.Instance(a.ID())
		if err != nil {
			return err
		}
		to, err := tx.Instance(b.ID())
		if err != nil {
			return err
		}
		to.Sealed = from.Sealed
		return tx.PutInstance(to)
	}))
	r.again()
	cb, err := r.Community(ctx, "b")
	require.NoError(t, err)
	inst, err := cb.Instance(ctx, "forum")
	require.NoError(t, err)
	_, err = inst.Do(ctx, "post", post{Text: "x"})
	require.ErrorIs(t, err, gateway.Invalid)
}

func TestReconfigure(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		p := r.poll(inst, voteAsk())
		r.click(p.ID, "u1", "yes")
		var count gateway.Key[int] = "count"
		require.NoError(t, count.Put(ctx, instanceOwner{inst}, 7))
		config := func() string {
			raw, err := inst.Config(ctx)
			require.NoError(t, err)
			return string(raw)
		}
		require.NoError(t, inst.Reconfigure(ctx, forumConfig{Site: "S1", Token: "canary", Motto: "loud"}))
		require.JSONEq(t, `{"site":"S1","token":"•••","motto":"LOUD"}`, config(), "the hook may complete it")

		for name, bad := range map[string]struct {
			config any
			hook   error
			code   gateway.Code
		}{
			"vetoed":           {forumConfig{Site: "S1"}, gateway.Errorf(gateway.Denied, "no"), gateway.Denied},
			"another platform": {forumConfig{Site: "S2"}, nil, gateway.Conflict},
			"no platform":      {json.RawMessage(`{}`), nil, gateway.Invalid},
			"unknown field":    {json.RawMessage(`{"site":"S1","x":1}`), nil, gateway.Invalid},
			"refused by Open":  {forumConfig{Site: "S1", Motto: "refused"}, nil, gateway.Invalid},
		} {
			r.api.fails("configure", bad.hook)
			require.ErrorIs(t, inst.Reconfigure(ctx, bad.config), bad.code, name)
			require.JSONEq(t, `{"site":"S1","token":"•••","motto":"LOUD"}`, config(), name)
		}
		r.api.on("configure", nil)
		got := r.process(c, p.ID)
		require.Equal(t, gateway.StatusPending, got.Status, "running processes live on")
		require.EqualValues(t, 1, got.Voters)
		n, err := count.Get(ctx, instanceOwner{inst})
		require.NoError(t, err)
		require.Equal(t, 7, n)

		again, err := c.Enable(ctx, "forum", forumConfig{Site: "S1"})
		require.NoError(t, err)
		require.Equal(t, inst.ID(), again.ID(), "enabling twice is harmless")
		second, err := c.Enable(ctx, "forum", forumConfig{Site: "S2"}, "forum-2")
		require.NoError(t, err)
		require.NotEqual(t, inst.ID(), second.ID())
		_, err = c.Enable(ctx, "forum", forumConfig{Site: "S2"}, "forum-3")
		require.ErrorIs(t, err, gateway.Conflict, "the platform object stands here already")
		_, err = c.Enable(ctx, "nope", nil)
		require.ErrorIs(t, err, gateway.NotFound)
		for _, name := range []string{"", "A", "a b", "a/b", "-a", strings.Repeat("a", 64)} {
			_, err = c.Enable(ctx, "forum", forumConfig{Site: "S4"}, name)
			require.ErrorIs(t, err, gateway.Invalid, name)
		}
		list, err := c.Instances(ctx)
		require.NoError(t, err)
		require.Len(t, list, 2)

		e := r.listen("driver")
		r.says("S2", "m1", "for the second")
		r.due()
		require.Equal(t, second.ID(), e.events[0].Instance)
	})
}

// A configuration that was not kept is never used, whatever was tried before it.
func TestAConfigurationThatWasNotKeptIsNotUsed(t *testing.T) {
	ctx := t.Context()
	r := newFaultyRig(t)
	_, inst := r.town("a", "S1")
	r.faulty.BeforeCommit(1, nil)
	require.ErrorIs(t, inst.Reconfigure(ctx, forumConfig{Site: "S1", Motto: "wrong"}), gateway.Unavailable)
	require.NoError(t, inst.Reconfigure(ctx, forumConfig{Site: "S1", Motto: "right"}))
	var used string
	r.api.on("receive look", func(ctx context.Context) error { used = ctx.Value(forumKey{}).(*forum).config.Motto; return nil })
	require.Equal(t, 200, r.deliver(forumMessage{Site: "S1", Kind: "look"}).Code)
	require.Equal(t, "right", used)
}

func TestReconfiguredAtOnce(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	_, inst := r.town("a", "S1")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { _ = inst.Reconfigure(ctx, forumConfig{Site: "S1", Motto: fmt.Sprint(i)}) }) // all but one may be told of a conflict
	}
	wg.Wait()
	var used string
	r.api.on("receive look", func(ctx context.Context) error { used = ctx.Value(forumKey{}).(*forum).config.Motto; return nil })
	r.deliver(forumMessage{Site: "S1", Kind: "look"})
	raw, err := inst.Config(ctx)
	require.NoError(t, err)
	require.JSONEq(t, `{"site":"S1","motto":"`+used+`"}`, string(raw))
}

func TestCommunities(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	for _, slug := range []string{"", "A", "a b", "a/b", "-a", "a-", "a--b", "ä", strings.Repeat("a", 64)} {
		_, err := r.CreateCommunity(ctx, slug, "x")
		require.ErrorIs(t, err, gateway.Invalid, slug)
	}
	for _, slug := range []string{"a", "b_c-d", strings.Repeat("a", 63)} {
		_, err := r.CreateCommunity(ctx, slug, "x")
		require.NoError(t, err)
	}
	_, err := r.CreateCommunity(ctx, "a", "x")
	require.ErrorIs(t, err, gateway.Conflict)
	_, err = r.Community(ctx, "nope")
	require.ErrorIs(t, err, gateway.NotFound)
	list, err := r.Communities(ctx, "a", 10)
	require.NoError(t, err)
	require.Len(t, list, 2)
	c, err := r.Community(ctx, "a")
	require.NoError(t, err)
	_, err = c.Instance(ctx, "nope")
	require.ErrorIs(t, err, gateway.NotFound)
	_, err = c.Process(ctx, "nope")
	require.ErrorIs(t, err, gateway.NotFound)
}

func TestCatalog(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{Plugins: []gateway.Plugin{newOwn("zebra", true, new([]string))}})
	c, inst := r.town("a", "S1")
	require.NoError(t, inst.Pause(ctx, "holiday"))
	catalog, err := c.Catalog(ctx)
	require.NoError(t, err)
	require.Len(t, catalog.Plugins, 2)
	f, z := catalog.Plugins[0], catalog.Plugins[1]
	require.Equal(t, "paused: holiday", f.Unavailable)
	require.Equal(t, "not enabled in this community", z.Unavailable)
	require.JSONEq(t, `{"site":"S1"}`, string(f.Public), "what is not public is not there")
	raw, err := json.Marshal(catalog)
	require.NoError(t, err)
	var tree struct {
		Plugins []struct {
			Actions   []map[string]json.RawMessage
			Processes []map[string]json.RawMessage
			Choices   []map[string]json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal(raw, &tree))
	names := func(list []map[string]json.RawMessage) (out []string) {
		for _, m := range list {
			out = append(out, string(m["name"]))
			require.NotEmpty(t, m["doc"])
		}
		return out
	}
	require.Equal(t, []string{`"post"`, `"broken"`, `"careful"`}, names(tree.Plugins[0].Actions))
	require.Equal(t, []string{`"poll"`, `"task"`}, names(tree.Plugins[0].Processes))
	require.Equal(t, []string{`"channels"`}, names(tree.Plugins[0].Choices))
	require.JSONEq(t, `{"type":"string","minLength":1,"description":"What to say."}`, pick(t, tree.Plugins[0].Actions[0]["input"], "properties", "text"))
	require.NotContains(t, string(raw), "null", "lists that are empty are lists")
	require.NoError(t, inst.Resume(ctx))
	catalog, err = c.Catalog(ctx)
	require.NoError(t, err)
	require.Empty(t, catalog.Plugins[0].Unavailable)
}

func pick(t *testing.T, raw json.RawMessage, path ...string) string {
	t.Helper()
	for _, p := range path {
		var m map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &m))
		raw = m[p]
	}
	return string(raw)
}
