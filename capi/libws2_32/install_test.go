package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upcall.dev/capi/ctest"
)

// TestInstall builds programs by what make install leaves, with nothing of this
// directory.
func TestInstall(t *testing.T) {
	for _, tool := range []string{"make", "pkg-config", "gcc", "g++"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s here: install it", tool)
		}
	}
	prefix := filepath.Join(t.TempDir(), "opt")
	command(t, "make", "-C", "../..", "install", "BIN="+t.TempDir(), "PREFIX="+prefix, "HOST=none", "LIBRARY="+ctest.Library(t))
	t.Setenv("PKG_CONFIG_PATH", filepath.Join(prefix, "lib", "pkgconfig"))
	flags := strings.Fields(command(t, "pkg-config", "--cflags", "--libs", "upcall"))
	t.Setenv("LD_LIBRARY_PATH", filepath.Join(prefix, "lib"))
	echo, err := filepath.Abs("../ctest/testdata/echo.c")
	if err != nil {
		t.Fatal(err)
	}
	catalog := ctest.Named(t, "kernel").Write(t)
	for _, compiler := range []string{"gcc", "g++"} {
		t.Run(compiler, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "echo")
			language := map[string]string{"gcc": "c", "g++": "c++"}[compiler]
			args := []string{"-Wall", "-Werror", "-I../ctest", "-o", program, "-x", language, echo, "-x", "none", "-pthread"}
			command(t, compiler, append(args, flags...)...)
			ctest.Run(t, program, nil, catalog, time.Minute).OK(t)
		})
	}
	catalog = filepath.Join(t.TempDir(), "catalog.toml")
	t.Setenv("UPCALL_CATALOG", catalog)
	if out := command(t, filepath.Join(prefix, "bin", "upcall"), "catalog", "list"); !strings.Contains(out, "kernel") {
		t.Errorf("the installed upcall lists %q", out)
	}
}

func TestInstallUnderDESTDIR(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make here: install it")
	}
	dir := t.TempDir()
	command(t, "make", "-C", "../..", "install", "BIN="+t.TempDir(), "DESTDIR="+dir, "PREFIX=/usr", "HOST=none", "LIBRARY="+ctest.Library(t))
	config, err := os.ReadFile(filepath.Join(dir, "usr/lib/pkgconfig/upcall.pc"))
	if err != nil || !strings.HasPrefix(string(config), "prefix=/usr\n") {
		t.Errorf("upcall.pc says %q, %v", config, err)
	}
	for _, file := range []string{"bin/upcall", "lib/libws2_32.so.0", "lib/libws2_32.so", "include/upcall/winsock2.h", "include/upcall/detail/sockets.h"} {
		if _, err := os.Stat(filepath.Join(dir, "usr", file)); err != nil {
			t.Error(err)
		}
	}
}

// command returns what a command prints, and ends the test if it fails.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &errors)
	}
	return string(out)
}
