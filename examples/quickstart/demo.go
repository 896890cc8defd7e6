package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/store/sqlite"
)

const channel = "C1"

// demo governs a community on an in-process Slack. What the members do goes through real HTTP, signed as Slack signs.
func demo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	fake := fakeslack.New(fakeslack.Options{})
	defer fake.Close()
	team := fake.AddWorkspace("T1", "Commons")
	for _, name := range []string{"ALICE", "BOB", "CAROL", "DAVE", "DAVID"} {
		team.AddUser("U"+name, strings.ToLower(name))
	}
	token := team.Install()
	team.AddChannel(channel, "town-hall", "UALICE", "UBOB", "UCAROL", "UDAVE", "UDAVID").WithApp()
	say("An in-process Slack has a workspace with four members, one of whom has two accounts, and a channel, #town-hall.")

	dir, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	g, stop, err := start(ctx, fake, token, filepath.Join(dir, "gateway.db"))
	if err != nil {
		return err
	}
	defer stop()
	return act(ctx, g, team)
}

// start makes a gateway with the Slack plugin, enables it for the workspace, and runs it.
func start(ctx context.Context, fake *fakeslack.Server, token, file string) (*gateway.Gateway, func(), error) {
	app := fake.App()
	plugin, err := slack.New(slack.App{SigningSecret: gateway.Secret(app.SigningSecret)})
	if err != nil {
		return nil, nil, err
	}
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	if err != nil {
		return nil, nil, err
	}
	db, err := sqlite.Open(file)
	if err != nil {
		return nil, nil, err
	}
	g, err := gateway.New(gateway.Options{Store: db, Plugins: []gateway.Plugin{plugin}, Seal: seal, HTTP: fake.Client(), Egress: fake.Client().Transport})
	if err != nil {
		return nil, nil, err
	}
	d := &driver{gateway: g, open: 3 * time.Second, say: say}
	if err := d.register(ctx); err != nil {
		return nil, nil, err
	}
	town, err := g.CreateCommunity(ctx, "commons", "Commons")
	if err != nil {
		return nil, nil, err
	}
	if _, err := town.Enable(ctx, "slack", slack.Config{BotToken: gateway.Secret(token)}); err != nil {
		return nil, nil, err
	}
	if err := dave(ctx, town); err != nil {
		return nil, nil, err
	}
	server := httptest.NewServer(g.Handler())
	fake.SetRequestURL(server.URL+"/api/hooks/slack", nil)
	say("The gateway keeps everything in SQLite; the workspace has installed the app, and its token is sealed.")

	run, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- g.Run(run) }()
	return g, func() {
		cancel()
		if err := <-done; err != nil {
			fmt.Fprintln(os.Stderr, "quickstart: the gateway stopped:", err)
		}
		server.Close()
		_ = db.Close()
	}, nil
}

// dave is known to the community as one person with two accounts: an admin says so.
func dave(ctx context.Context, town *gateway.Community) error {
	p, err := town.CreatePerson(ctx, gateway.NewPerson{Name: "Dave"})
	if err != nil {
		return err
	}
	for _, user := range []string{"UDAVE", "UDAVID"} {
		account := gateway.NewAccount{AccountRef: gateway.AccountRef{Plugin: "slack", UserID: user}}
		if _, err := town.Link(ctx, p.ID, account, gateway.Ground{Kind: gateway.AdminAsserted, Issuer: "the secretary"}); err != nil {
			return err
		}
	}
	say("The community knows that Dave has two accounts, dave and david.")
	return nil
}

// act is what the members do, and what they must then see.
func act(ctx context.Context, g *gateway.Gateway, team *fakeslack.Workspace) error {
	say("Alice writes in #town-hall: propose: Picnic on Sunday")
	if _, err := team.Post(ctx, "UALICE", channel, "propose: Picnic on Sunday"); err != nil {
		return err
	}
	ballot, err := await(ctx, "the vote's message", func() (fakeslack.Message, bool) { return find(team, "Picnic on Sunday", true) })
	if err != nil {
		return err
	}
	say("A vote with buttons stands in the channel.")
	yes, no, err := buttons(ballot)
	if err != nil {
		return err
	}
	for _, click := range []struct {
		who string
		b   button
	}{{"UBOB", no}, {"UCAROL", yes}, {"UDAVE", no}, {"UDAVID", yes}, {"UBOB", yes}, {"UALICE", yes}} {
		if _, err := team.Click(ctx, click.who, channel, ballot.TS, click.b.ActionID, click.b.Value); err != nil {
			return err
		}
	}
	say("Bob clicks no, Carol yes; Dave clicks no, and yes with his other account; Bob changes his mind; Alice tries to vote on her own proposal.")
	if _, err := await(ctx, "Alice being told why not", func() (bool, bool) { return true, len(team.Ephemerals("UALICE")) > 0 }); err != nil {
		return err
	}
	say("Alice, alone, is told: %s", team.Ephemerals("UALICE")[0].Text)
	if _, err := await(ctx, "the announcement", func() (fakeslack.Message, bool) { return find(team, "Decided: Picnic on Sunday", false) }); err != nil {
		return err
	}
	say("The driver has acted on the outcome: the channel reads \"Decided: Picnic on Sunday\".")
	final, err := await(ctx, "the final tally in the vote's message", func() (fakeslack.Message, bool) {
		m, ok := team.Message(channel, ballot.TS)
		_, _, err := buttons(m)
		return m, ok && err != nil // its buttons are gone
	})
	if err != nil {
		return err
	}
	blocks := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(final.Blocks))
	for _, who := range []string{"<@UBOB>", "<@UCAROL>", "<@UDAVID>"} {
		if !strings.Contains(blocks, who) {
			return fmt.Errorf("the final tally does not show the vote of %s", who)
		}
	}
	for who, why := range map[string]string{"<@UALICE>": "Alice, who may not vote", "<@UDAVE>": "Dave by both of his accounts"} {
		if strings.Contains(blocks, who) {
			return fmt.Errorf("the final tally shows a vote of %s", why)
		}
	}
	say("The vote's message shows the final tally: three votes for, none against; Dave's counts once, and none is Alice's. Every step happened.")
	return nil
}

// await looks until something is there. The gateway works in the background, as in a real workspace.
func await[T any](ctx context.Context, what string, look func() (T, bool)) (T, error) {
	for {
		if v, ok := look(); ok {
			return v, nil
		}
		select {
		case <-ctx.Done():
			var none T
			return none, fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func find(team *fakeslack.Workspace, text string, withButtons bool) (fakeslack.Message, bool) {
	for _, m := range team.Messages(channel) {
		if m.User != team.BotUserID() || !strings.Contains(m.Text+string(m.Blocks), text) {
			continue
		}
		if _, _, err := buttons(m); (err == nil) == withButtons {
			return m, true
		}
	}
	return fakeslack.Message{}, false
}

type button struct {
	Type     string `json:"type"`
	ActionID string `json:"action_id"`
	Value    string `json:"value"`
}

// buttons finds the two buttons of a boolean vote in a message.
func buttons(m fakeslack.Message) (yes, no button, err error) {
	var blocks []struct {
		Accessory button   `json:"accessory"`
		Elements  []button `json:"elements"`
	}
	if len(m.Blocks) == 0 {
		return yes, no, errors.New("the message has no blocks")
	}
	if err := json.Unmarshal(m.Blocks, &blocks); err != nil {
		return yes, no, fmt.Errorf("reading the blocks of a message: %w", err)
	}
	var found []button
	for _, b := range blocks {
		for _, e := range append(b.Elements, b.Accessory) {
			if e.Type == "button" {
				found = append(found, e)
			}
		}
	}
	if len(found) < 2 {
		return yes, no, errors.New("the message has no two buttons")
	}
	return found[0], found[1], nil
}
