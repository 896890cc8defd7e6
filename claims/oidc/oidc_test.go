package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store/memory"
)

const issuer = "https://id.example"

// fake is a provider that answers by HTTPS.
type fake struct {
	mu     sync.Mutex
	rsa    *rsa.PrivateKey
	ec     *ecdsa.PrivateKey
	keys   []map[string]any
	doc    map[string]any
	serves func(http.ResponseWriter, *http.Request) bool // a fault in place of an answer
	asked  map[string]int
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{asked: map[string]int{}}
	var err error
	f.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	f.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	point, err := f.ec.PublicKey.Bytes()
	require.NoError(t, err)
	f.keys = []map[string]any{
		{"kty": "RSA", "kid": "r1", "use": "sig", "alg": "RS256", "n": b64(f.rsa.N.Bytes()), "e": b64(big.NewInt(int64(f.rsa.E)).Bytes())},
		{"kty": "EC", "kid": "e1", "use": "sig", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
	}
	f.doc = map[string]any{"issuer": issuer, "jwks_uri": issuer + "/keys", "authorization_endpoint": issuer + "/auth", "token_endpoint": issuer + "/token", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}}
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[r.URL.Path]++
	if f.serves != nil && f.serves(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(f.doc)
	case "/keys":
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": f.keys})
	default:
		http.NotFound(w, r)
	}
}

// to sends everything to one server, whatever the address says.
type to struct {
	host string
	next http.RoundTripper
}

func (t to) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = t.host
	return t.next.RoundTrip(r)
}

type rig struct {
	*gateway.Community
	fake *fake
	p    *Provider
	now  time.Time
}

func newRig(t *testing.T, c Config) *rig {
	t.Helper()
	r := &rig{fake: newFake(t), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	srv := httptest.NewTLSServer(r.fake)
	t.Cleanup(srv.Close)
	c.Name, c.Issuer, c.ClientID = "id", issuer, "client-1"
	var err error
	r.p, err = New(c)
	require.NoError(t, err)
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	require.NoError(t, err)
	g, err := gateway.New(gateway.Options{
		Store: memory.New(), Seal: seal, ClaimSources: []gateway.ClaimSource{r.p}, Now: func() time.Time { return r.now },
		Egress: to{strings.TrimPrefix(srv.URL, "https://"), srv.Client().Transport},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	r.Community, err = g.CreateCommunity(t.Context(), "town", "Town")
	require.NoError(t, err)
	return r
}

// body is a token's claims.
func (r *rig) body() map[string]any {
	return map[string]any{
		"iss": issuer, "aud": "client-1", "sub": "u-17", "nonce": "n-1", "exp": r.now.Add(time.Hour).Unix(), "iat": r.now.Unix(),
		"email": "ann@example.org", "email_verified": true,
	}
}

func unsigned(header, body map[string]any) string {
	h, _ := json.Marshal(header)
	b, _ := json.Marshal(body)
	return b64(h) + "." + b64(b)
}

func (r *rig) rs256(body map[string]any) string {
	text := unsigned(map[string]any{"alg": "RS256", "kid": "r1", "typ": "JWT"}, body)
	sum := sha256.Sum256([]byte(text))
	sig, _ := rsa.SignPKCS1v15(nil, r.fake.rsa, crypto.SHA256, sum[:])
	return text + "." + b64(sig)
}

func (r *rig) es256(body map[string]any) string {
	text := unsigned(map[string]any{"alg": "ES256", "kid": "e1"}, body)
	sum := sha256.Sum256([]byte(text))
	x, y, _ := ecdsa.Sign(rand.Reader, r.fake.ec, sum[:])
	sig := make([]byte, 64)
	x.FillBytes(sig[:32])
	y.FillBytes(sig[32:])
	return text + "." + b64(sig)
}

func TestLogin(t *testing.T) {
	r := newRig(t, Config{EmailFor: []string{"payout"}})
	ctx := t.Context()
	ann := gateway.AccountKey("forum", "S1", "ann")
	for name, sign := range map[string]func(map[string]any) string{"RS256": r.rs256, "ES256": r.es256} {
		who, err := r.p.Login(ctx, r.Community, ann, sign(r.body()), "n-1")
		require.NoError(t, err, name)
		require.Equal(t, Identity{"u-17", "ann@example.org", true}, who)
	}
	require.NoError(t, r.RequireClaim(ctx, ann, gateway.ClaimQuery{Kind: gateway.ClaimIdentifier, Name: issuer + "#u-17"}))
	require.NoError(t, r.RequireClaim(ctx, ann, gateway.ClaimQuery{Kind: KindEmail, Name: "verified"}))
	address, err := r.Reveal(ctx, ann, KindEmail, "verified", "source:id", "payout")
	require.NoError(t, err)
	require.Equal(t, "ann@example.org", string(address))
	list, err := r.Claims(ctx, ann)
	require.NoError(t, err)
	raw, err := json.Marshal(list)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "ann@example")
	require.Equal(t, map[string]int{"/.well-known/openid-configuration": 1, "/keys": 1}, r.fake.asked, "what was looked up is kept")

	for what, change := range map[string]func(map[string]any){
		"not verified": func(b map[string]any) { b["email_verified"] = false }, "maybe": func(b map[string]any) { b["email_verified"] = "yes" },
		"not said": func(b map[string]any) { delete(b, "email_verified") }, "no address": func(b map[string]any) { delete(b, "email") },
	} {
		body := r.body()
		change(body)
		who, err := r.p.Login(ctx, r.Community, ann, r.rs256(body), "n-1")
		require.NoError(t, err, what)
		require.False(t, who.EmailVerified, what)
		require.ErrorIs(t, r.RequireClaim(ctx, ann, gateway.ClaimQuery{Kind: KindEmail, Name: "verified"}), gateway.Denied, what)
	}
	body := r.body()
	body["email_verified"], body["aud"], body["azp"] = "true", []string{"client-1", "client-2"}, "client-1"
	who, err := r.p.Login(ctx, r.Community, ann, r.rs256(body), "n-1")
	require.NoError(t, err)
	require.True(t, who.EmailVerified)
	_, err = r.ReadClaims(ctx, ann, 0)
	require.NoError(t, err, "a provider is not asked")
	require.NoError(t, r.RequireClaim(ctx, ann, gateway.ClaimQuery{Kind: KindEmail, Name: "verified"}), "and what it said stays")

	bare := newRig(t, Config{})
	_, err = bare.p.Login(ctx, bare.Community, ann, bare.rs256(bare.body()), "n-1")
	require.NoError(t, err)
	list, err = bare.Claims(ctx, ann)
	require.NoError(t, err)
	require.Len(t, list, 2)
	for _, c := range list {
		require.False(t, c.Sealed, "an address that is needed for nothing is not kept")
	}
}

func TestWhatIsNoLogin(t *testing.T) {
	r := newRig(t, Config{})
	ctx := t.Context()
	ann := gateway.AccountKey("forum", "S1", "ann")
	with := func(change func(map[string]any)) map[string]any {
		b := r.body()
		change(b)
		return b
	}
	set := func(key string, v any) string { return r.rs256(with(func(b map[string]any) { b[key] = v })) }
	hs256 := func(key []byte, kid string) string {
		text := unsigned(map[string]any{"alg": "HS256", "kid": kid}, r.body())
		m := hmac.New(sha256.New, key)
		_, _ = m.Write([]byte(text))
		return text + "." + b64(m.Sum(nil))
	}
	der, err := x509.MarshalPKIXPublicKey(&r.fake.rsa.PublicKey)
	require.NoError(t, err)
	good := r.rs256(r.body())
	parts := strings.Split(good, ".")
	eve := newRig(t, Config{})
	other, err := json.Marshal(with(func(b map[string]any) { b["sub"] = "u-1" }))
	require.NoError(t, err)
	for what, raw := range map[string]string{
		"not signed":                  unsigned(map[string]any{"alg": "none"}, r.body()) + ".",
		"not signed, in capitals":     unsigned(map[string]any{"alg": "NONE"}, r.body()) + ".",
		"signed with nothing":         parts[0] + "." + parts[1] + ".",
		"the public key as a secret":  hs256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "r1"),
		"its DER as a secret":         hs256(der, "r1"),
		"its modulus as a secret":     hs256(r.fake.rsa.N.Bytes(), "r1"),
		"another provider's key":      eve.rs256(r.body()),
		"another body":                parts[0] + "." + b64(other) + "." + parts[2],
		"another kind of key":         unsigned(map[string]any{"alg": "ES256", "kid": "r1"}, r.body()) + "." + parts[2],
		"an unknown key":              unsigned(map[string]any{"alg": "RS256", "kid": "r9"}, r.body()) + "." + parts[2],
		"a key that the token brings": unsigned(map[string]any{"alg": "RS256", "jwk": eve.fake.keys[0]}, r.body()) + "." + strings.Split(eve.rs256(r.body()), ".")[2],
		"another issuer":              set("iss", "https://evil.example"),
		"the issuer with a slash":     set("iss", issuer+"/"),
		"another audience":            set("aud", "client-2"),
		"many audiences, for nobody":  set("aud", []string{"client-1", "client-2"}),
		"no audience":                 set("aud", nil),
		"given to another":            set("azp", "client-2"),
		"another nonce":               set("nonce", "n-2"),
		"no nonce":                    set("nonce", ""),
		"over":                        set("exp", r.now.Add(-time.Second).Unix()),
		"without an end":              r.rs256(with(func(b map[string]any) { delete(b, "exp") })),
		"not yet":                     set("nbf", r.now.Add(time.Hour).Unix()),
		"from the future":             set("iat", r.now.Add(time.Hour).Unix()),
		"nobody":                      set("sub", ""),
		"a long somebody":             set("sub", strings.Repeat("x", 256)),
		"huge":                        set("pad", strings.Repeat("x", maxToken)),
		"nothing":                     "",
		"no token":                    "ann",
		"two tokens":                  good + "." + good,
	} {
		_, err := r.p.Login(ctx, r.Community, ann, raw, "n-1")
		require.ErrorIs(t, err, gateway.Denied, what)
	}
	_, err = r.p.Login(ctx, r.Community, ann, set("nonce", ""), "")
	require.ErrorIs(t, err, gateway.Invalid, "a login without a nonce is not one")
	list, err := r.Claims(ctx, ann)
	require.NoError(t, err)
	require.Empty(t, list, "nothing of it changed anything")
	_, err = r.p.Login(ctx, r.Community, gateway.PersonKey("nobody"), good, "n-1")
	require.ErrorIs(t, err, gateway.NotFound)
	_, err = r.p.Login(ctx, r.Community, ann, good, "n-1")
	require.NoError(t, err)
}

func TestKeysThatChange(t *testing.T) {
	r := newRig(t, Config{})
	ctx := t.Context()
	_, err := r.p.Verify(ctx, r.Community, r.rs256(r.body()), "n-1")
	require.NoError(t, err)
	next := newFake(t)
	next.keys[0]["kid"] = "r2"
	r.fake.mu.Lock()
	r.fake.rsa, r.fake.keys = next.rsa, next.keys
	r.fake.mu.Unlock()
	text := unsigned(map[string]any{"alg": "RS256", "kid": "r2"}, r.body())
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, next.rsa, crypto.SHA256, sum[:])
	require.NoError(t, err)
	_, err = r.p.Verify(ctx, r.Community, text+"."+b64(sig), "n-1")
	require.NoError(t, err, "a key that is not known yet is looked for")
}

func TestFaultyProviders(t *testing.T) {
	ctx := t.Context()
	answer := func(path, body string, status int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	const discovery = "/.well-known/openid-configuration"
	for what, serves := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"a web page":       answer(discovery, "<html>", 200),
		"an error":         answer(discovery, "{}", 500),
		"somebody else":    answer(discovery, `{"issuer":"https://evil.example","jwks_uri":"https://evil.example/keys"}`, 200),
		"huge":             answer(discovery, `{"issuer":"`+issuer+`","jwks_uri":"https://id.example/keys","pad":"`+strings.Repeat("x", maxBody)+`"}`, 200),
		"keys: a web page": answer("/keys", "<html>", 200),
		"keys: an error":   answer("/keys", "", 503),
		"keys: huge":       answer("/keys", `{"keys":[],"pad":"`+strings.Repeat("x", maxBody)+`"}`, 200),
	} {
		r := newRig(t, Config{})
		r.fake.serves = serves
		_, err := r.p.Verify(ctx, r.Community, r.rs256(r.body()), "n-1")
		require.ErrorIs(t, err, gateway.Unavailable, what)
		r.fake.mu.Lock()
		r.fake.serves = nil
		r.fake.mu.Unlock()
		// Whoever asks for keys while an earlier reading of them is just ending is given what that one got.
		require.Eventually(t, func() bool {
			_, err = r.p.Verify(ctx, r.Community, r.rs256(r.body()), "n-1")
			return err == nil
		}, 10*time.Second, time.Millisecond, what+": and later it is there")
	}
	r := newRig(t, Config{})
	r.fake.doc = maps.Clone(r.fake.doc)
	r.fake.doc["jwks_uri"] = "http://169.254.169.254/keys"
	_, err := r.p.Verify(ctx, r.Community, r.rs256(r.body()), "n-1")
	require.Error(t, err)
	require.NotContains(t, r.fake.asked, "/keys", "a provider cannot send the gateway into its own network")
}

func TestConfig(t *testing.T) {
	for _, bad := range []Config{
		{Name: "id", ClientID: "c"}, {Name: "id", ClientID: "c", Issuer: "http://id.example"}, {Name: "id", ClientID: "c", Issuer: "https://u@id.example"},
		{Name: "id", Issuer: issuer}, {ClientID: "c", Issuer: issuer}, {Name: "id", ClientID: "c", Issuer: issuer + "?x"},
	} {
		_, err := New(bad)
		require.ErrorIs(t, err, gateway.Invalid, "%+v", bad)
	}
}
