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
	"time"

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
	link, err := since(ctx, src)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	wg.Go(func() { failed <- socket.RunContext(ctx) })
	for {
		select {
		case err := <-failed:
			return errors.Join(fmt.Errorf("socket mode: %w", err), link.end(context.WithoutCancel(ctx), src))
		case <-ctx.Done():
			return ctx.Err()
		case e := <-socket.Events:
			if err := link.see(ctx, src, e.Type); err != nil {
				return err
			}
			if err := s.take(ctx, src, socket, e); err != nil {
				return err
			}
		}
	}
}

// link knows since when there is no connection. Slack sends again what it could not bring for a few minutes, and nothing after that.
type link struct{ lost time.Time }

// unheard is how long there may be no connection without a loss.
const unheard = time.Minute

// since reads whether an earlier connection was lost.
func since(ctx context.Context, src *gateway.Source) (*link, error) {
	c, err := src.Cursor(ctx)
	l := &link{}
	if c != "" {
		_ = l.lost.UnmarshalText([]byte(c)) // our own text
	}
	return l, err
}

func (l *link) see(ctx context.Context, src *gateway.Source, e socketmode.EventType) error {
	switch e {
	case socketmode.EventTypeConnecting, socketmode.EventTypeDisconnect:
		if l.lost.IsZero() {
			l.lost = src.Now()
		}
	case socketmode.EventTypeConnected:
		lost := l.lost
		l.lost = time.Time{}
		if src.Now().Sub(lost) > unheard && !lost.IsZero() {
			if err := src.Repair(ctx, gateway.Gap{Since: lost}); err != nil {
				return err
			}
		}
		return src.SetCursor(ctx, "")
	}
	return nil
}

// end keeps since when there is no connection.
func (l *link) end(ctx context.Context, src *gateway.Source) error {
	if l.lost.IsZero() {
		l.lost = src.Now()
	}
	text, err := l.lost.MarshalText()
	if err != nil {
		return err
	}
	return src.SetCursor(ctx, string(text))
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
