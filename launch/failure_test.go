package launch

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// waysIn are the two doors.
func waysIn(t *testing.T, test func(t *testing.T, isolate bool, host string)) {
	t.Run("trapped", func(t *testing.T) { test(t, false, "127.0.0.1") })
	t.Run("isolated", func(t *testing.T) {
		needNamespaces(t)
		test(t, true, "192.0.0.1")
	})
}

const connectTwice = `
import socket, sys
for _ in range(2): socket.create_connection((sys.argv[1], int(sys.argv[2]))).close()
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], 9))
`

// With FailOpen a program runs as without its chain, and that is said once.
func TestFailOpen(t *testing.T) {
	_, port := splitAddress(t, serveHTTP(t, "127.0.0.1"))
	waysIn(t, func(t *testing.T, isolate bool, host string) {
		for _, nonIFS := range []bool{false, true} {
			var s Summary
			o := Options{Catalog: slowly(nonIFS, spi.Options{"mood": "broken"}), FailOpen: true, Isolate: isolate, Summary: func(got Summary) { s = got }}
			r := run(t, o, need(t, "python3"), "-c", connectTwice, host, port)
			if r.code != 0 {
				t.Errorf("status %d: %s", r.code, r.out)
			}
			if strings.Count(r.log, "\n") != 1 || !strings.Contains(r.log, `the chain "slow`) || !strings.Contains(r.log, "does not start") || !strings.Contains(r.log, "on-failure is open") {
				t.Errorf("the log is %q", r.log)
			}
			if s.PassedBy != 3 || s.Seen() != 3 {
				t.Errorf("%v", s)
			}
			for _, u := range s.Uses {
				if u.How != "its chain does not start" {
					t.Errorf("it passed by for another reason: %+v", u)
				}
			}
		}
	})
}

// A chain that starts and then refuses what the program asks for has not failed to
// start.
func TestFailOpenIsNotForRefusals(t *testing.T) {
	_, port := splitAddress(t, serveHTTP(t, "127.0.0.1"))
	waysIn(t, func(t *testing.T, isolate bool, host string) {
		o := Options{Catalog: slowly(false, spi.Options{"mood": "unreachable"}), FailOpen: true, Isolate: isolate}
		r := run(t, o, need(t, "python3"), "-c", connectTwice, host, port)
		if r.code == 0 || !strings.Contains(r.out, "No route to host") || r.log != "" {
			t.Errorf("status %d, %q, log %q", r.code, r.out, r.log)
		}
	})
	releaseHangs()
}

// connectUntil connects until a file is there, and says how many failed and with
// which error.
const connectUntil = `
import os, socket, sys, time
good, errors = 0, set()
deadline = time.monotonic() + 60
while not os.path.exists(sys.argv[3]) and time.monotonic() < deadline:
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2]))).close()
        good += 1
    except OSError as e: errors.add(os.strerror(e.errno))
    if good == 1: open(sys.argv[4], "w")
    time.sleep(0.01)
try: socket.create_connection((sys.argv[1], int(sys.argv[2]))).close()
except OSError as e: errors.add(os.strerror(e.errno))
print(good > 0, sorted(errors))
`

// A change in mid-run to a chain that does not start fails the sockets to come, or
// lets them go without it.
func TestFailureInMidRun(t *testing.T) {
	_, port := splitAddress(t, serveHTTP(t, "127.0.0.1"))
	waysIn(t, func(t *testing.T, isolate bool, host string) {
		for name, c := range map[string]struct {
			open      bool
			says, log string
		}{
			"closed": {false, "True ['Network is down']\n", "the program's connect"},
			"open":   {true, "True []\n", "on-failure is open"},
		} {
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				started, done := filepath.Join(dir, "started"), filepath.Join(dir, "done")
				file := catalog.OpenFile(filepath.Join(dir, "catalog.toml"))
				install := func(mood string) {
					err := file.Update(func(c *catalog.Catalog) error {
						for _, e := range c.Entries() {
							if e.Layer() {
								c.RemoveProvider(e.ProviderID)
							}
						}
						_, err := c.InstallLayer(catalog.Layer{Name: "slow", Options: spi.Options{"mood": mood}})
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
				install("fine")
				changed := make(chan struct{})
				go func() {
					defer close(changed)
					eventually(t, "the program connects", func() bool {
						_, err := os.Stat(started)
						return err == nil
					})
					install("broken")
				}()
				var told atomic.Int32
				var s Summary
				var out syncBuffer
				code, err := Run(t.Context(), Options{
					Catalog: file, FailOpen: c.open, Isolate: isolate, Program: need(t, "python3"),
					Args: []string{"-c", connectUntil, host, port, done, started}, Stdout: &out, Stderr: &out,
					Summary: func(got Summary) { s = got },
					Log: func(line string) {
						if strings.Contains(line, c.log) && strings.Contains(line, "does not start") && told.Add(1) == 1 {
							if err := os.WriteFile(done, nil, 0o600); err != nil {
								t.Error(err)
							}
						}
					},
				})
				<-changed
				says := c.says
				if isolate { // the nearest that a network can tell
					says = strings.ReplaceAll(says, "Network is down", "Network is unreachable")
				}
				if err != nil || code != 0 || out.String() != says {
					t.Errorf("status %d, %v: %s", code, err, out.String())
				}
				if c.open && (told.Load() != 1 || s.PassedBy == 0 || s.Refused != 0) {
					t.Errorf("told %d times:\n%v", told.Load(), s)
				}
				if !c.open && (s.PassedBy != 0 || s.Refused == 0) {
					t.Errorf("%v", s)
				}
			})
		}
	})
	releaseHangs()
}
