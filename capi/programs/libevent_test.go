package programs

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"

	"upcall.dev/internal/freeport"
)

// libevent builds a program over libevent as its Makefile for Windows does: with
// select, with threads of Windows, and with completion ports.
func libevent(t *testing.T, name string, files ...string) string {
	flags := []string{
		"-DHAVE_CONFIG_H", "-DWIN32_LEAN_AND_MEAN", "-IWIN32-Code/nmake", "-Iinclude", "-Icompat", "-I.",
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

// A web server over select, for clients that are not Upcall's.
func TestLibeventServer(t *testing.T) {
	serve(t, 1, []string{"WSPListen", "WSPAccept", "WSPSelect", "WSPSend", "WSPRecv"})
}

// The same over a completion port, whose packets four threads take, with
// connections by AcceptEx.
func TestLibeventServerOverPort(t *testing.T) {
	serve(t, 5, []string{"WSPListen", "AcceptEx", "WSPSend", "WSPRecv"}, "-i")
}

// serve runs the web server of libevent's benchmarks, and clients, as often as
// rounds says.
func serve(t *testing.T, rounds int, calls []string, flags ...string) {
	t.Helper()
	server := libevent(t, "bench_http", "test/bench_http.c")
	want := make([]byte, 300_000)
	for i := range want {
		want[i] = byte(i)
	}
	over(t, calls, func(t *testing.T, chain string) {
		port := strconv.Itoa(freeport.Take(t))
		p := start(t, chain, server, append([]string{"-p", port, "-l", fmt.Sprint(len(want))}, flags...)...)
		p.listens(t, port)
		for round := 0; round < rounds && !t.Failed(); round++ {
			visit(t, "http://127.0.0.1:"+port, want)
		}
		p.stop(t)
	})
}

// visit has 20 clients fetch the server's document at the same time.
func visit(t *testing.T, server string, want []byte) {
	t.Helper()
	client := http.Client{Timeout: runTime / 2, Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	errs := make(chan error)
	const clients = 20
	for i := range clients {
		go func() {
			errs <- fetchWhole(&client, server+[]string{"/ind", "/ref"}[i%2], want)
		}()
	}
	for range clients {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
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
