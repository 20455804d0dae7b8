package launch

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// serveEcho echoes on a loopback address. It does not read on when what it
// echoes is not taken.
func serveEcho(t *testing.T, host string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("no address %s here: %v", host, err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	_, port = splitAddress(t, l.Addr().String())
	return port
}

// When the host is killed, what programs wait for ends with an error, and so
// does what they try later.
func TestHostIsKilled(t *testing.T) {
	need(t, "python3")
	echoes := map[string]string{"127.0.0.1": serveEcho(t, "127.0.0.1"), "192.0.0.1": serveEcho(t, "127.0.0.1")}
	_, silent := splitAddress(t, silentAddress(t))
	for _, door := range []struct {
		name, at  string
		data      bool
		isolate   bool
		waits     []string
		unwilling string // the error where the call itself finds nobody
	}{
		{"ifs", "127.0.0.1", false, false, []string{"connect", "accept"}, "ENOSYS"},
		{"nonifs", "127.0.0.1", true, false, []string{"receive", "send", "poll", "connect", "accept"}, "ENOSYS"},
		{"isolated", "192.0.0.1", false, true, []string{"receive", "send", "poll", "connect"}, "ECONNREFUSED"},
		{"isolated, IPv6", "fd75:7063:616c:6c00::1", false, true, []string{"receive", "send"}, "ECONNREFUSED"},
		{"isolated, nonifs", "192.0.0.1", true, true, []string{"receive", "send", "poll", "connect"}, "ECONNREFUSED"},
	} {
		t.Run(door.name, func(t *testing.T) {
			if door.isolate {
				needNamespaces(t)
			}
			echo := echoes[door.at]
			if echo == "" {
				echo = serveEcho(t, "::1")
			}
			t.Parallel()
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			cmd := exec.Command(os.Args[0], append([]string{hostArgument, filepath.Join(dir, "trace"), "python3", "testdata/orphan/orphan.py", door.at, echo, silent, out}, door.waits...)...)
			cmd.Env = os.Environ()
			if door.isolate {
				cmd.Env = append(cmd.Env, hostIsolate+"=1")
			}
			if door.data {
				cmd.Env = append(cmd.Env, hostData+"=on")
			}
			said, err := os.Create(filepath.Join(dir, "said")) // no pipe: the program outlives the host
			if err != nil {
				t.Fatal(err)
			}
			defer said.Close()
			cmd.Stderr = said
			if err := cmd.Run(); err == nil {
				t.Fatal("the host has not been killed")
			}
			eventually(t, "the program's report", func() bool { _, err := os.Stat(out); return err == nil })
			report, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			checkOrphan(t, string(report), door.waits, door.unwilling)
		})
	}
}

func checkOrphan(t *testing.T, report string, waits []string, unwilling string) {
	t.Helper()
	ended := map[string]string{}
	for line := range strings.Lines(report) {
		var name, outcome string
		var late float64
		if _, err := fmt.Sscan(line, &name, &outcome, &late); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if ended[name] = outcome; late < 0 {
			t.Errorf("%s: it did not wait for the host's end", line)
		}
	}
	for _, name := range waits {
		if !strings.HasPrefix(ended[name], "E") {
			t.Errorf("%s: %q, want an error", name, ended[name])
		}
	}
	if ended["later-connect"] != unwilling {
		t.Errorf("a later connect: %q, want %s", ended["later-connect"], unwilling)
	}
	if ended["own-pair"] != "b'x'" {
		t.Errorf("a pair of the program's own: %q", ended["own-pair"])
	}
	if t.Failed() {
		t.Log(report)
	}
}
