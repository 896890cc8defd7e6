package fakeslack

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

type object = map[string]any

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

// id makes an identifier such as C0FAKE0001. The caller holds s.mu.
func (s *Server) id(prefix string) string {
	s.seq++
	return fmt.Sprintf("%s0FAKE%04d", prefix, s.seq)
}

// ts makes a message timestamp from the clock. Two are never the same, as in Slack, even if the clock stands still or goes back.
// The caller holds s.mu.
func (s *Server) ts() string {
	t := s.opt.Now().UnixMicro()
	if t <= s.lastTS {
		t = s.lastTS + 1
	}
	s.lastTS = t
	return fmt.Sprintf("%d.%06d", t/1e6, t%1e6)
}

// micros reads a message timestamp; Slack also takes whole seconds.
func micros(ts string) (int64, bool) {
	sec, frac, _ := strings.Cut(ts, ".")
	n, err := strconv.ParseInt(sec, 10, 64)
	if err != nil || n < 0 || n > 1<<40 {
		return 0, false
	}
	if len(frac) > 6 {
		frac = frac[:6]
	}
	if frac == "" {
		return n * 1e6, true
	}
	f, err := strconv.ParseInt(frac+strings.Repeat("0", 6-len(frac)), 10, 64)
	if err != nil || f < 0 {
		return 0, false
	}
	return n*1e6 + f, true
}

func isTS(s string) bool {
	_, ok := micros(s)
	return ok && strings.Contains(s, ".")
}

func unix(t time.Time) int64 { return t.Unix() }
