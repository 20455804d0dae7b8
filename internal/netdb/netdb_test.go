package netdb

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"
)

func write(t *testing.T, path, text string, age time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	when := time.Now().Add(-age)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
}

func TestFilesComeBeforeTheTable(t *testing.T) {
	services, protocols := filepath.Join(t.TempDir(), "services"), filepath.Join(t.TempDir(), "protocols")
	d := Open(services, protocols)
	if s, ok := d.ServiceByName("http", "tcp"); !ok || s.Port != 80 {
		t.Errorf("without files: %+v, %v", s, ok)
	}
	write(t, services, "# comment\nhttp 8000/tcp web # mine\nbroken\nworse x/tcp\nhuge 99999/tcp\nours 7000/udp\n", time.Hour)
	write(t, protocols, "odd 250 ODD\nbad 300\n", time.Hour)
	if s, ok := d.ServiceByName("web", ""); !ok || !reflect.DeepEqual(s, Service{"http", []string{"web"}, "tcp", 8000}) {
		t.Errorf("by alias: %+v, %v", s, ok)
	}
	if s, ok := d.ServiceByPort(7000, "udp"); !ok || s.Name != "ours" {
		t.Errorf("by port: %+v, %v", s, ok)
	}
	if s, ok := d.ServiceByPort(7000, "tcp"); ok {
		t.Errorf("another protocol: %+v", s)
	}
	if s, ok := d.ServiceByName("domain", "udp"); !ok || s.Port != 53 {
		t.Errorf("from the table: %+v, %v", s, ok)
	}
	for _, name := range []string{"broken", "worse", "huge", ""} {
		if s, ok := d.ServiceByName(name, ""); ok {
			t.Errorf("%q is %+v", name, s)
		}
	}
	if p, ok := d.ProtocolByName("ODD"); !ok || p.Number != 250 {
		t.Errorf("%+v, %v", p, ok)
	}
	if p, ok := d.ProtocolByNumber(6); !ok || p.Name != "tcp" {
		t.Errorf("%+v, %v", p, ok)
	}
	if p, ok := d.ProtocolByNumber(300); ok {
		t.Errorf("%+v", p)
	}
	write(t, services, "http 8001/tcp\n", 0)
	if s, _ := d.ServiceByName("http", "tcp"); s.Port != 8001 {
		t.Errorf("after a change: %+v", s)
	}
}

// Changes that leave the file's size and time as they were are seen while the
// file is new.
func TestNewFileIsReadAgain(t *testing.T) {
	services := filepath.Join(t.TempDir(), "services")
	d := Open(services, "")
	future := time.Now().Add(time.Hour)
	for _, port := range []uint16{7001, 7002} {
		write(t, services, "ours "+strconv.Itoa(int(port))+"/tcp\n", 0)
		if err := os.Chtimes(services, future, future); err != nil {
			t.Fatal(err)
		}
		if s, _ := d.ServiceByName("ours", "tcp"); s.Port != port {
			t.Errorf("%+v, want port %d", s, port)
		}
	}
}

func FuzzServices(f *testing.F) {
	f.Add("http 80/tcp www\n# x\n\tdomain\t53/udp")
	f.Fuzz(func(t *testing.T, text string) {
		for _, fields := range parse(text) {
			if s, ok := parseService(fields); ok && (s.Name == "" || s.Protocol == "") {
				t.Errorf("%+v of %q", s, fields)
			}
			if p, ok := parseProtocol(fields); ok && p.Name == "" {
				t.Errorf("%+v of %q", p, fields)
			}
		}
	})
}
