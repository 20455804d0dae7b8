package ctest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// compileTime is the longest that the compiler may take.
const compileTime = 2 * time.Minute

var warnings = []string{"-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-pthread"}

// Compile compiles and links C (or, by their ending, C++) sources against the
// headers and the library, with warnings as errors, and returns the program's
// path. flags come after its own, so that they win.
func Compile(t testing.TB, flags []string, sources ...string) string {
	t.Helper()
	return CompileTo(t, t.TempDir(), flags, sources...)
}

// CompileTo is [Compile] into a directory, for a program that several tests run.
func CompileTo(t testing.TB, dir string, flags []string, sources ...string) string {
	t.Helper()
	lib := Library(t)
	program := filepath.Join(dir, name(sources[0]))
	args := []string{"-o", program}
	args = append(args, flags...)
	compile(t, sources, append(args, "-L"+lib, "-lws2_32", "-Wl,-rpath,"+lib))
	return program
}

// CompileObject compiles sources into a shared object, a provider in C, linked
// with the library, and returns its path.
func CompileObject(t testing.TB, flags []string, sources ...string) string {
	t.Helper()
	lib := Library(t)
	object := filepath.Join(t.TempDir(), name(sources[0])+".so")
	args := []string{"-shared", "-fPIC", "-fvisibility=hidden", "-o", object}
	args = append(args, flags...)
	compile(t, sources, append(args, "-L"+lib, "-lws2_32", "-Wl,-rpath,"+lib))
	return object
}

func name(source string) string {
	base := filepath.Base(source)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

func compile(t testing.TB, sources, rest []string) {
	t.Helper()
	compiler, standard := "gcc", "-std=gnu11"
	for _, s := range sources {
		if filepath.Ext(s) == ".cpp" {
			compiler, standard = "g++", "-std=gnu++11"
		}
	}
	needCompiler(t, compiler)
	args := append([]string{standard, "-I" + Include(), "-I" + filepath.Join(root(), "capi", "ctest")}, warnings...)
	sanitizer, err := sanitizing()
	if err != nil {
		t.Fatal(err)
	}
	args = append(append(append(args, sanitizer...), sources...), rest...)
	ctx, cancel := context.WithTimeout(context.Background(), compileTime)
	defer cancel()
	if out, err := exec.CommandContext(ctx, compiler, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", compiler, strings.Join(args, " "), err, out)
	}
}

// Result is how a program ended.
type Result struct {
	Program        string
	Stdout, Stderr string
	// Code is the exit code; -1 if a signal ended the program.
	Code int
	// Signal ended the program; 0 if it exited.
	Signal syscall.Signal
	// Late says that the program was killed since its time was up.
	Late bool
}

// Run runs a program over a catalog, the path of its file, and returns how it
// ended. It is killed with its children when the time is up. The test fails if the
// program leaves children or temporary files behind.
func Run(t testing.TB, program string, args []string, catalog string, limit time.Duration) Result {
	t.Helper()
	return RunEnv(t, program, args, catalog, limit)
}

// RunEnv is [Run] with more environment variables, as NAME=value.
func RunEnv(t testing.TB, program string, args []string, catalog string, limit time.Duration, env ...string) Result {
	t.Helper()
	directory, temporary := t.TempDir(), t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = directory
	cmd.Env = append(append(os.Environ(), "UPCALL_CATALOG="+catalog, "TMPDIR="+temporary), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		t.Fatal(err)
	}
	r := Result{
		Program: filepath.Base(program),
		Stdout:  stdout.String(),
		Stderr:  stderr.String(),
		Code:    cmd.ProcessState.ExitCode(),
		Late:    ctx.Err() != nil,
	}
	if !r.Late {
		leftovers(t, cmd.Process.Pid, temporary)
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		r.Signal = status.Signal()
	}
	return r
}

// OK fails the test unless the program exited with 0, and shows what it wrote.
func (r Result) OK(t testing.TB) {
	t.Helper()
	if r.Code != 0 || r.Late {
		t.Fatalf("%v\n%s%s", r, r.Stdout, r.Stderr)
	}
}

// String tells how the program ended.
func (r Result) String() string {
	switch {
	case r.Late:
		return r.Program + " was killed: its time was up"
	case r.Signal != 0:
		return fmt.Sprintf("%s was ended by signal %v", r.Program, r.Signal)
	}
	return fmt.Sprintf("%s exited with %d", r.Program, r.Code)
}
