package ws2

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"upcall.dev/spi"
)

// benchHandles returns a host with that many handles, in random order.
func benchHandles(b *testing.B, count int) (*host, []spi.Socket) {
	b.Helper()
	h := newHost(b)
	f := h.nonIFS("echo", tcp())
	h.up()
	handles := make([]spi.Socket, count)
	for i := range handles {
		s, e := h.table.WPUCreateSocketHandle(f.ids[0], uintptr(i))
		if e != 0 {
			b.Fatal(e)
		}
		handles[i] = s
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(count, func(i, j int) { handles[i], handles[j] = handles[j], handles[i] })
	return h, handles
}

// BenchmarkQuerySocketHandleContext asks for handles in random order.
func BenchmarkQuerySocketHandleContext(b *testing.B) {
	for _, size := range []struct {
		name  string
		count int
	}{{"1k", 1 << 10}, {"1M", 1 << 20}} {
		h, handles := benchHandles(b, size.count)
		query, mask := h.table.WPUQuerySocketHandleContext, len(handles)-1
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, e := query(handles[i&mask]); e != 0 {
					b.Fatal(e)
				}
				i++
			}
		})
		b.Run(size.name+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				i := rand.Int()
				for pb.Next() {
					if _, e := query(handles[i&mask]); e != 0 {
						b.Error(e)
					}
					i++
				}
			})
		})
	}
}

// BenchmarkCreateCloseSocketHandle makes and closes a handle while 1000 others
// live.
func BenchmarkCreateCloseSocketHandle(b *testing.B) {
	h, _ := benchHandles(b, 1000)
	id := h.fakes["%FAKES%/echo.so"].ids[0]
	b.ReportAllocs()
	for b.Loop() {
		s, e := h.table.WPUCreateSocketHandle(id, 1)
		if e != 0 {
			b.Fatal(e)
		}
		if e := h.table.WPUCloseSocketHandle(s); e != 0 {
			b.Fatal(e)
		}
	}
}

// idle is a provider that does nothing, with a context lookup like a real one's.
type idle struct {
	spi.Provider
	upcalls spi.UpcallTable
	ifs     bool
}

func (p *idle) WSPSocket(_, _, _ int32, info *spi.ProtocolInfo, _ spi.Group, _ uint32) (spi.Socket, spi.Errno) {
	if p.ifs {
		return p.upcalls.WPUModifyIFSHandle(info.CatalogEntryID, 0) // any open descriptor
	}
	return p.upcalls.WPUCreateSocketHandle(info.CatalogEntryID, 1)
}

func (p *idle) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, _ uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
	if !p.ifs {
		if _, e := p.upcalls.WPUQuerySocketHandleContext(s); e != 0 {
			return e
		}
	}
	*sent = bufs[0].Len
	return 0
}

func (p *idle) WSPListen(spi.Socket, int32) spi.Errno { return 0 }

// through is a layer that passes everything to the next provider.
type through struct{ spi.Provider }

// BenchmarkDispatch is one client call to a provider that does nothing, directly
// and through pass-through layers.
func BenchmarkDispatch(b *testing.B) {
	for _, kind := range []string{"IFS", "non-IFS"} {
		for _, layers := range []int{0, 1, 8} {
			h := newHost(b)
			var f *fake
			if kind == "IFS" {
				f = h.ifs("idle", tcp())
			} else {
				f = h.nonIFS("idle", tcp())
			}
			provider := &idle{Provider: f.Provider(), ifs: kind == "IFS"}
			h.config.LoadLibrary = func(string) (spi.StartupFunc, error) {
				return func(version uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
					provider.upcalls = upcalls
					p := spi.Provider(provider)
					for range layers {
						p = &through{p}
					}
					return p, spi.NegotiateVersion(version, data, "idle")
				}, nil
			}
			thread := h.up()
			s := mustSocket(b, thread)
			name := fmt.Sprintf("%s/layers=%d", kind, layers)
			payload := make([]byte, 64)
			b.Run("Send/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := thread.Send(s, payload, 0); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("Listen/"+name, func(b *testing.B) {
				for b.Loop() {
					if err := thread.Listen(s, 1); err != nil {
						b.Fatal(err)
					}
				}
			})
			if layers == 0 {
				b.Run("SendUnbound/"+name, func(b *testing.B) {
					b.ReportAllocs()
					b.RunParallel(func(pb *testing.PB) {
						unbound := h.Unbound()
						for pb.Next() {
							if _, err := unbound.Send(s, payload, 0); err != nil {
								b.Error(err)
							}
						}
					})
				})
			}
		}
	}
}

// BenchmarkSocketClose makes and closes a socket through the client API.
func BenchmarkSocketClose(b *testing.B) {
	h := newHost(b)
	h.nonIFS("echo", tcp())
	thread := h.up()
	b.ReportAllocs()
	for b.Loop() {
		if err := thread.CloseSocket(mustSocket(b, thread)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompleteDequeue completes operations by WPUCompleteOverlappedRequest
// and takes their packets on the same thread, directly and through lanes.
func BenchmarkCompleteDequeue(b *testing.B) {
	for lanes := range 3 {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) {
			h := newHost(b)
			f := h.nonIFS("echo", tcp())
			thread, dll := h.up(), h.Exports()
			var upper spi.Socket
			handles := make([]spi.Socket, lanes+1)
			for i := range handles {
				handles[i], _ = h.table.WPUCreateSocketHandle(f.ids[0], 1)
				above := handles[i]
				upper = above
				if i > 0 {
					if e := dll.CompleteWith(handles[i-1], above, func(c spi.Completion) {
						dll.WPUCompleteOverlappedRequest(above, c.Overlapped, c.Status, c.Transferred)
					}); e != 0 {
						b.Fatal(e)
					}
				}
			}
			port, err := h.CreateIoCompletionPort(1)
			if err != nil {
				b.Fatal(err)
			}
			if err := h.AssociateCompletionPort(upper, port, 1); err != nil {
				b.Fatal(err)
			}
			ov := new(spi.Overlapped)
			b.ReportAllocs()
			for b.Loop() {
				ov.Start()
				dll.WPUCompleteOverlappedRequest(handles[0], ov, 0, 64)
				if _, err := thread.GetQueuedCompletionStatus(port, spi.WSA_INFINITE); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompletionPort is what a base provider asks at each operation.
func BenchmarkCompletionPort(b *testing.B) {
	h := newHost(b)
	h.nonIFS("echo", tcp())
	thread, dll := h.up(), h.Exports()
	s := mustSocket(b, thread)
	port, _ := h.CreateIoCompletionPort(1)
	for _, name := range []string{"none", "port"} {
		if name == "port" {
			if err := h.AssociateCompletionPort(s, port, 1); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if (dll.CompletionPort(s) == nil) == (name == "port") {
					b.Fatal("wrong")
				}
			}
		})
	}
}
