package launch

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A run in a run composes: what the inner chain connects goes through the outer
// one. Only one of them may trap system calls.
func TestNestedRuns(t *testing.T) {
	needNamespaces(t)
	need(t, "curl")
	server := serveHTTP(t, "127.0.0.1")
	at := insideOf(t, server)
	const isolate, not = hostIsolate + "=1", hostIsolate + "="
	for _, c := range []struct {
		name         string
		outer, inner string
		inOuter      string // what the outer chain connects
		inInner      string
	}{
		{"isolated in plain", not, isolate, server, server},
		{"plain in isolated", isolate, not, server, at},
		{"isolated in isolated", isolate, isolate, server, at},
	} {
		t.Run(c.name, func(t *testing.T) {
			outer, inner := filepath.Join(t.TempDir(), "outer"), filepath.Join(t.TempDir(), "inner")
			cmd := exec.Command(os.Args[0], hostArgument, outer,
				"env", c.inner, os.Args[0], hostArgument, inner, "curl", "-sS", "http://"+at+"/hello")
			cmd.Env = append(os.Environ(), c.outer)
			var said bytes.Buffer
			cmd.Stderr = &said
			if out, err := cmd.Output(); err != nil || string(out) != "hello\n" {
				t.Errorf("%v: %q\n%s", err, out, &said)
			}
			traced(t, outer, c.inOuter, 1)
			traced(t, inner, c.inInner, 1)
		})
	}
}
