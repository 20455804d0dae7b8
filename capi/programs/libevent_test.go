package programs

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// libevent builds a program over libevent as its Makefile for Windows does: with
// select, with threads of Windows, and with completion ports.
func libevent(t *testing.T, name string, files ...string) string {
	flags := []string{
		"-DHAVE_CONFIG_H", "-DWIN32_LEAN_AND_MEAN", "-DTINYTEST_LOCAL", "-DNO_FORKING", "-IWIN32-Code/nmake", "-Iinclude", "-Icompat", "-I.",
		// What libc has and Windows has not.
		"-D_GNU_SOURCE", "-DEVENT__HAVE_STRSEP=1", "-DEVENT__HAVE_STRTOK_R=1", "-DEVENT__HAVE_ARC4RANDOM=1", "-DEVENT__HAVE_ARC4RANDOM_BUF=1",
	}
	return program{name: name, source: fetch(t, "libevent"), units: []unit{{files: append([]string{
		"event.c", "buffer.c", "bufferevent.c", "bufferevent_sock.c", "bufferevent_pair.c", "listener.c", "evmap.c", "log.c", "evutil.c",
		"strlcpy.c", "signal.c", "bufferevent_filter.c", "evthread.c", "bufferevent_ratelim.c", "evutil_rand.c", "evutil_time.c",
		"win32select.c", "evthread_win32.c", "buffer_iocp.c", "event_iocp.c", "bufferevent_async.c",
		"event_tagging.c", "http.c", "evdns.c", "evrpc.c",
	}, files...), flags: shimmed(flags...)}, shim()}}.build(t)
}

// libevent's own tests, each in a process of its own, but those that are about
// something else than sockets.
func TestLibeventTests(t *testing.T) {
	regress := libevent(t, "regress", "test/regress*.c", "test/tinytest.c")
	over(t, []string{"WSPSocket", "WSPBind", "WSPListen", "WSPConnect", "WSPSelect"}, func(t *testing.T, chain string) {
		var wait sync.WaitGroup
		var failed sync.Map
		running := make(chan struct{}, runtime.NumCPU())
		ran := 0
		for _, test := range regressTests(t, chain, regress) {
			ran++
			wait.Go(func() {
				running <- struct{}{}
				defer func() { <-running }()
				cmd := limited(t, runTime, regress, "--no-fork", "--quiet", test)
				cmd.Env = append(cmd.Environ(), "UPCALL_CATALOG="+chain)
				if out, err := cmd.CombinedOutput(); err != nil {
					failed.Store(test, fmt.Sprintf("%v\n%.2000s", err, out))
				}
			})
		}
		wait.Wait()
		failed.Range(func(test, why any) bool {
			t.Errorf("%v: %v", test, why)
			return true
		})
		t.Logf("%d tests", ran)
	})
}

// regressTests lists the tests that are run.
func regressTests(t *testing.T, chain, regress string) []string {
	t.Helper()
	list := start(t, chain, regress, "--list-tests").wait(t)
	var tests []string
	for line := range strings.Lines(list) {
		name := strings.TrimSpace(line)
		if strings.Contains(name, "/") && !slices.ContainsFunc(notRun, func(not string) bool { return strings.HasPrefix(name, not) }) {
			tests = append(tests, name)
		}
	}
	if len(tests) < 100 {
		t.Fatalf("only %d tests:\n%s", len(tests), list)
	}
	return tests
}

// notRun are tests that are left out.
var notRun = []string{}

// A web server over a completion port, and over select, for clients that are not
// Upcall's.
func TestLibeventServer(t *testing.T) {
	server := libevent(t, "bench_http", "test/bench_http.c")
	const size = 300_000
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(i)
	}
	over(t, []string{"WSPListen"}, func(t *testing.T, chain string) {
		for name, args := range map[string][]string{"completion port": {"-i"}, "select": nil} {
			t.Run(name, func(t *testing.T) {
				port := freePort(t)
				p := start(t, chain, server, append(args, "-p", port, "-l", fmt.Sprint(size))...)
				p.listens(t, port)
				client := http.Client{Timeout: runTime / 2}
				defer client.CloseIdleConnections()
				errs := make(chan error)
				const clients = 20
				for i := range clients {
					go func() {
						errs <- fetchWhole(&client, fmt.Sprintf("http://127.0.0.1:%s/%s", port, []string{"ind", "ref"}[i%2]), want)
					}()
				}
				for range clients {
					if err := <-errs; err != nil {
						t.Error(err)
					}
				}
				p.stop(t)
			})
		}
	})
}

// fetchWhole gets a document and compares it.
func fetchWhole(client *http.Client, url string, want []byte) error {
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	got, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK || !bytes.Equal(got, want) {
		return fmt.Errorf("%s: %s, %d bytes", url, r.Status, len(got))
	}
	return nil
}
