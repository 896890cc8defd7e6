package gatewaytest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
)

// The bell is a small platform that signs what it sends: somebody has rung.
type bell struct {
	*gateway.Instance
	config bellConfig
	defect string
}

type bellConfig struct {
	House string         `json:"house" gateway:"platform_id" jsonschema_description:"The house that the bell hangs at."`
	Token gateway.Secret `json:"token" jsonschema_description:"What the bell is told with."`
}

type ring struct {
	ID    string `json:"id"`
	House string `json:"house"`
	Who   struct {
		Name string `json:"name"`
	} `json:"who"`
	Times []int `json:"times"`
}

type rung struct {
	Name string `json:"name" jsonschema_description:"Who has rung."`
}

type tune struct {
	Tune  string `json:"tune" jsonschema:"enum=ding,enum=dong" jsonschema_description:"Which tune."`
	Times int    `json:"times,omitempty" jsonschema:"minimum=0" jsonschema_description:"How often."`
}

type watchState struct {
	Rings int `json:"rings" jsonschema_description:"How often it has rung."`
}

type watchRun = gateway.Run[*bell, rung]

func (w *watchState) Start(_ context.Context, r *watchRun, in tune) error {
	if r.Plugin.defect == "panics in a process's Start" {
		panic("at the start")
	}
	r.CloseAt(r.Now().Add(time.Hour))
	return nil
}

func (w *watchState) Close(_ context.Context, r *watchRun) error {
	if r.Plugin.defect == "panics in a process's Close" {
		panic("at the end")
	}
	return r.Complete(rung{"nobody"})
}

func (b *bell) listen(context.Context) error {
	if b.defect == "panics in a poll" {
		panic("while listening")
	}
	return nil
}

var bellKey = []byte("made-up key of the bell app")

func bellSign(body []byte, at time.Time) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, bellKey)
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return http.Header{"X-Bell-Time": {stamp}, "X-Bell-Signature": {hex.EncodeToString(mac.Sum(nil))}}
}

func bellVerify(d *gateway.Delivery, defect string) error {
	if defect == "accepts unsigned" && d.Header.Get("X-Bell-Signature") == "" {
		return nil
	}
	sec, err := strconv.ParseInt(d.Header.Get("X-Bell-Time"), 10, 64)
	if err != nil {
		return errors.New("no time")
	}
	at := time.Unix(sec, 0)
	if age := d.Received.Sub(at); age.Abs() > 5*time.Minute && defect != "accepts old" {
		return errors.New("not of now")
	}
	want, got := bellSign(d.Body, at).Get("X-Bell-Signature"), d.Header.Get("X-Bell-Signature")
	if !hmac.Equal([]byte(want), []byte(got)) && (defect != "does not look at the body" || len(got) != len(want)) {
		return errors.New("wrong signature")
	}
	return nil
}

// newBell makes the plugin, with one defect or none.
func newBell(defect string) gateway.Plugin {
	open := func(_ context.Context, i *gateway.Instance, c bellConfig) (*bell, error) {
		if defect == "leaks its secret in an error" && c.House != "home" {
			return nil, gateway.Errorf(gateway.Invalid, "%s cannot be used with %s", c.House, c.Token.Reveal())
		}
		return &bell{i, c, defect}, nil
	}
	undescribed := gateway.ActionFunc("tune", "Plays a tune.", (*bell).tune)
	if defect == "an undescribed field" {
		undescribed = gateway.ActionFunc("tune", "Plays a tune.", func(*bell, context.Context, struct {
			Tune string `json:"tune"`
		}) (tune, error) {
			return tune{Tune: "ding"}, nil
		})
	}
	var events int
	lister := featuresIf(strings.Contains(defect, "list"), gateway.ListFunc("rings", time.Hour, bellRung, (*bell).rings))
	lister = append(lister, featuresIf(strings.Contains(defect, "role"), gateway.RoleFunc("household", "Who lives in a house.", (*bell).household))...)
	lister = append(lister, featuresIf(strings.Contains(defect, "behalf"), gateway.ActionFunc("play-for", "Plays a tune for somebody.", (*bell).playFor, gateway.Acts("play")))...)
	return gateway.Define("bell", "A bell at a door.", open, append([]gateway.Feature[*bell]{
		undescribed,
		gateway.ProcessFunc("watch", "Watches the bell.", (*watchState).Start),
		gateway.PollFunc("listen", time.Hour, (*bell).listen),
		gateway.ConfigureFunc[*bell](func(_ context.Context, _ *gateway.Instance, old, _ *bellConfig) error {
			if defect == "cannot be enabled twice" && old != nil {
				return gateway.Errorf(gateway.Conflict, "it hangs already")
			}
			return nil
		}),
		bellRung,
		gateway.Webhook[*bell, ring]{
			Verify: func(_ *bell, d *gateway.Delivery) error { return bellVerify(d, defect) },
			Parse: func(d *gateway.Delivery) (m ring, err error) {
				err = json.Unmarshal(d.Body, &m)
				if defect == "takes what is no JSON" {
					err = nil
				}
				if defect == "panics on odd input" && err == nil && len(m.Times) == 0 {
					panic("no times")
				}
				return m, err
			},
			ID: func(m ring) string {
				if defect == "emits twice on replay" || m.ID == "" {
					return ""
				}
				return m.ID
			},
			Route: func(m ring) gateway.Target { return gateway.Target{Platform: []string{m.House}} },
			Receive: func(b *bell, ctx context.Context, m ring) (gateway.Reply, error) {
				if defect == "leaves a goroutine" {
					go func() { <-make(chan int) }()
				}
				meta := gateway.Meta{ID: m.ID, Initiator: m.Who.Name}
				if defect == "emits twice on replay" {
					events++
					meta.ID = fmt.Sprint(events)
				}
				if defect == "shows its secret to the platform" {
					return gateway.Reply{Body: []byte(b.config.Token.Reveal())}, nil
				}
				raw, err := json.Marshal(rung{m.Who.Name})
				if err != nil {
					return gateway.Reply{}, err
				}
				return gateway.Reply{}, b.Emit(ctx, "rung", meta, raw)
			},
		},
	}, lister...)...)
}

func featuresIf(yes bool, f ...gateway.Feature[*bell]) []gateway.Feature[*bell] {
	if !yes {
		return nil
	}
	return f
}

var bellRung = gateway.NewEvent[*bell, rung]("rung", "Somebody has rung.")

// rings lists who has rung: one in the morning, one in the evening.
func (b *bell) rings(_ context.Context, cursor string) (out []gateway.Item[rung], next string, err error) {
	next = map[string]string{"": "morning", "morning": "evening", "evening": "evening"}[cursor]
	if next == cursor {
		return nil, next, nil
	}
	id := "at " + next
	switch b.defect {
	case "lists under new names each time":
		id += b.Now().String() + fmt.Sprint(lists.Add(1))
	case "lists without names":
		id = ""
	case "panics in a list":
		panic("no list")
	}
	return []gateway.Item[rung]{{Meta: gateway.Meta{ID: id}, Data: rung{"ann"}}}, next, nil
}

var lists atomic.Int64

// household is who lives in a house: two, a page each.
func (b *bell) household(_ context.Context, house, cursor string) ([]string, string, error) {
	switch {
	case b.defect == "panics in a role":
		return []string{"ann", "bob"}[:len(house)], "", nil
	case b.defect == "has nobody in a role":
		return []string{""}, "", nil
	case b.defect == "turns round in a role":
		return []string{"ann"}, "more", nil
	case b.defect == "leaks its secret in a role":
		return nil, "", gateway.Errorf(gateway.Unavailable, "GET https://bell.example/?token=%s: refused", b.config.Token.Reveal())
	case cursor == "":
		return []string{"ann"}, "2", nil
	}
	return []string{"bob"}, "", nil
}

func (b *bell) tune(_ context.Context, in tune) (tune, error) {
	switch b.defect {
	case "logs its secret":
		b.Log.Info("playing", "with", b.config.Token.Reveal())
	case "leaks its secret in an action's error":
		return tune{}, gateway.Errorf(gateway.Unavailable, "GET https://bell.example/?token=%s: refused", b.config.Token.Reveal())
	case "panics in an action":
		return tune{Tune: []string{"ding", "dong"}[in.Times]}, nil
	case "has errors without a code":
		return tune{}, errors.New("something is wrong")
	}
	return in, nil
}

// playFor plays with the token of whom it is for.
func (b *bell) playFor(ctx context.Context, in tune) (tune, error) {
	token := b.config.Token
	if a, ok := gateway.ActingAs(ctx); ok && b.defect != "acts as itself on behalf of somebody" {
		token = a.Token
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://bell.example/play", strings.NewReader("token="+token.Reveal()))
	if err != nil {
		return tune{}, err
	}
	res, err := b.HTTP.Do(q)
	if err == nil {
		return in, res.Body.Close()
	}
	if b.defect == "shows a token on behalf of somebody" {
		return tune{}, gateway.Errorf(gateway.Unavailable, "playing with %s", token.Reveal())
	}
	return tune{}, gateway.Errorf(gateway.Unavailable, "playing: %w", err)
}

func bellOptions(golden string) []Option {
	return []Option{
		WithGolden(golden),
		WithConfig(bellConfig{House: "home", Token: "made-up token"}),
		WithSign(bellSign),
		WithSecrets(string(bellKey)),
		WithDeliveries(Delivery{Name: "a ring", Body: []byte(`{"id":"r1","house":"home","who":{"name":"ann"},"times":[1,2]}`), Event: "rung"}),
	}
}

func writeGolden(t *testing.T, p gateway.Plugin) string {
	path := filepath.Join(t.TempDir(), "sub", "golden.json")
	require.Empty(t, record(t, func(t TB) { (&checked{m: p.Manifest(), golden: path}).goldenFile(t, true) }))
	return path
}

func TestASoundPluginPasses(t *testing.T) {
	p := newBell("")
	Check(t, p, bellOptions(writeGolden(t, p))...)
	for _, which := range []string{"", "lists soundly", "has a sound role", "plays on behalf of people"} {
		p = newBell(which)
		golden := writeGolden(t, p)
		require.Empty(t, record(t, func(t TB) { Check(t, p, bellOptions(golden)...) }), which)
	}
}

func TestEachDefectIsFound(t *testing.T) {
	for defect, want := range map[string]string{
		"accepts unsigned":                      "/webhook/a ring forged: not signed at all: answered with 200, want 401",
		"accepts old":                           "/webhook/a ring forged: signed an hour ago: answered with 200, want 401",
		"does not look at the body":             "byte 0 of the body changed: answered with 400, want 401",
		"leaks its secret in an error":          "shows the secret of field /token",
		"leaks its secret in an action's error": "/secrets/made up: the error of action tune shows the secret of field /token",
		"shows its secret to the platform":      "/secrets/own: the HTTP answer to delivery a ring shows the secret of field /token",
		"logs its secret":                       "/secrets/made up: the log shows the secret of field /token",
		"an undescribed field":                  "/manifest: input of action tune@1: field /tune has no description",
		"panics on odd input":                   "/webhook/unreadable: the plugin panicked",
		"panics in an action":                   "/actions: action tune@1 with odd values",
		"has errors without a code":             "/actions: action tune@1 with odd values",
		"panics in a process's Start":           "/processes: process watch@1 with odd values",
		"panics in a process's Close":           "/processes: ending process watch: internal",
		"panics in a poll":                      "/actions: the plugin panicked",
		"lists under new names each time":       "and not the second time",
		"lists without names":                   "it gives an item without an ID",
		"panics in a list":                      "/listers: list rings: the plugin panicked",
		"panics in a role":                      "/roles: role household of",
		"has nobody in a role":                  "somebody in it has no user ID",
		"turns round in a role":                 `after cursor "more" it goes on where it was`,
		"leaks its secret in a role":            "/secrets/made up: the error of role household shows the secret of field /token",
		"cannot be enabled twice":               "/configuration: enabling it a second time",
		"acts as itself on behalf of somebody":  "/secrets/made up: action play-for@1 on behalf of a person used the secret of field /token",
		"shows a token on behalf of somebody":   "/secrets/made up: the error of action play-for@1 on behalf of a person shows the secret of a person's token",
		"leaves a goroutine":                    "goroutines were left behind",
		"emits twice on replay":                 "it was replayed and became 3 events, want 1",
		"takes what is no JSON":                 "/webhook/unreadable: no JSON: answered with 200, want 400 or 413",
	} {
		t.Run(defect, func(t *testing.T) {
			p := newBell(defect)
			got := record(t, func(tb TB) { Check(tb, p, bellOptions(writeGolden(t, p))...) })
			require.Contains(t, got, want)
			require.NotContains(t, got, "made-up token")
		})
	}
}

func parseRing(d *gateway.Delivery) (m ring, err error) { return m, json.Unmarshal(d.Body, &m) }
