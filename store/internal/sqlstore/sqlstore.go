// Package sqlstore says the verbs of a store.Tx in SQL that more than one database understands. A database package gives
// it a [Conn] on which a transaction is open, and the tables.
//
// Conventions: times are microseconds since 1970 in UTC, and 0 is the zero time; booleans are 0 and 1; bytes are kept as
// they come, nil as NULL. Parameters are written $1, $2, and so on. Columns that are looked at often stand before
// those that may be large, because a row is read from its beginning.
package sqlstore

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/metagov/gateway-go/store"
)

// Conn runs statements inside one open transaction. The texts come from a bounded set, so that a Conn may keep each
// prepared for ever. Arguments are string, int, int64, bool, []byte or nil.
type Conn interface {
	// Exec runs a statement that writes and says how many rows it changed. A broken uniqueness rule is store.ErrConflict
	// and has changed nothing.
	Exec(query string, args ...any) (int64, error)
	// Query runs a statement that reads and calls row for each row; row does not keep the slice.
	Query(query string, row func(Row) error, args ...any) error
	// Returning is Query for a statement that writes and returns what it wrote.
	Returning(query string, row func(Row) error, args ...any) error
}

// Tx is a store.Tx on a Conn.
type Tx struct {
	c      Conn
	shared *Shared // nil: nothing is shared
}

var _ store.Tx = (*Tx)(nil)

// New returns the verbs on c. Those that share its transaction, one after the other, may be given one s; it may be nil.
func New(c Conn, s *Shared) *Tx { return &Tx{c, s} }

// End makes every later use fail: a transaction is valid inside its function only, and its connection goes on to serve others.
func (t *Tx) End() { t.c, t.shared = ended{}, nil }

type ended struct{}

var errEnded = fmt.Errorf("store: transaction used after its function returned")

func (ended) Exec(string, ...any) (int64, error)              { return 0, errEnded }
func (ended) Query(string, func(Row) error, ...any) error     { return errEnded }
func (ended) Returning(string, func(Row) error, ...any) error { return errEnded }

// Row is one row of a result. What its methods return is the caller's.
type Row []driver.Value

// Text returns a column of text.
func (r Row) Text(i int) string { s, _ := r[i].(string); return s }

// Int returns a column of whole numbers.
func (r Row) Int(i int) int64 { n, _ := r[i].(int64); return n }

// Bool returns a column of 0 and 1.
func (r Row) Bool(i int) bool { return r.Int(i) != 0 }

// Time returns a column of microseconds.
func (r Row) Time(i int) time.Time {
	n := r.Int(i)
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// Bytes returns a column of bytes, nil where there are none.
func (r Row) Bytes(i int) []byte {
	b, _ := r[i].([]byte)
	if len(b) == 0 {
		return nil
	}
	return b
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// bound applies the rule of all lists: a limit below one means 100. Statements say "LIMIT $n + 0": SQLite plans by the value of a
// bare parameter there, and so would prepare the statement again for every call, which costs more than running it.
func bound(limit int) int64 {
	if limit < 1 {
		return 100
	}
	return int64(limit)
}

func list[T any](t *Tx, scan func(Row) T, query string, args ...any) ([]T, error) {
	var out []T
	err := t.c.Query(query, func(r Row) error {
		out = append(out, scan(r))
		return nil
	}, args...)
	return out, err
}

// one is list where there is at most one row; ErrNotFound where there is none.
func one[T any](t *Tx, what string, scan func(Row) T, query string, args ...any) (T, error) {
	var out T
	found := false
	err := t.c.Query(query, func(r Row) error {
		if !found {
			out, found = scan(r), true
		}
		return nil
	}, args...)
	if err == nil && !found {
		err = fmt.Errorf("%s: %w", what, store.ErrNotFound)
	}
	return out, err
}

// put is what all rows with a Rev have in common: insert when rev is 0, otherwise replace exactly that rev. Either
// changes one row, or it is a conflict.
func (t *Tx) put(what string, rev int64, insert, update string, args ...any) error {
	query := insert
	if rev != 0 {
		query, args = update, append(args, rev)
	}
	return t.must(what, query, args...)
}

// must runs a statement that changes one row, or it is a conflict.
func (t *Tx) must(what, query string, args ...any) error {
	n, err := t.c.Exec(query, args...)
	if err == nil && n == 0 {
		err = store.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (t *Tx) exec(query string, args ...any) error {
	_, err := t.c.Exec(query, args...)
	return err
}

func text(r Row) string   { return r.Text(0) }
func integer(r Row) int64 { return r.Int(0) }

// past is the comparison that begins a page: after the given key, or with the first row where none is given.
func past(after ...string) string {
	for _, s := range after {
		if s != "" {
			return ">"
		}
	}
	return ">="
}

// where collects conditions and their arguments.
type where struct {
	sql  []string
	args []any
}

// arg keeps an argument and returns its place in the text.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

// is adds column = v, unless v is empty: an empty field of a query selects all.
func (w *where) is(column, v string) {
	if v != "" {
		w.sql = append(w.sql, column+" = "+w.arg(v))
	}
}

func (w *where) raw(cond string) { w.sql = append(w.sql, cond) }

// in adds column IN (...). The list is padded to a power of two with its last value, so that few texts exist.
func (w *where) in(column string, vs []string) {
	if len(vs) == 0 {
		return
	}
	n := 1
	for n < len(vs) {
		n *= 2
	}
	places := make([]string, n)
	for i := range places {
		places[i] = w.arg(vs[min(i, len(vs)-1)])
	}
	w.raw(column + " IN (" + strings.Join(places, ", ") + ")")
}

func (w *where) String() string {
	if len(w.sql) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.sql, " AND ")
}

// distinct returns the values sorted, each once, in a slice of its own.
func distinct(vs []string) []string {
	out := slices.Clone(vs)
	slices.Sort(out)
	return slices.Compact(out)
}
