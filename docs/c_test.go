package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"upcall.dev/capi/ctest"
)

var cFile = regexp.MustCompile(`^/\* (\w+\.c) \*/\n`)

// prepareC writes the C files that a document shows, and installs what its
// commands compile them with.
func (b bench) prepareC(t *testing.T, blocks []fence, commands string) {
	t.Helper()
	for _, block := range blocks {
		if m := cFile.FindStringSubmatch(block.text); block.kind == "c" && m != nil {
			if err := os.WriteFile(filepath.Join(b.work, m[1]), []byte(block.text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !strings.Contains(commands, "pkg-config") {
		return
	}
	for _, tool := range []string{"gcc", "make", "pkg-config"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	install := exec.Command("make", "-C", root, "install", "BIN="+t.TempDir(), "PREFIX="+filepath.Join(b.home, ".local"), "LIBRARY="+ctest.Library(t), "HOST="+filepath.Dir(ctest.Host(t)))
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
