package gateway

import (
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/sqlite"
)

// defaultStore is the only place where the root package knows a particular store.
func defaultStore() (store.Store, error) { return sqlite.Open("gateway.db") }
