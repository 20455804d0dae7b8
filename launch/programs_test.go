package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"upcall.dev/internal/freeport"
)

// Real programs, each with an IFS and a non-IFS chain, must say the same as
// without upcall, and their connects must have passed the chain.
func TestPrograms(t *testing.T) {
	server, server6 := serveHTTP(t, "127.0.0.1"), serveHTTP(t, "::1")
	refused := freeport.Refused(t, "127.0.0.1").String()
	url := "http://" + server
	for _, p := range []struct {
		name     string
		program  string // "client" is the static Go client
		args     []string
		address  string // connected to
		connects int
	}{
		{"static Go client", "client", []string{"-n", "50", url + "/hello"}, server, 50},
		{"static Go client, IPv6", "client", []string{"http://" + server6 + "/hello"}, server6, 1},
		{"static Go client, big", "client", []string{"-count", url + "/big"}, server, 1},
		{"static Go client, refused", "client", []string{"http://" + refused + "/hello"}, refused, 1},
		{"curl", "curl", []string{"-sS", url + "/hello"}, server, 1},
		{"curl, IPv6", "curl", []string{"-sS", "http://" + server6 + "/hello"}, server6, 1},
		{"curl, several", "curl", []string{"-sS", "--no-keepalive", url + "/hello", url + "/hello", url + "/hello"}, server, 1},
		{"curl, upload", "curl", []string{"-sS", "-H", "Expect:", "--data-binary", "@/proc/self/exe", url + "/length"}, server, 1},
		{"curl, parallel", "curl", []string{"-sS", "--no-progress-meter", "-Z", "--parallel-immediate", url + "/hello?[1-20]"}, server, 2},
		{"python3 http.client", "python3", []string{"-c", pythonClient, server}, server, 1},
		{"python3 http.client, refused", "python3", []string{"-c", pythonRefused, refused}, refused, 1},
		{"python3 asyncio", "python3", []string{"-c", pythonAsyncio, server}, server, 40},
		{"python3 asyncio, refused", "python3", []string{"-c", pythonAsyncioRefused, refused}, refused, 1},
		{"node fetch", "node", []string{"-e", nodeFetch, url + "/hello"}, server, 1},
		{"node fetch, refused", "node", []string{"-e", nodeFetch, "http://" + refused}, refused, 1},
		{"shell", "sh", []string{"-c", "curl -sS " + url + "/hello | (cat; curl -sS " + url + "/hello) & wait"}, server, 2},
	} {
		t.Run(p.name, func(t *testing.T) {
			program := p.program
			switch program {
			case "client":
				program = goClient(t)
			case "sh":
				need(t, "curl")
				fallthrough
			default:
				program = need(t, program)
			}
			want := direct(t, program, p.args...)
			eachChain(t, func(t *testing.T, o Options, trace string) {
				like(t, run(t, o, program, p.args...), want)
				traced(t, trace, p.address, p.connects)
			})
		})
	}
}

const pythonClient = `
import http.client, sys
for i in range(3):
    c = http.client.HTTPConnection(sys.argv[1])
    c.request("GET", "/hello")
    r = c.getresponse()
    print(r.status, r.read(), c.sock is None or c.sock.getpeername())
    c.close()
`

const pythonRefused = `
import http.client, sys
for timeout in None, 5:
    try:
        http.client.HTTPConnection(sys.argv[1], timeout=timeout).request("GET", "/")
    except OSError as e:
        print(e)
`

const pythonAsyncio = `
import asyncio, sys
host, port = sys.argv[1].split(":")
async def fetch():
    r, w = await asyncio.open_connection(host, port)
    peer = w.get_extra_info("peername")
    w.write(b"GET /hello HTTP/1.0\r\n\r\n")
    w.write_eof()
    answer = await r.read()
    w.close()
    return peer, answer.splitlines()[-1]
async def main():
    print(set(await asyncio.gather(*[fetch() for _ in range(40)])))
asyncio.run(main())
`

const pythonAsyncioRefused = `
import asyncio, sys
host, port = sys.argv[1].split(":")
async def main():
    try:
        await asyncio.open_connection(host, port)
    except OSError as e:
        print(e)
asyncio.run(main())
`

const nodeFetch = `
Promise.all(Array.from({length: 10}, () => fetch(process.argv[1]).then(r => r.text())))
    .then(a => console.log(a.join("")), e => console.log(e.cause.code))
`

func TestGitClone(t *testing.T) {
	git := need(t, "git")
	work := t.TempDir()
	for _, args := range [][]string{
		{"init", "-q", "-b", "main", "source"},
		{"-C", "source", "-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--allow-empty", "-m", "first"},
		{"clone", "-q", "--bare", "source", "served.git"},
		{"-C", "served.git", "update-server-info"},
	} {
		cmd := exec.Command(git, args...)
		cmd.Dir = work
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	server := httptest.NewServer(http.FileServer(http.Dir(work)))
	t.Cleanup(server.Close)
	eachChain(t, func(t *testing.T, o Options, trace string) {
		into := filepath.Join(t.TempDir(), "clone")
		got := run(t, o, git, "clone", "-q", server.URL+"/served.git", into)
		if got.code != 0 || got.out != "" {
			t.Fatalf("exit code %d: %s", got.code, got.out)
		}
		if log := direct(t, git, "-C", into, "log", "--format=%s"); log.out != "first\n" {
			t.Errorf("cloned %q", log.out)
		}
		traced(t, trace, server.Listener.Addr().String(), 1)
	})
}

func TestRedisCli(t *testing.T) {
	redis, cli := need(t, "redis-server"), need(t, "redis-cli")
	port := strconv.Itoa(freeport.Take(t))
	server := exec.Command(redis, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	eventually(t, "redis-server answers", func() bool {
		return direct(t, cli, "-p", port, "ping").out == "PONG\n"
	})
	eachChain(t, func(t *testing.T, o Options, trace string) {
		if got := run(t, o, cli, "-h", "127.0.0.1", "-p", port, "set", "key", "value"); got.out != "OK\n" {
			t.Errorf("set: %q", got.out)
		}
		args := []string{"-h", "127.0.0.1", "-p", port, "get", "key"}
		like(t, run(t, o, cli, args...), direct(t, cli, args...))
		args = []string{"-h", "127.0.0.1", "-p", port, "--raw", "eval", "return string.rep('x', 1000000)", "0"}
		like(t, run(t, o, cli, args...), direct(t, cli, args...))
		traced(t, trace, "127.0.0.1:"+port, 3)
		if benchmark, err := exec.LookPath("redis-benchmark"); err == nil {
			got := run(t, o, benchmark, "-h", "127.0.0.1", "-p", port, "-q", "-n", "2000", "-c", "20", "-t", "get")
			if got.code != 0 || !strings.Contains(got.out, "requests per second") {
				t.Errorf("redis-benchmark: exit code %d: %s", got.code, got.out)
			}
		}
	})
}

func TestNginxProxyPass(t *testing.T) {
	nginx := need(t, "nginx")
	server := serveHTTP(t, "127.0.0.1")
	eachChain(t, func(t *testing.T, o Options, trace string) {
		dir, port := t.TempDir(), strconv.Itoa(freeport.Take(t))
		for d := dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) { // its workers may have another user id
			os.Chmod(d, 0o755)
		}
		config := filepath.Join(dir, "nginx.conf")
		os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, dir, dir, dir, dir, dir, port, server), 0o644)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var out, log syncBuffer
		o.Program, o.Args = nginx, []string{"-p", dir, "-c", config, "-e", "stderr"}
		o.Stdout, o.Stderr = &out, &out
		o.Log = func(line string) { fmt.Fprintln(&log, line) }
		ended := make(chan error, 1)
		go func() {
			_, err := Run(ctx, o)
			ended <- err
		}()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		get := func() string {
			r, err := client.Get("http://127.0.0.1:" + port + "/hello")
			if err != nil {
				return ""
			}
			defer r.Body.Close()
			body, _ := io.ReadAll(r.Body)
			return string(body)
		}
		eventually(t, "nginx answers", func() bool { return get() != "" })
		for range 50 {
			if got := get(); got != "hello\n" {
				t.Errorf("got %q; nginx says %s; log %s", got, out.String(), log.String())
				break
			}
		}
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the run ended with %v: %s", err, out.String())
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the run does not end")
		}
		traced(t, trace, server, 50)
	})
}

const nginxConfig = `
daemon off;
worker_processes 2;
pid %s/nginx.pid;
events { worker_connections 128; }
http {
    access_log off;
    client_body_temp_path %s/body;
    proxy_temp_path %s/proxy;
    fastcgi_temp_path %s/fastcgi;
    uwsgi_temp_path %s/uwsgi;
    scgi_temp_path %s/scgi;
    server {
        listen 127.0.0.1:%s;
        location / { proxy_pass http://%s; }
    }
}
`
