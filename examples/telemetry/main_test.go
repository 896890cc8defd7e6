package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestItPrintsTracesAndMetrics(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	for _, want := range []string{`"Name":"action random-int"`, `"gateway.action.duration"`, `"gateway.due.lag"`} {
		require.Contains(t, out.String(), want)
	}
}
