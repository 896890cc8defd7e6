package discord

import "time"

// BeginQuickly has shards begin without the pause that Discord wants between them, and lost connections be tried again at once.
func (a *App) BeginQuickly() {
	a.times = times{identify: time.Millisecond, open: 20 * time.Second, redial: time.Millisecond, longest: 10 * time.Millisecond, alive: 5 * time.Millisecond}
}

// GiveUpSoon has a connection that gets stuck while it is made be given up soon.
func (a *App) GiveUpSoon() {
	a.BeginQuickly()
	a.times.open = 300 * time.Millisecond
}

// RepairInTurns has a repair read so many pages of a channel at a time.
func (a *App) RepairInTurns(pages int) { a.turn = pages }
