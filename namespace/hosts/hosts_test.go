package hosts

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"upcall.dev/namespace"
	"upcall.dev/spi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const sample = `# a comment
127.0.0.1   localhost
::1         ip6-localhost
192.0.2.7   printer.example Printer printer.   # ground floor
192.0.2.8   printer.example
2001:db8::7 printer.example
not-an-address somewhere
192.0.2.9
::ffff:192.0.2.10 mapped
`

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func resolverOf(t *testing.T, text string) *resolver {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts")
	write(t, path, text)
	return &resolver{file: file{path: path}}
}

func TestForward(t *testing.T) {
	r := resolverOf(t, sample)
	for _, c := range []struct {
		name      string
		four, six bool
		want      []string
	}{
		{"printer.example", true, true, []string{"192.0.2.7", "192.0.2.8", "2001:db8::7"}},
		{"PRINTER.Example.", true, false, []string{"192.0.2.7", "192.0.2.8"}},
		{"printer", true, true, []string{"192.0.2.7"}},
		{"printer.example", false, true, []string{"2001:db8::7"}},
		{"mapped", true, false, []string{"192.0.2.10"}},
		{"localhost", true, true, []string{"127.0.0.1"}},
		{"localhost", false, true, nil},
	} {
		a, err := r.Forward(t.Context(), namespace.Question{Name: c.name, IPv4: c.four, IPv6: c.six})
		var got []string
		for _, addr := range a.Addresses {
			got = append(got, addr.String())
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
	a, _ := r.Forward(t.Context(), namespace.Question{Name: "printer", IPv4: true})
	if a.Name != "printer.example" || !slices.Equal(a.Aliases, []string{"Printer", "printer."}) && !slices.Equal(a.Aliases, []string{"Printer"}) {
		t.Errorf("%+v", a)
	}
	for _, name := range []string{"somewhere", "nobody", "", "."} {
		if _, err := r.Forward(t.Context(), namespace.Question{Name: name, IPv4: true}); err != spi.WSAHOST_NOT_FOUND {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestReverse(t *testing.T) {
	r := resolverOf(t, sample)
	a, err := r.Reverse(t.Context(), netip.MustParseAddr("192.0.2.7"))
	if err != nil || a.Name != "printer.example" || a.Aliases[0] != "Printer" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := r.Reverse(t.Context(), netip.MustParseAddr("192.0.2.9")); err != spi.WSAHOST_NOT_FOUND {
		t.Errorf("an address without a name: %v", err)
	}
}

func TestFileIsReadAgain(t *testing.T) {
	r := resolverOf(t, "192.0.2.1 one\n")
	find := func(name string) error {
		_, err := r.Forward(t.Context(), namespace.Question{Name: name, IPv4: true})
		return err
	}
	if err := find("one"); err != nil {
		t.Fatal(err)
	}
	before := r.Serial()
	write(t, r.file.path, "192.0.2.1 another\n")
	if err := find("another"); err != nil {
		t.Error(err)
	}
	if err := find("one"); err != spi.WSAHOST_NOT_FOUND {
		t.Error(err)
	}
	if r.Serial() == before {
		t.Error("the change did not count")
	}
	before = r.Serial()
	when := time.Now().Add(-time.Hour)
	if err := os.Chtimes(r.file.path, when, when); err != nil {
		t.Fatal(err)
	}
	if r.Serial() != before {
		t.Error("another time of the same text counted")
	}
	if err := os.Remove(r.file.path); err != nil {
		t.Fatal(err)
	}
	if err := find("another"); err != spi.WSAHOST_NOT_FOUND {
		t.Errorf("without a file: %v", err)
	}
	if a, err := r.Forward(t.Context(), namespace.Question{Name: "localhost", IPv4: true, IPv6: true}); err != nil || len(a.Addresses) != 2 {
		t.Errorf("localhost without a file: %+v, %v", a, err)
	}
	if err := os.Mkdir(r.file.path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := find("one"); err != spi.WSANO_RECOVERY {
		t.Errorf("a directory: %v", err)
	}
}

// Changes that leave the file's size and time as they were are seen while the
// file is new.
func TestNewFileIsReadAgain(t *testing.T) {
	when := time.Now().Add(time.Hour)
	r := resolverOf(t, "")
	for _, name := range []string{"one", "two"} {
		write(t, r.file.path, "192.0.2.1 "+name+"\n")
		if err := os.Chtimes(r.file.path, when, when); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Forward(t.Context(), namespace.Question{Name: name, IPv4: true}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A client is told of a change of the file.
func TestNotifiedOfChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	write(t, path, "192.0.2.1 one\n")
	startup, err := open(spi.Module{Options: spi.Options{"file": path}})
	if err != nil {
		t.Fatal(err)
	}
	told := make(notices, 1)
	p, e := startup(&ProviderID, told)
	if e != 0 {
		t.Fatal(e)
	}
	defer p.NSPCleanup(&ProviderID)
	class := spi.SVCID_INET_HOSTADDRBYNAME
	h, e := p.NSPLookupServiceBegin(&ProviderID, &spi.QuerySet{Size: spi.SizeofQuerySet, ServiceClassID: &class, ServiceInstanceName: spi.UTF16Ptr("one")}, nil, 0)
	if e != 0 {
		t.Fatal(e)
	}
	c := &spi.NotifyCompletion{Type: spi.NSP_NOTIFY_EVENT, Overlapped: new(spi.Overlapped)}
	if e := p.NSPIoctl(h, spi.SIO_NSP_NOTIFY_CHANGE, nil, nil, nil, c, nil); e != spi.WSA_IO_PENDING {
		t.Fatal(e)
	}
	write(t, path, "192.0.2.2 one\n")
	if e := <-told; e != 0 {
		t.Errorf("told %v", e)
	}
}

type notices chan spi.Errno

func (n notices) Notify(_ *spi.NotifyCompletion, _ *spi.ThreadID, status spi.Errno) { n <- status }

func TestOptions(t *testing.T) {
	if _, err := open(spi.Module{Options: spi.Options{"file": "hosts"}}); err == nil || !strings.Contains(err.Error(), "whole path") {
		t.Errorf("a relative file: %v", err)
	}
	if _, err := open(spi.Module{}); err != nil {
		t.Error(err)
	}
}

// Whatever is written is found again, in its order.
func TestEveryLineIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		want := map[string][]netip.Addr{}
		for range rapid.IntRange(0, 8).Draw(t, "lines") {
			addr := netip.AddrFrom4([4]byte{192, 0, 2, rapid.Byte().Draw(t, "addr")})
			names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c]{1,2}`), 1, 3, rapid.ID).Draw(t, "names")
			text.WriteString(addr.String() + "\t" + strings.Join(names, " ") + "\n")
			for _, name := range names {
				if !slices.Contains(want[name], addr) {
					want[name] = append(want[name], addr)
				}
			}
		}
		known := parse(text.String())
		for name, addresses := range want {
			var got []netip.Addr
			for _, l := range known.byName[name] {
				if !slices.Contains(got, l.addr) {
					got = append(got, l.addr)
				}
			}
			if !slices.Equal(got, addresses) {
				t.Fatalf("%s: %v, want %v in\n%s", name, got, addresses, text.String())
			}
		}
	})
}

func FuzzHosts(f *testing.F) {
	f.Add(sample)
	f.Add("1.2.3.4 a\x00b\n::1%eth0 x")
	f.Add("0.0.0.0 a.. .")
	f.Fuzz(func(t *testing.T, text string) {
		known := parse(text)
		for name, lines := range known.byName {
			if len(lines) == 0 || len(lines[0].names) == 0 || fold(name) != name {
				t.Errorf("%q: %v", name, lines)
			}
		}
		for addr, l := range known.byAddr {
			if !addr.IsValid() || len(known.byName[fold(l.names[0])]) == 0 {
				t.Errorf("%v: %v", addr, l)
			}
		}
	})
}
