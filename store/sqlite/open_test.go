package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"plain.db", "with space.db", "what?.db", "what?mode=ro&x=.db", "a#b.db", "100%.db", "%41.db", "a%3fb", "ümlaut.db", "a&b=c;d.db", "'quoted\".db", "-dash", "new\nline",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			s, err := Open(path)
			require.NoError(t, err)
			update(t, s, puts("x"))
			require.Equal(t, []string{"x"}, slugs(t, s))
			info, err := os.Stat(path)
			require.NoError(t, err, "the file has the name that was asked for")
			require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
			info, err = os.Stat(path + "-wal")
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
			require.NoError(t, s.Close())
			_, err = os.Stat(path + "-wal")
			require.ErrorIs(t, err, fs.ErrNotExist, "closed, the file stands alone")

			s, err = Open(path)
			require.NoError(t, err)
			require.Equal(t, []string{"x"}, slugs(t, s))
			require.NoError(t, s.Close())
		})
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 13, "no file under another name")

	t.Chdir(dir)
	s, err := Open("relative.db")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.FileExists(t, filepath.Join(dir, "relative.db"))
}

func TestPathsRefused(t *testing.T) {
	dir := t.TempDir()
	for path, says := range map[string]string{
		"":                               "empty",
		":memory:":                       "store/memory",
		"file::memory:?cache=shared":     "store/memory",
		"file:" + dir + "/x.db":          "not a URI",
		dir + "/a\x00b":                  "zero byte",
		dir:                              "is a directory",
		filepath.Join(dir, "no", "x.db"): "directory does not exist",
	} {
		_, err := Open(path)
		require.ErrorContains(t, err, says, path)
	}
	_, err := OpenWith(filepath.Join(dir, "none.db"), Options{ReadOnly: true})
	require.ErrorIs(t, err, fs.ErrNotExist)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing is made when it is refused")
}

// raw runs SQL on a file as another program would.
func raw(t *testing.T, path string, script string) {
	t.Helper()
	c, err := connect(dsn(path, false), nil)
	require.NoError(t, err)
	require.NoError(t, c.script(script))
	require.NoError(t, c.close())
}

func TestForeign(t *testing.T) {
	for name, script := range map[string]string{
		"tables":         "CREATE TABLE theirs (x)",
		"version":        "PRAGMA user_version = 1",
		"application id": "PRAGMA application_id = 252006673",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			raw(t, path, script)
			before, err := os.ReadFile(path)
			require.NoError(t, err)
			_, err = Open(path)
			require.ErrorIs(t, err, store.ErrForeign)
			require.ErrorContains(t, err, path)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, bytes.Equal(before, after), "it is not changed")
			require.NoFileExists(t, path+"-wal")
		})
	}
}

func TestNewer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	fill(t, path, 1)
	raw(t, path, "PRAGMA user_version = 99")
	_, err := Open(path)
	require.ErrorIs(t, err, store.ErrNewer)
	raw(t, path, "PRAGMA user_version = 0")
	_, err = Open(path)
	require.ErrorIs(t, err, store.ErrCorrupt, "ours, and without tables")
}

// fill makes a closed store with some rows.
func fill(t testing.TB, path string, rows int) {
	t.Helper()
	s, err := Open(path)
	require.NoError(t, err)
	for i := range rows {
		update(t, s, func(tx store.Tx) error {
			if _, _, err := tx.Append(store.Event{At: t0, Data: bytes.Repeat([]byte{byte(i)}, 3000)}); err != nil {
				return err
			}
			return puts(fmt.Sprintf("c%04d", i))(tx)
		})
	}
	require.NoError(t, s.Close())
}

func TestMigrationsAreOneByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	w, err := connect(dsn(path, false), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.close()) }()
	steps := []string{"CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"}
	require.ErrorContains(t, migrate(w, steps), "migration 2")
	at := func() int64 {
		n, err := w.number("PRAGMA user_version")
		require.NoError(t, err)
		return n
	}
	require.EqualValues(t, 1, at(), "the first is kept")
	n, err := w.number("SELECT count(*) FROM sqlite_schema")
	require.NoError(t, err)
	require.EqualValues(t, 1, n, "nothing of the second is")
	steps[1] = "CREATE TABLE b (x)"
	require.NoError(t, migrate(w, steps))
	require.EqualValues(t, 2, at())
	require.NoError(t, migrate(w, steps), "nothing to do")
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	fill(t, path, 3)
	s, err := OpenWith(path, Options{ReadOnly: true})
	require.NoError(t, err)
	require.Len(t, slugs(t, s), 3)
	ran := false
	require.ErrorIs(t, s.Update(t.Context(), func(store.Tx) error { ran = true; return nil }), store.ErrReadOnly)
	require.False(t, ran)
	require.NoError(t, s.Close())

	raw(t, path, "PRAGMA journal_mode = DELETE")
	empty := filepath.Join(t.TempDir(), "empty.db")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	_, err = OpenWith(empty, Options{ReadOnly: true})
	require.ErrorIs(t, err, store.ErrReadOnly, "its tables cannot be made")
}

// The superuser may write where modes forbid it, so a connection that cannot write stands for a file that cannot be written.
func TestFileThatCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	fill(t, path, 1)
	o := Options{Busy: time.Second, Readers: 1, dsn: dsn(path, true)}
	_, err := openWriter(path, false, o)
	err = hint(err, o)
	require.ErrorIs(t, err, store.ErrReadOnly)
	require.ErrorContains(t, err, "Options.ReadOnly")

	// One that becomes so while it is open.
	s := openTemp(t, Options{})
	require.NoError(t, s.group.w.script("PRAGMA query_only = ON"))
	require.ErrorIs(t, s.Update(t.Context(), puts("x")), store.ErrReadOnly)
	require.NoError(t, s.group.w.script("PRAGMA query_only = OFF"))
	update(t, s, puts("x"))
}

func TestViewDoesNotWrite(t *testing.T) {
	s := openTemp(t, Options{Readers: 1})
	for range 3 {
		require.ErrorIs(t, s.View(t.Context(), puts("x")), store.ErrReadOnly)
		require.ErrorIs(t, s.View(t.Context(), puts("x")), errReadOnlyTx, "refused before SQLite is asked")
		require.ErrorIs(t, s.View(t.Context(), func(tx store.Tx) error {
			_, _, err := tx.Append(store.Event{})
			return err
		}), store.ErrReadOnly)
	}
	// The second guard, without the first.
	c, err := s.readers.get(t.Context())
	require.NoError(t, err)
	c.readOnly = false
	_, err = c.Exec("DELETE FROM communities")
	require.ErrorIs(t, err, store.ErrReadOnly)
	c.readOnly = true
	s.readers.put(c)
}

func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.db")
	fill(t, whole, 50)
	image, err := os.ReadFile(whole)
	require.NoError(t, err)
	damage := map[string]func([]byte) []byte{
		"text":       func([]byte) []byte { return []byte(strings.Repeat("this is no database\n", 400)) },
		"one byte":   func([]byte) []byte { return []byte("x") },
		"half":       func(b []byte) []byte { return b[:len(b)/2/4096*4096] },
		"odd length": func(b []byte) []byte { return b[:len(b)-5000] },
		"one page":   func(b []byte) []byte { return b[:4096] },
		"header":     func(b []byte) []byte { return append([]byte("SQLite format 4\x00"), b[16:]...) },
		"schema":     func(b []byte) []byte { copy(b[100:], bytes.Repeat([]byte{0xff}, 3000)); return b },
		"all pages after the first": func(b []byte) []byte {
			copy(b[4096:], bytes.Repeat([]byte{0xa5}, len(b)))
			return b
		},
	}
	for name, change := range damage {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name+".db")
			require.NoError(t, os.WriteFile(path, change(bytes.Clone(image)), 0o600))
			s, err := Open(path)
			if err == nil {
				// Opening does not read all pages; what comes upon a damaged one says so.
				err = s.View(t.Context(), func(tx store.Tx) error {
					_, err := tx.Events(store.EventQuery{}, 1000)
					return err
				})
				require.ErrorIs(t, errors.Join(err, s.Update(t.Context(), puts("x"))), store.ErrCorrupt)
				_ = s.Close()
			}
			require.ErrorIs(t, err, store.ErrCorrupt)
		})
	}
	t.Run("empty", func(t *testing.T) {
		path := filepath.Join(dir, "empty.db")
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		s, err := Open(path)
		require.NoError(t, err, "it is nobody's")
		require.NoError(t, s.Close())
	})
}

// FuzzHeader opens files that begin with anything, and uses them if they open.
func FuzzHeader(f *testing.F) {
	whole := filepath.Join(f.TempDir(), "whole.db")
	fill(f, whole, 2)
	image, err := os.ReadFile(whole)
	require.NoError(f, err)
	f.Add([]byte{}, uint16(0))
	f.Add([]byte("SQLite format 3\x00"), uint16(0))
	f.Add(image[:200], uint16(0))
	f.Add([]byte{0, 0, 0, 200}, uint16(60))
	f.Add([]byte{0xff, 0xff, 0xff}, uint16(101))
	f.Fuzz(func(t *testing.T, patch []byte, at uint16) {
		path := filepath.Join(t.TempDir(), "x.db")
		b := bytes.Clone(image)
		copy(b[min(int(at), len(b)):], patch)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		s, err := OpenWith(path, Options{Busy: 50 * time.Millisecond, Readers: 1})
		if err != nil {
			return
		}
		_ = s.Update(t.Context(), puts("x"))
		_ = s.View(t.Context(), func(tx store.Tx) error { _, err := tx.Communities("", 10); return err })
		_ = s.Close()
	})
}

func TestClosed(t *testing.T) {
	s := openTemp(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_ = s.Watch(ctx)
	begun, goOn, closed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	updated := make(chan error, 1)
	go func() {
		updated <- s.Update(ctx, func(tx store.Tx) error {
			close(begun)
			<-goOn
			return puts("x")(tx)
		})
	}()
	<-begun
	go func() { closed <- s.Close() }()
	waitFor(t, func() bool { return errors.Is(s.View(ctx, func(store.Tx) error { return nil }), store.ErrClosed) })
	for range 100_000 {
		runtime.Gosched()
		require.Empty(t, closed, "it waits for what is under way")
	}
	close(goOn)
	require.NoError(t, <-closed)
	require.NoError(t, <-updated)
	require.ErrorIs(t, s.Update(ctx, puts("y")), store.ErrClosed)
	require.NoError(t, s.Close())
	require.Empty(t, s.Watch(ctx))
}

// Also when somebody else has the file open, what was written is in the file itself after Close.
func TestCloseEmptiesTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	a, err := Open(path)
	require.NoError(t, err)
	b, err := Open(path)
	require.NoError(t, err)
	update(t, a, puts("x"))
	require.NoError(t, a.Close())
	info, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	require.Zero(t, info.Size())
	require.Equal(t, []string{"x"}, slugs(t, b))
	require.NoError(t, b.Close())
}

// Changing the journal mode does not wait for others by itself.
func TestPatience(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	a, err := connect(dsn(path, false), nil)
	require.NoError(t, err)
	require.NoError(t, a.script("BEGIN EXCLUSIVE"))
	b, err := connect(dsn(path, false), nil)
	require.NoError(t, err)
	require.Error(t, wal(b))
	tries := 0
	require.NoError(t, patiently(time.Minute, func() error {
		if tries++; tries == 3 {
			require.NoError(t, a.script("ROLLBACK"))
		}
		return wal(b)
	}))
	require.Equal(t, 3, tries)
	require.NoError(t, a.script("BEGIN IMMEDIATE"))
	require.Error(t, patiently(0, func() error { return b.script("BEGIN IMMEDIATE") }), "not for ever")
	require.NoError(t, errors.Join(a.close(), b.close()))
}
