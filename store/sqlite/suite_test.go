package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/storetest"
)

func TestMain(m *testing.M) {
	if child() || storetest.Child(func(path string) (store.Store, error) { return Open(path) }) {
		return
	}
	goleak.VerifyTestMain(m)
}

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return openAt(t, filepath.Join(t.TempDir(), "gateway.db"))
	})
}

func TestSuiteDurable(t *testing.T) {
	storetest.RunDurable(t, openAt)
}

func openAt(t *testing.T, path string) store.Store {
	s, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
