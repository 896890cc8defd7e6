package discord

import "sync"

// places remembers in which guild a channel is: it never moves. One bot serves all guilds, so what a community names has to be looked at
// before it is touched.
type places struct {
	mu sync.Mutex
	of map[string]string
}

// maxPlaces bounds the memory; beyond it Discord is asked again.
const maxPlaces = 10_000

func (p *places) get(channel string) (guild string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	guild, ok = p.of[channel]
	return guild, ok
}

func (p *places) put(channel, guild string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil || len(p.of) >= maxPlaces {
		p.of = map[string]string{}
	}
	p.of[channel] = guild
}
