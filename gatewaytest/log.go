package gatewaytest

import (
	"bytes"
	"strings"
	"sync"
)

// Log holds what was logged during a test, and shows it with the test's own output. Any goroutine may use it.
type Log struct {
	mu   sync.Mutex
	t    TB
	over bool // writing to a test that has ended would be a panic
	buf  bytes.Buffer
}

// Write takes one line; it is called by the logger.
func (l *Log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(line)
	if !l.over {
		l.t.Logf("%s", bytes.TrimRight(line, "\n"))
	}
	return len(line), nil
}

// String gives everything that was logged, a line for each record.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Lines gives the lines that contain text.
func (l *Log) Lines(text string) []string {
	var out []string
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			out = append(out, strings.TrimSuffix(line, "\n"))
		}
	}
	return out
}

func (l *Log) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}
