// Package store says what the gateway keeps and what it expects of the place where it keeps it.
//
// A [Store] runs closures in transactions; a [Tx] has verbs of the domain rather than SQL. The gateway ships two
// implementations, memory and sqlite, and the suite that both pass, storetest. Another implementation passes the same
// suite, without skips, or it is not a Store.
//
// Rules that hold for every verb:
//
//   - Time is a parameter. No implementation looks at a clock. Times are kept in microseconds, UTC; the zero time is
//     kept as "none" and comes back as the zero time. What is finer than a microsecond is cut off before anything is
//     compared. Times are after 1970.
//   - Bytes and slices that go in are copied or not kept; what comes out belongs to the caller. Bytes come back as they
//     were, JSON too; those of length zero come back as nil.
//   - Lists are ordered as their verb says, strings by their bytes, and bounded by their limit; a limit below one means
//     100, for every limit. Where there is nothing to list there is no error.
//   - Deleting what is not there is no error.
//   - That what a row names exists is checked only where the verb says so.
//   - A verb that does not find what it is asked for returns [ErrNotFound]; one that would overwrite somebody else's
//     change, or break a uniqueness rule, returns [ErrConflict]. Nothing has changed then, and the transaction can go on.
package store

import (
	"context"
	"errors"
)

// Errors that implementations return, possibly wrapped.
var (
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict says that the row was changed by somebody else since it was read, or that its name is taken.
	ErrConflict = errors.New("store: conflict")
	// ErrNotOpen is returned by Cast when the process takes no ballot: it is not pending, or the ballot's time is past its closing time.
	ErrNotOpen = errors.New("store: process takes no ballots")
	// ErrNested is returned by Update and View when they are called, with its context, from inside another Update's function.
	ErrNested = errors.New("store: transaction inside a transaction")
	// ErrClosed says that Close was called.
	ErrClosed = errors.New("store: closed")

	// ErrNewer says that the file was written by a newer version of the gateway.
	ErrNewer = errors.New("store: written by a newer version")
	// ErrForeign says that the file is a database, but not one of the gateway's.
	ErrForeign = errors.New("store: not a gateway database")
	// ErrCorrupt says that the file is damaged or is no database.
	ErrCorrupt = errors.New("store: file is corrupt or not a database")
	// ErrReadOnly says that the store can be read but not written.
	ErrReadOnly = errors.New("store: read-only")
	// ErrFull says that there is no room left.
	ErrFull = errors.New("store: no space left")
)

// Store keeps everything that the gateway must not forget. All methods may be called from any goroutine.
type Store interface {
	// View runs fn on a consistent snapshot and returns fn's error, unwrapped. fn must not write: a verb that would returns
	// an error and changes nothing.
	View(ctx context.Context, fn func(Tx) error) error

	// Update runs fn in a transaction and returns after it is durable. When fn returns an error nothing of it is kept
	// and Update returns that error, unwrapped.
	//
	// fn runs on the caller's goroutine and may run more than once: it only reads and writes tx, calls nothing outside,
	// and resets what it hands out. ctx is looked at before fn runs, not after: what was begun is finished. Calling
	// Update or View from inside fn with the context of [Nested] gives ErrNested instead of a deadlock. A panic in fn, or runtime.Goexit, undoes
	// fn and is its caller's alone.
	Update(ctx context.Context, fn func(Tx) error) error

	// Watch says, from now until ctx ends, that something may be due or new: after each commit a value is sent unless one
	// is waiting already. It may be spurious, and a commit of another program may go unseen. The channel is never closed.
	Watch(ctx context.Context) <-chan struct{}

	// Close waits for what is under way and lets go of everything. View and Update return ErrClosed from then on; another
	// Close does nothing and returns nil.
	Close() error
}

type nestedKey struct{}

// Nested marks ctx as being inside an Update's function, so that a Store can refuse a second transaction that would wait
// for the first for ever. The gateway passes such a context to code that it runs inside a transaction.
func Nested(ctx context.Context) context.Context { return context.WithValue(ctx, nestedKey{}, true) }

// IsNested reports whether ctx comes from [Nested]. Implementations ask it at the start of View and Update.
func IsNested(ctx context.Context) bool { return ctx.Value(nestedKey{}) != nil }
