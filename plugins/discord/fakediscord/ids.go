package fakediscord

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

type object = map[string]any

// epoch is the first millisecond of 2015, from which Discord counts in its IDs.
const epoch = 1420070400000

func orElse(s, fallback string) string {
	if s != "" {
		return s
	}
	return fallback
}

func secretText(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

// snowflake makes an ID from the clock. Two are never the same and each is larger than the one before, even if the
// clock stands still or goes back. The caller holds s.mu.
func (s *Server) snowflake() string {
	id := uint64(max(s.opt.Now().UnixMilli()-epoch, 1)) << 22
	if id <= s.lastID {
		id = s.lastID + 1
	}
	s.lastID = id
	return strconv.FormatUint(id, 10)
}

// num is an ID as a number, for order; what is no ID is 0.
func num(id string) uint64 {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func isID(id string) bool {
	n, err := strconv.ParseUint(id, 10, 64)
	return err == nil && n > 0 && n < 1<<63
}

// iso is a time as Discord writes it; the zero time is null.
func iso(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000+00:00")
}

// nullable is a string that is null when empty.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// rawJSON is for values that the fake made itself, which always can be written.
func rawJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}

// list is never null in JSON.
func list[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}

func idText(n uint64) string { return strconv.FormatUint(n, 10) }

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
