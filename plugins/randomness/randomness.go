// Package randomness draws numbers and winners. It talks to no platform, and is the plugin to read before writing one.
package randomness

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"time"

	gateway "github.com/metagov/gateway-go"
)

// New makes the plugin. It is its table of contents: what communities, drivers and forms see is what stands here.
func New(opts ...Option) gateway.Plugin {
	draw := rand.New(unpredictable{}).Uint64N
	for _, o := range opts {
		o(&draw)
	}
	open := func(_ context.Context, i *gateway.Instance, c Config) (*Randomness, error) {
		if c.DefaultHigh <= c.DefaultLow {
			return nil, wrongRange("/default_high")
		}
		return &Randomness{i, c, draw}, nil
	}
	return gateway.Define("randomness", "Draws numbers and winners.", open,
		gateway.ActionFunc("random-int", "Draw a whole number.", (*Randomness).randomInt),
		gateway.ActionFunc("set-lucky-number", "Choose the lucky number.", (*Randomness).setLuckyNumber),
		gateway.PollFunc("draw", time.Hour, (*Randomness).poll),
		gateway.ProcessFunc("delayed-stochastic-vote", "Draw one of several options after a delay.", (*vote).Start),
		LuckyDraw,
	)
}

// Option changes how the plugin is made.
type Option func(draw *func(n uint64) uint64)

// WithDraw replaces chance, so that a test knows what is drawn: draw gives a number from 0 to n-1. It is called from several
// goroutines at once.
func WithDraw(draw func(n uint64) uint64) Option { return func(d *func(uint64) uint64) { *d = draw } }

// Config is what a community chooses when it enables the plugin.
type Config struct {
	DefaultLow  int64 `json:"default_low" jsonschema_description:"The smallest number that is drawn where nobody says another."`
	DefaultHigh int64 `json:"default_high" jsonschema_description:"All numbers are below this one where nobody says another."`
}

// Randomness is the plugin in one community.
type Randomness struct {
	*gateway.Instance
	config Config
	draw   func(n uint64) uint64
}

// Range is the input of random-int.
type Range struct {
	Low  *int64 `json:"low,omitempty" jsonschema_description:"The smallest number that may be drawn. The community's default_low where it is absent."`
	High *int64 `json:"high,omitempty" jsonschema_description:"The number that all draws stay below. The community's default_high where it is absent."`
}

// Draw is a number that was drawn.
type Draw struct {
	Value int64 `json:"value" jsonschema_description:"The number that was drawn."`
}

func (r *Randomness) randomInt(ctx context.Context, in Range) (Draw, error) {
	low, high := r.config.DefaultLow, r.config.DefaultHigh
	if in.Low != nil {
		low = *in.Low
	}
	if in.High != nil {
		high = *in.High
	}
	if high <= low {
		return Draw{}, wrongRange("/high")
	}
	// Unsigned, because the widest range does not fit into an int64.
	d := Draw{Value: low + int64(r.draw(uint64(high)-uint64(low)))}
	lucky, err := luckyNumber.Get(ctx, r)
	if err != nil || d.Value != lucky.or(4) {
		return d, err
	}
	return d, LuckyDraw.Emit(ctx, r, gateway.Meta{}, d)
}

// poll draws by itself: this is how a plugin watches a platform that tells nothing.
func (r *Randomness) poll(ctx context.Context) error {
	_, err := r.randomInt(ctx, Range{})
	return err
}

// Lucky is the input and the answer of set-lucky-number.
type Lucky struct {
	LuckyNumber int64 `json:"lucky_number" jsonschema_description:"The number that is announced when it is drawn."`
}

// luckyNumber is kept for each instance. It is nil until somebody chooses one.
var luckyNumber gateway.Key[*Lucky] = "lucky-number"

func (r *Randomness) setLuckyNumber(ctx context.Context, in Lucky) (Lucky, error) {
	return in, luckyNumber.Put(ctx, r, &in)
}

func (l *Lucky) or(first int64) int64 {
	if l == nil {
		return first
	}
	return l.LuckyNumber
}

// LuckyDraw is the event that tells of a lucky number.
var LuckyDraw = gateway.NewEvent[*Randomness, Draw]("lucky-draw", "The lucky number was drawn.")

func wrongRange(path string) error {
	return &gateway.Error{Code: gateway.Invalid, Fields: []gateway.FieldError{{Path: path, Message: "has to be above the low end"}}}
}

// unpredictable asks the operating system, because a winner that can be foreseen is no fair one.
type unpredictable struct{}

func (unpredictable) Uint64() uint64 {
	var b [8]byte
	_, _ = crand.Read(b[:]) // never fails, see crypto/rand
	return binary.LittleEndian.Uint64(b[:])
}
