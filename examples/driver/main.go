// Command driver is the whole of a small piece of governance software: it puts proposals to the vote where they were made.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/vote"
)

func main() {
	ctx := context.Background()
	plugin := must(slack.New(slack.App{SigningSecret: gateway.Secret(os.Getenv("SLACK_SIGNING_SECRET"))}))
	g := must(gateway.New(gateway.Options{Plugins: []gateway.Plugin{plugin}, Seal: must(gateway.NewSeal(os.Getenv("SEAL_KEY")))}))

	check(g.OnEvent(ctx, "proposals", func(ctx context.Context, c *gateway.Community, e gateway.Event) error {
		var m struct{ Channel, Text string }
		if err := json.Unmarshal(e.Data, &m); err != nil || e.Bot || !strings.HasPrefix(m.Text, "propose: ") {
			return err
		}
		inst, err := c.Instance(ctx, "slack")
		if err != nil {
			return err // the event comes again
		}
		closing := time.Now().Add(24 * time.Hour)
		_, err = inst.Start(ctx, "emoji-vote", slack.Vote{Channel: m.Channel, Ask: vote.Ask{
			Title: m.Text[9:], ClosingAt: &closing, IneligibleVoters: []string{e.Initiator},
		}}, gateway.Once("vote on "+e.ID)) // heard twice, it is still one vote
		return err
	}, gateway.Filter{Types: []string{"message"}}))

	check(g.OnProcess(ctx, "decisions", func(_ context.Context, c *gateway.Community, p gateway.Process) error {
		log.Printf("%s: %s is %s: %s", c.Slug(), p.ID, p.Status, p.Outcome)
		return nil
	}))

	town, err := g.Community(ctx, "town")
	if errors.Is(err, gateway.NotFound) {
		town, err = g.CreateCommunity(ctx, "town", "Our town")
	}
	check(err)
	must(town.Enable(ctx, "slack", slack.Config{BotToken: gateway.Secret(os.Getenv("SLACK_BOT_TOKEN"))}))
	go func() { check(http.ListenAndServe(":8080", g.Handler())) }()
	check(g.Run(ctx))
}

func must[T any](v T, err error) T { check(err); return v }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
