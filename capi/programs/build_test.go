package programs

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"upcall.dev/capi/ctest"
)

const (
	buildTime = 2 * time.Minute // the longest for one run of the compiler
	shims     = "testdata/windows"
)

// A program is what is compiled and linked of a source.
type program struct {
	name   string
	source source
	units  []unit
	// native is for Linux, with the system's sockets: a peer to compare with.
	native bool
	// module is a shared object, for a program that loads it and has the rest of
	// what it calls.
	module bool
	link   []string // the linker's last arguments
}

// A unit is files of a source that are compiled with the same flags. A file name
// is relative to the source, as are directories in the flags, may be a pattern,
// all of them of one language.
type unit struct {
	files []string
	flags []string
}

func (u unit) compiler() string {
	switch filepath.Ext(u.files[0]) {
	case ".cpp", ".cc":
		return "g++"
	}
	return "gcc"
}

// windows is what compiles a program's Windows code path.
func windows(flags ...string) []string {
	return append([]string{"-include", "upcall_win32.h"}, flags...)
}

// shimmed adds the system calls of Windows that are not Upcall's; see
// testdata/windows.
func shimmed(flags ...string) []string {
	return windows(append([]string{"-I" + absolute(shims), "-include", "system.h"}, flags...)...)
}

// shim is what those calls do.
func shim() unit {
	return unit{files: []string{absolute(shims + "/*.c")}, flags: shimmed()}
}

// build compiles and links p and returns its path. Objects come from the cache if
// neither their source, nor the headers, nor the flags have changed.
func (p program) build(t *testing.T) string {
	t.Helper()
	for _, u := range p.units {
		if _, err := exec.LookPath(u.compiler()); err != nil {
			t.Skipf("no compiler here: %v", err)
		}
	}
	objects := p.objects(t)
	out := filepath.Join(t.TempDir(), p.name)
	args := append([]string{"-o", out}, objects...)
	if p.module {
		args = append(args, "-shared")
	}
	args = append(args, p.link...)
	if !p.native {
		lib := ctest.Library(t)
		args = append(args, "-L"+lib, "-lws2_32", "-Wl,-rpath,"+lib)
	}
	if text, err := limited(t, buildTime, p.units[0].compiler(), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: link: %v\n%.4000s", p.name, err, text)
	}
	return out
}

func (p program) objects(t *testing.T) []string {
	t.Helper()
	dir := filepath.Join(cache(t), "objects")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var objects []string
	var wait sync.WaitGroup
	var failed sync.Map
	running := make(chan struct{}, runtime.NumCPU())
	for _, u := range p.units {
		var files []string
		for _, pattern := range u.files {
			found, err := filepath.Glob(filepath.Join(p.source.dir, pattern))
			if filepath.IsAbs(pattern) {
				found, err = filepath.Glob(pattern)
			}
			if err != nil || len(found) == 0 {
				t.Fatalf("%s: no file %s in the source: %v", p.name, pattern, err)
			}
			files = append(files, found...)
		}
		flags := append([]string{"-O1", "-g", "-w", "-fPIC"}, u.flags...)
		if !p.native {
			flags = append([]string{"-I" + ctest.Include()}, flags...)
		}
		for _, file := range files {
			object := filepath.Join(dir, hash([]byte(p.key(t, file, flags)))+".o")
			objects = append(objects, object)
			if _, err := os.Stat(object); err == nil {
				continue
			}
			wait.Go(func() {
				running <- struct{}{}
				defer func() { <-running }()
				if err := p.compile(t, u, file, object, flags); err != nil {
					failed.Store(file, err)
				}
			})
		}
	}
	wait.Wait()
	failed.Range(func(_, err any) bool {
		t.Error(err)
		return true
	})
	if t.Failed() {
		t.FailNow()
	}
	return objects
}

// compile makes one object file, which appears as a whole.
func (p program) compile(t *testing.T, u unit, file, object string, flags []string) error {
	temp := fmt.Sprintf("%s.%d", object, os.Getpid())
	standard := "-std=gnu11"
	if u.compiler() == "g++" {
		standard = "-std=gnu++17"
	}
	cmd := limited(t, buildTime, u.compiler(), append([]string{standard, "-c", "-o", temp, file}, flags...)...)
	cmd.Dir = p.source.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("%s: %s: %w\n%.2000s", p.name, filepath.Base(file), err, out)
	}
	return os.Rename(temp, object)
}

// key is all that an object depends on.
func (p program) key(t *testing.T, file string, flags []string) string {
	t.Helper()
	ours := ""
	if !p.native {
		ours = headers(t)
	}
	text := ""
	if !strings.HasPrefix(file, p.source.dir) {
		text = contents(t, file)
	}
	return strings.Join([]string{compilers(), ours, p.source.archive, file, text, strings.Join(flags, "\x00")}, "\x00")
}

var compilers = sync.OnceValue(func() string {
	about, _ := exec.Command("gcc", "--version").Output()
	return string(about)
})

// headers is a hash of the headers, and of those that stand in for others.
func headers(t *testing.T) string {
	t.Helper()
	sum, err := readHeaders()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

var readHeaders = sync.OnceValues(func() (string, error) {
	var parts [][]byte
	for _, dir := range []string{ctest.Include(), shims} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			parts = append(parts, []byte(path), text)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return hash(parts...), nil
})

func contents(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func absolute(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.Join(wd, path)
}
