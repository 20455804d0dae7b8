package ws2

import (
	"reflect"
	"testing"

	"upcall.dev/spi"
)

// everyCall makes each client call that a provider function stands behind, by
// the function's name. s is a socket of the provider.
func everyCall(thread *Thread, s spi.Socket, entryID uint32) map[string]func() error {
	b := make([]byte, 32)
	bufs := []spi.Buf{spi.NewBuf(b)}
	var n, flags, u uint32
	var length int32
	name := make([]byte, 16)
	name[0] = spi.AF_INET
	wnd, _ := thread.CreateWindow()
	ev, _ := thread.WSACreateEvent()
	info := spi.ProtocolInfo{CatalogEntryID: entryID}
	second := func(_ any, err error) error { return err }
	return map[string]func() error{
		"WSPAccept":              func() error { return second(thread.Accept(s, name, &length)) },
		"WSPAddressToString":     func() error { return thread.WSAAddressToString(name, nil, make([]uint16, 9), &u) },
		"WSPAsyncSelect":         func() error { return thread.WSAAsyncSelect(s, wnd, 0x400, spi.FD_READ) },
		"WSPBind":                func() error { return thread.Bind(s, name) },
		"WSPCloseSocket":         func() error { return thread.CloseSocket(s) },
		"WSPConnect":             func() error { return thread.Connect(s, name) },
		"WSPDuplicateSocket":     func() error { return thread.WSADuplicateSocket(s, 1, new(spi.ProtocolInfo)) },
		"WSPEnumNetworkEvents":   func() error { return thread.WSAEnumNetworkEvents(s, ev, new(spi.NetworkEvents)) },
		"WSPEventSelect":         func() error { return thread.WSAEventSelect(s, ev, spi.FD_READ) },
		"WSPGetOverlappedResult": func() error { return thread.WSAGetOverlappedResult(s, new(spi.Overlapped), &n, false, &flags) },
		"WSPGetPeerName":         func() error { return thread.GetPeerName(s, name, &length) },
		"WSPGetSockName":         func() error { return thread.GetSockName(s, name, &length) },
		"WSPGetSockOpt":          func() error { return thread.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_ERROR, b, &length) },
		"WSPGetQOSByName":        func() error { return thread.WSAGetQOSByName(s, &bufs[0], new(spi.QOS)) },
		"WSPIoctl":               func() error { return thread.IoctlSocket(s, spi.FIONBIO, &u) },
		"WSPJoinLeaf":            func() error { return second(thread.WSAJoinLeaf(s, name, nil, nil, nil, nil, 0)) },
		"WSPListen":              func() error { return thread.Listen(s, 5) },
		"WSPRecv":                func() error { return second(thread.Recv(s, b, 0)) },
		"WSPRecvDisconnect":      func() error { return thread.WSARecvDisconnect(s, nil) },
		"WSPRecvFrom":            func() error { return second(thread.RecvFrom(s, b, 0, name, &length)) },
		"WSPSelect":              func() error { return second(thread.Select(spi.NewFDSet(s), nil, nil, nil)) },
		"WSPSend":                func() error { return second(thread.Send(s, b, 0)) },
		"WSPSendDisconnect":      func() error { return thread.WSASendDisconnect(s, nil) },
		"WSPSendTo":              func() error { return second(thread.SendTo(s, b, 0, name)) },
		"WSPSetSockOpt":          func() error { return thread.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_KEEPALIVE, b) },
		"WSPShutdown":            func() error { return thread.Shutdown(s, spi.SD_SEND) },
		"WSPSocket":              func() error { return second(thread.WSASocket(0, 0, 0, &info, 0, 0)) },
		"WSPStringToAddress":     func() error { return thread.WSAStringToAddress([]uint16{'x', 0}, spi.AF_INET, nil, name, &length) },
	}
}

// replace makes the fake's function do f and return the code.
func (f *fake) replace(function string, do func(), code spi.Errno) {
	field := reflect.ValueOf(&f.ProcTable).Elem().FieldByName("Lp" + function)
	field.Set(reflect.MakeFunc(field.Type(), func([]reflect.Value) []reflect.Value {
		do()
		results := make([]reflect.Value, field.Type().NumOut())
		for i := range results {
			results[i] = reflect.Zero(field.Type().Out(i))
		}
		results[len(results)-1] = reflect.ValueOf(code)
		return results
	}))
}

// Each client call reaches its provider function once, and the function's code
// is its error and the last error; so it is for a panic, and the client's own
// errors come first.
func TestEveryFunctionIsDispatched(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	thread := h.up()
	s := mustSocket(t, thread)
	calls := everyCall(thread, s, f.ids[0])
	for i := range reflect.TypeFor[spi.Provider]().NumMethod() {
		function := reflect.TypeFor[spi.Provider]().Method(i).Name
		call := calls[function]
		if call == nil {
			if function != "WSPCleanup" && function != "WSPCancelBlockingCall" { // tested with start-up and hooks
				t.Errorf("no client call for %s", function)
			}
			continue
		}
		code, reached := spi.Errno(20000+i), 0
		f.replace(function, func() { reached++ }, code)
		wantCode(t, thread, call(), code)
		if reached != 1 {
			t.Errorf("%s was called %d times", function, reached)
		}
		f.replace(function, func() { panic(function) }, 0)
		wantCode(t, thread, call(), spi.WSASYSCALLFAILURE)
		f.replace(function, func() {}, spi.NoErrorCode)
		wantCode(t, thread, call(), spi.WSASYSCALLFAILURE)
	}
	gone := everyCall(thread, 1<<40, 4711)
	for function, call := range gone {
		switch CodeOf(call()) {
		case spi.WSAENOTSOCK:
		case spi.WSAEINVAL: // an unknown catalog entry
			if function != "WSPSocket" {
				t.Errorf("%s of no socket: WSAEINVAL", function)
			}
		case spi.WSASYSCALLFAILURE: // no socket is needed
			if function != "WSPAddressToString" && function != "WSPStringToAddress" {
				t.Errorf("%s of no socket reached a provider", function)
			}
		default:
			t.Errorf("%s of no socket: %v", function, call())
		}
	}
}

// Nil pointers for results are refused before the provider is called.
func TestMissingResults(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	thread := h.up()
	s := mustSocket(t, thread)
	for function := range everyCall(thread, s, f.ids[0]) {
		if function != "WSPSocket" {
			f.replace(function, func() { t.Errorf("%s was called", function) }, 0)
		}
	}
	var ov spi.Overlapped
	var n uint32
	b := make([]byte, 16)
	for i, err := range []error{
		thread.GetSockName(s, b, nil),
		thread.GetPeerName(s, b, nil),
		thread.GetSockOpt(s, 1, 2, b, nil),
		thread.IoctlSocket(s, spi.FIONBIO, nil),
		thread.WSAIoctl(s, spi.SIO_FLUSH, nil, nil, nil, nil, nil),
		thread.WSASend(s, nil, nil, 0, nil, nil),
		thread.WSASendTo(s, nil, nil, 0, nil, nil, nil),
		thread.WSARecv(s, nil, nil, nil, nil, nil),
		thread.WSARecv(s, nil, &n, nil, &ov, nil),
		thread.WSARecvFrom(s, nil, &n, nil, nil, nil, &ov, nil),
		thread.WSAGetOverlappedResult(s, &ov, nil, false, &n),
		thread.WSAEnumNetworkEvents(s, 0, nil),
		thread.WSAGetQOSByName(s, nil, nil),
		thread.WSADuplicateSocket(s, 1, nil),
		thread.WSAAddressToString(b, nil, nil, nil),
		thread.WSAStringToAddress(nil, spi.AF_INET, nil, b, nil),
	} {
		if CodeOf(err) != spi.WSAEFAULT {
			t.Errorf("call %d gives %v, want WSAEFAULT", i, err)
		}
	}
}

func TestStartProvider(t *testing.T) {
	h := newHost(t)
	f, broken := h.nonIFS("echo", tcp()), h.nonIFS("broken", udp())
	broken.startCode = spi.WSASYSNOTREADY
	thread := h.up()
	wantCode(t, thread, thread.StartProvider(&spi.ProtocolInfo{CatalogEntryID: f.ids[0]}), 0)
	if f.starts.Load() != 1 {
		t.Error("not started")
	}
	wantCode(t, thread, thread.StartProvider(&spi.ProtocolInfo{CatalogEntryID: broken.ids[0]}), spi.WSAEPROVIDERFAILEDINIT)
	wantCode(t, thread, thread.StartProvider(&spi.ProtocolInfo{CatalogEntryID: 4711}), spi.WSAEINVAL)
}
