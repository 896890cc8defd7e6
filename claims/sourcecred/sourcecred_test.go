package sourcecred

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/internal/specs"
	"github.com/metagov/gateway-go/store/memory"
)

func TestParse(t *testing.T) {
	for address, want := range map[string]Alias{
		"N\x00sourcecred\x00discourse\x00user\x00https://forum.example\x00joshua\x00": {"discourse", "https://forum.example", "joshua"},
		"N\x00sourcecred\x00github\x00USERLIKE\x00USER\x00joshua\x00":                 {"github", "", "joshua"},
		"N\x00sourcecred\x00discord\x00MEMBER\x00user\x00123\x00":                     {"discord", "", "123"},
		"N\x00sourcecred\x00ethereum\x00ADDRESS\x000xab\x00":                          {"ethereum", "", "0xab"},
	} {
		got, ok := Parse(address)
		require.True(t, ok, "%q", address)
		require.Equal(t, want, got)
		require.Equal(t, address, got.Address())
	}
	for _, nobody := range []string{
		"", "N", "joshua", "N\x00sourcecred\x00discourse\x00user\x00https://forum.example\x00joshua", // no end
		"E\x00sourcecred\x00github\x00USERLIKE\x00USER\x00joshua\x00",              // an edge
		"N\x00other\x00github\x00USERLIKE\x00USER\x00joshua\x00",                   // another program
		"N\x00sourcecred\x00github\x00USERLIKE\x00BOT\x00joshua\x00",               // a program
		"N\x00sourcecred\x00github\x00USERLIKE\x00joshua\x00",                      // too short
		"N\x00sourcecred\x00github\x00USERLIKE\x00USER\x00x\x00joshua\x00",         // too long
		"N\x00sourcecred\x00github\x00ISSUE\x00org\x00repo\x00joshua\x00",          // a thing
		"N\x00sourcecred\x00discourse\x00topic\x00https://forum.example\x0012\x00", // a thing
		"N\x00sourcecred\x00discourse\x00user\x00\x00joshua\x00",                   // of no server
		"N\x00sourcecred\x00discourse\x00user\x00joshua\x00",                       // of no server
		"N\x00sourcecred\x00core\x00IDENTITY\x00USER\x00joshua\x00",                // an identity
		"N\x00sourcecred\x00discord\x00MEMBER\x00user\x00\x00",                     // nobody
		"N\x00sourcecred\x00discord\x00member\x00user\x00123\x00",                  // written otherwise
		" N\x00sourcecred\x00discord\x00MEMBER\x00user\x00123\x00",                 // likewise
	} {
		_, ok := Parse(nobody)
		require.False(t, ok, "%q", nobody)
	}
}

// The addresses in SourceCred's own example instance.
func TestPublishedAddresses(t *testing.T) {
	dir := filepath.Join(specs.Dir(t), "sourcecred", "sourcecred", "packages", "sourcecred", "sharness", "__snapshots__", "test-instance")
	raw, err := os.ReadFile(filepath.Join(dir, "output", "credGrainView.decompressed.json"))
	require.NoError(t, err)
	seen := map[string]int{}
	for _, quoted := range regexp.MustCompile(`"N\\u0000[^"]*"`).FindAll(raw, -1) {
		var address string
		require.NoError(t, json.Unmarshal(quoted, &address))
		a, ok := Parse(address)
		require.Equal(t, ok, a.Address() == address && address != "")
		if ok {
			seen[a.Plugin]++
		} else {
			require.Regexp(t, "core|BOT|ethereum", address)
		}
	}
	require.Equal(t, map[string]int{"discourse": 4, "github": 2}, seen)
}

func TestAmounts(t *testing.T) {
	for in, want := range map[json.Number]string{
		"0": "0", "12": "12", "012.50": "12.5", "1e2": "100", "1.5E+2": "150", "25e-1": "2.5", "0.1": "0.1", "1234.5678901234567": "1234.5678901234567",
		"0.0000000000000000019": "0.000000000000000001", "1e-30": "0", "999999999999999999999999999999": "999999999999999999999999999999",
		"": "", "-1": "", "NaN": "", "1e": "", "1e400": "", "1e999999999": "", "0x10": "", "1_000": "", "1e31": "", "+1": "", " 1": "",
	} {
		require.Equal(t, want, plain(in), "%q", in)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("N\x00sourcecred\x00discourse\x00user\x00https://forum.example\x00joshua\x00")
	f.Add("N\x00sourcecred\x00github\x00USERLIKE\x00USER\x00joshua\x00")
	f.Fuzz(func(t *testing.T, address string) {
		if a, ok := Parse(address); ok {
			require.Equal(t, address, a.Address())
		}
	})
}

func FuzzAccounts(f *testing.F) {
	f.Add([]byte(`{"accounts":[{"account":{"active":true,"identity":{"id":"i","aliases":[{"address":"N\u0000sourcecred\u0000discord\u0000MEMBER\u0000user\u00001\u0000"}]}},"totalCred":1e1}],"intervals":[{"endTimeMs":1}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := read(raw)
		if err != nil {
			return
		}
		for a, h := range l.holders {
			if h != nil {
				_, err := h.claims(a)
				require.NoError(t, err)
			}
		}
	})
}

// instance is a fake of an instance's pages.
type instance struct {
	mu     sync.Mutex
	body   string
	status int
	asked  int
	cached int
}

func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	if r.URL.Path != "/cred/output/accounts.json" {
		http.NotFound(w, r)
		return
	}
	if i.status != 0 {
		w.WriteHeader(i.status)
		return
	}
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(i.body)))
	if r.Header.Get("If-None-Match") == etag {
		i.cached++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("ETag", etag)
	_, _ = w.Write([]byte(i.body))
}

// account is one entry of accounts.json.
func account(id string, cred string, addresses ...string) string {
	aliases := []string{}
	for _, a := range addresses {
		text, _ := json.Marshal(map[string]string{"address": a, "description": "d"})
		aliases = append(aliases, string(text))
	}
	return fmt.Sprintf(`{"account":{"active":true,"balance":"0","paid":"0","identity":{"id":%q,"name":"n","subtype":"USER","address":"N\u0000sourcecred\u0000core\u0000IDENTITY\u0000USER\u0000x\u0000","aliases":[%s]}},"cred":[1,2],"totalCred":%s}`,
		id, strings.Join(aliases, ","), cred)
}

func page(end time.Time, accounts ...string) string {
	return fmt.Sprintf(`{"accounts":[%s],"intervals":[{"startTimeMs":0,"endTimeMs":%d}],"unclaimedAliases":[]}`, strings.Join(accounts, ","), end.UnixMilli())
}

func discourse(server, user string) string {
	return Alias{"discourse", server, user}.Address()
}

type rig struct {
	*gateway.Community
	inst *instance
	now  time.Time
}

func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := &rig{inst: &instance{}, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	srv := httptest.NewServer(r.inst)
	t.Cleanup(srv.Close)
	c := Config{URL: srv.URL + "/cred"}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	require.NoError(t, err)
	g, err := gateway.New(gateway.Options{
		Store: memory.New(), ClaimSources: []gateway.ClaimSource{s}, Now: func() time.Time { return r.now }, Reach: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	r.Community, err = g.CreateCommunity(t.Context(), "town", "Town")
	require.NoError(t, err)
	return r
}

func (r *rig) read(ctx context.Context, subject string) ([]gateway.Claim, error) {
	r.now = r.now.Add(2 * keepFor)
	return r.ReadClaims(ctx, subject, 0)
}

func TestCred(t *testing.T) {
	r := newRig(t, nil)
	ctx := t.Context()
	ann := gateway.AccountKey("discourse", "forum.example", "ann")
	same := "N\x00sourcecred\x00github\x00USERLIKE\x00USER\x00ann-gh\x00"
	r.inst.body = page(r.now, account("i1", "150.25", discourse("https://forum.example", "ann"), same), account("i2", "7", discourse("https://other.example", "ann")))
	claims, err := r.read(ctx, ann)
	require.NoError(t, err)
	got := map[string]string{}
	for _, c := range claims {
		require.Equal(t, "source:sourcecred", c.Issuer)
		got[c.Kind+" "+c.Name] = string(c.Data)
	}
	require.Equal(t, map[string]string{
		"cred total": `{"active":true,"amount":"150.25","identity":"i1"}`, "identifier sourcecred/identity/i1": "", "identifier github//ann-gh": "",
	}, got)
	enough := func(subject, amount string) error {
		return r.RequireClaim(ctx, subject, gateway.ClaimQuery{Kind: Kind, Name: "total", Within: map[string]string{"amount": amount}})
	}
	require.NoError(t, enough(ann, "150.25"))
	require.ErrorIs(t, enough(ann, "150.26"), gateway.Denied)
	for _, other := range []string{
		gateway.AccountKey("github", "acme", "ann"), gateway.AccountKey("discord", "g", "ann"), gateway.AccountKey("discourse", "third.example", "ann"),
		gateway.AccountKey("discourse", "forum.example", "Ann"), gateway.AccountKey("slack", "T", "ann"), gateway.RoleKey("local", "ann"),
	} {
		claims, err := r.read(ctx, other)
		require.NoError(t, err)
		require.Empty(t, claims, other)
	}
	_, err = r.read(ctx, gateway.AccountKey("github", "acme", "ann-gh"))
	require.NoError(t, err)
	require.NoError(t, enough(gateway.AccountKey("github", "acme", "ann-gh"), "150"))
	require.Positive(t, r.inst.cached, "what has not changed is not sent again")

	asked := r.inst.asked
	_, err = r.ReadClaims(ctx, ann, 0)
	require.NoError(t, err)
	require.Equal(t, asked, r.inst.asked, "nor asked for within a minute")

	r.inst.body = page(r.now, account("i1", "1", discourse("https://forum.example", "ann")))
	_, err = r.read(ctx, ann)
	require.NoError(t, err)
	require.ErrorIs(t, enough(ann, "150"), gateway.Denied, "it says something else now")
}

func TestWhatIsAmbiguous(t *testing.T) {
	at := func(user string) string { return discourse("https://forum.example", user) }
	for what, accounts := range map[string][]string{
		"an alias of two":            {account("i1", "1", at("ann")), account("i2", "2", at("ann"))},
		"of three":                   {account("i1", "1", at("ann")), account("i2", "2", at("ann")), account("i3", "2", at("ann"))},
		"the same but for a slash":   {account("i1", "1", at("ann")), account("i2", "2", discourse("https://forum.example/", "ann"))},
		"two identities with one ID": {account("i1", "1", at("ann")), account("i1", "2", at("bob"))},
		"an identity without an ID":  {account("", "1", at("ann"))},
		"an ID at the same place":    {account("i1", "1", "N\x00sourcecred\x00github\x00USERLIKE\x00USER\x00ann\x00")},
		"nobody":                     {},
	} {
		r := newRig(t, nil)
		r.inst.body = page(r.now, accounts...)
		claims, err := r.read(t.Context(), gateway.AccountKey("discourse", "forum.example", "ann"))
		require.NoError(t, err, what)
		require.Empty(t, claims, what)
	}
	r := newRig(t, nil)
	r.inst.body = page(r.now, account("i1", `"1e999999999"`, at("ann"), at("ann")))
	claims, err := r.read(t.Context(), gateway.AccountKey("discourse", "forum.example", "ann"))
	if err == nil { // a string is no number, or is one that is not taken
		require.Len(t, claims, 1, "the identity, but no amount")
	}
}

func TestFaultyInstances(t *testing.T) {
	r := newRig(t, nil)
	ctx := t.Context()
	ann := gateway.AccountKey("discourse", "forum.example", "ann")
	good := page(r.now, account("i1", "150", discourse("https://forum.example", "ann")))
	r.inst.body = good
	_, err := r.read(ctx, ann)
	require.NoError(t, err)
	for what, body := range map[string]string{
		"a web page": " <!doctype html><html>", "not JSON": "accounts", "cut off": good[:len(good)/2], "empty": "", "null": "null", "no accounts": strings.Replace(page(r.now), `"accounts":[],`, "", 1),
		"huge":  strings.Replace(good, "{", `{"pad":"`+strings.Repeat("x", maxFile)+`",`, 1),
		"stale": page(r.now.Add(-31*24*time.Hour), account("i1", "150", discourse("https://forum.example", "ann"))), "of no time": strings.Replace(good, "endTimeMs", "x", 1),
	} {
		r.inst.body = body
		claims, err := r.read(ctx, ann)
		require.ErrorIs(t, err, gateway.Unavailable, what)
		if what == "huge" {
			require.ErrorContains(t, err, "has more than")
		}
		require.Len(t, claims, 2, "%s: what it said before stays", what)
		err = r.RequireClaim(ctx, ann, gateway.ClaimQuery{Kind: Kind, Name: "total", MaxAge: time.Minute})
		require.ErrorIs(t, err, gateway.Denied, "%s: but it gets no younger", what)
	}
	r.inst.body = good
	for _, status := range []int{404, 500, 304} {
		r.inst.status = status
		_, err := r.read(ctx, ann)
		if status != 304 { // it was read before
			require.ErrorIs(t, err, gateway.Unavailable)
		}
	}
	fresh := newRig(t, nil)
	fresh.inst.status = 304
	_, err = fresh.read(ctx, ann)
	require.ErrorIs(t, err, gateway.Unavailable, "not modified since never")

	old := newRig(t, func(c *Config) { c.MaxAge = -1 })
	old.inst.body = page(old.now.Add(-5*365*24*time.Hour), account("i1", "150", discourse("https://forum.example", "ann")))
	_, err = old.read(ctx, ann)
	require.NoError(t, err, "who wants to live with old figures may")
}

func TestNamesAndServers(t *testing.T) {
	var fails error
	r := newRig(t, func(c *Config) {
		c.Servers = map[string]string{"forum-1": "https://forum.example/"}
		c.User = func(_ context.Context, _ *gateway.Community, a gateway.AccountRef) (string, error) {
			return map[string]string{"17": "ann"}[a.UserID], fails
		}
	})
	r.inst.body = page(r.now, account("i1", "150", discourse("https://forum.example", "ann")))
	claims, err := r.read(t.Context(), gateway.AccountKey("discourse", "forum-1", "17"))
	require.NoError(t, err)
	require.Len(t, claims, 2)
	claims, err = r.read(t.Context(), gateway.AccountKey("discourse", "forum-1", "ann"))
	require.NoError(t, err)
	require.Empty(t, claims, "it is not its user ID")
	fails = errors.New("away")
	_, err = r.read(t.Context(), gateway.AccountKey("discourse", "forum-1", "17"))
	require.ErrorIs(t, err, fails)
	for _, bad := range []string{"", "cred.example", "ftp://cred.example", "https://u:p@cred.example", "https://cred.example/?q", "https://cred.example/#f", "https://"} {
		_, err := New(Config{URL: bad})
		require.ErrorIs(t, err, gateway.Invalid, bad)
	}
}

// Whoever names the instance's address cannot have the gateway look into its own network.
func TestGuarded(t *testing.T) {
	srv := httptest.NewServer(&instance{})
	defer srv.Close()
	s, err := New(Config{URL: srv.URL})
	require.NoError(t, err)
	g, err := gateway.New(gateway.Options{Store: memory.New(), ClaimSources: []gateway.ClaimSource{s}})
	require.NoError(t, err)
	c, err := g.CreateCommunity(t.Context(), "town", "Town")
	require.NoError(t, err)
	_, err = c.ReadClaims(t.Context(), gateway.AccountKey("discord", "g", "1"), 0)
	require.ErrorIs(t, err, gateway.Invalid)
	require.ErrorContains(t, err, "refused")
}
