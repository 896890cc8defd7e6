package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
)

// live governs a real workspace until ctx ends.
func live(ctx context.Context) error {
	plugin, err := slack.New(slack.App{
		ClientID: os.Getenv("SLACK_CLIENT_ID"), ClientSecret: gateway.Secret(os.Getenv("SLACK_CLIENT_SECRET")),
		SigningSecret: gateway.Secret(os.Getenv("SLACK_SIGNING_SECRET")), AppToken: gateway.Secret(os.Getenv("SLACK_APP_TOKEN")),
	})
	if err != nil {
		return err
	}
	seal, err := sealing("gateway.key")
	if err != nil {
		return err
	}
	g, err := gateway.New(gateway.Options{Plugins: []gateway.Plugin{plugin}, PublicURL: os.Getenv("GATEWAY_PUBLIC_URL"), Seal: seal})
	if err != nil {
		return err
	}
	defer func() { _ = g.Close() }()
	d := &driver{gateway: g, open: 2 * time.Minute, say: say}
	if err := d.register(ctx); err != nil {
		return err
	}
	if token := os.Getenv("SLACK_BOT_TOKEN"); token != "" {
		c, err := g.CreateCommunity(ctx, "quickstart", "Quick start")
		if errors.Is(err, gateway.Conflict) {
			c, err = g.Community(ctx, "quickstart")
		}
		if err != nil {
			return err
		}
		if _, err := c.Enable(ctx, "slack", slack.Config{BotToken: gateway.Secret(token)}); err != nil {
			return fmt.Errorf("enabling slack with SLACK_BOT_TOKEN: %w", err)
		}
		say("Connected. Invite the bot to a channel and write there: propose: lunch at noon")
	} else {
		link, err := g.AuthorizeURL(ctx, gateway.AuthRequest{Plugin: "slack"})
		if err != nil {
			return err
		}
		say("Install the app by opening this link within an hour:\n\n  %s\n\nThen invite the bot to a channel and write there: propose: lunch at noon", link)
	}
	server := &http.Server{Addr: ":" + cmp.Or(os.Getenv("PORT"), "8080"), Handler: g.Handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case err := <-failed:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	err = g.Run(ctx)
	_ = server.Close()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return errors.Join(err, cause)
	}
	return err
}

// sealing reads the key that seals the workspace's token, from GATEWAY_SEAL_KEY or from a file that it makes.
func sealing(file string) (gateway.AEAD, error) {
	if key := os.Getenv("GATEWAY_SEAL_KEY"); key != "" {
		return gateway.NewSeal(key)
	}
	key, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		key = []byte(gateway.NewSealKey())
		err = os.WriteFile(file, key, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("the sealing key: %w", err)
	}
	return gateway.NewSeal(strings.TrimSpace(string(key)))
}
