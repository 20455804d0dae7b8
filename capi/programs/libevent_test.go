package programs

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
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
	server := libevent(t, "bench_http", "test/bench_http.c")
	const size = 300_000
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(i)
	}
	over(t, []string{"WSPListen", "WSPAccept", "WSPSelect", "WSPSend", "WSPRecv"}, func(t *testing.T, chain string) {
		port := freePort(t)
		p := start(t, chain, server, "-p", port, "-l", fmt.Sprint(size))
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
