package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// module is the prefix of package paths in what go test reports.
const module = "upcall.dev/"

// outcome is how one test, or one subtest, ended.
type outcome struct {
	action string // pass, fail or skip; empty when it did not end
	reason string // of a skip
}

// results are the outcomes of a run, by directory and full name of the test.
type results map[string]outcome

func key(pkg, test string) string { return pkg + " " + test }

// of returns how a test, or its subtest, ended.
func (r results) of(p pin, subtest string) outcome {
	name := p.name
	if subtest != "" {
		name += "/" + subtest
	}
	return r[key(p.pkg, name)]
}

// logged is a line that a test has logged.
var logged = regexp.MustCompile(`^\s*\S+\.go:\d+: (.*?)\s*$`)

// parse reads the output of go test -json. Lines of other kinds are passed over.
func parse(in io.Reader) (results, error) {
	r := results{}
	last := map[string]string{} // what each test has logged last
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event struct{ Action, Package, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.Test == "" {
			continue
		}
		k := key(strings.TrimPrefix(event.Package, module), event.Test)
		switch event.Action {
		case "output":
			if m := logged.FindStringSubmatch(event.Output); m != nil {
				last[k] = m[1]
			}
		case "pass", "fail":
			r[k] = outcome{action: event.Action}
		case "skip":
			r[k] = outcome{action: event.Action, reason: last[k]}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading what go test -json reports: %w", err)
	}
	return r, nil
}
