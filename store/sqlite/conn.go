package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	driverlib "modernc.org/sqlite"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/internal/sqlstore"
)

// conn is one connection with its prepared statements. It uses the driver by the interfaces of database/sql/driver and
// leaves out the pool of database/sql: a connection here always has one known user, and statements stay prepared. One
// goroutine at a time uses a conn, which the driver demands.
type conn struct {
	raw      driver.Conn
	stmts    map[string]*stmt
	args     []driver.NamedValue // reused by each statement
	readOnly bool

	// broken is the first error that may have ended the whole transaction: SQLite rolls back everything when the disk is
	// full, for one. Until the owner has looked and reset it no statement runs, because it would run outside of any
	// transaction and be kept by itself.
	broken error
	wrote  bool // since the owner reset it

	fail func(query string) error // for tests: an error instead of a statement
}

type stmt struct {
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	close func() error
	row   sqlstore.Row
}

// forever is never cancelled: a cancelled statement would end the whole transaction, and other callers' work with it.
var forever = context.Background()

var errWrongArg = errors.New("sqlite: an argument of a type that is not kept")

// connect opens a connection and gives it the settings that each one needs.
func connect(dsn string, pragmas []string) (*conn, error) {
	connector, err := driverlib.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	raw, err := connector.Connect(forever)
	if err != nil {
		return nil, classify(err)
	}
	c := &conn{raw: raw, stmts: map[string]*stmt{}}
	for _, p := range pragmas {
		if err := c.script("PRAGMA " + p); err != nil {
			return nil, errors.Join(fmt.Errorf("pragma %s: %w", p, err), c.close())
		}
	}
	return c, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.close())
	}
	clear(c.stmts)
	return errors.Join(append(errs, c.raw.Close())...)
}

func (c *conn) prepare(query string) (*stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	raw, err := c.raw.Prepare(query)
	if err != nil {
		return nil, err
	}
	s := &stmt{close: raw.Close}
	s.exec, _ = raw.(driver.StmtExecContext)
	s.query, _ = raw.(driver.StmtQueryContext)
	if s.exec == nil || s.query == nil {
		return nil, errors.Join(errors.New("sqlite: the driver does not run prepared statements"), raw.Close())
	}
	c.stmts[query] = s
	return s, nil
}

// bind brings arguments into the driver's form.
func (c *conn) bind(args []any) error {
	c.args = c.args[:0]
	for i, a := range args {
		switch v := a.(type) {
		case nil, string, int64, []byte:
		case int:
			a = int64(v)
		case bool:
			a = int64(0)
			if v {
				a = int64(1)
			}
		default:
			return fmt.Errorf("%w: %T", errWrongArg, v)
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return nil
}

// start makes a statement ready to run with its arguments.
func (c *conn) start(query string, args []any) (*stmt, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	if c.fail != nil {
		if err := c.fail(query); err != nil {
			return nil, err
		}
	}
	if err := c.bind(args); err != nil {
		return nil, err
	}
	return c.prepare(query)
}

// Exec implements sqlstore.Conn.
func (c *conn) Exec(query string, args ...any) (int64, error) {
	if c.readOnly {
		return 0, errReadOnlyTx
	}
	n, err := c.run(query, args...)
	if n > 0 {
		c.wrote = true
	}
	return n, err
}

// run is Exec for what is not a change of rows.
func (c *conn) run(query string, args ...any) (int64, error) {
	s, err := c.start(query, args)
	if err != nil {
		return 0, c.failed(err)
	}
	res, err := s.exec.ExecContext(forever, c.args)
	if err != nil {
		return 0, c.failed(err)
	}
	return res.RowsAffected()
}

// Query implements sqlstore.Conn.
func (c *conn) Query(query string, row func(sqlstore.Row) error, args ...any) error {
	s, err := c.start(query, args)
	if err != nil {
		return c.failed(err)
	}
	rows, err := s.query.QueryContext(forever, c.args)
	if err != nil {
		return c.failed(err)
	}
	if s.row == nil {
		s.row = make(sqlstore.Row, len(rows.Columns()))
	}
	for err == nil {
		if err = rows.Next(s.row); err == nil {
			err = row(s.row)
		}
	}
	if err == io.EOF {
		err = nil
	}
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	clear(s.row) // what was read belongs to the caller now
	return c.failed(err)
}

// Returning implements sqlstore.Conn.
func (c *conn) Returning(query string, row func(sqlstore.Row) error, args ...any) error {
	if c.readOnly {
		return errReadOnlyTx
	}
	return c.Query(query, func(r sqlstore.Row) error {
		c.wrote = true
		return row(r)
	}, args...)
}

// script runs statements that are used once and not kept prepared.
func (c *conn) script(text string) error {
	if c.fail != nil {
		if err := c.fail(text); err != nil {
			return classify(err)
		}
	}
	x, ok := c.raw.(driver.ExecerContext)
	if !ok {
		return errors.New("sqlite: the driver does not run scripts")
	}
	_, err := x.ExecContext(forever, text, nil)
	return classify(err)
}

// number runs a statement that is used once and answers with one number.
func (c *conn) number(query string) (n int64, err error) {
	x, ok := c.raw.(driver.QueryerContext)
	if !ok {
		return 0, errors.New("sqlite: the driver does not run queries")
	}
	rows, err := x.QueryContext(forever, query, nil)
	if err != nil {
		return 0, classify(err)
	}
	row := make(sqlstore.Row, len(rows.Columns()))
	if err = rows.Next(row); err == nil {
		n = row.Int(0)
	}
	return n, classify(errors.Join(err, rows.Close()))
}

// cannotWrite reports whether the file was opened for reading only, because it or its file system forbids more.
func (c *conn) cannotWrite() bool {
	x, ok := c.raw.(interface{ IsReadOnly(string) (bool, error) })
	if !ok {
		return false
	}
	yes, err := x.IsReadOnly("main")
	return yes && err == nil
}

// failed classifies a statement's error and keeps in mind that the transaction may be gone. A rule that was broken undoes
// its statement only; every other error of SQLite may have undone everything.
func (c *conn) failed(err error) error {
	if err == nil || c.broken != nil {
		return err
	}
	err = classify(err)
	var e *driverlib.Error
	if errors.As(err, &e) && !statementOnly(e.Code()) {
		c.broken = err
	}
	return err
}

// transaction control. These run whatever happened before.

func (c *conn) control(query string) error {
	c.broken = nil
	_, err := c.run(query)
	return err
}

// begin opens a transaction, closing one that an earlier failure may have left.
func (c *conn) begin(query string) error {
	err := c.control(query)
	if err != nil && c.control("ROLLBACK") == nil {
		err = c.control(query)
	}
	return err
}

var errReadOnlyTx = fmt.Errorf("sqlite: writing in a View: %w", store.ErrReadOnly)
