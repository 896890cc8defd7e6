package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

// The tool is a plugin without a platform: what is measured with it is the gateway's own.
type tool struct{ *gateway.Instance }

type toolConfig struct{}

type say struct {
	Channel        string    `json:"channel" jsonschema:"minLength=1" jsonschema_description:"Where."`
	Text           string    `json:"text" jsonschema:"minLength=1,maxLength=40000" jsonschema_description:"What."`
	ThreadTS       string    `json:"thread_ts,omitempty" jsonschema:"pattern=^[0-9.]+$" jsonschema_description:"The thread."`
	ReplyBroadcast bool      `json:"reply_broadcast" jsonschema:"default=false" jsonschema_description:"Also to the channel."`
	Unfurl         bool      `json:"unfurl" jsonschema:"default=true" jsonschema_description:"Show previews."`
	Users          []string  `json:"users,omitempty" jsonschema:"maxItems=100" jsonschema_description:"To whom."`
	Priority       int       `json:"priority,omitempty" jsonschema:"minimum=0,maximum=9" jsonschema_description:"How urgent."`
	Kind           string    `json:"kind,omitempty" jsonschema:"enum=plain,enum=loud,enum=quiet" jsonschema_description:"How."`
	At             time.Time `json:"at,omitzero" jsonschema_description:"When."`
	Labels         []string  `json:"labels,omitempty" jsonschema_description:"Labels."`
}

type said struct {
	ID      string `json:"id" jsonschema_description:"The message."`
	Channel string `json:"channel" jsonschema_description:"Where it was said."`
}

type toolVote struct{ vote.Ask }

type toolVoteState struct{}

func (*toolVoteState) Start(context.Context, *gateway.Run[*tool, vote.Outcome], toolVote) error {
	return nil
}

func newTool() gateway.Plugin {
	open := func(_ context.Context, i *gateway.Instance, _ toolConfig) (*tool, error) { return &tool{i}, nil }
	return gateway.Define("tool", "For benchmarks.", open,
		gateway.ActionFunc("say", "Says nothing to nobody.", func(_ *tool, _ context.Context, in say) (said, error) {
			return said{"1", in.Channel}, nil
		}),
		gateway.ProcessFunc("vote", "A vote.", (*toolVoteState).Start, gateway.Can(vote.Can{Eligibility: true})),
	)
}

func newStore(b *testing.B) store.Store {
	s, err := sqlite.Open(filepath.Join(b.TempDir(), "bench.db"))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

func newGateway(b *testing.B, o gateway.Options) *gateway.Gateway {
	if o.Store == nil {
		o.Store = newStore(b)
	}
	o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	seal, err := gateway.NewSeal(gateway.NewSealKey())
	require.NoError(b, err)
	o.Seal = seal
	o.Plugins = append(o.Plugins, newTool())
	g, err := gateway.New(o)
	require.NoError(b, err)
	return g
}

// run runs the gateway until the benchmark is over.
func run(b *testing.B, g *gateway.Gateway) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	b.Cleanup(func() { cancel(); require.NoError(b, <-done) })
}

// BenchmarkAction is an action without an outside effect, by name, through both schemas. At most 3x BenchmarkLimitValidate.
func BenchmarkAction(b *testing.B) {
	g := newGateway(b, gateway.Options{})
	c, err := g.CreateCommunity(b.Context(), "town", "Town")
	require.NoError(b, err)
	inst, err := c.Enable(b.Context(), "tool", nil)
	require.NoError(b, err)
	b.ResetTimer()
	for range b.N {
		if _, err := inst.Do(b.Context(), "say", []byte(actionInput)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCastVote is one ballot of a new voter in a process that has so many already. The second at most 1.5x the first.
//
// 64 voters cast at once, as when a vote opens: one caller alone would measure the disk's moods, which differ more from one
// second to the next than the sizes do. For the same reason each form casts in processes of both sizes in turn, 64 ballots
// here and 64 there, and counts only its own. A process of 100 gets no more than 128 further voters, and is followed by another.
func BenchmarkCastVote(b *testing.B) {
	var town *polls // for both forms and all that find their N
	for _, voters := range []int{100, 100_000} {
		b.Run("voters="+strconv.Itoa(voters), func(form *testing.B) {
			if town == nil {
				town = newPolls(b)
			}
			town.castVote(form, voters)
		})
	}
}

const atOnce = 64

// polls is a community with a process in which many have voted.
type polls struct {
	c      *gateway.Community
	inst   *gateway.Instance
	big    string
	rounds int
}

func newPolls(b *testing.B) *polls {
	g := newGateway(b, gateway.Options{})
	c, err := g.CreateCommunity(b.Context(), "town", "Town")
	require.NoError(b, err)
	inst, err := c.Enable(b.Context(), "tool", nil)
	require.NoError(b, err)
	t := &polls{c: c, inst: inst}
	t.big = t.process(b, 100_000)
	return t
}

func (t *polls) cast(b *testing.B, p, name string, from, n int) {
	var wg sync.WaitGroup
	for w := range min(n, atOnce) {
		wg.Go(func() {
			for i := from + w; i < from+n; i += atOnce {
				if _, err := t.c.Cast(b.Context(), p, gateway.Ballot{Voter: name + strconv.Itoa(i), Choices: []string{[]string{"yes", "no"}[i%2]}}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func (t *polls) process(b *testing.B, early int) string {
	p, err := t.inst.Start(b.Context(), "vote", toolVote{vote.Ask{Title: "Lunch?"}})
	require.NoError(b, err)
	t.cast(b, p.ID, "early", 0, early)
	return p.ID
}

func (t *polls) castVote(b *testing.B, voters int) {
	var small string
	big := t.big
	t.rounds++
	late := fmt.Sprintf("late%d-", t.rounds) // nobody who has voted
	b.ResetTimer()
	b.StopTimer()
	for done := 0; done < b.N; done += atOnce {
		n := min(atOnce, b.N-done)
		if done/atOnce%2 == 0 {
			small = t.process(b, 100)
		}
		for _, p := range []string{small, big} {
			counts := (p == big) == (voters == 100_000)
			if counts {
				b.StartTimer()
			}
			t.cast(b, p, late, done, n)
			if counts {
				b.StopTimer()
			}
		}
	}
}

// BenchmarkUpdateGrouped is a transaction with a fact ID, a body and an event, by so many callers at once. 64 at least 3x one.
func BenchmarkUpdateGrouped(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run("callers="+strconv.Itoa(callers), func(b *testing.B) {
			s := newStore(b)
			body := slackMessage(1)
			var wg sync.WaitGroup
			b.ResetTimer()
			for w := range callers {
				wg.Go(func() {
					for i := w; i < b.N; i += callers {
						id := fmt.Sprintf("f%d-%d", w, i)
						err := s.Update(b.Context(), func(tx store.Tx) error {
							if _, err := tx.Accept(store.Delivery{ID: id, Plugin: "p", Fact: id, Door: "http", Body: body, At: time.Now()}); err != nil {
								return err
							}
							_, _, err := tx.Append(store.Event{ID: id, Community: "c", Instance: "i", Plugin: "p", Type: "message", Data: body, At: time.Now()})
							return err
						})
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
