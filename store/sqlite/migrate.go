package sqlite

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var files embed.FS

// migrations returns the texts in their order. The number of a file is the version that the tables have after it.
func migrations() ([]string, error) {
	entries, err := files.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var out []string
	for i, e := range entries {
		number, _, _ := strings.Cut(e.Name(), "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("migration %s should have the number %d", e.Name(), i+1)
		}
		text, err := files.ReadFile(path.Join("migrations", e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, string(text))
	}
	return out, nil
}

// migrate brings the tables up to date, each step in a transaction of its own. Which step is next is read inside the
// transaction, after its lock was taken, so that two programs that start at once do each step once.
func migrate(w *conn, steps []string) error {
	for {
		done, err := step(w, steps)
		if done || err != nil {
			return err
		}
	}
}

// step does the next step, if there is one. It takes the lock in any case, and so finds out whether the file can be written.
func step(w *conn, steps []string) (done bool, err error) {
	if err := w.script("BEGIN IMMEDIATE"); err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			// Some errors have rolled back already; then there is nothing to roll back, and that is no news.
			_ = w.script("ROLLBACK")
		}
	}()
	at, err := w.number("PRAGMA user_version")
	if err != nil {
		return false, err
	}
	if at >= int64(len(steps)) {
		return true, w.script("COMMIT")
	}
	if err := w.script(steps[at]); err != nil {
		return false, fmt.Errorf("migration %d: %w", at+1, err)
	}
	if err := w.script(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, at+1)); err != nil {
		return false, fmt.Errorf("migration %d: %w", at+1, err)
	}
	if err := w.script("COMMIT"); err != nil {
		return false, fmt.Errorf("migration %d: %w", at+1, errors.Join(err))
	}
	return false, nil
}
