package layer_test

import (
	"errors"
	"testing"
	"unsafe"

	"upcall.dev/catalog"
	"upcall.dev/layer"
	"upcall.dev/spi"
	"upcall.dev/ws2"

	_ "upcall.dev/provider/kernel"
)

func init() {
	layer.Register(layer.Definition{
		Name:    "sealed",
		Summary: "is without ConnectEx",
		Options: []spi.Option{{Name: "bytes"}},
		SeesBytes: func(o spi.Options) bool {
			_, set := o["bytes"]
			return set
		},
		Without: []spi.GUID{spi.WSAID_CONNECTEX},
		New:     func(next spi.Provider, _ spi.Options) (spi.Provider, error) { return next, nil },
	})
}

func TestLayerIsWithoutAnExtension(t *testing.T) {
	for _, base := range []string{"kernel", "memory"} {
		for _, o := range []spi.Options{nil, {"bytes": "1"}} {
			c, err := catalog.Compose(catalog.Default(), base, []catalog.Layer{{Name: "sealed", Options: o}})
			if err != nil {
				t.Fatal(err)
			}
			thread := ws2.New(ws2.Config{Catalog: c}).Unbound()
			if err := thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
				t.Fatal(err)
			}
			s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
			if err != nil {
				t.Fatal(err)
			}
			if err := thread.ConnectEx(s, nil, nil, nil, &spi.Overlapped{}); !errors.Is(err, spi.WSAEOPNOTSUPP) {
				t.Errorf("ConnectEx over %s %v: %v", base, o, err)
			}
			if err := thread.DisconnectEx(s, nil, 0); !errors.Is(err, spi.WSAENOTCONN) {
				t.Errorf("DisconnectEx over %s %v: %v", base, o, err)
			}
			if err := thread.WSACleanup(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWrapExtension(t *testing.T) {
	var x layer.Extensions
	made := 0
	wrap := func(next spi.DisconnectExFunc) spi.DisconnectExFunc {
		made++
		return func(s spi.Socket, ov *spi.Overlapped, flags uint32) spi.Errno { return next(s+1, ov, flags) }
	}
	var first, second spi.DisconnectExFunc
	first = func(s spi.Socket, _ *spi.Overlapped, _ uint32) spi.Errno { return spi.Errno(s) }
	second = func(s spi.Socket, _ *spi.Overlapped, _ uint32) spi.Errno { return spi.Errno(10 * s) }
	out := make([]byte, 8)
	var n uint32
	for _, test := range []struct {
		below *spi.DisconnectExFunc
		want  spi.Errno
		made  int
	}{{&first, 8, 1}, {&first, 8, 1}, {&second, 80, 2}, {&first, 8, 2}} {
		if errno := spi.StoreExtension(out, &n, test.below); errno != 0 {
			t.Fatal(errno)
		}
		if errno := layer.WrapExtension(&x, spi.WSAID_DISCONNECTEX, out, &n, wrap); errno != 0 || n != 8 {
			t.Fatal(errno, n)
		}
		f, ok := spi.LoadExtension[spi.DisconnectExFunc](out)
		if got := f(7, nil, 0); !ok || got != test.want || made != test.made {
			t.Errorf("%v, want %v; %d are made, want %d", got, test.want, made, test.made)
		}
	}
	if errno := layer.WrapExtension(&x, spi.WSAID_DISCONNECTEX, out[:7], &n, wrap); errno != spi.WSAEFAULT {
		t.Error(errno)
	}
	if errno := layer.WrapExtension(&x, spi.WSAID_DISCONNECTEX, make([]byte, 8), &n, wrap); errno != spi.WSAEFAULT {
		t.Error(errno)
	}
	id := spi.NewGUID()
	if got, ok := layer.ExtensionID(unsafe.Slice((*byte)(unsafe.Pointer(&id)), 16)); !ok || got != id {
		t.Error(got, ok)
	}
	if _, ok := layer.ExtensionID(make([]byte, 15)); ok {
		t.Error("15 bytes are a GUID")
	}
}
