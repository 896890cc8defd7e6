package discord

import "time"

// BeginQuickly has shards begin without the pause that Discord wants between them.
func (a *App) BeginQuickly() { a.identify = time.Millisecond }
