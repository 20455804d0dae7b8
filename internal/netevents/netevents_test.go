package netevents

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"upcall.dev/spi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host records what the engine signals and posts.
type host struct {
	mu       sync.Mutex
	set      map[spi.Event]bool
	invalid  map[spi.Event]bool
	messages []string
	table    atomic.Pointer[spi.UpcallTable]
}

func newHost() *host {
	h := &host{set: map[spi.Event]bool{}, invalid: map[spi.Event]bool{}}
	h.table.Store(&spi.UpcallTable{
		WPUSetEvent: func(ev spi.Event) spi.Errno {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.set[ev] = true
			return 0
		},
		WPUResetEvent: func(ev spi.Event) spi.Errno {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.invalid[ev] {
				return spi.WSA_INVALID_HANDLE
			}
			h.set[ev] = false
			return 0
		},
		WPUPostMessage: func(wnd spi.HWND, msg uint32, wParam, lParam uintptr) bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.messages = append(h.messages, fmt.Sprintf("wnd %d msg %d socket %d error %d event %#x", wnd, msg, wParam, lParam>>16, lParam&0xffff))
			return true
		},
	})
	return h
}

func (h *host) isSet(ev spi.Event) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.set[ev]
}

func (h *host) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.messages
	h.messages = nil
	return m
}

func wantMessages(t *testing.T, h *host, want ...string) {
	t.Helper()
	got := h.take()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("messages %q, want %q", got, want)
	}
}

func wantRecord(t *testing.T, e *Engine, ev spi.Event, want int32) spi.NetworkEvents {
	t.Helper()
	var out spi.NetworkEvents
	if errno := e.Enum(ev, &out); errno != 0 {
		t.Fatalf("Enum: %v", errno)
	}
	if out.NetworkEvents != want {
		t.Errorf("recorded %#x, want %#x", out.NetworkEvents, want)
	}
	return out
}

const ev = spi.Event(1 << 33)

func TestBehaviour081_OneEventPerMessage(t *testing.T) {
	h := newHost()
	e := New(&h.table)
	e.SelectMessage(7, 1024, 55, spi.FD_CONNECT|spi.FD_WRITE|spi.FD_CLOSE, Ready{})
	e.Report(Ready{Bits: spi.FD_CONNECT | spi.FD_WRITE})
	wantMessages(t, h, "wnd 7 msg 1024 socket 55 error 0 event 0x2", "wnd 7 msg 1024 socket 55 error 0 event 0x10")
	e.Report(Ready{Bits: spi.FD_CLOSE, CloseError: spi.WSAECONNRESET})
	wantMessages(t, h, "wnd 7 msg 1024 socket 55 error 10054 event 0x20")
}

func TestBehaviour082_ReadIsRearmedByReceiving(t *testing.T) {
	h := newHost()
	e := New(&h.table)
	e.SelectMessage(7, 1024, 55, spi.FD_READ, Ready{})
	for range 3 {
		e.Report(Ready{Bits: spi.FD_READ})
	}
	wantMessages(t, h, "wnd 7 msg 1024 socket 55 error 0 event 0x1")
	e.Reenable(spi.FD_READ|spi.FD_OOB, Ready{Bits: spi.FD_READ})
	wantMessages(t, h, "wnd 7 msg 1024 socket 55 error 0 event 0x1")
	e.Reenable(spi.FD_READ|spi.FD_OOB, Ready{})
	wantMessages(t, h)
	e.Report(Ready{Bits: spi.FD_READ})
	wantMessages(t, h, "wnd 7 msg 1024 socket 55 error 0 event 0x1")
}

func TestBehaviour083_WriteComesBackOnlyAfterAFailedSend(t *testing.T) {
	h := newHost()
	e := New(&h.table)
	e.SelectEvent(ev, spi.FD_WRITE, Ready{})
	e.Report(Ready{Bits: spi.FD_WRITE})
	wantRecord(t, e, ev, spi.FD_WRITE)
	e.Report(Ready{Bits: spi.FD_WRITE})
	wantRecord(t, e, ev, 0)
	e.Reenable(spi.FD_WRITE, Ready{})
	wantRecord(t, e, ev, 0)
	e.Report(Ready{Bits: spi.FD_WRITE})
	wantRecord(t, e, ev, spi.FD_WRITE)
}

func TestBehaviour087_CloseWaitsForTheLastByte(t *testing.T) {
	h := newHost()
	e := New(&h.table)
	e.SelectEvent(ev, spi.FD_CLOSE, Ready{})
	e.Report(Ready{Bits: spi.FD_READ | spi.FD_CLOSE})
	wantRecord(t, e, ev, 0)
	e.Reenable(spi.FD_READ, Ready{Bits: spi.FD_CLOSE, CloseError: spi.WSAECONNRESET})
	if out := wantRecord(t, e, ev, spi.FD_CLOSE); out.ErrorCode[5] != int32(spi.WSAECONNRESET) {
		t.Errorf("error %d", out.ErrorCode[5])
	}
	e.Reenable(spi.FD_READ, Ready{Bits: spi.FD_CLOSE})
	wantRecord(t, e, ev, 0)
}

func TestBehaviour088_HoldingConditionFiresAtOnce(t *testing.T) {
	h := newHost()
	e := New(&h.table)
	e.SelectEvent(ev, spi.FD_ACCEPT, Ready{Bits: spi.FD_ACCEPT})
	if !h.isSet(ev) {
		t.Error("the event is not set")
	}
	wantRecord(t, e, 0, spi.FD_ACCEPT)
}

func TestBehaviour089_SelectionReplaces(t *testing.T) {
	h := newHost()
	e := New(&h.table)
	e.SelectEvent(ev, spi.FD_READ, Ready{Bits: spi.FD_READ})
	e.SelectMessage(7, 1024, 55, spi.FD_WRITE, Ready{})
	wantRecord(t, e, 0, 0)
	e.Report(Ready{Bits: spi.FD_READ | spi.FD_WRITE})
	wantMessages(t, h, "wnd 7 msg 1024 socket 55 error 0 event 0x2")
	e.SelectEvent(0, 0, Ready{})
	if e.Active() {
		t.Error("still active")
	}
	e.Reenable(spi.FD_ALL_EVENTS, Ready{Bits: spi.FD_ALL_EVENTS})
	wantMessages(t, h)
	wantRecord(t, e, 0, 0)
}

func TestBehaviour090_NothingAfterClose(t *testing.T) {
	h := newHost()
	e := New(&h.table)
	e.SelectMessage(7, 1024, 55, spi.FD_ALL_EVENTS, Ready{})
	e.CloseDescriptor(56)
	e.Report(Ready{Bits: spi.FD_WRITE})
	wantMessages(t, h, "wnd 7 msg 1024 socket 55 error 0 event 0x2")
	e.CloseDescriptor(55)
	e.Report(Ready{Bits: spi.FD_READ})
	e.Close()
	e.Report(Ready{Bits: spi.FD_READ})
	wantMessages(t, h)
}

func TestBehaviour091_EnumLeavesOtherErrorEntries(t *testing.T) {
	h := newHost()
	e := New(&h.table)
	e.SelectEvent(ev, spi.FD_ALL_EVENTS, Ready{})
	e.Report(Ready{Bits: spi.FD_CONNECT, ConnectError: spi.WSAECONNREFUSED})
	var out spi.NetworkEvents
	for i := range out.ErrorCode {
		out.ErrorCode[i] = 77
	}
	e.Enum(ev, &out)
	if out.NetworkEvents != spi.FD_CONNECT || out.ErrorCode[4] != int32(spi.WSAECONNREFUSED) || out.ErrorCode[0] != 77 || out.ErrorCode[5] != 77 {
		t.Errorf("%+v", out)
	}
	if h.isSet(ev) {
		t.Error("the event is still set")
	}
	wantRecord(t, e, 0, 0)
}

func TestBehaviour092_FailingEnumLeavesTheRecord(t *testing.T) {
	h := newHost()
	e := New(&h.table)
	h.invalid[99<<32] = true
	e.SelectEvent(ev, spi.FD_READ, Ready{Bits: spi.FD_READ})
	var out spi.NetworkEvents
	if errno := e.Enum(99<<32, &out); errno != spi.WSAEINVAL {
		t.Errorf("Enum: %v", errno)
	}
	if errno := e.Enum(0, nil); errno != spi.WSAEFAULT {
		t.Errorf("Enum: %v", errno)
	}
	wantRecord(t, e, ev, spi.FD_READ)
}

func TestBehaviour093_Inherit(t *testing.T) {
	h := newHost()
	listener, accepted := New(&h.table), New(&h.table)
	listener.SelectMessage(7, 1024, 55, spi.FD_ACCEPT|spi.FD_READ|spi.FD_WRITE, Ready{Bits: spi.FD_ACCEPT})
	h.take()
	accepted.Inherit(listener, 56, Ready{Bits: spi.FD_WRITE})
	wantMessages(t, h, "wnd 7 msg 1024 socket 56 error 0 event 0x2")
	if got := accepted.Mask(); got != listener.Mask() {
		t.Errorf("mask %#x", got)
	}
	none := New(&h.table)
	accepted.Inherit(none, 56, Ready{Bits: spi.FD_READ})
	wantMessages(t, h)
}

func TestSelectRefusesBadArguments(t *testing.T) {
	h := newHost()
	e := New(&h.table)
	for name, errno := range map[string]spi.Errno{
		"unknown bit": e.SelectEvent(ev, 1<<12, Ready{}),
		"no event":    e.SelectEvent(0, spi.FD_READ, Ready{}),
		"no window":   e.SelectMessage(0, 1, 55, spi.FD_READ, Ready{}),
		"unknown":     e.SelectMessage(7, 1, 55, -1, Ready{}),
	} {
		if errno != spi.WSAEINVAL {
			t.Errorf("%s: %v", name, errno)
		}
	}
}

// TestModel compares the engine with a direct reading of the rules: for each
// bit a boolean "enabled", and a raised bit is one that was enabled and held.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHost()
		e := New(&h.table)
		type bitState struct {
			enabled, recorded bool
			code              int32
		}
		var model [spi.FDMaxEvents]bitState
		var byMessage, byEvent, set bool
		var mask int32
		posted := 0
		raise := func(now Ready) {
			if mask == 0 {
				return
			}
			for i := range model {
				bit := int32(1) << i
				holds := now.Bits&bit != 0
				if bit == spi.FD_CLOSE && now.Bits&spi.FD_READ != 0 {
					holds = false
				}
				if !holds || !model[i].enabled {
					continue
				}
				model[i].enabled = false
				if byMessage {
					posted++
					continue
				}
				set = true
				model[i].recorded, model[i].code = true, 0
				if bit == spi.FD_CLOSE {
					model[i].code = int32(now.CloseError)
				}
				if bit == spi.FD_CONNECT {
					model[i].code = int32(now.ConnectError)
				}
			}
		}
		reset := func(m int32) {
			mask = m
			for i := range model {
				model[i] = bitState{enabled: m&(1<<i) != 0}
			}
		}
		genReady := rapid.Custom(func(t *rapid.T) Ready {
			return Ready{
				Bits:         rapid.Int32Range(0, spi.FD_ALL_EVENTS).Draw(t, "bits"),
				ConnectError: rapid.SampledFrom([]spi.Errno{0, spi.WSAECONNREFUSED, spi.WSAETIMEDOUT}).Draw(t, "connect"),
				CloseError:   rapid.SampledFrom([]spi.Errno{0, spi.WSAECONNRESET}).Draw(t, "close"),
			}
		})
		genMask := rapid.Int32Range(0, spi.FD_ALL_EVENTS)
		t.Repeat(map[string]func(*rapid.T){
			"selectEvent": func(t *rapid.T) {
				m, now := genMask.Draw(t, "mask"), genReady.Draw(t, "now")
				if errno := e.SelectEvent(ev, m, now); errno != 0 {
					t.Fatal(errno)
				}
				byMessage, byEvent = false, m != 0
				reset(m)
				raise(now)
			},
			"selectMessage": func(t *rapid.T) {
				m, now := genMask.Draw(t, "mask"), genReady.Draw(t, "now")
				if errno := e.SelectMessage(7, 1, 55, m, now); errno != 0 {
					t.Fatal(errno)
				}
				byMessage, byEvent = m != 0, false
				reset(m)
				raise(now)
			},
			"report": func(t *rapid.T) {
				now := genReady.Draw(t, "now")
				e.Report(now)
				raise(now)
			},
			"reenable": func(t *rapid.T) {
				b, now := genMask.Draw(t, "bits"), genReady.Draw(t, "now")
				e.Reenable(b, now)
				for i := range model {
					if b&mask&(1<<i) != 0 {
						model[i].enabled = true
					}
				}
				raise(now)
			},
			"enum": func(t *rapid.T) {
				var out spi.NetworkEvents
				e.Enum(ev, &out)
				set = false
				for i := range model {
					recorded := out.NetworkEvents&(1<<i) != 0
					if recorded != model[i].recorded || recorded && out.ErrorCode[i] != model[i].code {
						t.Fatalf("bit %d: recorded %v code %d, want %+v", i, recorded, out.ErrorCode[i], model[i])
					}
					model[i].recorded = false
				}
			},
			"": func(t *rapid.T) {
				if got := len(h.messages); got != posted {
					t.Fatalf("%d messages, want %d", got, posted)
				}
				if byEvent && set != h.isSet(ev) {
					t.Fatalf("event set: %v, want %v", h.isSet(ev), set)
				}
				if e.Active() != (mask != 0) {
					t.Fatal("Active is wrong")
				}
			},
		})
	})
}

// TestNoLostRead has a reporter and a reader that re-enables only after the
// event: every item must be noticed.
func TestNoLostRead(t *testing.T) {
	h := newHost()
	e := New(&h.table)
	var mu sync.Mutex // the owner's lock: guards queue
	queue := 0
	wake := make(chan struct{}, 1)
	table := *h.table.Load()
	table.WPUSetEvent = func(spi.Event) spi.Errno {
		select {
		case wake <- struct{}{}:
		default:
		}
		return 0
	}
	h.table.Store(&table)
	e.SelectEvent(ev, spi.FD_READ, Ready{})
	ready := func() (r Ready) {
		if queue > 0 {
			r.Bits = spi.FD_READ
		}
		return r
	}
	const items = 2000
	var producer sync.WaitGroup
	producer.Go(func() {
		for range items {
			mu.Lock()
			queue++
			e.Report(ready())
			mu.Unlock()
		}
	})
	for got := 0; got < items; {
		<-wake
		var out spi.NetworkEvents
		e.Enum(ev, &out)
		if out.NetworkEvents&spi.FD_READ == 0 {
			continue
		}
		mu.Lock()
		if queue > 0 {
			queue--
			got++
		}
		e.Reenable(spi.FD_READ, ready())
		mu.Unlock()
	}
	producer.Wait()
}
