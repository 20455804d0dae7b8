package windows_test

import (
	"syscall"
	"testing"
	"time"

	"upcall.dev/capi/ctest"
)

const patience = time.Minute

// run compiles a program of testdata and runs it over the kernel's sockets.
func run(t *testing.T, source string, args ...string) ctest.Result {
	t.Helper()
	program := ctest.Compile(t, nil, "testdata/"+source)
	return ctest.Run(t, program, args, ctest.Named(t, "kernel").Write(t), patience)
}

func TestObjects(t *testing.T) { run(t, "objects.c").OK(t) }

func TestThreads(t *testing.T) { run(t, "threads.c").OK(t) }

func TestPorts(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/ports.c")
	for _, c := range ctest.Chains() {
		t.Run(c.Name, func(t *testing.T) { ctest.Run(t, program, nil, c.Write(t), patience).OK(t) })
	}
}

func TestWindows(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/windows.c")
	for _, c := range ctest.Chains() {
		t.Run(c.Name, func(t *testing.T) { ctest.Run(t, program, nil, c.Write(t), patience).OK(t) })
	}
}

func TestText(t *testing.T) {
	r := run(t, "text.c")
	r.OK(t)
	if r.Stderr != "debug A\ndebug ü\n" || r.Stdout != "out\n" {
		t.Errorf("the program wrote %q and %q", r.Stderr, r.Stdout)
	}
}

func TestLocks(t *testing.T) { run(t, "locks.c").OK(t) }

func TestLibraries(t *testing.T) {
	run(t, "libraries.c", ctest.CompileObject(t, nil, "testdata/answer.c")).OK(t)
}

func TestConsoleHandlers(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/console.c")
	catalog := ctest.Named(t, "kernel").Write(t)
	for _, what := range []string{"handled", "ignored", "beside"} {
		ctest.Run(t, program, []string{what}, catalog, patience).OK(t)
	}
	if r := ctest.Run(t, program, []string{"passed"}, catalog, patience); r.Signal != syscall.SIGTERM {
		t.Errorf("a signal that no handler takes: %v", r)
	}
}

// TestWithSanitizers runs the programs built with them.
func TestWithSanitizers(t *testing.T) {
	ctest.NeedNoSanitizer(t, "all tests are run with it")
	catalog := ctest.Named(t, "kernel").Write(t)
	for name, flags := range map[string][]string{
		"address": {"-fsanitize=address,undefined", "-fno-sanitize-recover=all"},
		"thread":  {"-fsanitize=thread"},
	} {
		for _, source := range []string{"objects.c", "threads.c", "ports.c", "windows.c", "text.c", "locks.c"} {
			t.Run(name+"/"+source, func(t *testing.T) {
				program := ctest.Compile(t, flags, "testdata/"+source)
				ctest.Run(t, program, nil, catalog, patience).OK(t)
			})
		}
	}
}

func TestFork(t *testing.T) { run(t, "fork.c").OK(t) }
