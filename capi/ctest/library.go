package ctest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// root is the module's directory.
var root = sync.OnceValue(func() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
})

// Include returns the directory of the headers, for -I.
func Include() string { return filepath.Join(root(), "include", "upcall") }

// Library builds the shared library, unless there is one of these sources
// already, and returns its directory, which has libws2_32.so.0 and the link
// libws2_32.so. It skips the test when there is no C compiler. The environment
// variable UPCALL_TEST_LIBRARY names the directory of a library to test instead.
func Library(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("UPCALL_TEST_LIBRARY"); dir != "" {
		return dir
	}
	needCompiler(t, "gcc")
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func needCompiler(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("no C compiler here: install %s", name)
	}
}

var built = sync.OnceValues(func() (string, error) {
	flags, err := sanitizing()
	if err != nil {
		return "", err
	}
	if len(flags) == 0 {
		return Build("library")
	}
	return build(theLibrary, Sanitizer(), flags)
})

// Build builds a variant of the library, with flags for go build, and returns
// its directory in the cache.
func Build(variant string, flags ...string) (string, error) {
	return build(theLibrary, variant, nil, flags...)
}

// target is what a script builds.
type target struct {
	script   string
	file     string   // that it leaves
	packages []string // that it is made of, for go list
}

var theLibrary = target{"build-library", "libws2_32.so.0", []string{"./capi/libws2_32"}}

// build builds a variant of a target, with flags for the C compiler and for go
// build.
func build(of target, variant string, compiler []string, flags ...string) (string, error) {
	sources, err := sources(of)
	if err != nil {
		return "", err
	}
	sum, err := sum(sources, append(compiler, flags...))
	if err != nil {
		return "", err
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	base = filepath.Join(base, "upcall", "ctest")
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(base, variant+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	dir := filepath.Join(base, variant+"-"+sum)
	if _, err := os.Stat(filepath.Join(dir, of.file)); err == nil {
		now := time.Now()
		return dir, os.Chtimes(dir, now, now)
	}
	removeOld(base, variant)
	site := filepath.Join(base, "site-"+variant)
	if err := os.RemoveAll(site); err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(root(), "scripts", of.script), append([]string{site}, flags...)...)
	if len(compiler) > 0 {
		all := strings.Join(compiler, " ")
		cmd.Env = append(os.Environ(), "CGO_CFLAGS=-O1 -g "+all, "CGO_LDFLAGS="+all, "UPCALL_EXTLDFLAGS="+all)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("scripts/"+of.script+": %w\n%s", err, out)
	}
	return dir, os.Rename(site, dir)
}

// sources are the files that a target is made of.
func sources(of target) ([]string, error) {
	const files = `{{if .Module}}{{if .Module.Main}}{{$d := .Dir}}` +
		`{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .CgoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}` +
		`{{range .CFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .HFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}` +
		`{{range .SFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}` +
		`{{end}}{{end}}`
	cmd := exec.Command("go", append([]string{"list", "-deps", "-f", files}, of.packages...)...)
	cmd.Dir = root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	cmd.Stderr = new(strings.Builder)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, cmd.Stderr)
	}
	list := strings.Fields(string(out))
	for _, more := range []string{"include/upcall/*", "include/upcall/*/*", "go.mod", "go.sum", "scripts/" + of.script, "capi/host/*", "capi/libws2_32/exports.map"} {
		found, err := filepath.Glob(filepath.Join(root(), more))
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// sum tells sources and flags from others.
func sum(sources, flags []string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), os.Getenv("CC"), flags)
	for _, name := range sources {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, name)
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			_, err = io.Copy(h, f)
			if err != nil {
				f.Close()
				return "", err
			}
		}
		if err := f.Close(); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// kept is how long a library stays that nobody has used.
const kept = 24 * time.Hour

// removeOld removes what nobody can want any more.
func removeOld(base, variant string) {
	old, _ := filepath.Glob(filepath.Join(base, variant+"-*"))
	for _, dir := range old {
		info, err := os.Stat(dir)
		if err == nil && time.Since(info.ModTime()) > kept {
			_ = os.RemoveAll(dir)
		}
	}
}

// lock keeps other processes away until unlock.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
