package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	lib "modernc.org/sqlite/lib"

	"github.com/metagov/gateway-go/store"
)

// applicationID stands in the file's header and tells the gateway's databases from others ("GtwY").
const applicationID = 0x47747759

// Options change how a file is opened. The zero value is what Open uses.
type Options struct {
	// ReadOnly opens a file that exists for looking only: Update returns store.ErrReadOnly. The directory must be
	// writable all the same, unless another program has the file open, because readers share an index beside it.
	ReadOnly bool
	// Busy is how long to wait for another program that writes to the file; 0 means 10 seconds.
	Busy time.Duration
	// Readers bounds how many Views run at once; 0 means twice the number of processors, and at least 4.
	Readers int

	// MaxSize is the size in bytes beyond which the file must not grow, so that others on the same disk keep their room: then Update
	// returns store.ErrFull, and reading and deleting go on. The log beside the file comes on top, mostly under 64 MiB. 0: as
	// much as the disk has.
	MaxSize int64

	dsn string
}

// Open opens the file, making it when there is none, and brings its tables up to date.
//
// Errors: store.ErrForeign, store.ErrNewer and store.ErrCorrupt for a file that is somebody else's, from the future, or
// damaged, none of which is changed; store.ErrReadOnly for one that cannot be written (see Options.ReadOnly);
// store.ErrFull.
func Open(path string) (*Store, error) { return OpenWith(path, Options{}) }

// OpenWith is Open with options.
func OpenWith(path string, o Options) (*Store, error) {
	s, err := open(path, o)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return s, nil
}

func open(path string, o Options) (*Store, error) {
	if o.Busy <= 0 {
		o.Busy = 10 * time.Second
	}
	if o.Readers <= 0 {
		o.Readers = max(4, 2*runtime.NumCPU())
	}
	name, err := fileName(path)
	if err != nil {
		return nil, err
	}
	fresh, err := look(name, o.ReadOnly)
	if err != nil {
		return nil, err
	}
	o.dsn = dsn(name, o.ReadOnly)
	w, err := openWriter(name, fresh, o)
	if err != nil {
		return nil, hint(err, o)
	}
	s := &Store{readers: newPool(o), group: group{w: w, readOnly: o.ReadOnly}}
	s.idle.L = &s.mu
	s.group.wrote = s.tell
	return s, nil
}

// fileName refuses what is no name of a file. SQLite would take some of it for something else, silently.
func fileName(path string) (string, error) {
	switch {
	case path == "":
		return "", errors.New("the path is empty")
	case strings.Contains(path, ":memory:"):
		return "", errors.New("SQLite in memory is not supported, each connection would see a database of its own: use package store/memory")
	case strings.HasPrefix(path, "file:"):
		return "", errors.New("give a path, not a URI")
	case strings.ContainsRune(path, 0):
		return "", errors.New("the path has a zero byte")
	}
	return filepath.Abs(path)
}

// look says whether there is no file yet. It does not open the file: closing it again would let go of the locks of every
// connection that this program has to it.
func look(name string, readOnly bool) (fresh bool, err error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !readOnly:
		if dir, err := os.Stat(filepath.Dir(name)); err != nil || !dir.IsDir() {
			return false, fmt.Errorf("its directory does not exist: %w", fs.ErrNotExist)
		}
		return true, nil
	case err != nil:
		return false, err
	case info.IsDir():
		return false, errors.New("it is a directory")
	case info.Size() > 0 && info.Size() < 512:
		// SQLite takes what is shorter than its shortest page for an empty database, and would write over it.
		return false, fmt.Errorf("%d bytes: %w", info.Size(), store.ErrCorrupt)
	}
	return false, nil
}

// dsn writes the name as a URI, in which a '?', '#' or '%' of the name is no longer one of the URI.
func dsn(name string, readOnly bool) string {
	slash := filepath.ToSlash(name)
	if !strings.HasPrefix(slash, "/") {
		slash = "/" + slash // a volume's name comes after a slash
	}
	mode := "rwc"
	if readOnly {
		mode = "ro"
	}
	// _dqs=0: a misspelt column is an error, not a text. _defensive: no statement can damage the file on purpose.
	return "file://" + (&url.URL{Path: slash}).EscapedPath() + "?mode=" + mode + "&_dqs=0&_defensive=1&_error_rc=1"
}

// settings of every connection, the patience first.
func settings(o Options) []string {
	return []string{
		fmt.Sprintf("busy_timeout = %d", o.Busy.Milliseconds()),
		// FULL: what was acknowledged survives power loss. With commits in groups it costs nothing under load.
		"synchronous = FULL",
		// No mapping of the file into memory: an error of the disk would be a signal that ends the program, not an error.
		"mmap_size = 0",
		"temp_store = MEMORY",
		// Noticing a damaged page early is worth more than the little that the look costs.
		"cell_size_check = ON",
		// What a hostile file could define must not run.
		"trusted_schema = OFF",
	}
}

// openWriter opens the connection that writes, after it has made sure that the file is ours: nothing is changed before.
func openWriter(name string, fresh bool, o Options) (*conn, error) {
	w, err := connect(o.dsn, settings(o))
	if err != nil {
		return nil, err
	}
	if err := prepare(w, name, fresh, o); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func prepare(w *conn, name string, fresh bool, o Options) error {
	if fresh {
		// It will hold what people do and sealed secrets: nobody else's business. SQLite gives its other files the same mode.
		if err := os.Chmod(name, 0o600); err != nil {
			return err
		}
	}
	steps, err := migrations()
	if err != nil {
		return err
	}
	version, err := check(w, len(steps))
	if err != nil {
		return err
	}
	if !o.ReadOnly && w.cannotWrite() {
		// SQLite opens such a file for reading, and says nothing before the first write.
		return store.ErrReadOnly
	}
	if o.ReadOnly {
		if version < len(steps) {
			return fmt.Errorf("its tables are of version %d and this is %d, open it once for writing: %w", version, len(steps), store.ErrReadOnly)
		}
		w.readOnly = true
		return nil
	}
	for _, p := range []string{
		// Frames that wait to be copied into the file: 16 MiB, or every few groups of commits would pay for a copy. The log
		// is cut to 64 MiB when a slow reader made it grow.
		"wal_autocheckpoint = 4096", "journal_size_limit = 67108864",
		// What is deleted is overwritten: what somebody wants forgotten must not be read out of the file's gaps.
		"secure_delete = ON",
		"cache_size = -32768", // 32 MiB, so that the upper levels of all indexes stay in memory
	} {
		if err := w.script("PRAGMA " + p); err != nil {
			return err
		}
	}
	if err := patiently(o.Busy, func() error { return wal(w) }); err != nil {
		return err
	}
	if o.MaxSize > 0 {
		size, err := w.number("PRAGMA page_size")
		if err != nil {
			return err
		}
		if err := w.script(fmt.Sprintf("PRAGMA max_page_count = %d", max(1, o.MaxSize/size))); err != nil {
			return err
		}
	}
	return migrate(w, steps)
}

func wal(w *conn) error {
	if err := w.script("PRAGMA journal_mode = WAL"); err != nil {
		return fmt.Errorf("write-ahead log: %w", err)
	}
	return nil
}

// patiently does again what SQLite refuses at once when another program is in the way: changing the journal mode does not
// wait for it.
func patiently(limit time.Duration, do func() error) error {
	deadline := time.Now().Add(limit)
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := do()
		if err == nil || !is(err, lib.SQLITE_BUSY) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(wait)
	}
}

// check reads from the header whose file this is and returns the version of its tables. An empty file is anybody's.
func check(w *conn, newest int) (version int, err error) {
	// In one transaction: another program may be making its tables.
	if err := w.script("BEGIN"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.script("ROLLBACK")) }()
	var n [3]int64
	for i, query := range []string{"PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema"} {
		if n[i], err = w.number(query); err != nil {
			return 0, err
		}
	}
	switch id, at, tables := n[0], n[1], n[2]; {
	case id == 0 && at == 0 && tables == 0:
		return 0, nil
	case id != applicationID:
		return 0, store.ErrForeign
	case at > int64(newest):
		return 0, fmt.Errorf("its tables are of version %d and this is %d: %w", at, newest, store.ErrNewer)
	case at < 1:
		return 0, fmt.Errorf("tables of version %d: %w", at, store.ErrCorrupt)
	default:
		return int(at), nil
	}
}

// hint adds what a person can do about it.
func hint(err error, o Options) error {
	switch {
	case errors.Is(err, store.ErrReadOnly) && !o.ReadOnly:
		return fmt.Errorf("the file cannot be written; to look at it only, set Options.ReadOnly: %w", err)
	case is(err, lib.SQLITE_CANTOPEN):
		return fmt.Errorf("the file or its directory does not let itself be opened or written: %w", err)
	case is(err, lib.SQLITE_BUSY):
		return fmt.Errorf("another program has held the file for %v: %w", o.Busy, err)
	}
	return err
}
