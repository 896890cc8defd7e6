// Package specs finds the platforms' specifications that contract tests compare with. They are not part of the repository: they
// are large, and have licences of their own.
package specs

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir gives the folder with the specifications: the environment variable GATEWAY_SPECS, or shared/specs beside any folder above
// the test. Where there is none the test is skipped, saying so; on a build server (CI=true) it fails, so that nobody takes
// a skipped contract for a kept one.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := find(os.Getenv("GATEWAY_SPECS"), os.Getwd)
	if err == nil {
		return dir
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("the specifications are needed here: %v", err)
	}
	t.Skipf("contract tests need the platforms' specifications: %v", err)
	return ""
}

func find(env string, getwd func() (string, error)) (string, error) {
	if env != "" {
		return env, present(env)
	}
	at, err := getwd()
	if err != nil {
		return "", err
	}
	for {
		dir := filepath.Join(at, "shared", "specs")
		if present(dir) == nil {
			return dir, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", &os.PathError{Op: "find", Path: "shared/specs (set GATEWAY_SPECS)", Err: os.ErrNotExist}
		}
		at = up
	}
}

func present(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &os.PathError{Op: "open", Path: dir, Err: os.ErrInvalid}
	}
	return err
}
