package crash

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	people  = 8   // who send at the same time
	backlog = 150 // events that may wait for the callback before people fall silent
	// parkedMargin is for ballots that came before their election was known to run: they are kept aside until it has been started,
	// which a row of kills can put off.
	parkedMargin = 130 * time.Second
	margin       = 5 * time.Second // for all others
)

// load has people talk and vote until they are told to stop and everything they said is acknowledged.
func (w *world) load() *sync.WaitGroup {
	var wg sync.WaitGroup
	for range people {
		wg.Go(func() {
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				f := w.next()
				if f == nil {
					return
				}
				for !w.send(client, f) {
				}
			}
		})
	}
	return &wg
}

// next is what somebody says now; nil when nobody says anything any more.
func (w *world) next() *fact {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		switch {
		case w.stop || len(w.wrong) > 0:
			return nil
		case len(w.again) > 0:
			f := w.again[0]
			w.again = w.again[1:]
			return f
		case w.url == "":
		case w.chance(2):
			if f := w.ballot(); f != nil {
				return f
			}
			fallthrough
		default:
			if w.acked-len(w.known) < backlog {
				return w.event()
			}
			if f := w.ballot(); f != nil {
				return f
			}
		}
		w.changed.Wait()
	}
}

func (w *world) add(m message) *fact {
	m.Fact = fmt.Sprintf("%s-%d", m.Kind, len(w.facts))
	m.At = w.stamp()
	f := &fact{m: m, first: w.n}
	w.facts[m.Fact] = f
	return f
}

func (w *world) event() *fact {
	m := message{Site: towns[w.rng.IntN(len(towns))], Kind: "say"}
	switch w.rng.IntN(20) {
	case 0, 1, 2:
		m.Kind = "once"
	case 3:
		m.Kind = "slow"
	case 4:
		if open := w.open(); len(open) < 6 && w.chance(4) {
			m.Kind = "vote"
		}
	}
	f := w.add(m)
	w.order = append(w.order, f.m.Fact)
	return f
}

// open lists the elections in which people (try to) vote.
func (w *world) open() (out []*poll) {
	for _, p := range w.posted {
		if w.now().Before(p.closing.Add(time.Minute)) {
			out = append(out, p)
		}
	}
	return out
}

func (w *world) ballot() *fact {
	open := w.open()
	if len(open) == 0 {
		return nil
	}
	p := open[w.rng.IntN(len(open))]
	closed := w.now().After(p.closing)
	if closed && !w.chance(20) { // a few try all the same
		return nil
	}
	m := message{Site: p.community, Kind: "ballot", Process: p.id, Voter: fmt.Sprint("voter", w.rng.IntN(60))}
	if p.pending && w.chance(2) {
		m.Process, m.Ref = "", "post/"+p.id
	}
	if !w.chance(8) { // or take it back
		m.Choice = options[w.rng.IntN(len(options))]
	}
	f := w.add(m)
	f.early = !p.pending
	if !closed && w.chance(50) { // by the platform's clock it is too late, though it arrives before the end
		f.m.At, closed = p.closing.Add(time.Duration(len(w.facts))*time.Microsecond), true
	}
	if closed {
		w.late++
	}
	p.ballots = append(p.ballots, f)
	return f
}

// send delivers a fact once and says whether it need not be sent again. It waits for a child to send it to.
func (w *world) send(client *http.Client, f *fact) (done bool) {
	w.mu.Lock()
	for w.url == "" && len(w.wrong) == 0 {
		w.changed.Wait()
	}
	if len(w.wrong) > 0 {
		w.mu.Unlock()
		return true
	}
	f.sends++
	url, n, at := w.url, w.n, w.now().Format(time.RFC3339Nano)
	w.mu.Unlock()
	status, answer := w.post(client, url, f.m, at)
	w.mu.Lock()
	defer w.mu.Unlock()
	if status >= 400 && status < 500 {
		w.blame("%s was answered with %d: %s", f, status, answer)
	}
	if status != http.StatusOK {
		if status == 0 && w.n == n && w.url != "" { // it is dying: no use in asking before another is there, or a moment has passed
			t := time.AfterFunc(20*time.Millisecond, w.changed.Broadcast)
			w.changed.Wait()
			t.Stop()
		}
		return false
	}
	if f.acked {
		return true
	}
	f.acked, f.ackAt, f.by = true, w.now(), n
	if f.m.Kind != "ballot" {
		w.acked++
	}
	w.changed.Broadcast()
	switch w.rng.IntN(20) {
	case 0:
		return false // the platform did not notice, and sends it again
	case 1:
		w.again = append(w.again, f) // much later
	}
	return true
}

func (w *world) post(client *http.Client, url string, m message, at string) (status int, answer string) {
	body, err := json.Marshal(m)
	if err != nil {
		return 0, err.Error()
	}
	r, err := http.NewRequest(http.MethodPost, url+"/api/hooks/site", bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	r.Header.Set(signed, at)
	r.Header.Set(signature, sign(w.secret, at, body))
	res, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body) // for people
	return res.StatusCode, string(text)
}
