package gateway_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// slowSeal is a seal whose key lies far away.
type slowSeal struct {
	gateway.AEAD
	hook atomic.Pointer[func()]
}

func (s *slowSeal) Decrypt(sealed, as []byte) ([]byte, error) {
	if fn := s.hook.Load(); fn != nil {
		(*fn)()
	}
	return s.AEAD.Decrypt(sealed, as)
}

func plugged(ctx context.Context) *forum { return ctx.Value(forumKey{}).(*forum) }

// What Receive begins beside itself uses the transaction one at a time, and not any more when Receive has returned.
func TestReceiveThatBeginsGoroutines(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, _ := r.town("a", "S1")
		var late context.Context
		r.api.on("receive many", func(ctx context.Context) error {
			late = ctx
			var wg sync.WaitGroup
			for n := range 50 {
				wg.Go(func() {
					_ = plugged(ctx).Emit(ctx, "message", gateway.Meta{ID: fmt.Sprint(n)}, []byte(`{}`))
					_, _ = gateway.Key[int]("n").Update(ctx, plugged(ctx), func(n int) (int, error) { return n + 1, nil })
				})
			}
			wg.Wait()
			return nil
		})
		require.Equal(t, 200, r.deliver(forumMessage{ID: "1", Site: "S1", Kind: "many", At: r.clock.now()}).Code)
		require.Len(t, r.said(c), 50)
		err := plugged(late).Emit(late, "message", gateway.Meta{ID: "late"}, []byte(`{}`))
		require.ErrorContains(t, err, "the transaction is over")
		require.Len(t, r.said(c), 50)
	})
}

// Code of others that hangs inside our own, inside a transaction, is left behind as well.
func TestHangsInsideOurCode(t *testing.T) {
	for name, x := range map[string]func(r *rig, hang func()){
		"change of a key": func(r *rig, hang func()) {
			r.api.on("receive trouble", func(ctx context.Context) error {
				_, err := gateway.Key[int]("n").Update(ctx, plugged(ctx), func(n int) (int, error) { hang(); return n + 1, nil })
				return err
			})
		},
		"seal": func(r *rig, hang func()) {
			once := func() { r.o.Seal.(*slowSeal).hook.Store(nil); hang() }
			r.o.Seal.(*slowSeal).hook.Store(&once)
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s store.Store) {
				r := newRig(t, gateway.Options{Store: s, Seal: &slowSeal{AEAD: newSeal(t, gateway.NewSealKey())}})
				_, inst := r.town("bad", "S1")
				good, _ := r.town("good", "S2")
				if name == "seal" { // opened by the delivery
					require.NoError(t, inst.Pause(t.Context(), "a moment"))
					require.NoError(t, inst.Resume(t.Context()))
				}
				leave := make(chan struct{})
				var ended atomic.Int32
				x(r, func() { defer ended.Add(1); <-leave })
				began := time.Now()
				require.Equal(t, 200, r.deliver(forumMessage{ID: "b", Site: "S1", Kind: "trouble", At: r.clock.now()}).Code)
				require.Less(t, time.Since(began), 3*time.Second)
				r.says("S2", "m", "m")
				require.Len(t, r.said(good), 1)
				close(leave)
				soon(t, "what was left behind ends", func() bool { return ended.Load() == 1 })
				r.says("S2", "n", "n")
				require.Len(t, r.said(good), 2)
			})
		})
	}
}

// TestHangsForEver: however often an instance hangs, no more than some of its code is left running.
func TestHangsForEver(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.town("bad", "S1")
	leave := make(chan struct{})
	var reached atomic.Int32
	r.api.on("receive trouble", func(context.Context) error { reached.Add(1); <-leave; return nil })
	before := runtime.NumGoroutine()
	for n := range 6 {
		require.Equal(t, 200, r.deliver(forumMessage{ID: fmt.Sprint(n), Site: "S1", Kind: "trouble", At: r.clock.now()}).Code)
		gateway.Patience(r.Gateway)
	}
	require.EqualValues(t, 4, reached.Load())
	close(leave)
	soon(t, "all of it ends", func() bool { return runtime.NumGoroutine() <= before+1 }) // one asks
	require.Equal(t, 200, r.deliver(forumMessage{ID: "after", Site: "S1", Kind: "trouble", At: r.clock.now()}).Code)
	require.EqualValues(t, 5, reached.Load(), "then its turn comes again")
}

// What Receive may ask the gateway for that in turn needs the plugin's code, or asks the gateway again, does not wait for itself.
func TestReceiveThatAsksForMuch(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		p := r.poll(inst, voteAsk())
		errs := map[string]error{}
		r.api.on("receive much", func(ctx context.Context) error {
			f := plugged(ctx)
			town, err := r.Community(ctx, "a")
			errs["community"] = err
			other, err := town.Enable(ctx, "forum", forumConfig{Site: "S2"}, "other")
			errs["enable"] = err
			errs["reconfigure"] = f.Reconfigure(ctx, forumConfig{Site: "S1", Motto: "new"})
			_, err = other.Health(ctx)
			errs["health"] = err
			_, err = other.Choices(ctx, "channels", "")
			errs["choices"] = err
			_, err = gateway.Key[int]("n").Update(ctx, f, func(n int) (int, error) {
				v, err := gateway.Key[int]("m").Get(ctx, f)
				return v + 1, err
			})
			errs["key"] = err
			errs["pause"] = other.Pause(ctx, "x")
			errs["resume"] = other.Resume(ctx)
			_, err = town.Cast(ctx, p.ID, gateway.Ballot{Voter: "u", Choices: []string{"yes"}})
			errs["cast"] = err
			errs["settings"] = town.SetSettings(ctx, gateway.Settings{PollEvery: map[string]gateway.Duration{"forum": gateway.Duration(time.Hour)}})
			_, err = town.Process(ctx, p.ID)
			errs["process"] = err
			errs["remove"] = other.Remove(ctx)
			return nil
		})
		began := time.Now()
		require.Equal(t, 200, r.deliver(forumMessage{ID: "1", Site: "S1", Kind: "much", At: r.clock.now()}).Code)
		require.Less(t, time.Since(began), time.Second)
		for what, err := range errs {
			if what == "choices" {
				continue // it may refuse to call the platform here
			}
			require.NoError(t, err, what)
		}
		require.EqualValues(t, 1, r.process(c, p.ID).Voters)
	})
}
