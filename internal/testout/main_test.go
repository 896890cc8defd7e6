package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatItSays(t *testing.T) {
	for name, tt := range map[string]struct {
		in              string
		failed, skipped int
		says            []string
	}{
		"pass": {`{"Action":"pass","Package":"p","Test":"T"}
{"Action":"pass","Package":"p"}`, 0, 0, []string{"ok   p", "1 passed, 0 failed, 0 skipped"}},
		"fail": {`{"Action":"output","Package":"p","Test":"T","Output":"boom\n"}
{"Action":"fail","Package":"p","Test":"T"}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"fail","Package":"p"}`, 2, 0, []string{"FAIL p T\nboom", "0 passed, 2 failed"}},
		"skip": {`{"Action":"output","Package":"p","Test":"T","Output":"no specs\n"}
{"Action":"skip","Package":"p","Test":"T"}`, 0, 1, []string{"SKIP p T\nno specs"}},
		"a package without tests": {`{"Action":"skip","Package":"p"}`, 0, 0, []string{"0 passed, 0 failed, 0 skipped"}},
		"does not build": {`{"Action":"build-output","ImportPath":"p","Output":"undefined: x\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`, 1, 0, []string{"undefined: x", "FAIL p"}},
		"no JSON": {"go: cannot find main module", 0, 0, []string{"go: cannot find main module"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			failed, skipped := run(strings.NewReader(tt.in), &out)
			require.Equal(t, []int{tt.failed, tt.skipped}, []int{failed, skipped})
			for _, s := range tt.says {
				require.Contains(t, out.String(), s)
			}
		})
	}
}
