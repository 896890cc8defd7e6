// Command quickstart governs a community from end to end.
//
// Without anything it does so on an in-process Slack, telling each step, and exits 0 when every step happened. With
// credentials in the environment it does the same in a real workspace, until it is interrupted: SLACK_CLIENT_ID, SLACK_CLIENT_SECRET,
// SLACK_SIGNING_SECRET and GATEWAY_PUBLIC_URL, or, where there is no public address, SLACK_APP_TOKEN and SLACK_BOT_TOKEN. See
// docs/plugins/slack.md.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	slog.SetLogLoggerLevel(slog.LevelWarn)
	run := demo
	if os.Getenv("SLACK_SIGNING_SECRET") != "" || os.Getenv("SLACK_APP_TOKEN") != "" {
		run = live
	}
	if err := run(ctx); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
