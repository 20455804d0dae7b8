// Package conformance pins the numbered behaviours that programs in C see: by
// programs in C, over every chain of [ctest.Chains], each behaviour in a process
// of its own. A source in testdata has the behaviours of one subject.
package conformance

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"upcall.dev/capi/ctest"
)

// patience is the longest that one behaviour may take on a busy machine; the
// programs' own limits are shorter.
const patience = 2 * time.Minute

// compiled is the programs by the names of their sources.
var compiled struct {
	mu  sync.Mutex
	all map[string]string
}

// program compiles a source once.
func program(t *testing.T, subject string) string {
	t.Helper()
	compiled.mu.Lock()
	defer compiled.mu.Unlock()
	if p := compiled.all[subject]; p != "" {
		return p
	}
	if compiled.all == nil {
		compiled.all = map[string]string{}
	}
	p := ctest.CompileTo(t, directory, []string{"-Itestdata"}, filepath.Join("testdata", subject+".c"))
	compiled.all[subject] = p
	return p
}

// option changes how [each] runs a behaviour.
type option func(*plan)

type plan struct{ reasons map[string]string }

// except leaves chains out that cannot have the behaviour, and says why.
func except(reason string, chains ...string) option {
	return func(p *plan) {
		for _, name := range chains {
			p.reasons[name] = reason
		}
	}
}

// each runs a behaviour of a subject over every chain.
func each(t *testing.T, subject, number string, options ...option) {
	t.Helper()
	p := plan{reasons: map[string]string{}}
	for _, o := range options {
		o(&p)
	}
	program := program(t, subject)
	for _, c := range ctest.Chains() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if reason := p.reasons[c.Name]; reason != "" {
				t.Skip(reason)
			}
			var env []string
			if c.NonIFS {
				env = append(env, "UPCALL_TEST_NONIFS=1")
			}
			ctest.RunEnv(t, program, []string{number}, c.Write(t), patience, env...).OK(t)
		})
	}
}

// once runs a behaviour that does not depend on the provider.
func once(t *testing.T, subject, number string) {
	t.Helper()
	others := slices.DeleteFunc(ctest.Chains(), func(c ctest.Chain) bool { return c.Name == "kernel" })
	var names []string
	for _, c := range others {
		names = append(names, c.Name)
	}
	each(t, subject, number, except("it does not depend on the provider", names...))
}
