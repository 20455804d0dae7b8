package ws2

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"upcall.dev/spi"
)

// The handle table against a model, under random sequences of what providers
// and clients do.
func TestHandlesProperty(t *testing.T) {
	type known struct {
		context      uintptr
		owner        *fake // nil: the provider has closed it
		clientClosed bool
	}
	descriptors := []spi.Socket{descriptor(t), descriptor(t), descriptor(t), descriptor(t)}
	rapid.Check(t, func(rt *rapid.T) {
		h := newHost(t)
		providers := []*fake{h.ifs("one", tcp()), h.ifs("two", udp())}
		for _, f := range providers {
			f.LpWSPCloseSocket = func(spi.Socket) spi.Errno { return 0 } // the handle stays
			f.LpWSPCleanup = func() spi.Errno { return 0 }
		}
		thread := h.BindThread()
		defer thread.Unbind()
		if err := thread.WSAStartup(spi.Version22, new(WSAData)); err != nil {
			rt.Fatal(err)
		}
		defer thread.WSACleanup()

		handles := map[spi.Socket]*known{}
		var all []spi.Socket
		provider := rapid.SampledFrom(providers)
		some := func(rt *rapid.T) spi.Socket {
			if len(all) == 0 {
				rt.Skip("no handle yet")
			}
			return rapid.SampledFrom(all).Draw(rt, "handle")
		}
		register := func(s spi.Socket, k *known) {
			if handles[s] == nil {
				all = append(all, s)
			}
			handles[s] = k
		}
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				f, context := provider.Draw(rt, "provider"), uintptr(rapid.Uint64().Draw(rt, "context"))
				s, e := h.table.WPUCreateSocketHandle(f.ids[0], context)
				if e != 0 || handles[s] != nil {
					rt.Fatalf("handle %#x, %v", s, e)
				}
				register(s, &known{context: context, owner: f})
			},
			"modify": func(rt *rapid.T) {
				f, s := provider.Draw(rt, "provider"), rapid.SampledFrom(descriptors).Draw(rt, "fd")
				if got, e := h.table.WPUModifyIFSHandle(f.ids[0], s); got != s || e != 0 {
					rt.Fatalf("handle %#x, %v", got, e)
				}
				register(s, &known{owner: f})
			},
			"provider closes": func(rt *rapid.T) {
				s := some(rt)
				wanted := spi.Errno(0)
				if isIFS(s) || handles[s].owner == nil {
					wanted = spi.WSAENOTSOCK
				}
				if e := h.table.WPUCloseSocketHandle(s); e != wanted {
					rt.Fatalf("%v, want %v", e, wanted)
				}
				if wanted == 0 {
					handles[s].owner = nil
				}
			},
			"client closes": func(rt *rapid.T) {
				s := some(rt)
				wanted := spi.Errno(0)
				if handles[s].owner == nil || handles[s].clientClosed {
					wanted = spi.WSAENOTSOCK
				}
				if err := thread.CloseSocket(s); CodeOf(err) != wanted {
					rt.Fatalf("%v, want %v", err, wanted)
				}
				handles[s].clientClosed = true
			},
			"": func(rt *rapid.T) {
				for _, s := range all {
					k := handles[s]
					context, e := h.table.WPUQuerySocketHandleContext(s)
					if lives := k.owner != nil && !isIFS(s); lives != (e == 0) || lives && context != k.context {
						rt.Fatalf("query of %#x gives %#x, %v", s, context, e)
					}
					for _, f := range providers {
						before := f.called("WSPListen")
						err := thread.Listen(s, 1)
						reached := f.called("WSPListen") != before
						if mine := f == k.owner && !k.clientClosed; reached != mine {
							rt.Fatalf("listen on %#x gives %v; reached %s: %v, want %v", s, err, f.path, reached, mine)
						}
					}
				}
			},
		})
	})
}

func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Skip("go list:", err)
	}
	deps := strings.Fields(string(out))
	for _, forbidden := range []string{"net", "runtime/cgo"} {
		if slices.Contains(deps, forbidden) {
			t.Errorf("ws2 depends on %s", forbidden)
		}
	}
}
