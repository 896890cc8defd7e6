// Command testout reads the JSON of go test and prints what a person wants to know of it: failures whole, and one closing
// line. With -no-skips a skipped test is a failure.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	FailedBuild                   string
	ImportPath                    string
}

func main() {
	noSkips := flag.Bool("no-skips", false, "a skipped test is a failure")
	flag.Parse()
	failed, skipped := run(os.Stdin, os.Stdout)
	if failed > 0 || *noSkips && skipped > 0 {
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) (failed, skipped int) {
	passed := 0
	output := map[string]*strings.Builder{}
	s := bufio.NewScanner(in)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		var e event
		if json.Unmarshal(s.Bytes(), &e) != nil {
			fmt.Fprintln(out, s.Text())
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "output":
			if output[key] == nil {
				output[key] = &strings.Builder{}
			}
			output[key].WriteString(e.Output)
		case "fail":
			if e.Test == "" && e.FailedBuild == "" && output[key] == nil {
				continue
			}
			failed++
			fmt.Fprintf(out, "FAIL %s\n", key)
			if b := output[key]; b != nil {
				fmt.Fprint(out, b.String())
			}
		case "skip":
			if e.Test != "" {
				skipped++
				fmt.Fprintf(out, "SKIP %s\n%s", key, output[key])
			}
		case "pass":
			if e.Test != "" {
				passed++
			} else {
				fmt.Fprintf(out, "ok   %s\n", e.Package)
			}
		}
		if e.Action == "pass" || e.Action == "skip" {
			delete(output, key)
		}
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return failed, skipped
}
