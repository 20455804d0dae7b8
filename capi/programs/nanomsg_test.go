package programs

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"upcall.dev/internal/freeport"
)

// nanomsg builds programs over nanomsg, whose sockets on Windows are overlapped
// operations of a completion port, with condition variables of Windows; or for
// Linux, where they are epoll's. Tools that have parts of the library compiled
// in a second time are linked with one of the two.
func nanomsg(t *testing.T, native bool, tool ...string) string {
	p := program{name: strings.ReplaceAll(tool[0], "/", "-"), source: fetch(t, "nanomsg"), native: native, link: []string{"-Wl,-z,muldefs"}}
	flags := []string{"-D_GNU_SOURCE", "-Isrc", "-DNN_STATIC_LIB", "-DNN_MAX_SOCKETS=512", "-DNN_DISABLE_GETADDRINFO_A", "-DNN_HAVE_GCC_ATOMIC_BUILTINS"}
	files := []string{"src/core/*.c", "src/devices/*.c", "src/protocols/*/*.c", "src/transports/*/*.c", "src/utils/*.c"}
	files = append(files, tool...)
	if native {
		flags = append(flags, "-DNN_HAVE_LINUX", "-DNN_HAVE_EPOLL", "-DNN_USE_EPOLL", "-DNN_HAVE_EVENTFD", "-DNN_USE_EVENTFD", "-DNN_HAVE_POLL",
			"-DNN_HAVE_PIPE", "-DNN_HAVE_UNIX_SOCKETS", "-DNN_HAVE_MSG_CONTROL", "-DNN_HAVE_CLOCK_MONOTONIC", "-DNN_HAVE_CLOCK_GETTIME", "-DNN_HAVE_SEMAPHORE", "-DNN_HAVE_SEMAPHORE_PTHREAD")
		p.units = []unit{{files: append(files, "src/aio/*.c"), flags: flags}}
	} else {
		flags = append(flags, "-include", "errno.h", "-D_WIN32_WINNT=0x0600", "-DNN_HAVE_WINDOWS", "-DNN_HAVE_WINSOCK", "-DNN_USE_WINSOCK", "-DNN_HAVE_CONDVAR")
		p.units = []unit{{files: append(files, "src/aio/[^p]*.c", "src/aio/pool.c"), flags: shimmed(flags...)}, shim()}
	}
	return p.build(t)
}

// Requests and replies between a program over Upcall and a native one, each in
// both parts.
func TestNanomsgRequests(t *testing.T) {
	tool := []string{"tools/nanocat.c", "tools/options.c"}
	ours, native := nanomsg(t, false, tool...), nanomsg(t, true, tool...)
	over(t, []string{"WSPBind"}, func(t *testing.T, chain string) {
		for name, programs := range map[string][2]string{"server": {ours, native}, "client": {native, ours}, "both": {ours, ours}} {
			t.Run(name, func(t *testing.T) {
				address := "tcp://127.0.0.1:" + strconv.Itoa(freeport.Take(t))
				server := start(t, chain, programs[0], "--rep", "--bind", address, "--data", "an answer", "--ascii")
				client := start(t, chain, programs[1], "--req", "--connect", address, "--data", "a question", "--recv-timeout", "20", "--ascii")
				if text := client.wait(t); !strings.Contains(text, "an answer") {
					t.Errorf("no answer: %q", text)
				}
				server.until(t, "a question")
				server.stop(t)
			})
		}
	})
}

// nanomsg's own measurement of latency: many round trips of a message, and of one
// that takes several overlapped operations.
func TestNanomsgRoundTrips(t *testing.T) {
	oursLocal, oursRemote := nanomsg(t, false, "perf/local_lat.c"), nanomsg(t, false, "perf/remote_lat.c")
	nativeLocal, nativeRemote := nanomsg(t, true, "perf/local_lat.c"), nanomsg(t, true, "perf/remote_lat.c")
	measured := regexp.MustCompile(`average latency: [0-9.]+ \[us\]`)
	over(t, nil, func(t *testing.T, chain string) {
		for _, run := range []struct{ name, server, client, size, count string }{
			{"server", oursLocal, nativeRemote, "64", "200"},
			{"client", nativeLocal, oursRemote, "1000000", "10"},
			{"both", oursLocal, oursRemote, "1000000", "10"},
		} {
			t.Run(run.name, func(t *testing.T) {
				address := "tcp://127.0.0.1:" + strconv.Itoa(freeport.Take(t))
				server := start(t, chain, run.server, address, run.size, run.count)
				client := start(t, chain, run.client, address, run.size, run.count)
				if text := client.wait(t); !measured.MatchString(text) {
					t.Errorf("no measurement: %s", text)
				}
				server.wait(t)
			})
		}
	})
}
