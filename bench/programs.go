package main

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"upcall.dev/capi/ctest"
)

//go:embed c
var sources embed.FS

// programs are the C programs of directory c, compiled when they are first
// needed, into a directory that remove removes.
type programs struct {
	mu    sync.Mutex // guards the rest
	dir   string
	built map[string]error
}

var compiled = programs{built: map[string]error{}}

// absent says that a row cannot be measured here, and what to install.
type absent string

func (a absent) Error() string { return string(a) }

var libraries = map[string]struct{ flag, header, missing string }{
	"uv": {"-luv", "uv.h", "libuv is not installed (Debian: libuv1-dev)"},
}

// winsock are the programs of Winsock, and a provider, with flags of their own.
var winsock = map[string][]string{
	"blockingwinsock": nil,
	"calls":           {"-rdynamic"},
	"portc":           nil,
	"provider":        {"-shared", "-fPIC"},
}

// path returns the program that c/NAME.c makes.
func (p *programs) path(name string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dir == "" {
		dir, err := os.MkdirTemp("", "upcall-bench-")
		if err != nil {
			return "", err
		}
		p.dir = dir
		if err := os.CopyFS(dir, sources); err != nil {
			return "", err
		}
	}
	path := filepath.Join(p.dir, name)
	if _, done := p.built[name]; !done {
		p.built[name] = p.compile(name, path)
	}
	return path, p.built[name]
}

func (p *programs) compile(name, path string) error {
	cc, err := exec.LookPath("cc")
	if err != nil {
		return absent("there is no C compiler cc (Debian: gcc libc6-dev)")
	}
	args := []string{"-O2", "-pthread", "-o", path, filepath.Join(p.dir, "c", name+".c")}
	if l, ok := libraries[name]; ok {
		probe := exec.Command(cc, "-E", "-x", "c", "-")
		probe.Stdin = strings.NewReader("#include <" + l.header + ">\n")
		if probe.Run() != nil {
			return absent(l.missing)
		}
		args = append(args, l.flag)
	}
	if flags, ok := winsock[name]; ok {
		library := os.Getenv("UPCALL_TEST_LIBRARY") // built already
		if library == "" {
			var err error
			if library, err = ctest.Build("library"); err != nil {
				return err
			}
		}
		args = append(append(args, flags...), "-I"+ctest.Include(), "-L"+library, "-lws2_32", "-Wl,-rpath,"+library)
	}
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cc %s.c: %w\n%s", name, err, out)
	}
	return nil
}

func (p *programs) remove() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
		p.dir = ""
	}
	clear(p.built)
}

// whyAbsent returns what is missing when err says that something is.
func whyAbsent(err error) (string, bool) {
	var a absent
	ok := errors.As(err, &a)
	return string(a), ok
}
