package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

// What the parent says to the child, in its environment.
const (
	envFile     = "GATEWAY_CRASH_FILE"
	envPlatform = "GATEWAY_CRASH_PLATFORM"
	envSecret   = "GATEWAY_CRASH_SECRET"
	envSeal     = "GATEWAY_CRASH_SEAL"
	envAhead    = "GATEWAY_CRASH_AHEAD" // how far its clock is ahead
)

// towns are the communities, each with a site of its own name.
var towns = []string{"ash", "birch", "cedar"}

// state is what the child says about itself.
type state struct {
	Waiting   int            `json:"waiting"` // deliveries
	Dead      []string       `json:"dead"`
	Processes map[string]int `json:"processes"` // by status
}

// child is the program that gets killed: a driver with a callback for events and one for votes.
func child(file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // the parent holds the other end: when it is gone, so are we
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	ahead, err := time.ParseDuration(os.Getenv(envAhead))
	if err != nil {
		return err
	}
	s, err := sqlite.Open(file)
	if err != nil {
		return err
	}
	base := os.Getenv(envPlatform)
	seal, err := gateway.NewSeal(os.Getenv(envSeal))
	if err != nil {
		return err
	}
	g, err := gateway.New(gateway.Options{
		Seal: seal, Reach: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, HookTimeout: hookTimeout,
		Store: s, Plugins: []gateway.Plugin{newPlugin(base, os.Getenv(envSecret))},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Now: func() time.Time { return time.Now().Add(ahead) },
	})
	if err != nil {
		return err
	}
	for _, name := range towns {
		c, err := g.CreateCommunity(ctx, name, name)
		if errors.Is(err, gateway.Conflict) {
			c, err = g.Community(ctx, name)
		}
		if err != nil {
			return err
		}
		if _, err := c.Enable(ctx, "site", config{Site: name}); err != nil {
			return err
		}
	}
	if err := endpoints(ctx, g, base); err != nil {
		return err
	}
	d := driver{api{base, &http.Client{Timeout: 10 * time.Second}}}
	if err := errors.Join(g.OnEvent(ctx, "events", d.event), g.OnProcess(ctx, "votes", d.process)); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", g.Handler())
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, r *http.Request) {
		st, err := stateOf(r.Context(), g)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(st) // the parent asks again
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: mux}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	fmt.Println("ready", l.Addr())
	err = g.Run(ctx)
	err = errors.Join(err, srv.Shutdown(context.Background()))
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, s.Close())
}

func stateOf(ctx context.Context, g *gateway.Gateway) (state, error) {
	st := state{Processes: map[string]int{}}
	waiting, err := g.Inbox(ctx, "", 10_000)
	if err != nil {
		return st, err
	}
	st.Waiting = len(waiting)
	for _, name := range towns {
		c, err := g.Community(ctx, name)
		if err != nil {
			return st, err
		}
		dead, err := c.DeadLetters(ctx, "", 1000)
		if err != nil {
			return st, err
		}
		for _, l := range dead {
			st.Dead = append(st.Dead, fmt.Sprintf("%+v", l))
		}
		ps, err := c.Processes(ctx, "", 10_000)
		if err != nil {
			return st, err
		}
		for _, p := range ps {
			st.Processes[string(p.Status)]++
		}
	}
	return st, nil
}

// driver is the governance software: it asks for what events ask for.
type driver struct{ api api }

// heard is what a callback tells the parent.
type heard struct {
	Community string          `json:"community"`
	Seq       int64           `json:"seq,omitempty"`
	Fact      string          `json:"fact,omitempty"`
	Process   string          `json:"process,omitempty"`
	Title     string          `json:"title,omitempty"`
	Status    string          `json:"status,omitempty"`
	Outcome   json.RawMessage `json:"outcome,omitempty"`
}

// tell reaches the parent, or has the callback called again.
func (d driver) tell(ctx context.Context, path string, h heard) error {
	err := d.api.post(ctx, path, h, nil)
	if errors.Is(err, errUnanswered) {
		return &gateway.Error{Code: gateway.Unavailable, Err: err}
	}
	return err
}

func (d driver) event(ctx context.Context, c *gateway.Community, e gateway.Event) error {
	var data happened
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return err
	}
	if err := d.tell(ctx, "/heard", heard{Community: c.Slug(), Seq: e.Seq, Fact: data.Fact}); err != nil {
		return err
	}
	inst, err := c.Instance(ctx, "site")
	if err != nil {
		return err
	}
	switch e.Type {
	case "once":
		return d.once(ctx, inst, data.Fact)
	case "vote":
		closing := inst.Now().Add(length(e.Seq))
		ask := vote.Ask{Title: data.Fact, PollType: vote.Choice, Options: options, ClosingAt: &closing}
		_, err := inst.Start(ctx, "election", election{ask}, gateway.Once("vote/"+data.Fact), gateway.Within(startWithin))
		return err
	}
	return nil
}

// once asks until it is done, always with the same name. What is not known after a few times is asked for when the event comes again.
func (d driver) once(ctx context.Context, inst *gateway.Instance, key string) (err error) {
	for range 5 {
		_, err = inst.Do(ctx, "act", act{Key: key}, gateway.Once("act/"+key))
		if !errors.Is(err, gateway.Unknown) && !errors.Is(err, gateway.Unavailable) {
			return err
		}
	}
	return err
}

func (d driver) process(ctx context.Context, c *gateway.Community, p gateway.Process) error {
	var in election
	if err := json.Unmarshal(p.Input, &in); err != nil {
		return err
	}
	return d.tell(ctx, "/process", heard{Community: c.Slug(), Process: p.ID, Title: in.Title, Status: string(p.Status), Outcome: p.Outcome})
}

var options = []string{"one", "two", "three"}

const startWithin = 5 * time.Second

// length is how long a vote is open: some four restarts.
func length(seq int64) time.Duration { return 150*time.Second + time.Duration(seq%7)*10*time.Second }
