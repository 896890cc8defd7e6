package storetest_test

import (
	"os"
	"testing"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/store/storetest"
)

func TestMain(m *testing.M) {
	if storetest.Child(func(p string) (store.Store, error) { return sqlite.Open(p) }) {
		return
	}
	os.Exit(m.Run())
}

func TestTmp(t *testing.T) {
	open := func(t *testing.T, path string) store.Store {
		s, err := sqlite.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	storetest.RunDurable(t, open)
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir()+"/db") })
}
