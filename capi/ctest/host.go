package ctest

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

var theHost = target{"build-host", "upcall-host", []string{"-tags", "upcallhost", "./cmd/upcall"}}

var builtHost = sync.OnceValues(func() (string, error) { return build(theHost, "host", nil) })

// Host builds upcall-host, by which upcall run loads providers in C, as [Library]
// builds the library, and returns its path. The environment variable
// UPCALL_TEST_HOST names a directory that has it already.
func Host(t testing.TB) string {
	t.Helper()
	NeedNoSanitizer(t, "upcall-host is built without one")
	dir := os.Getenv("UPCALL_TEST_HOST")
	if dir == "" {
		needCompiler(t, "gcc")
		var err error
		if dir, err = builtHost(); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, theHost.file)
}
