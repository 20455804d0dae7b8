package socks_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upcall.dev/catalog"
	"upcall.dev/internal/freeport"
	_ "upcall.dev/layer/shape"
	_ "upcall.dev/layer/socks"
	_ "upcall.dev/layer/trace"
	_ "upcall.dev/provider/kernel"
	_ "upcall.dev/provider/memory"
	"upcall.dev/spi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what takes milliseconds.
const patience = time.Minute

// echo is a server that sends back what it gets, and its address.
func echo(t testing.TB) netip.AddrPort {
	return serve(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
}

// serve runs a server on loopback until the test ends.
func serve(t testing.TB, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, handle)
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func serveOn(t testing.TB, l net.Listener, handle func(net.Conn)) {
	var mu sync.Mutex // guards open
	open := map[net.Conn]struct{}{}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = struct{}{}
			mu.Unlock()
			all.Go(func() {
				defer func() {
					c.Close()
					mu.Lock()
					defer mu.Unlock()
					delete(open, c)
				}()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
}

// program finds a program, also where only root looks; the test is skipped
// without it.
func program(t testing.TB, name, debian string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return filepath.Join(dir, name)
		}
	}
	t.Skipf("there is no %s: apt-get install %s", name, debian)
	return ""
}

// start runs a proxy until the test ends and returns when it listens.
func start(t testing.TB, port int, path string, args ...string) string {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", filepath.Base(path), log.String())
		}
	})
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for deadline := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %v", path, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func microsocks(t testing.TB, args ...string) string {
	path, port := program(t, "microsocks", "microsocks"), freeport.Take(t)
	return start(t, port, path, append([]string{"-i", "127.0.0.1", "-p", strconv.Itoa(port)}, args...)...)
}

func file(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func dante(t testing.TB) string {
	path, port := program(t, "danted", "dante-server"), freeport.Take(t)
	config := file(t, fmt.Sprintf(`
logoutput: stderr
internal: 127.0.0.1 port = %d
external: lo
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks block { from: 0.0.0.0/0 to: 127.0.0.9/32 }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
`, port))
	if os.Getuid() != 0 {
		t.Skip("danted runs as root only")
	}
	return start(t, port, path, "-f", config, "-N", "1")
}

func tinyproxy(t testing.TB, more string) string {
	path, port := program(t, "tinyproxy", "tinyproxy"), freeport.Take(t)
	config := file(t, fmt.Sprintf("Port %d\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nMaxClients 100\n%s\n", port, more))
	return start(t, port, path, "-d", "-c", config)
}

func socks(o ...string) catalog.Layer {
	options := spi.Options{}
	for _, pair := range o {
		k, v, _ := strings.Cut(pair, "=")
		options[k] = v
	}
	return catalog.Layer{Name: "socks", Options: options}
}

// talk sends a line and wants it back.
func talk(t testing.TB, c net.Conn) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || line != "hello\n" {
		t.Fatalf("got %q back: %v", line, err)
	}
	_ = c.SetDeadline(time.Time{})
}
