package spi

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type passThrough struct{ Provider }

func TestCheckProvider(t *testing.T) {
	full := &ProcTable{}
	fill(full)
	missing := &ProcTable{}
	fill(missing)
	missing.LpWSPGetQOSByName = nil
	for _, c := range []struct {
		name string
		p    Provider
		want Errno
	}{
		{"nil", nil, WSAEINVALIDPROCTABLE},
		{"full table", full.Provider(), 0},
		{"one NULL of thirty", missing.Provider(), WSAEINVALIDPROCTABLE},
		{"layer over a full table", &passThrough{full.Provider()}, 0},
		{"layer over nothing", &passThrough{}, WSAEINVALIDPROCTABLE},
		{"layer over a layer over a hole", passThrough{&passThrough{missing.Provider()}}, WSAEINVALIDPROCTABLE},
		{"nil layer", (*passThrough)(nil), WSAEINVALIDPROCTABLE},
	} {
		if got := CheckProvider(c.p); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// fill gives every entry a function that can be told from nil; none is called.
func fill(t *ProcTable) {
	v := reflect.ValueOf(t).Elem()
	for i := range v.NumField() {
		v.Field(i).Set(reflect.MakeFunc(v.Field(i).Type(), nil))
	}
}

func TestGoPathRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z][a-z0-9-]{0,9}`).Draw(t, "name")
		options := Options(rapid.MapOf(rapid.StringMatching(`[a-z-]{1,8}`), rapid.String()).Draw(t, "options"))
		gotName, got, ok, err := ParseGoPath(GoPath(name, options))
		if err != nil || !ok || gotName != name || len(got) != len(options) {
			t.Fatalf("%q %v came back as %q %v, %v, %v", name, options, gotName, got, ok, err)
		}
		for k, v := range options {
			if got[k] != v {
				t.Fatalf("option %q: %q came back as %q", k, v, got[k])
			}
		}
	})
}

func TestOpenDriverErrorsNameTheWayOut(t *testing.T) {
	Register(Driver{Name: "open-test", Options: []Option{{Name: "rate"}, {Name: "delay"}}, Open: func(Module) (StartupFunc, error) {
		return func(uint16, *WSPData, *ProtocolInfo, UpcallTable, DLL) (Provider, Errno) { return nil, WSASYSNOTREADY }, nil
	}})
	for path, want := range map[string]string{
		"/lib/x.so":                          "go:",
		"go:nobody":                          "open-test",
		"go:open-test?speed=1":               "delay",
		"go:open-test?rate=%zz":              "cannot be read",
		"go:open-test?delay=1&rate=1&rate=2": `"rate" more than once`,
	} {
		if _, err := OpenDriver(GUID{}, path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", path, err, want)
		}
	}
	start, err := OpenDriver(GUID{}, "go:open-test?rate=1")
	if err != nil || start == nil {
		t.Fatalf("good path: %v", err)
	}
}

func TestNegotiateVersion(t *testing.T) {
	for requested, want := range map[uint16]Errno{0x0202: 0, 0x0302: 0, 0x0003: 0, 0x0102: WSAVERNOTSUPPORTED, 0x0101: WSAVERNOTSUPPORTED} {
		var data WSPData
		if got := NegotiateVersion(requested, &data, "x"); got != want || data.Version != Version22 {
			t.Errorf("%#x: %v, version %#x", requested, got, data.Version)
		}
	}
}
