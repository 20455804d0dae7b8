package provider_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"upcall.dev/capi/ctest"
	"upcall.dev/catalog"
	"upcall.dev/spi"
)

const patience = 2 * time.Minute

var faultyID = spi.MustParseGUID("11111111-2222-3333-0102-030405060708")

// faulty is the catalog with testdata/faulty.c over the kernel, and the path of
// its shared object.
func faulty(t *testing.T) (installed, object string) {
	t.Helper()
	object = ctest.CompileObject(t, []string{"-I../../examples/c/next"}, "testdata/faulty.c", "../../examples/c/next/next.c")
	c := kernel(t)
	ctest.InstallObject(t, c, faultyID, object, spi.XP1_IFS_HANDLES)
	return ctest.Write(t, c), object
}

func kernel(t *testing.T) *catalog.Catalog {
	t.Helper()
	return ctest.Named(t, "kernel").Compose(t).Clone()
}

func TestFailuresHaveTheDocumentedCodes(t *testing.T) {
	installed, object := faulty(t)
	program := ctest.Compile(t, nil, "testdata/listen.c")
	for _, test := range []struct {
		fault string
		code  spi.Errno
		says  string
	}{
		{"", 0, ""},
		{"refuse", spi.WSAEPROVIDERFAILEDINIT, "WSASYSNOTREADY"},
		{"version", spi.WSAEINVALIDPROVIDER, "version 2.0"},
		{"null", spi.WSAEINVALIDPROCTABLE, "missing"},
		{"dllmain", spi.WSAEPROVIDERFAILEDINIT, "DllMain"},
		{"silent", spi.WSASYSCALLFAILURE, ""},
	} {
		t.Run(test.fault, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log")
			r := ctest.RunEnv(t, program, nil, installed, patience, "FAULT="+test.fault, "LAYER_LOG="+log)
			r.OK(t)
			if r.Stdout != strconv.Itoa(int(test.code))+"\n" {
				t.Errorf("the error is %q, not %d: %s", r.Stdout, test.code, r.Stderr)
			}
			if !strings.Contains(r.Stderr, test.says) || test.says != "" && !strings.Contains(r.Stderr, filepath.Base(object)) {
				t.Errorf("standard error is %q", r.Stderr)
			}
			written, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			want := "faulty: attach\nfaulty: cleanup\nfaulty: detach\n"
			switch test.fault {
			case "refuse":
				want = "faulty: attach\nfaulty: detach\n"
			case "dllmain":
				want = "faulty: attach\n"
			}
			if string(written) != want {
				t.Errorf("the library saw\n%s, not\n%s", written, want)
			}
		})
	}
}

func TestLibrariesThatCannotBeLoaded(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/listen.c")
	empty := filepath.Join(t.TempDir(), "empty.c")
	if err := os.WriteFile(empty, []byte("int nothing;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ path, says string }{
		"absent":  {"/nonexistent/layer.so", "/nonexistent/layer.so"},
		"nothing": {ctest.CompileObject(t, nil, empty), "exports no WSPStartup"},
	} {
		t.Run(name, func(t *testing.T) {
			c := kernel(t)
			ctest.InstallObject(t, c, faultyID, test.path, spi.XP1_IFS_HANDLES)
			r := ctest.Run(t, program, nil, ctest.Write(t, c), patience)
			r.OK(t)
			if r.Stdout != "10106\n" || !strings.Contains(r.Stderr, test.says) {
				t.Errorf("the error is %q: %s", r.Stdout, r.Stderr)
			}
		})
	}
}

func TestCrashNamesTheProvider(t *testing.T) {
	installed, object := faulty(t)
	program := ctest.Compile(t, nil, "testdata/listen.c")
	for _, test := range []struct {
		fault    string
		signal   syscall.Signal
		function string
	}{
		{"segv", syscall.SIGSEGV, " in WSPListen: SIGSEGV at address 0x10, code " + object + "+0x"},
		{"fpe", syscall.SIGFPE, " in WSPListen: SIGFPE at address "},
		{"ill", syscall.SIGILL, " in WSPListen: SIGILL at address "},
		{"bus", syscall.SIGBUS, " in WSPListen: SIGBUS at address "},
		{"abort", syscall.SIGABRT, " in WSPListen: SIGABRT, code "},
		{"thread", syscall.SIGSEGV, ": SIGSEGV, code " + object + "+0x"},
	} {
		t.Run(test.fault, func(t *testing.T) {
			r := ctest.RunEnv(t, program, nil, installed, patience, "FAULT="+test.fault)
			if r.Signal != test.signal {
				t.Errorf("%v\n%s", r, r.Stderr)
			}
			if !strings.Contains(r.Stderr, "upcall: provider "+object+" crashed"+test.function) {
				t.Errorf("standard error is %q", r.Stderr)
			}
		})
	}
}

func TestTheProgramsOwnHandlers(t *testing.T) {
	installed, _ := faulty(t)
	program := ctest.Compile(t, nil, "testdata/listen.c")
	r := ctest.Run(t, program, []string{"handlers"}, installed, patience)
	r.OK(t)
	if r.Stdout != "handled\n0\nhandled\n" && r.Stdout != "handled\nhandled\n0\n" {
		t.Errorf("the program says %q", r.Stdout)
	}
	r = ctest.RunEnv(t, program, []string{"handlers"}, installed, patience, "FAULT=segv")
	if r.Code != 5 || !strings.HasSuffix(r.Stdout, "handled\n") {
		t.Errorf("%v: %q, %q", r, r.Stdout, r.Stderr)
	}
}

func TestLoadingAndUnloadingLeavesNothing(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/reload.c")
	rounds := "1000"
	if testing.Short() {
		rounds = "60"
	}
	for _, name := range []string{"kernel+c-ifs", "kernel+c-nonifs"} {
		t.Run(name, func(t *testing.T) {
			layer := ctest.CIFS
			if name == "kernel+c-nonifs" {
				layer = ctest.CNonIFS
			}
			r := ctest.Run(t, program, []string{rounds, filepath.Base(layer.Object(t))}, ctest.Named(t, name).Write(t), 2*patience)
			r.OK(t)
		})
	}
}
