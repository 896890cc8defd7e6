package specs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "repo", "plugins", "x")
	shared := filepath.Join(root, "shared", "specs")
	require.NoError(t, os.MkdirAll(deep, 0o755))
	at := func() (string, error) { return deep, nil }

	require.NoError(t, os.MkdirAll(shared, 0o755))
	dir, err := find("", at)
	require.NoError(t, err)
	require.Equal(t, shared, dir)

	dir, err = find(root, at)
	require.NoError(t, err)
	require.Equal(t, root, dir, "the environment says where")
	_, err = find(filepath.Join(root, "none"), at)
	require.ErrorIs(t, err, os.ErrNotExist)
	file := filepath.Join(root, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = find(file, at)
	require.Error(t, err)
}
