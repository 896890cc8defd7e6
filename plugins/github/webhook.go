package github

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// webhook is the way of every delivery.
func (a *app) webhook() gateway.Webhook[*GitHub, *message] {
	return gateway.Webhook[*GitHub, *message]{
		Verify: func(_ *GitHub, d *gateway.Delivery) error { return verify(a.WebhookSecret, d) },
		Parse:  parse,
		Greet:  func(m *message) (gateway.Reply, bool) { return gateway.Reply{}, m.bare && m.installation == "" },
		ID:     func(m *message) string { return m.id },
		Route: func(m *message) gateway.Target {
			if m.installation == "" {
				return gateway.Target{}
			}
			return gateway.Target{Platform: []string{m.installation}}
		},
		Refs: func(m *message) []string {
			if t := m.thread(); t != "" {
				return []string{t}
			}
			return nil
		},
		Echo:    (*GitHub).echo,
		Receive: (*GitHub).receive,
		Slow: func(m *message) bool {
			return m.event == "installation" || m.event == accountRenamed || m.typ() == repositoryRenamed
		},
		Handle: (*GitHub).handle,
		Keep:   []string{"X-GitHub-Event", "X-GitHub-Delivery"},
	}
}

// verify checks GitHub's signature (https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries, 2026-11). The older one,
// by SHA-1, is not looked at.
func verify(secret gateway.Secret, d *gateway.Delivery) error {
	if secret == "" {
		return errors.New("there is no webhook secret to check it with")
	}
	given, ok := strings.CutPrefix(d.Header.Get("X-Hub-Signature-256"), "sha256=")
	got, err := hex.DecodeString(given)
	if !ok || err != nil {
		return errors.New("it has no signature")
	}
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write(d.Body)
	if !hmac.Equal(got, mac.Sum(nil)) {
		return errors.New("its signature is wrong")
	}
	return nil
}

// echo says under which names a call of ours would have announced this: what the bot did, and what somebody did on whose behalf we may
// have acted.
func (g *GitHub) echo(m *message) []string {
	by := m.by()
	if by == "" {
		return nil
	}
	if strings.EqualFold(by, g.app.bot()) {
		return m.echoes()
	}
	return echoesOf(by, m.echoes())
}

// echoesOf are the names of acts that a person did.
func echoesOf(login string, names []string) []string {
	out := make([]string, 0, len(names))
	for _, name := range names {
		out = append(out, name+" @"+strings.ToLower(login))
	}
	return out
}

// receive makes the event.
func (g *GitHub) receive(ctx context.Context, m *message) (gateway.Reply, error) {
	meta := gateway.Meta{ID: m.id, Initiator: m.by(), Bot: strings.EqualFold(m.by(), g.app.bot())}
	return gateway.Reply{}, g.Emit(ctx, m.typ(), meta, m.data)
}

const (
	repositoryRenamed = "repository renamed"
	accountRenamed    = "installation_target" // the account that the app is installed for
)

// handle asks what has become of the installation after GitHub said that something has. Asking makes sure of it: the delivery may be late.
func (g *GitHub) handle(ctx context.Context, m *message) error {
	if m.typ() == repositoryRenamed {
		return g.follow(ctx)
	}
	i, err := g.app.read(ctx, g.app.asApp(g.HTTP, g.Now), g.config.InstallationID)
	if refusedWith(err, http.StatusNotFound, http.StatusGone) {
		return g.Pause(ctx, gateway.BadCredentials)
	}
	if err != nil {
		return err
	}
	c := g.config
	if m.event == accountRenamed && strings.Contains(c.Repository, "/") {
		if c.Repository, err = g.nameNow(ctx, i.Account.Login); err != nil {
			return err
		}
	}
	return g.Reconfigure(ctx, c) // which asks again, and takes permissions and name over
}

// follow takes over the name that the configuration's repository has now: the deliveries of our acts there have that name, and the old one
// redirects only until somebody takes it.
func (g *GitHub) follow(ctx context.Context) error {
	name, err := g.nameNow(ctx, g.config.Account)
	if err != nil || name == g.config.Repository {
		return err
	}
	c := g.config
	c.Repository = name
	return g.Reconfigure(ctx, c)
}

// nameNow is what the configuration's repository is called now; what it says itself where that is the same, or there is none, or it has been given to
// somebody else than the owner.
func (g *GitHub) nameNow(ctx context.Context, owner string) (string, error) {
	if g.config.Repository == "" {
		return "", nil
	}
	before, err := g.repo(ctx, Repo{})
	if err != nil {
		return g.config.Repository, nil // it never named one
	}
	var now struct {
		FullName string `json:"full_name"`
	}
	err = g.own().json(ctx, request{method: http.MethodGet, path: "/repos/" + before}, &now)
	if refusedWith(err, http.StatusNotFound) || err == nil && (!within(owner, "/repos/"+now.FullName) || strings.EqualFold(now.FullName, before)) {
		return g.config.Repository, nil
	}
	if err != nil {
		return "", err
	}
	return now.FullName, nil
}
