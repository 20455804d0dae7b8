package ws2

import (
	"sync"
	"testing"

	"upcall.dev/spi"
)

// Lookups begin, wait and end on many goroutines while requests are cancelled and
// the DLL starts and cleans up; everything ends with one of the documented codes.
func TestNamesUnderStress(t *testing.T) {
	const rounds, workers, repeats = 5, 6, 20
	h := newHost(t)
	quick := h.namespaceOf("quick", spi.NS_DNS, []string{"a", "b"}, 0)
	slow := h.namespaceOf("slow", spi.NS_EMAIL, []string{"wait"}, 0)
	thread := h.Unbound()
	for range rounds {
		if err := thread.WSAStartup(spi.Version22, new(WSAData)); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range repeats {
					q := anyQuery()
					q.NameSpace = spi.NS_DNS
					switch _, code := collect(thread, q); code {
					case 0, spi.WSANOTINITIALISED, spi.WSA_E_CANCELLED, spi.WSA_INVALID_HANDLE:
					default:
						t.Errorf("a lookup: %v", code)
					}
				}
			})
			wg.Go(func() {
				for range repeats {
					node, ended := "slow", make(chan spi.Errno, 1)
					var handle uintptr
					var result *spi.AddrInfoEx
					err := thread.GetAddrInfoEx(&node, nil, spi.NS_EMAIL, nil, nil, &result, nil, new(spi.Overlapped),
						func(e spi.Errno, _ uint32, _ *spi.Overlapped) { ended <- e }, &handle)
					if CodeOf(err) == spi.WSANOTINITIALISED {
						return
					}
					if CodeOf(err) != spi.WSA_IO_PENDING {
						t.Errorf("a request: %v", err)
						return
					}
					switch e := CodeOf(thread.GetAddrInfoExCancel(&handle)); e {
					case 0, spi.WSANOTINITIALISED, spi.WSA_INVALID_HANDLE:
					default:
						t.Errorf("cancelling: %v", e)
					}
					switch e := <-ended; e {
					case spi.WSA_E_CANCELLED, spi.WSANOTINITIALISED, spi.WSA_INVALID_HANDLE:
					default:
						t.Errorf("a cancelled request: %v", e)
					}
				}
			})
		}
		for quick.asked() == 0 || slow.starts.Load() == 0 {
			thread.SleepEx(1, false)
		}
		if err := thread.WSACleanup(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if n := h.names.lookups.Len() + h.names.async.Len(); n != 0 {
			t.Errorf("%d lookups and requests are left", n)
		}
	}
	if quick.starts.Load() != quick.cleanup.Load() || slow.starts.Load() != slow.cleanup.Load() {
		t.Errorf("started %d and %d times, cleaned up %d and %d times", quick.starts.Load(), slow.starts.Load(), quick.cleanup.Load(), slow.cleanup.Load())
	}
}
