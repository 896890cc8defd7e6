package gatewaytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	gateway "github.com/metagov/gateway-go"
)

// update is the flag by which people say that a changed manifest is what they want: go test -update.
var update = flag.Bool("update", false, "gatewaytest: write the golden manifests")

// Updating says whether the tests run with -update. A plugin with golden files of its own asks this instead of defining the flag
// again, which would be a panic.
func Updating() bool { return *update }

// compareGolden holds the manifest to the one that was reviewed.
func (c *checked) compareGolden(t TB) {
	t.Helper()
	c.goldenFile(t, Updating())
}

func (c *checked) goldenFile(t TB, write bool) {
	t.Helper()
	now, err := json.MarshalIndent(c.m, "", "  ")
	if err != nil {
		t.Fatalf("the manifest is not JSON: %v", err)
	}
	now = append(now, '\n')
	old, err := os.ReadFile(c.golden)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !write:
		t.Errorf("there is no %s yet: run go test -update, look at it, and commit it", c.golden)
		return
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		t.Fatalf("reading the golden manifest: %v", err)
	case err == nil && bytes.Equal(old, now):
		return
	case err == nil:
		var before gateway.Manifest
		if err := json.Unmarshal(old, &before); err != nil {
			t.Fatalf("reading the golden manifest %s: %v", c.golden, err)
		}
		if broken := broken(before, c.m); len(broken) > 0 {
			for _, text := range broken {
				t.Errorf("%s", text)
			}
			return // not even with -update
		}
	}
	if !write {
		t.Errorf("the manifest is not that of %s any more; if that is what you want, run go test -update\n%s", c.golden, firstDifference(old, now))
		return
	}
	if err := os.MkdirAll(filepath.Dir(c.golden), 0o755); err != nil {
		t.Fatalf("writing the golden manifest: %v", err)
	}
	if err := os.WriteFile(c.golden, now, 0o644); err != nil {
		t.Fatalf("writing the golden manifest: %v", err)
	}
}

// contract is what a version of something promises.
type contract map[string]json.RawMessage // "action post@1: input" → schema

// contracts lists what drivers and running processes rely on.
func contracts(m gateway.Manifest) contract {
	out := contract{}
	for _, a := range m.Actions {
		at := fmt.Sprintf("action %s@%d: ", a.Name, a.Version)
		out[at+"input"], out[at+"output"] = a.Input, a.Output
	}
	for _, p := range m.Processes {
		at := fmt.Sprintf("process %s@%d: ", p.Name, p.Version)
		out[at+"input"], out[at+"outcome"], out[at+"state"] = p.Input, p.Output, p.State
		for _, d := range p.Commands {
			at := fmt.Sprintf("process %s@%d: command %s: ", p.Name, p.Version, d.Name)
			out[at+"input"], out[at+"output"] = d.Input, d.Output
		}
	}
	return out
}

// broken says which promises the new manifest does not keep.
func broken(before, now gateway.Manifest) []string {
	var out []string
	promised, kept := contracts(before), contracts(now)
	for _, at := range sortedKeys(promised) {
		if s, ok := kept[at]; ok && !bytes.Equal(essence(promised[at]), essence(s)) {
			out = append(out, fmt.Sprintf("%s changed: drivers and running processes rely on this version; leave it as it was and add another with gateway.Version", at))
		}
	}
	for _, p := range before.Processes {
		newest := 0
		var upgrade, still bool
		for _, q := range now.Processes {
			if q.Name != p.Name {
				continue
			}
			still = still || q.Version == p.Version
			if q.Version > newest {
				newest, upgrade = q.Version, q.Upgrade != nil
			}
		}
		if !still && newest > 0 && (newest < p.Version || !upgrade) {
			out = append(out, fmt.Sprintf("process %s@%d is gone and version %d has no Upgrade: those that run would wait for ever", p.Name, p.Version, newest))
		}
	}
	return out
}

// essence is a schema without what only people read, in one form.
func essence(doc json.RawMessage) []byte {
	var tree map[string]any
	if err := json.Unmarshal(doc, &tree); err != nil {
		return doc
	}
	walk(tree, "", func(_ string, n map[string]any) {
		for _, key := range []string{"title", "description", "examples", "$comment"} {
			delete(n, key)
		}
	})
	out, err := json.Marshal(tree)
	if err != nil {
		return doc
	}
	return out
}

// firstDifference shows where two texts part.
func firstDifference(old, now []byte) string {
	a, b := strings.Split(string(old), "\n"), strings.Split(string(now), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n- %s\n+ %s", i+1, strings.TrimSpace(a[i]), strings.TrimSpace(b[i]))
		}
	}
	return fmt.Sprintf("%d lines have become %d", len(a), len(b))
}
