package discord

import "sync"

// place is where a channel is: in which guild, and, of a thread, in which channel. It never moves.
type place struct{ guild, parent string }

// places remembers where channels are. One bot serves all guilds, so what a community names has to be looked at before it is touched.
type places struct {
	mu sync.Mutex
	of map[string]place
}

// maxPlaces bounds the memory; beyond it Discord is asked again.
const maxPlaces = 10_000

func (p *places) get(channel string) (at place, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok = p.of[channel]
	return at, ok
}

func (p *places) put(channel string, at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil || len(p.of) >= maxPlaces {
		p.of = map[string]place{}
	}
	p.of[channel] = at
}
