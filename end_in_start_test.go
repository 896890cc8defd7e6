package gateway_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// notice is a vote that keeps that it is being posted before its platform hears of it, as the platforms' plugins do.
type notice struct {
	Sent bool   `json:"sent,omitempty"`
	Post string `json:"post,omitempty"`
}

func (n *notice) Start(ctx context.Context, r *pollRun, in poll) error {
	if in.Title != "unkept" {
		n.Sent = true
		if err := r.Save(ctx); err != nil {
			return err
		}
	}
	if err := r.Plugin.api.do(ctx, "start", "start "+in.Title); err != nil {
		return err
	}
	n.Post = in.Title
	return nil
}

func (n *notice) Show(ctx context.Context, r *pollRun) error {
	return r.Plugin.api.do(ctx, "show", "show "+n.Post+" "+string(r.Status()))
}

// A vote that is called off while it is brought to its platform is shown as it ended there, for what was posted looks open; one of which nobody there
// has heard is not.
func TestAnEndDuringTheStartIsShown(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		for title, x := range map[string]struct {
			hangs bool
			shown []string
		}{
			"unkept":  {hangs: true, shown: []string{"show unkept completed"}},
			"kept":    {hangs: true, shown: []string{"show kept completed"}},
			"unknown": {shown: []string{"show  completed"}},
			"nothing": {shown: []string{}},
		} {
			t.Run(title, func(t *testing.T) {
				r := newRig(t, gateway.Options{Store: s})
				r.again(newForum(r.api, gateway.ProcessFunc("notice", "A vote.", (*notice).Start, gateway.Can(vote.Can{}))))
				c, inst := r.town(title, title)
				reached, leave := make(chan struct{}), make(chan struct{})
				r.api.on("start", func(context.Context) error {
					close(reached)
					if x.hangs {
						<-leave
						return nil
					}
					return gateway.Errorf(gateway.Unavailable, "down")
				})
				if title == "nothing" {
					title = "unkept"
				}
				done := make(chan error, 1)
				go func() {
					_, err := inst.Start(context.WithoutCancel(t.Context()), "notice", poll{vote.Ask{Title: title}})
					done <- err
				}()
				<-reached
				if !x.hangs {
					require.NoError(t, <-done)
				}
				list, err := c.Processes(t.Context(), "", 1)
				require.NoError(t, err)
				p, err := c.Cancel(t.Context(), list[0].ID)
				require.NoError(t, err)
				require.Equal(t, gateway.StatusCompleted, p.Status)
				if x.hangs {
					close(leave)
					require.NoError(t, <-done)
				}
				for range 3 {
					r.wait(time.Minute)
				}
				require.Equal(t, x.shown, r.api.lines("show"))
			})
		}
	})
}
