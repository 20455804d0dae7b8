// Package arrows asserts who may import whom.
package arrows

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upcall.dev/spi"
	_ "upcall.dev/standard"
)

const module = "upcall.dev/"

// list runs go list in the module's root and returns its words.
func list(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // a cgo file must show
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Fields(string(out))
}

// The core is to become a DLL that package net itself would load.
func TestCoreHasNeitherNetNorCgo(t *testing.T) {
	for _, core := range []string{"./spi", "./catalog", "./ws2"} {
		for _, dep := range list(t, "-deps", core) {
			if dep == "net" || dep == "runtime/cgo" {
				t.Errorf("%s depends on %s", core, dep)
			}
			first, _, _ := strings.Cut(dep, "/")
			known := !strings.Contains(first, ".") || strings.HasPrefix(dep, module) ||
				strings.HasPrefix(dep, "golang.org/x/sys/") || strings.HasPrefix(dep, "github.com/pelletier/go-toml/v2")
			if !known {
				t.Errorf("%s depends on %s: the core has the standard library, x/sys and the TOML library alone", core, dep)
			}
		}
	}
}

// What each room may import of the others, tests aside; internal leaves are
// free to everybody.
var allowed = map[string][]string{
	"spi":     {},
	"catalog": {"spi"},
	"ws2":     {"catalog", "spi"},
	"wsnet":   {"ws2", "catalog", "spi"},
	"launch":  {"launch/internal/chains", "launch/internal/isolate", "launch/internal/seccomp", "launch/internal/tally", "launch/machine", "wsnet", "ws2", "catalog", "layer/names", "spi"},

	"launch/internal/seccomp": {"launch/internal/chains", "launch/internal/relay", "launch/internal/tally", "launch/machine", "wsnet"},
	"launch/internal/isolate": {"launch/internal/chains", "launch/internal/relay", "launch/internal/tally", "launch/machine", "wsnet", "spi"},
	"launch/internal/chains":  {"wsnet", "ws2", "catalog", "spi"},
	"launch/internal/relay":   {"spi"},
	"launch/internal/tally":   {},
	"launch/machine":          {},

	"layer":       {"nonifs", "spi"},
	"layer/names": {},
	"layer/relay": {"nonifs", "spi"},
	"nonifs":      {"spi"},
	"profile":     {"catalog", "spi"},
	"namespace":   {"spi"},
}

func TestArrowsPointDown(t *testing.T) {
	rules := map[string][]string{}
	for room, may := range allowed {
		rules[room] = may
	}
	for _, dir := range []string{"provider", "layer"} {
		entries, err := os.ReadDir(filepath.Join("../..", dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			room := dir + "/" + e.Name()
			if e.IsDir() && rules[room] == nil && e.Name() != "internal" {
				rules[room] = []string{"layer", "layer/names", "layer/relay", "nonifs", "spi"}
			}
		}
	}
	for _, d := range spi.NamespaceDrivers() {
		rules["namespace/"+d.Name] = []string{"namespace", "spi"}
	}
	for room, may := range rules {
		for _, imported := range list(t, "-f", "{{join .Imports \"\\n\"}}", "./"+room) {
			other, ours := strings.CutPrefix(imported, module)
			if ours && !strings.HasPrefix(other, "internal/") && !slices.Contains(may, other) {
				t.Errorf("%s imports %s, which is not below it", room, other)
			}
		}
	}
	for _, leaf := range list(t, "./internal/...") {
		if strings.HasSuffix(leaf, "/arrows") {
			continue
		}
		for _, imported := range list(t, "-f", "{{join .Imports \"\\n\"}}", leaf) {
			other, ours := strings.CutPrefix(imported, module)
			if ours && other != "spi" && !strings.HasPrefix(other, "internal/") {
				t.Errorf("%s imports %s: a leaf has only spi below it", leaf, other)
			}
		}
	}
}

// Each registered driver has a manual page in its directory.
func TestEveryDriverHasItsPage(t *testing.T) {
	for _, d := range spi.NamespaceDrivers() {
		page, err := os.ReadFile(filepath.Join("../..", "namespace", d.Name, "README.md"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, o := range d.Options {
			if !strings.Contains(string(page), o.Name) {
				t.Errorf("the page of %s does not tell of its option %s", d.Name, o.Name)
			}
		}
	}
	for _, d := range spi.Drivers() {
		dir := "provider"
		if d.Layer() {
			dir = "layer"
		}
		page, err := os.ReadFile(filepath.Join("../..", dir, d.Name, "README.md"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, o := range d.Options {
			if !strings.Contains(string(page), o.Name) {
				t.Errorf("the page of %s does not tell of its option %s", d.Name, o.Name)
			}
		}
	}
}
