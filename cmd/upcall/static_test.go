package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestOneStaticBinaryWithoutCgo(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "upcall")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if static, err := isStatic(binary); err != nil || !static {
		t.Errorf("static: %v, %v", static, err)
	}
	if out, err := exec.Command(binary, "version").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
