package bench

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const signingSecret = "bench-signing-secret"

// slackMessage is a message event of about 1 KiB, as Slack sends it.
func slackMessage(n int) []byte {
	id := strconv.Itoa(n)
	return []byte(`{"token":"t","team_id":"T1","api_app_id":"A1","event":{"client_msg_id":"c` + id + `","type":"message","text":"hello number ` + id +
		`","user":"U1","ts":"1700000000.` + fmt.Sprintf("%06d", n%1000000) + `","blocks":[{"type":"rich_text","block_id":"b","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"` +
		strings.Repeat("lorem ipsum ", 40) + `"}]}]}],"team":"T1","channel":"C1","event_ts":"1700000000.000100","channel_type":"channel"},"type":"event_callback","event_id":"Ev` + id +
		`","event_time":1700000000,"authorizations":[{"enterprise_id":null,"team_id":"T1","user_id":"UBOT","is_bot":true,"is_enterprise_install":false}],"is_ext_shared_channel":false,"event_context":"4-x"}`)
}

// signed is a whole HTTP request, as Slack would send it now.
func signed(path, contentType string, body []byte) []byte {
	ts := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(signingSecret))
	_, _ = fmt.Fprintf(mac, "v0:%s:%s", ts, body)
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: %s\r\nX-Slack-Request-Timestamp: %s\r\nX-Slack-Signature: v0=%s\r\nContent-Length: %d\r\n\r\n%s",
		path, contentType, ts, hex.EncodeToString(mac.Sum(nil)), len(body), body)
}

// drive sends n requests over some connections, each waiting for its answer, and returns how long each took. The client
// does as little as it can: it shares the machine with what is measured.
func drive(b *testing.B, addr string, conns, n int, request func(int) []byte) []time.Duration {
	b.Helper()
	took := make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, conns)
	for range min(conns, n) {
		c, err := net.Dial("tcp", addr)
		require.NoError(b, err)
		wg.Go(func() {
			defer func() { _ = c.Close() }()
			r := bufio.NewReader(c)
			for {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				req := request(i)
				began := time.Now()
				if _, err := c.Write(req); err != nil {
					errs <- err
					return
				}
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					errs <- err
					return
				}
				body, _ := io.ReadAll(res.Body)
				if res.StatusCode != http.StatusOK {
					errs <- fmt.Errorf("request %d: %s %s", i, res.Status, body)
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		require.NoError(b, err)
	default:
	}
	return took
}

// report prints requests a second and the 99th percentile of the acknowledgement.
func report(b *testing.B, took []time.Duration) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
}

// serve starts a server on a free port of this machine.
func serve(b *testing.B, h http.Handler) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	s := &http.Server{Handler: h}
	go func() { _ = s.Serve(l) }()
	b.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}
