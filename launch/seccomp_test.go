package launch

import (
	"net"
	"os/exec"
	"strings"
	"testing"
)

// A program's own filters hold, and its sockets go through the chain as before. The
// kernel gives a program one listener: that of upcall.
func TestSeccompOfThePrograms(t *testing.T) {
	need(t, "gcc")
	program := build(t, "seccomp", func(into string) *exec.Cmd {
		return exec.Command("gcc", "-Wall", "-O1", "-pthread", "-o", into, "testdata/seccomp/seccomp.c")
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, port := splitAddress(t, l.Addr().String())
	want := direct(t, program, port)
	if want.code != 0 || strings.Count(want.out, "connected") != 4 {
		t.Fatal(want.out)
	}
	eachChain(t, func(t *testing.T, o Options, trace string) {
		like(t, run(t, o, program, port), want)
		traced(t, trace, l.Addr().String(), 4)
		if got := run(t, o, program, port, "listener"); !strings.HasSuffix(got.out, "a listener is EBUSY\n") {
			t.Errorf("%s\n%s", got.out, got.log)
		}
	})
}
