// Command bans is a policy for a community that lives on Discord, Discourse and GitHub: who is banned on one of them is banned on the others, as far as it is
// sure that the accounts are one person's. It is an example of a driver that acts on several platforms, and survives being killed between any two steps.
//
// It takes its configuration from the environment, by the names below.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/discord"
	"github.com/metagov/gateway-go/plugins/discourse"
	"github.com/metagov/gateway-go/plugins/github"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// community is the slug of the one community that this program governs.
const community = "commons"

func run(ctx context.Context) error {
	plugged, err := plugins()
	if err != nil {
		return err
	}
	seal, err := gateway.NewSeal(os.Getenv("GATEWAY_KEY"))
	if err != nil {
		return fmt.Errorf("reading GATEWAY_KEY: %w", err)
	}
	g, err := gateway.New(gateway.Options{Plugins: plugged, PublicURL: os.Getenv("GATEWAY_PUBLIC_URL"), Seal: seal})
	if err != nil {
		return err
	}
	defer func() { _ = g.Close() }()
	p := &policy{
		reasons: []string{"harassment", "spam"}, channel: os.Getenv("MODERATORS_CHANNEL"), moderators: gateway.RoleKey("discord", "role/"+cmp.Or(os.Getenv("MODERATORS_ROLE"), "Moderator")),
		approvals: 3, open: 48 * time.Hour, appeal: os.Getenv("APPEAL_URL"),
	}
	if err := p.register(ctx, g); err != nil {
		return err
	}
	c, err := g.CreateCommunity(ctx, community, "Commons")
	if errors.Is(err, gateway.Conflict) {
		c, err = g.Community(ctx, community)
	}
	if err != nil {
		return err
	}
	for plugin, config := range map[string]any{
		"discord":   discord.Config{GuildID: os.Getenv("DISCORD_GUILD_ID")},
		"discourse": discourse.Config{URL: os.Getenv("DISCOURSE_URL"), APIKey: gateway.Secret(os.Getenv("DISCOURSE_API_KEY"))},
		"github":    github.Config{InstallationID: os.Getenv("GITHUB_INSTALLATION_ID")},
	} {
		if _, err := c.Enable(ctx, plugin, config); err != nil {
			return fmt.Errorf("enabling %s: %w", plugin, err)
		}
	}
	server := &http.Server{Addr: ":" + cmp.Or(os.Getenv("PORT"), "8080"), Handler: g.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { log.Print(server.ListenAndServe()) }()
	defer func() { _ = server.Close() }()
	return g.Run(ctx)
}

// plugins are made of what each platform's page of its app shows.
func plugins() ([]gateway.Plugin, error) {
	d, err := discord.New(discord.App{
		ApplicationID: os.Getenv("DISCORD_APPLICATION_ID"), PublicKey: os.Getenv("DISCORD_PUBLIC_KEY"), BotToken: gateway.Secret(os.Getenv("DISCORD_BOT_TOKEN")),
		Gateway: true, Intents: append(discord.DefaultIntents(), "GUILD_MEMBERS"), // a role's members are listed
	})
	if err != nil {
		return nil, err
	}
	h, err := github.New(github.App{
		ID: os.Getenv("GITHUB_APP_ID"), Slug: os.Getenv("GITHUB_APP_SLUG"), PrivateKey: gateway.Secret(os.Getenv("GITHUB_PRIVATE_KEY")),
		WebhookSecret: gateway.Secret(os.Getenv("GITHUB_WEBHOOK_SECRET")),
	})
	return []gateway.Plugin{d, discourse.New(), h}, err
}
