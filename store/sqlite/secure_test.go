package sqlite

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// What is deleted is not in the file any more, however large it was. (The log beside it keeps old pages until it is written over or the
// store is closed.)
func TestDeletedIsGoneFromTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := Open(path)
	require.NoError(t, err)
	marks := map[string][]byte{}
	said := func(what string, size int) []byte {
		marks[what] = []byte("said in " + what + " and not to be found")
		return append(bytes.Clone(marks[what]), make([]byte, size)...)
	}
	for i, size := range []int{0, 3000, 100_000} {
		id := fmt.Sprint("d", i)
		update(t, s, func(tx store.Tx) error {
			_, err := tx.Accept(store.Delivery{ID: id, Plugin: "p", Body: said(id, size), At: t0.Add(time.Hour)})
			require.NoError(t, err)
			_, err = tx.Accept(store.Delivery{ID: "pruned" + id, Plugin: "p", Body: said("pruned"+id, size), At: t0})
			require.NoError(t, err)
			_, _, err = tx.Append(store.Event{Type: "t", At: t0, Data: said("event"+id, size)})
			require.NoError(t, err)
			require.NoError(t, tx.PutInstance(store.Instance{ID: id, Name: id, Sealed: said("instance"+id, size)}))
			require.NoError(t, tx.PutState(id, "k", said("state"+id, size), 0))
			require.NoError(t, tx.AppendAudit(store.Audit{Community: "c", Seq: int64(i + 1), At: t0, Data: said("audit"+id, size)}))
			require.NoError(t, tx.PutPerson(store.Person{Community: "c", ID: id, Data: said("person"+id, size)}))
			require.NoError(t, tx.PutAccount(store.Account{Community: "c", UserID: id, Mail: string(said("mail"+id, 0)), Data: said("account"+id, size)}))
			require.NoError(t, tx.PutEvidence(store.Evidence{Community: "c", ID: id, A: string(said("subject"+id, 0)), Data: said("evidence"+id, size)}))
			require.NoError(t, tx.PutClaim(store.Claim{Community: "c", Subject: id, Kind: "k", Data: said("claim"+id, size), Sealed: said("sealed"+id, size)}))
			require.NoError(t, tx.PutChange(store.Change{Community: "c", Person: id, Text: string(said("text"+id, 0)), Data: said("change"+id, size)}))
			require.NoError(t, tx.PutToken(store.Token{Community: "c", UserID: id, Sealed: said("token"+id, size)}))
			return tx.PutEndpoint(store.Endpoint{ID: id, Sealed: said("endpoint"+id, size)})
		})
	}
	require.NoError(t, s.Close())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	for what, mark := range marks {
		require.True(t, bytes.Contains(file, mark), what)
	}
	s, err = Open(path)
	require.NoError(t, err)
	later := t0.Add(1e9)
	for i := range 3 {
		id := fmt.Sprint("d", i)
		update(t, s, func(tx store.Tx) error {
			require.NoError(t, tx.BlankDelivery(id))
			require.NoError(t, tx.DeleteEndpoint(id))
			require.NoError(t, tx.PutPerson(store.Person{Community: "c", ID: id, Erased: t0})) // a person's row stays
			require.NoError(t, tx.DeleteAccount("c", "", "", id))
			require.NoError(t, tx.DeleteEvidence("c", id))
			require.NoError(t, tx.DeleteClaim("c", id, "k", "", ""))
			require.NoError(t, tx.DeleteChanges("c", id))
			require.NoError(t, tx.DeleteToken("c", "", "", id))
			return tx.DeleteInstance(id)
		})
	}
	update(t, s, func(tx store.Tx) error {
		_, err := tx.PruneDeliveries(later, 0)
		require.NoError(t, err)
		_, err = tx.PruneEvents(later, 99, 0)
		require.NoError(t, err)
		_, err = tx.PruneAudits("c", later, 0)
		return err
	})
	require.NoError(t, s.Close())
	file, err = os.ReadFile(path)
	require.NoError(t, err)
	for what, mark := range marks {
		require.False(t, bytes.Contains(file, mark), what)
	}
}
