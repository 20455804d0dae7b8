package launch

import (
	"os"
	"strings"
	"testing"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/internal/freeport"
	"upcall.dev/spi"
)

// The corners of connect(2), by a C program that prints what it sees.
func TestSockets(t *testing.T) {
	sockets := cSockets(t)
	server, server6 := serveHTTP(t, "127.0.0.1"), serveHTTP(t, "::1")
	refused, refused6 := freeport.Refused(t, "127.0.0.1").String(), freeport.Refused(t, "::1").String()
	_, port := splitAddress(t, server)
	_, port6 := splitAddress(t, server6)
	_, closed := splitAddress(t, refused)
	_, closed6 := splitAddress(t, refused6)
	cases := []struct{ what, host, port string }{
		{"blocking", "127.0.0.1", port},
		{"blocking", "::1", port6},
		{"blocking", "::ffff:127.0.0.1", port},
		{"blocking", "0.0.0.0", port},
		{"blocking", "::", port6},
		{"epoll", "127.0.0.1", port},
		{"epoll", "::1", port6},
		{"epoll", "::ffff:127.0.0.1", port},
		{"fork", "127.0.0.1", port},
		{"threads", "127.0.0.1", port},
		{"options", "127.0.0.1", port},
		{"reconnect", "127.0.0.1", port},
		{"reconnect", "::1", port6},
		{"wrong", "127.0.0.1", port},
		{"wrong", "::1", port6},
		{"refused", "127.0.0.1", closed},
		{"refused", "::1", closed6},
		{"refused", "::ffff:127.0.0.1", closed},
		{"nonblocking-refused", "127.0.0.1", closed},
		{"nonblocking-refused", "::1", closed6},
		{"nonblocking-refused", "::ffff:127.0.0.1", closed},
		{"refused-read", "127.0.0.1", closed},
		{"refused-read", "::1", closed6},
		{"refused-read", "::ffff:127.0.0.1", closed},
		{"multipath", "127.0.0.1", port},
		{"storm", "127.0.0.1", port},
	}
	eachChain(t, func(t *testing.T, o Options, _ string) {
		for _, c := range cases {
			t.Run(c.what+" "+c.host, func(t *testing.T) {
				like(t, run(t, o, sockets, c.what, c.host, c.port), direct(t, sockets, c.what, c.host, c.port))
			})
		}
	})
}

// A call that was interrupted, and is made again when the kernel has connected
// meanwhile, succeeds once.
func TestConnectAgainAfterAnInterruption(t *testing.T) {
	sockets := cSockets(t)
	want := direct(t, sockets, "late", "127.0.0.1", "0")
	if want.code != 0 {
		t.Fatal(want.out)
	}
	for _, layers := range [][]catalog.Layer{{{Name: "trace"}}, {{Name: "trace"}, {Name: "trace", Options: spi.Options{"file": os.DevNull}}}} {
		like(t, run(t, Options{Catalog: chainOf(t, os.DevNull, layers...)}, sockets, "late", "127.0.0.1", "0"), want)
	}
}

// An IFS layer may take its time before it asks the kernel. A program that is
// interrupted then would see a socket that nothing is wrong with.
func TestInterruptionBeforeTheChainConnects(t *testing.T) {
	sockets := cSockets(t)
	host, port := splitAddress(t, serveHTTP(t, "127.0.0.1"))
	t.Cleanup(releaseHangs)
	o := Options{Catalog: slowly(false, spi.Options{"delay": "2s"})}
	want := "connect 0, 1 signals\npeer 127.0.0.1, same port, length 16\nbody hello\n\n"
	if got := run(t, o, sockets, "polled", host, port); got.out != want {
		t.Errorf("got\n%s\nwant\n%s\nlog:\n%s", got.out, want, got.log)
	}
}

// Sockets that have an address before they connect.
func TestBoundSockets(t *testing.T) {
	python := need(t, "python3")
	want := direct(t, python, "testdata/bound.py")
	if want.code != 0 {
		t.Fatal(want.out)
	}
	eachChain(t, func(t *testing.T, o Options, trace string) {
		like(t, run(t, o, python, "testdata/bound.py"), want)
		traced(t, trace, "127.0.0.1:", 8)
	})
}

// What would carry a connection around the chain is not there.
func TestBypassesAreClosed(t *testing.T) {
	sockets := cSockets(t)
	host, port := splitAddress(t, serveHTTP(t, "127.0.0.1"))
	eachChain(t, func(t *testing.T, o Options, _ string) {
		got := run(t, o, sockets, "bypass", host, port)
		if want := "fastopen EOPNOTSUPP\nio_uring ENOSYS\n"; got.out != want {
			t.Errorf("got\n%s\nwant\n%s", got.out, want)
		}
	})
}

// A chain that takes its time, seen through SYN hold, signals and timeouts.
func TestSlowChain(t *testing.T) {
	sockets := cSockets(t)
	host, port := splitAddress(t, serveHTTP(t, "127.0.0.1"))
	t.Cleanup(releaseHangs)
	for _, c := range []struct{ what, want string }{
		{"epoll", "connect 0\nepoll 1\nso_error 0\npeer 127.0.0.1, same port, length 16\nagain 0\nbody hello\n\n"},
		{"interrupted", "connect EINTR, 1 signals\nagain 0\npeer 127.0.0.1, same port, length 16\nbody hello\n\n"},
		{"restarted", "connect 0\nsignals 1\npeer 127.0.0.1, same port, length 16\nbody hello\n\n"},
		{"timeout", "connect EINPROGRESS\npoll out\nso_error 0\npeer 127.0.0.1, same port, length 16\nbody hello\n\n"},
	} {
		t.Run(c.what, func(t *testing.T) {
			o := Options{Catalog: slowly(true, spi.Options{"delay": "2s"})}
			if got := run(t, o, sockets, c.what, host, port); got.out != c.want {
				t.Errorf("got\n%s\nwant\n%s\nlog:\n%s", got.out, c.want, got.log)
			}
		})
	}
	t.Run("error", func(t *testing.T) {
		for _, nonIFS := range []bool{false, true} {
			o := Options{Catalog: slowly(nonIFS, spi.Options{"delay": "200ms", "mood": "unreachable"})}
			if got, want := run(t, o, sockets, "refused", host, port), "connect EHOSTUNREACH\npeer ENOTCONN\nso_error 0\nagain EHOSTUNREACH\n"; got.out != want {
				t.Errorf("blocking, non-IFS %v: got\n%s\nwant\n%s", nonIFS, got.out, want)
			}
			if got, want := run(t, o, sockets, "nonblocking-refused", host, port), "poll err out\nerror EHOSTUNREACH\nthen 0\npeer ENOTCONN\n"; got.out != want {
				t.Errorf("nonblocking, non-IFS %v: got\n%s\nwant\n%s", nonIFS, got.out, want)
			}
		}
	})
}

// A provider that never answers costs the program an ETIMEDOUT, and the run
// ends all the same.
func TestChainThatNeverAnswers(t *testing.T) {
	sockets := cSockets(t)
	host, port := splitAddress(t, serveHTTP(t, "127.0.0.1"))
	for _, nonIFS := range []bool{false, true} {
		for what, want := range map[string]string{
			"refused":             "connect ETIMEDOUT\npeer ENOTCONN\nso_error 0\nagain ETIMEDOUT\n",
			"nonblocking-refused": "poll err out\nerror ETIMEDOUT\nthen 0\npeer ENOTCONN\n",
		} {
			o := Options{
				Catalog:        slowly(nonIFS, spi.Options{"mood": "hanging"}),
				ConnectTimeout: 300 * time.Millisecond,
				patience:       100 * time.Millisecond,
			}
			got := run(t, o, sockets, what, host, port)
			if got.out != want || !strings.Contains(got.log, "slow") || !strings.Contains(got.log, "ETIMEDOUT") {
				t.Errorf("%s, non-IFS %v: got\n%s\nwant\n%s\nlog:\n%s", what, nonIFS, got.out, want, got.log)
			}
			releaseHangs()
		}
	}
}

func TestProviderThatPanics(t *testing.T) {
	sockets := cSockets(t)
	host, port := splitAddress(t, serveHTTP(t, "127.0.0.1"))
	t.Cleanup(releaseHangs)
	for _, nonIFS := range []bool{false, true} {
		got := run(t, Options{Catalog: slowly(nonIFS, spi.Options{"mood": "panicking"})}, sockets, "refused", host, port)
		if want := "connect EIO\npeer ENOTCONN\nso_error 0\nagain EIO\n"; got.out != want || !strings.Contains(got.log, "on purpose") {
			t.Errorf("non-IFS %v: got\n%s\nwant\n%s\nlog:\n%s", nonIFS, got.out, want, got.log)
		}
	}
}
