package crash

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	kills = flag.Int("kills", 6, "how often the program is killed")
	seed  = flag.Uint64("seed", 0, "of what is said and when it is killed; 0: any")
)

func TestMain(m *testing.M) {
	if file := os.Getenv(envFile); file != "" {
		if err := child(file); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// downFor is by how much the clock of a program is moved on that follows a killed one: more than a lease, and more than the time
// after which a start that was interrupted is taken up.
const downFor = 40 * time.Second

// tail keeps the last lines of what a child logged.
type tail struct {
	mu    sync.Mutex
	lines []string
	rest  []byte
	bad   []string // lines that no child may log
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		l.rest = rest
		l.lines = append(l.lines, string(line))
		if len(l.lines) > 200 {
			l.lines = l.lines[100:]
		}
		for _, never := range []string{"DATA RACE", "panic", "fatal error", "level=ERROR"} {
			if strings.Contains(string(line), never) {
				l.bad = append(l.bad, string(line))
			}
		}
	}
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[max(0, len(l.lines)-40):], "\n")
}

func (l *tail) wrong() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bad
}

// rig starts and kills the children.
type rig struct {
	t    *testing.T
	w    *world
	file string
	log  *tail
}

// running is a child that runs.
type running struct {
	cmd      *exec.Cmd
	platform *httptest.Server
	in       io.Closer
	ready    chan string   // its address, closed without one if it never gets there
	eof      chan struct{} // it is dead and everything it said was read
	up       bool
}

func (r *rig) start() *running {
	w := r.w
	c := &running{platform: httptest.NewServer(w), ready: make(chan string, 1), eof: make(chan struct{})}
	r.log = &tail{}
	w.mu.Lock()
	w.n++
	w.kill, w.dead, w.killAfter = make(chan struct{}), make(chan struct{}), 0
	ahead := w.ahead
	w.mu.Unlock()
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Env = append(os.Environ(), envFile+"="+r.file, envPlatform+"="+c.platform.URL, envSecret+"="+w.secret, envSeal+"="+w.seal, envAhead+"="+ahead.String())
	c.cmd.Stderr = r.log
	out, err := c.cmd.StdoutPipe()
	require.NoError(r.t, err)
	in, err := c.cmd.StdinPipe()
	require.NoError(r.t, err)
	c.in = in
	require.NoError(r.t, c.cmd.Start())
	go func() {
		defer close(c.eof)
		defer close(c.ready)
		for s := bufio.NewScanner(out); s.Scan(); {
			if addr, ok := strings.CutPrefix(s.Text(), "ready "); ok {
				c.ready <- "http://" + addr
			}
		}
	}()
	return c
}

// await waits until a child takes deliveries, and lets people know.
func (r *rig) await(c *running) {
	select {
	case url, ok := <-c.ready:
		if !ok {
			_ = c.cmd.Wait()
			r.fail("the child died by itself while it started")
		}
		c.up = true
		r.w.mu.Lock()
		r.w.url = url
		r.w.changed.Broadcast()
		r.w.mu.Unlock()
	case <-time.After(time.Minute):
		r.fail("the child did not start within a minute")
	}
}

// end sends a signal and waits until the child and everything that it had under way on the platform are gone.
func (r *rig) end(c *running, sig syscall.Signal) {
	w := r.w
	w.mu.Lock()
	w.url, w.killAfter = "", 0
	w.mu.Unlock()
	require.NoError(r.t, c.cmd.Process.Signal(sig))
	select {
	case <-c.eof:
	case <-time.After(time.Minute):
		_ = c.cmd.Process.Kill()
		<-c.eof
		r.fail("the child did not end within a minute of " + sig.String())
	}
	if _, ready := <-c.ready; ready {
		c.up = true
	}
	err := c.cmd.Wait()
	close(w.dead)
	c.platform.Close()
	_ = c.in.Close()
	if state, _ := c.cmd.ProcessState.Sys().(syscall.WaitStatus); sig == syscall.SIGKILL && state.Signal() != sig || sig != syscall.SIGKILL && err != nil {
		r.fail(fmt.Sprintf("the child ended by itself: %v", c.cmd.ProcessState))
	}
	if bad := r.log.wrong(); len(bad) > 0 {
		r.fail("the child logged what none may log:\n" + first(bad))
	}
	w.mu.Lock()
	if c.up { // it may have held leases
		w.ahead += downFor
	}
	w.mu.Unlock()
}

// fail says what is wrong, and what the last child logged.
func (r *rig) fail(what string) {
	r.t.Helper()
	r.w.mu.Lock()
	r.w.stop = true
	if len(r.w.wrong) > 0 {
		what += "\nfound on the way:\n" + first(r.w.wrong)
	}
	r.w.wrong = append(r.w.wrong, "it is over") // people stop sending
	r.w.changed.Broadcast()
	n := r.w.n
	r.w.mu.Unlock()
	r.t.Fatalf("child %d: %s\n\nthe last lines of the child:\n%s", n, what, r.log)
}

func TestKills(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64N(1 << 32)
	}
	t.Logf("go test ./internal/crash -kills %d -seed %d", *kills, s)
	r := &rig{t: t, w: newWorld(s), file: filepath.Join(t.TempDir(), "gateway.db")}
	w := r.w
	when := rand.New(rand.NewPCG(s, 2))
	began := time.Now()
	talk := w.load()
	midway := 0
	for range *kills {
		c := r.start()
		if when.IntN(8) == 0 { // while it opens the file
			select {
			case <-time.After(time.Duration(when.IntN(60)) * time.Millisecond):
			case <-c.eof:
			}
			r.end(c, syscall.SIGKILL)
			continue
		}
		r.await(c)
		alive := time.Duration(100+when.IntN(1100)) * time.Millisecond
		if when.IntN(2) == 0 { // while it calls the platform
			alive = 2 * time.Second
			w.mu.Lock()
			w.killAfter = 1 + when.IntN(100)
			w.mu.Unlock()
		}
		select {
		case <-w.kill:
			midway++
		case <-time.After(alive):
		case <-c.eof:
		}
		r.end(c, syscall.SIGKILL)
		r.check()
		w.mu.Lock()
		t.Logf("child %d: %d deliveries so far, %d events acknowledged, %d heard, %d elections", w.n, len(w.facts), w.acked, len(w.known), len(w.polls))
		w.mu.Unlock()
	}
	loaded := time.Since(began)
	w.mu.Lock()
	w.stop, w.faults = true, false // what failed before is tried again anyhow; now it need not take long
	w.changed.Broadcast()
	w.mu.Unlock()

	// Everything that was interrupted is taken up again, and every election runs.
	c := r.start()
	r.await(c)
	said := make(chan struct{})
	go func() { talk.Wait(); close(said) }()
	select {
	case <-said:
	case <-time.After(time.Minute):
		w.mu.Lock()
		missing := w.missing()
		w.mu.Unlock()
		r.fail("people could not say what they had to within a minute:\n" + first(missing))
	}
	r.quiet("everything is heard and done", func() []string {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.missing()
	})
	r.quiet("nothing waits", func() []string {
		st := r.state()
		if st.Waiting > 0 || st.Processes["created"] > 0 || len(st.Dead) > 0 {
			return []string{fmt.Sprintf("%+v", st)}
		}
		return nil
	})
	r.end(c, syscall.SIGKILL)

	// All elections close.
	w.mu.Lock()
	for _, p := range w.polls {
		w.ahead = max(w.ahead, time.Until(p.closing)+time.Second)
	}
	w.mu.Unlock()
	c = r.start()
	r.await(c)
	r.quiet("all elections are closed, shown and told of", func() []string {
		w.mu.Lock()
		defer w.mu.Unlock()
		var open []string
		for id, p := range w.polls {
			if shown := w.shows[id]; w.outcomes[id] == "" || len(shown) == 0 || !shown[len(shown)-1] || !w.hooks.know(id+" completed") {
				open = append(open, fmt.Sprintf("%s (%s of %s, closing at %v): outcome %q, shown %v", id, p.title, p.community, p.closing, w.outcomes[id], shown))
			}
		}
		return open
	})
	r.end(c, syscall.SIGTERM)
	r.check()
	sum := r.reckon()
	t.Logf("%d kills (%d of them while the platform was called) in %v, %d deliveries (%.0f/s under fire), %s, %d answers lost, %d late ballots: %v",
		*kills, midway, loaded.Round(time.Millisecond), len(w.facts), float64(len(w.facts))/loaded.Seconds(), sum, w.lost, w.late, time.Since(began).Round(time.Millisecond))
}

// check fails if something was found on the way.
func (r *rig) check() {
	r.t.Helper()
	r.w.mu.Lock()
	wrong := len(r.w.wrong)
	r.w.mu.Unlock()
	if wrong > 0 {
		r.fail("a promise was broken")
	}
}

// quiet waits until nothing is open any more.
func (r *rig) quiet(what string, open func() []string) {
	r.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		left := open()
		if len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			r.fail(fmt.Sprintf("%s: not within a minute; %d open:\n%s\nit says: %+v", what, len(left), first(left), r.state()))
		}
		r.check()
	}
}

// state asks the child.
func (r *rig) state() (st state) {
	r.t.Helper()
	r.w.mu.Lock()
	url := r.w.url
	r.w.mu.Unlock()
	res, err := http.Get(url + "/state")
	if err != nil {
		r.fail("asking the child for its state: " + err.Error())
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(&st); err != nil {
		r.fail("asking the child for its state: " + err.Error())
	}
	return st
}
