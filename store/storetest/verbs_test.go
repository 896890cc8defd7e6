package storetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// Every verb that a transaction has is among those that the model test draws: whoever adds one adds an op for it to a file model_*.go.
func TestTheModelKnowsEveryVerb(t *testing.T) {
	used := map[string]bool{}
	files, err := filepath.Glob("model_*.go")
	require.NoError(t, err)
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !drawsOps(fn) {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
						if x, ok := sel.X.(*ast.Ident); ok && x.Name == "tx" {
							used[sel.Sel.Name] = true
						}
					}
				}
				return true
			})
		}
	}
	var missing []string
	for m := range reflect.TypeFor[store.Tx]().Methods() {
		if !used[m.Name] {
			missing = append(missing, m.Name)
		}
	}
	require.Empty(t, missing, "verbs that no random op uses: %s", strings.Join(missing, ", "))
}

// drawsOps says whether a function is a method of drawer that makes an op.
func drawsOps(fn *ast.FuncDecl) bool {
	if fn.Recv == nil || fn.Type.Results == nil || len(fn.Type.Results.List) != 1 {
		return false
	}
	recv, ok1 := fn.Recv.List[0].Type.(*ast.Ident)
	result, ok2 := fn.Type.Results.List[0].Type.(*ast.Ident)
	return ok1 && ok2 && recv.Name == "drawer" && result.Name == "op"
}
