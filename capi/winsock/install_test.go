package winsock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upcall.dev/capi/ctest"
	"upcall.dev/catalog"
)

func TestInstall(t *testing.T) {
	for name, flags := range map[string][]string{"plain": nil, "sanitized": addressSanitizer} {
		t.Run(name, func(t *testing.T) {
			file := ctest.Write(t, catalog.Default())
			ctest.Run(t, ctest.Compile(t, flags, "testdata/install.c"), nil, file, patience).OK(t)
		})
	}
}

// TestInstallTellsWhatIsWrongWithTheFile is of a catalog that cannot be read, and
// of one in a place that cannot be written.
func TestInstallTellsWhatIsWrongWithTheFile(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/install.c")
	refused := filepath.Join(t.TempDir(), "catalog.toml")
	if err := os.WriteFile(refused, []byte("this is no catalog"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"refused": refused, "unwritable": "/proc/self/catalog.toml"} {
		t.Run(name, func(t *testing.T) {
			r := ctest.Run(t, program, []string{"broken"}, file, patience)
			r.OK(t)
			if strings.Count(r.Stderr, "\n") != 1 || !strings.HasPrefix(r.Stderr, "upcall: catalog "+file) {
				t.Errorf("the program is told %q", r.Stderr)
			}
		})
	}
}
