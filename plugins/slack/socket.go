package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"

	api "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	gateway "github.com/metagov/gateway-go"
)

// listen keeps a Socket Mode connection (https://docs.slack.dev/apis/events-api/using-socket-mode). Each envelope is acknowledged
// after it is durable: Slack sends again what was not. It returns when the connection cannot be made any more.
func (s *app) listen(ctx context.Context, src *gateway.Source) error {
	quiet := log.New(io.Discard, "", 0)
	web := api.New("", api.OptionAppLevelToken(s.AppToken.Reveal()), api.OptionHTTPClient(src.HTTP), api.OptionLog(quiet))
	socket := socketmode.New(web, socketmode.OptionReadLimit(8<<20), socketmode.OptionLog(quiet))

	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	failed := make(chan error, 1)
	wg.Go(func() { failed <- socket.RunContext(ctx) })
	for {
		select {
		case err := <-failed:
			return fmt.Errorf("socket mode: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case e := <-socket.Events:
			if err := s.take(ctx, src, socket, e); err != nil {
				return err
			}
		}
	}
}

// take brings one envelope to the gateway. An error ends the connection, so that Slack sends the envelope again by the next.
func (s *app) take(ctx context.Context, src *gateway.Source, socket *socketmode.Client, e socketmode.Event) error {
	r := e.Request
	switch data := e.Data.(type) {
	case *socketmode.ErrorBadMessage:
		// The library does not know each event's type. That is no reason to lose it.
		r = new(socketmode.Request)
		if err := json.Unmarshal(data.Message, r); err != nil {
			src.Log.Warn("a frame could not be read", "error", err)
			return nil
		}
	case *api.ConnectionErrorEvent:
		src.Log.Warn("the connection failed", "error", data.ErrorObj)
	case *socketmode.ConnectedEvent:
		src.Log.Info("connected")
	}
	if e.Type == socketmode.EventTypeInvalidAuth {
		return errors.New("socket mode: Slack does not take App.AppToken")
	}
	if r == nil || r.EnvelopeID == "" {
		return nil
	}
	reply, err := src.Deliver(ctx, http.Header{"Content-Type": {"application/json"}}, r.Payload)
	if err != nil && !errors.Is(err, gateway.Invalid) {
		return fmt.Errorf("socket mode: keeping an envelope: %w", err)
	}
	if err != nil {
		src.Log.Warn("an envelope cannot be read and is passed over", "kind", r.Type, "error", err)
	}
	var payload any
	if r.AcceptsResponsePayload && json.Valid(reply.Body) {
		payload = json.RawMessage(reply.Body)
	}
	if err := socket.AckCtx(ctx, r.EnvelopeID, payload); err != nil {
		src.Log.Warn("an envelope could not be acknowledged, and will come again", "error", err)
	}
	return nil
}
