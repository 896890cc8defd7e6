package sqlite

import (
	"errors"
	"fmt"

	driverlib "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/metagov/gateway-go/store"
)

// classify says in the store's words what SQLite's result code says. The driver's error stays within reach.
func classify(err error) error {
	var e *driverlib.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	var is error
	switch e.Code() & 0xff {
	case lib.SQLITE_READONLY:
		is = store.ErrReadOnly
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		is = store.ErrCorrupt
	case lib.SQLITE_FULL:
		is = store.ErrFull
	case lib.SQLITE_CONSTRAINT:
		if unique(e.Code()) {
			is = store.ErrConflict
		}
	}
	if is == nil || errors.Is(err, is) {
		return err
	}
	return fmt.Errorf("%w: %w", is, err)
}

func unique(code int) bool {
	return code == lib.SQLITE_CONSTRAINT_UNIQUE || code == lib.SQLITE_CONSTRAINT_PRIMARYKEY
}

// statementOnly reports whether an error with this code undoes its own statement and leaves the transaction as it was.
func statementOnly(code int) bool {
	switch code & 0xff {
	case lib.SQLITE_CONSTRAINT, lib.SQLITE_TOOBIG, lib.SQLITE_MISMATCH:
		return true
	}
	return false
}

// is reports whether err carries this primary result code.
func is(err error, code int) bool {
	var e *driverlib.Error
	return errors.As(err, &e) && e.Code()&0xff == code
}
