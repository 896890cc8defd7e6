package bench

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// BenchmarkLimitFsync is how often this disk makes an appended kilobyte durable.
func BenchmarkLimitFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	require.NoError(b, err)
	defer func() { _ = f.Close() }()
	page := make([]byte, 1024)
	b.ResetTimer()
	for range b.N {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "fsync/s")
}

// durable is the hand-written store of the limit: one transaction a group, prepared statements, nothing else.
type durable struct {
	in chan *fact
}

type fact struct {
	id   string
	body []byte
	done chan error
}

func newDurable(b *testing.B) *durable {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "limit.db")+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	require.NoError(b, err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec(`CREATE TABLE facts (id TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
		CREATE TABLE deliveries (n INTEGER PRIMARY KEY, fact TEXT, at INTEGER);
		CREATE TABLE events (seq INTEGER PRIMARY KEY, fact TEXT, type TEXT, data BLOB)`)
	require.NoError(b, err)
	var stmts [3]*sql.Stmt
	for i, q := range []string{`INSERT INTO facts VALUES (?, ?)`, `INSERT INTO deliveries (fact, at) VALUES (?, ?)`, `INSERT INTO events (fact, type, data) VALUES (?, ?, ?)`} {
		stmts[i], err = db.Prepare(q)
		require.NoError(b, err)
	}
	d := &durable{in: make(chan *fact, 256)}
	b.Cleanup(func() { close(d.in) })
	go func() {
		defer func() { _ = db.Close() }()
		for f := range d.in {
			group := []*fact{f}
			for more := true; more && len(group) < 256; {
				select {
				case f, ok := <-d.in:
					if more = ok; ok {
						group = append(group, f)
					}
				default:
					more = false
				}
			}
			err := commit(db, stmts, group)
			for _, f := range group {
				f.done <- err
			}
		}
	}()
	return d
}

func commit(db *sql.DB, stmts [3]*sql.Stmt, group []*fact) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	for _, f := range group {
		if _, err = tx.Stmt(stmts[0]).Exec(f.id, f.body); err != nil {
			break
		}
		if _, err = tx.Stmt(stmts[1]).Exec(f.id, time.Now().UnixMicro()); err != nil {
			break
		}
		if _, err = tx.Stmt(stmts[2]).Exec(f.id, "message", f.body); err != nil {
			break
		}
	}
	if err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

func (d *durable) keep(f *fact) error {
	f.done = make(chan error, 1)
	d.in <- f
	return <-f.done
}

// BenchmarkLimitDurableHTTP is what a program written for nothing else can do: read, HMAC, the routing fields, and one transaction
// with fact ID, body, row and event, in groups.
func BenchmarkLimitDurableHTTP(b *testing.B) {
	d := newDurable(b)
	addr := serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mac := hmac.New(sha256.New, []byte(signingSecret))
		_, _ = fmt.Fprintf(mac, "v0:%s:%s", r.Header.Get("X-Slack-Request-Timestamp"), body)
		if !hmac.Equal([]byte("v0="+hex.EncodeToString(mac.Sum(nil))), []byte(r.Header.Get("X-Slack-Signature"))) {
			http.Error(w, "signature", http.StatusUnauthorized)
			return
		}
		var m struct {
			TeamID  string `json:"team_id"`
			EventID string `json:"event_id"`
			Event   struct {
				Type string `json:"type"`
			} `json:"event"`
		}
		if err := json.Unmarshal(body, &m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := d.keep(&fact{id: m.EventID, body: body}); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}))
	b.ResetTimer()
	took := drive(b, addr, 64, b.N, func(i int) []byte { return signed("/", "application/json", slackMessage(i)) })
	b.StopTimer()
	report(b, took)
}

// actionSchema and actionInput are a realistic input of an action.
const actionSchema = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","additionalProperties":false,"required":["channel","text"],"properties":{
"channel":{"type":"string","minLength":1},"text":{"type":"string","minLength":1,"maxLength":40000},"thread_ts":{"type":"string","pattern":"^[0-9.]+$"},
"reply_broadcast":{"type":"boolean","default":false},"unfurl":{"type":"boolean","default":true},"users":{"type":"array","items":{"type":"string"},"maxItems":100},
"priority":{"type":"integer","minimum":0,"maximum":9},"kind":{"type":"string","enum":["plain","loud","quiet"]},"at":{"type":"string","format":"date-time"},
"labels":{"type":"array","items":{"type":"string","maxLength":50}}}}`

const actionInput = `{"channel":"C1","text":"the vote on lunch is open","thread_ts":"1700000000.000100","users":["U1","U2","U3","U4","U5"],"priority":3,"kind":"loud","at":"2026-01-02T03:04:05Z","labels":["vote","lunch"]}`

// BenchmarkLimitValidate is jsonschema/v5 alone: decode the input of BenchmarkAction and validate it.
func BenchmarkLimitValidate(b *testing.B) {
	c := jsonschema.NewCompiler()
	c.AssertFormat = true
	require.NoError(b, c.AddResource("action.json", strings.NewReader(actionSchema)))
	s, err := c.Compile("action.json")
	require.NoError(b, err)
	b.ResetTimer()
	for range b.N {
		var v any
		if err := json.Unmarshal([]byte(actionInput), &v); err != nil {
			b.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			b.Fatal(err)
		}
	}
}
