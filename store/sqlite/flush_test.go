package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// Sums that cannot be written at the end of a group take nobody's ballot with them but those that cannot be kept, which are told.
func TestFlushFails(t *testing.T) {
	for name, tt := range map[string]struct {
		failures int
		kept     bool
	}{
		"once":         {1, true}, // all run again, each alone
		"every time":   {1 << 30, false},
		"all but last": {3, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := openTemp(t, Options{})
			update(t, s, func(tx store.Tx) error { return tx.PutProcess(store.Process{ID: "p", Status: store.Pending}) })
			left := 0
			commits(s, func(query string) error {
				if strings.HasPrefix(query, "INSERT INTO counts") && left > 0 {
					left--
					// As the end of the disk does, without room for anything.
					s.group.w.broken = store.ErrFull
					return store.ErrFull
				}
				return nil
			})
			fns := map[string]func(store.Tx) error{}
			var order []string
			for i := range 3 {
				voter := fmt.Sprint("v", i)
				order = append(order, voter)
				fns[voter] = func(tx store.Tx) error {
					_, err := tx.Cast(store.Ballot{Process: "p", Voter: voter, At: t0, Choices: []store.Choice{{Choice: "yes", Weight: 1}}})
					return err
				}
			}
			left = tt.failures
			errs := crowd(t, s, fns, order...)
			left = 0
			failed := 0
			for _, voter := range order {
				if errs[voter] != nil {
					require.ErrorIs(t, errs[voter], store.ErrFull)
					failed++
				}
			}
			require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
				require.NoError(t, whatIsWrong(tx, "p"))
				n, err := tx.Turnout("p")
				require.EqualValues(t, 3-failed, n)
				return err
			}))
			require.Equal(t, tt.kept, failed == 0, failed)
			update(t, s, func(tx store.Tx) error {
				_, err := tx.Cast(store.Ballot{Process: "p", Voter: "next", At: t0, Choices: []store.Choice{{Choice: "yes", Weight: 1}}})
				return err
			})
			require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
				require.NoError(t, whatIsWrong(tx, "p"))
				n, err := tx.Turnout("p")
				require.EqualValues(t, 4-failed, n)
				return err
			}))
		})
	}
}

// What one transaction has read is nothing to the next: another program may have changed it.
func TestSharedRowsOfTwoPrograms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	mine, err := Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, mine.Close()) }()
	theirs, err := Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, theirs.Close()) }()
	update(t, mine, func(tx store.Tx) error { return tx.PutProcess(store.Process{ID: "p", Status: store.Pending}) })
	read := func(tx store.Tx) (status string, refs []string, instances int, listed, linked bool, turnout int64) {
		p, err := tx.Process("p")
		require.NoError(t, err)
		refs, err = tx.ProcessesByRef("i", "r", 0)
		require.NoError(t, err)
		is, err := tx.InstancesByPlatform("forum", "T", 0)
		require.NoError(t, err)
		listed, _, err = tx.Voter("p", "v")
		require.NoError(t, err)
		linked, err = tx.HasAccounts("c")
		require.NoError(t, err)
		turnout, err = tx.Turnout("p")
		require.NoError(t, err)
		return p.Status, refs, len(is), listed, linked, turnout
	}
	update(t, mine, func(tx store.Tx) error {
		require.NoError(t, tx.PutRef("i", "r", "p"))
		read(tx)
		return nil
	})
	update(t, theirs, func(tx store.Tx) error {
		_, err := tx.Cast(store.Ballot{Process: "p", Voter: "v", At: t0, Choices: []store.Choice{{Choice: "yes", Weight: 1}}})
		require.NoError(t, err)
		require.NoError(t, tx.PutProcess(store.Process{ID: "p", Status: store.Closing, Rev: 1}))
		require.NoError(t, tx.PutRef("i", "r", "q"))
		require.NoError(t, tx.PutInstance(store.Instance{ID: "i", Plugin: "forum", PlatformID: "T"}))
		require.NoError(t, tx.PutAccount(store.Account{Community: "c"}))
		return tx.PutVoters("p", true, []store.Voter{{Key: "v"}})
	})
	update(t, mine, func(tx store.Tx) error {
		status, refs, instances, listed, linked, turnout := read(tx)
		require.Equal(t, store.Closing, status)
		require.Equal(t, []string{"q", "p"}, refs)
		require.Equal(t, 1, instances)
		require.True(t, listed)
		require.True(t, linked)
		require.EqualValues(t, 1, turnout)
		return nil
	})
}
