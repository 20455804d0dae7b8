package launch

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"upcall.dev/catalog"
	_ "upcall.dev/layer/filter"
	"upcall.dev/spi"
)

// shortDir is a directory whose files have paths that fit into an address.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "u")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func filtering(o spi.Options) catalog.Layer { return catalog.Layer{Name: "filter", Options: o} }

// What a chain allows comes out as without upcall.
func TestUnixSockets(t *testing.T) {
	python := need(t, "python3")
	want := direct(t, python, "testdata/unix/unix.py", shortDir(t))
	if want.code != 0 {
		t.Fatal(want.out)
	}
	rule := filtering(spi.Options{"deny": "unix:/nowhere"})
	for name, layers := range map[string][]catalog.Layer{
		"untouched":   {{Name: "trace"}},
		"filter":      {{Name: "trace"}, rule},
		"over shape":  {{Name: "trace"}, rule, {Name: "shape", Options: spi.Options{"delay": "1ms"}}},
		"under shape": {{Name: "trace", Options: spi.Options{"data": "on"}}, rule},
	} {
		t.Run(name, func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "trace")
			like(t, run(t, Options{Catalog: chainOf(t, trace, layers...)}, python, "testdata/unix/unix.py", shortDir(t)), want)
			if name == "filter" {
				tracedCall(t, trace, 10, "WSPConnect(", "/relative)", "= ok")
				tracedCall(t, trace, 3, "WSPBind(", "/deep/file)", "= ok")
			}
		})
	}
}

// unixServers are servers of each type in dir that count what comes.
func unixServers(t *testing.T, dir string) *atomic.Int64 {
	t.Helper()
	came := new(atomic.Int64)
	countInto(t, came, "unix", filepath.Join(dir, "stream"))
	countInto(t, came, "unixpacket", filepath.Join(dir, "packets"))
	countInto(t, came, "unix", "@"+filepath.Base(dir))
	countInto(t, came, "unixgram", filepath.Join(dir, "datagrams"))
	return came
}

const unixClient = `
import errno, os, socket, sys
where = sys.argv[1]
os.chdir(where)
if not os.path.exists("way"):
    os.symlink(where, "way")
    os.symlink("stream", "alias")
    os.mkdir("sub")
def attempt(call, *args):
    try:
        call(*args)
        print("ok")
    except OSError as e:
        print(errno.errorcode[e.errno])
def sock(kind):
    return socket.socket(socket.AF_UNIX, kind)
for name in "stream", "./sub/../stream", where + "/stream", "way/stream", "alias", "way/way/alias", "/proc/self/cwd/stream", "\0" + os.path.basename(where):
    attempt(sock(socket.SOCK_STREAM).connect, name)
attempt(sock(socket.SOCK_SEQPACKET).connect, "packets")
d = sock(socket.SOCK_DGRAM)
attempt(d.connect, "datagrams")
attempt(sock(socket.SOCK_DGRAM).sendto, b"x", "way/datagrams")
attempt(sock(socket.SOCK_DGRAM).sendmsg, [b"x"], [], 0, where + "/datagrams")
`

func TestUnixRules(t *testing.T) {
	python := need(t, "python3")
	dir := shortDir(t)
	came := unixServers(t, dir)
	const clients, arrivals = 12, 11 // a datagram socket's connect sends nothing
	counted := func(expected int64) {
		t.Helper()
		eventually(t, "the servers have counted", func() bool { return came.Load() == expected })
	}
	lines := func(word string) string { return strings.Repeat(word+"\n", clients) }
	if got := direct(t, python, "-c", unixClient, dir); got.out != lines("ok") {
		t.Fatal(got.out)
	}
	counted(arrivals)
	link := dir + "-link"
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(link) })
	abstract := "+unix:@" + filepath.Base(dir)
	for _, c := range []struct {
		name string
		o    spi.Options
		want string
	}{
		{"deny", spi.Options{"deny": "unix:" + dir + "/*" + abstract}, "EACCES"},
		{"the error", spi.Options{"deny": "unix:" + dir + "/*" + abstract, "error": "WSAECONNREFUSED"}, "ECONNREFUSED"},
		{"a rule by a link", spi.Options{"deny": "unix:" + link + "/*" + abstract}, "EACCES"},
		{"others", spi.Options{"deny": "unix:" + dir + "/sub/*"}, "ok"},
		{"default", spi.Options{"allow": "unix:/nowhere", "default": "deny"}, "EACCES"},
		{"allow", spi.Options{"allow": "unix:" + dir + "/**" + abstract, "default": "deny"}, "ok"},
		{"no rule about them", spi.Options{"allow": "127.0.0.1", "default": "deny"}, "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := came.Load()
			source, err := compose(filtering(c.o))
			if err != nil {
				t.Fatal(err)
			}
			got := run(t, Options{Catalog: source}, python, "-c", unixClient, dir)
			if got.out != lines(c.want) {
				t.Errorf("%s, want %s\n%s", got.out, c.want, got.log)
			}
			if c.want == "ok" {
				counted(before + arrivals)
			} else if came.Load() != before {
				t.Errorf("%d have come", came.Load()-before)
			}
		})
	}
}

const unixServer = `
import errno, os, socket, sys
os.chdir(sys.argv[1])
def attempt(what, call, *args):
    try:
        call(*args)
        print(what, "ok")
    except OSError as e:
        print(what, errno.errorcode[e.errno])
for name in "kept", "free", "quiet":
    s = socket.socket(socket.AF_UNIX)
    attempt("bind " + name, s.bind, name)
    print(os.path.exists(name))
    attempt("listen", s.listen)
`

func TestUnixServerRules(t *testing.T) {
	python := need(t, "python3")
	dir := shortDir(t)
	file := filepath.Join(t.TempDir(), "rules.toml")
	text := fmt.Sprintf("[[rule]]\ndirection = \"bind\"\naddress = \"unix:%[1]s/kept\"\naction = \"deny\"\nerror = \"WSAEADDRINUSE\"\n"+
		"[[rule]]\ndirection = \"listen\"\naddress = \"unix:%[1]s/quiet\"\naction = \"deny\"\n", dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := compose(filtering(spi.Options{"rules": file}))
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, Options{Catalog: source}, python, "-c", unixServer, dir)
	if want := "bind kept EADDRINUSE\nFalse\nlisten EINVAL\nbind free ok\nTrue\nlisten ok\nbind quiet ok\nTrue\nlisten EACCES\n"; got.out != want {
		t.Errorf("%s, want %s\n%s", got.out, want, got.log)
	}
}

func TestUnixSocketsOfCurl(t *testing.T) {
	curl := need(t, "curl")
	at := filepath.Join(shortDir(t), "http")
	l, err := net.Listen("unix", at)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	args := []string{"-sS", "--unix-socket", at, "http://localhost/"}
	want := direct(t, curl, args...)
	if want.out != "hello\n" {
		t.Fatal(want.out)
	}
	for deny, denied := range map[string]bool{"unix:" + at: true, "unix:/nowhere": false} {
		source, err := compose(filtering(spi.Options{"deny": deny}))
		if err != nil {
			t.Fatal(err)
		}
		switch got := run(t, Options{Catalog: source}, curl, args...); {
		case !denied:
			like(t, got, want)
		case got.code != 7: // CURLE_COULDNT_CONNECT
			t.Errorf("exit code %d: %s", got.code, got.out)
		}
	}
}
