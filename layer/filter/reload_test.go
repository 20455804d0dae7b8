package filter

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"upcall.dev/layer/internal/layertest"
	"upcall.dev/layer/names"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// outcome is what connecting to a port where nobody listens gives.
func outcome(t testing.TB, thread *ws2.Thread) error {
	t.Helper()
	s := layertest.Socket(t, thread, spi.SOCK_STREAM)
	defer shut(t, thread, s)
	return thread.Connect(s, address("127.0.0.1:1"))
}

func write(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

const denyAll = "[[rule]]\naction = 'deny'\nerror = 'WSAEHOSTUNREACH'\n"

// The file is read again at once, however often it changes in a short time.
func TestRulesAreReadAgain(t *testing.T) {
	path := rules(t, "")
	each(t, spi.Options{"rules": path}, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		for range 3 {
			write(t, path, "", 0o600)
			if err := outcome(t, thread); !errors.Is(err, spi.WSAECONNREFUSED) {
				t.Errorf("without rules: %v", err)
			}
			write(t, path, denyAll, 0o600)
			if err := outcome(t, thread); !errors.Is(err, spi.WSAEHOSTUNREACH) {
				t.Errorf("with a rule: %v", err)
			}
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		if err := outcome(t, thread); !errors.Is(err, spi.WSAEHOSTUNREACH) {
			t.Errorf("with an old file: %v", err)
		}
		other := filepath.Join(filepath.Dir(path), "new")
		write(t, other, "", 0o600)
		if err := os.Rename(other, path); err != nil {
			t.Fatal(err)
		}
		if err := outcome(t, thread); !errors.Is(err, spi.WSAECONNREFUSED) {
			t.Errorf("with another file in its place: %v", err)
		}
	})
}

// A file that cannot be used changes nothing, and is told of once.
func TestBrokenRulesChangeNothing(t *testing.T) {
	path := rules(t, denyAll)
	_, thread := layertest.Start(t, "kernel", filtering(spi.Options{"rules": path}))
	if err := outcome(t, thread); !errors.Is(err, spi.WSAEHOSTUNREACH) {
		t.Fatal(err)
	}
	for _, broken := range []struct {
		what string
		do   func()
		want string
	}{
		{"a mistake", func() { write(t, path, "\n\ndefault = 'perhaps'\n", 0o600) }, `rules="` + path + `": line 3: "perhaps" is not known`},
		{"writable by others", func() { write(t, path, "", 0o666) }, `can be written by others (mode 0666): read it, then chmod go-w it`},
		{"an unknown chain", func() { write(t, path, "[[rule]]\nvia = 'nobody'\n", 0o600) }, `line 1: the catalog has no chain "nobody"`},
		{"a chain that needs other handles", func() { write(t, path, "[[rule]]\nvia = 'memory'\n", 0o600) }, `no chain "memory"`},
		{"gone", func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, `there is no such file`},
	} {
		text := said(func() {
			broken.do()
			for range 3 {
				if err := outcome(t, thread); !errors.Is(err, spi.WSAEHOSTUNREACH) {
					t.Errorf("%s: %v", broken.what, err)
				}
			}
		})
		if strings.Count(text, "\n") != 1 || !strings.Contains(text, broken.want) || !strings.Contains(text, "the rules from before stay in force") {
			t.Errorf("%s: said %q", broken.what, text)
		}
	}
	write(t, path, "", 0o600)
	if text := said(func() {
		if err := outcome(t, thread); !errors.Is(err, spi.WSAECONNREFUSED) {
			t.Error(err)
		}
	}); text != "" {
		t.Errorf("said %q", text)
	}
}

func TestRefusedAtTheStart(t *testing.T) {
	broken := rules(t, "default = 'perhaps'\n")
	open := rules(t, "")
	write(t, open, "", 0o622)
	for _, test := range []struct {
		o    spi.Options
		want string
	}{
		{spi.Options{"rules": broken}, `filter: rules="` + broken + `": line 1: "perhaps" is not known: choose allow or deny`},
		{spi.Options{"rules": open}, `can be written by others (mode 0622)`},
		{spi.Options{"rules": filepath.Dir(open)}, `is not a regular file`},
		{spi.Options{"rules": open + "x"}, `there is no such file: write it, or leave the option out`},
		{spi.Options{"rules": ""}, `rules= is empty`},
		{spi.Options{"allow": "10.0.0.0/8"}, `allow= changes nothing while all else is allowed too: add default=deny`},
		{spi.Options{"deny": "10.0.0.0/33"}, `deny="10.0.0.0/33" is no CIDR block`},
		{spi.Options{"error": "EPERM"}, `error="EPERM" is no error of a denial: choose one of WSAEACCES`},
		{spi.Options{"default": "x"}, `default="x" is not known: choose allow or deny`},
		{spi.Options{"handles": "x"}, `handles="x" is not known: choose passed or own or datagrams`},
	} {
		_, err := spi.OpenDriver(spi.NewGUID(), spi.GoPath("filter", test.o))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v, want %s", test.o, err, test.want)
		}
	}
}

// Names come from the answers that a program receives, and count from then on.
func TestNamesAreLearned(t *testing.T) {
	for _, k := range kinds {
		for _, connected := range []bool{false, true} {
			t.Run(fmt.Sprint(k.name, " connected ", connected), func(t *testing.T) { namesAreLearned(t, k.base, k.o, connected) })
		}
	}
}

// unknown counts the addresses that have been taken for tests: names are learned
// for the whole process.
var unknown atomic.Uint32

func namesAreLearned(t *testing.T, base string, o spi.Options, connected bool) {
	all := spi.Options{"deny": "*.learned.example", "error": "WSAEHOSTUNREACH"}
	for key, value := range o {
		all[key] = value
	}
	_, thread := layertest.Start(t, base, filtering(all))
	to := netip.AddrFrom4([4]byte{127, 100, byte(unknown.Add(1) >> 8), byte(unknown.Load())})
	try := func() error {
		s := layertest.Socket(t, thread, spi.SOCK_STREAM)
		defer shut(t, thread, s)
		return thread.Connect(s, spi.SockaddrFrom(netip.AddrPortFrom(to, 9)))
	}
	if err := try(); !errors.Is(err, spi.WSAECONNREFUSED) {
		t.Fatalf("before the name is known: %v", err)
	}
	resolver := layertest.Socket(t, thread, spi.SOCK_DGRAM)
	if err := thread.Bind(resolver, address("127.0.7.53:53")); errors.Is(err, spi.WSAEACCES) {
		t.Skip("port 53 needs privilege here")
	} else if err != nil {
		t.Fatal(err)
	}
	stranger := bound(t, thread, spi.SOCK_DGRAM, "127.0.0.1:0")
	s := bound(t, thread, spi.SOCK_DGRAM, "127.0.0.1:0")
	message := answer("www.learned.example.", to)
	for _, from := range []spi.Socket{stranger, resolver} {
		if from == resolver {
			if err := try(); !errors.Is(err, spi.WSAECONNREFUSED) {
				t.Errorf("after an answer of who is no resolver: %v", err)
			}
		}
		if connected && from == resolver {
			if err := thread.Connect(s, layertest.Name(t, thread, resolver)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := thread.SendTo(from, message, 0, layertest.Name(t, thread, s)); err != nil {
			t.Fatal(err)
		}
		name, length := make([]byte, 128), int32(128)
		got, err := 0, error(nil)
		if connected && from == resolver {
			got, err = thread.Recv(s, make([]byte, 512), 0)
		} else {
			got, err = thread.RecvFrom(s, make([]byte, 512), 0, name, &length)
		}
		if err != nil || got != len(message) {
			t.Fatal(got, err)
		}
	}
	if err := try(); !errors.Is(err, spi.WSAEHOSTUNREACH) {
		t.Errorf("after the answer: %v", err)
	}
	if known := names.Default.Names(to); len(known) != 1 || known[0] != "www.learned.example" {
		t.Errorf("known as %q", known)
	}
	shut(t, thread, resolver, stranger, s)
}

func TestDecisionsAreLogged(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			o := spi.Options{"deny": "127.0.0.1:1", "log": path}
			for key, value := range k.o {
				o[key] = value
			}
			_, thread := layertest.Start(t, k.base, filtering(o))
			if err := outcome(t, thread); !errors.Is(err, spi.WSAEACCES) {
				t.Fatal(err)
			}
			client, server := layertest.Pair(t, thread)
			shut(t, thread, client, server)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{
				" deny WSAEACCES connect tcp 127.0.0.1:1 by deny=127.0.0.1:1, ",
				" allow bind tcp 127.0.0.1:0 by default, ", " allow listen tcp 127.0.0.1:", " allow connect tcp 127.0.0.1:", " allow accept tcp 127.0.0.1:",
			} {
				if !strings.Contains(string(b), want) {
					t.Errorf("no %q in\n%s", want, b)
				}
			}
		})
	}
}
