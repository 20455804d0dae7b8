package launch

import (
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

func cInterrupted(t *testing.T) string {
	need(t, "gcc")
	return build(t, "interrupted", func(into string) *exec.Cmd {
		return exec.Command("gcc", "-Wall", "-O1", "-o", into, "testdata/interrupted/interrupted.c")
	})
}

// interruptedFailure is a connect that the program knows to have failed, because
// the signal came before the host had received the call.
var interruptedFailure = regexp.MustCompile(`(?m)^connect \d+: (Software caused connection abort|Interrupted system call)$`)

// Under a signal every millisecond no connect fails that the kernel restarts.
// Without SA_RESTART one may fail, and says so: none only seems to be connected.
func TestConnectUnderSignals(t *testing.T) {
	program, count := cInterrupted(t), "10000"
	if testing.Short() {
		count = "500"
	}
	port := serveEcho(t, "127.0.0.1")
	for _, c := range kindsOfChain[:2] {
		o := Options{Catalog: chainOf(t, "/dev/null", c.layers...)}
		t.Run(c.name+" restarted", func(t *testing.T) {
			if got := run(t, o, program, "127.0.0.1", port, count, "restart"); got.code != 0 || !strings.Contains(got.out, "0 failed, 0 phantoms\n") {
				t.Errorf("exit code %d: %s\n%s", got.code, got.out, got.log)
			}
		})
		t.Run(c.name+" not restarted", func(t *testing.T) {
			failed := interruptedFailures(t, run(t, o, program, "127.0.0.1", port, count))
			t.Logf("%d of %s connects failed", failed, count)
		})
	}
}

// interruptedFailures returns how many connects have failed. It is an error that one
// has failed otherwise, or only seemed to be connected.
func interruptedFailures(t *testing.T, got result) int {
	t.Helper()
	if left := interruptedFailure.ReplaceAllString(got.out, ""); strings.Contains(left, "connect ") || !strings.Contains(got.out, " 0 phantoms\n") {
		t.Errorf("exit code %d: %s\n%s", got.code, strings.TrimSpace(left), got.log)
	}
	return len(interruptedFailure.FindAllString(got.out, -1))
}

// A connect that starts over for a signal has time to end first, however often
// signals come.
func TestSlowHandshakeUnderSignals(t *testing.T) {
	program := cInterrupted(t)
	o := Options{Catalog: chainOf(t, "/dev/null", catalog.Layer{Name: "trace"}, catalog.Layer{Name: "socks", Options: spi.Options{"proxy": serveSlowSOCKS(t)}})}
	if got := run(t, o, program, "127.0.0.1", "1", "3", "restart"); got.code != 0 || !strings.Contains(got.out, "0 failed, 0 phantoms\n") {
		t.Errorf("restarted, exit code %d: %s\n%s", got.code, got.out, got.log)
	}
	got := run(t, o, program, "127.0.0.1", "1", "10")
	if failed := interruptedFailures(t, got); failed == 10 {
		t.Errorf("not restarted, none of 10 has connected: %s\n%s", got.out, got.log)
	}
}

// serveSlowSOCKS serves SOCKS5, answers each message after a while, and is itself
// the server behind it, of echoes.
func serveSlowSOCKS(t *testing.T) string {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
	serve := func(c net.Conn) {
		defer c.Close()
		for _, step := range []struct {
			asks    int
			answers []byte
		}{{3, []byte{5, 0}}, {10, []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}}} {
			if _, err := io.ReadFull(c, make([]byte, step.asks)); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
			_, _ = c.Write(step.answers)
		}
		_, _ = io.Copy(c, c)
	}
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serve(c) })
		}
	})
	return l.Addr().String()
}
