package ctest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = time.Minute

func TestEcho(t *testing.T) {
	program := Compile(t, nil, "testdata/echo.c")
	for _, c := range Chains() {
		t.Run(c.Name, func(t *testing.T) {
			r := Run(t, program, nil, c.Write(t), patience)
			r.OK(t)
			if r.Stdout != "1048576 bytes\n" {
				t.Errorf("the program says %q", r.Stdout)
			}
		})
	}
}

func source(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program.c")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestResultTellsHowAProgramEnded(t *testing.T) {
	program := Compile(t, nil, source(t, `
#include "check.h"
int main(int n, char **args)
{
	switch (*args[1]) {
	case 'c': EQUAL(1, 2); break;
	case 'f': FAILS(closesocket(1), WSAEINTR); break;
	case 'a': abort();
	case 'h': for (;;) sleep(1);
	}
	return 3;
}
`))
	catalog := Named(t, "kernel").Write(t)
	run := func(what string, limit time.Duration) Result { return Run(t, program, []string{what}, catalog, limit) }
	if r := run("exit", patience); r.Code != 3 || r.Late || r.Signal != 0 {
		t.Errorf("exit: %+v", r)
	}
	if r := run("abort", patience); r.Signal != syscall.SIGABRT {
		t.Errorf("abort: %+v", r)
	}
	if r := run("hang", time.Second); !r.Late {
		t.Errorf("hang: %+v", r)
	}
	if r := run("check", patience); r.Code != 1 || !strings.Contains(r.Stderr, "1 == 2: 1 and 2") {
		t.Errorf("check: %+v", r)
	}
	if r := run("fails", patience); r.Code != 1 || !strings.Contains(r.Stderr, "10093") {
		t.Errorf("fails: %+v", r)
	}
}

// failures is a test that notes its failures.
type failures struct {
	testing.TB
	texts []string
}

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

func TestLeftoversAreFailures(t *testing.T) {
	cmd := exec.Command("sh", "-c", `sleep 1000 >/dev/null 2>&1 & echo >"$TMPDIR/left"`)
	temporary := t.TempDir()
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	f := &failures{TB: t}
	leftovers(f, cmd.Process.Pid, temporary)
	if text := strings.Join(f.texts, "\n"); !strings.Contains(text, "(sleep)") || !strings.Contains(text, "file left") {
		t.Errorf("the failures are %q", text)
	}
	f.texts = nil
	leftovers(f, cmd.Process.Pid, t.TempDir())
	if len(f.texts) != 0 {
		t.Errorf("the process was not killed: %q", f.texts)
	}
}
