package ws2

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"upcall.dev/spi"
)

// secondFake is a namespace provider of version 2 that answers from other
// goroutines: with its results, and with what was registered.
type secondFake struct {
	t      *testing.T
	thread *Thread // any; its DLL is what the answers go to
	id     spi.GUID

	starts, cleanups, rundowns, ends atomic.Int32
	answering                        sync.WaitGroup
	handed                           chan spi.AsyncCall // those that are not answered

	mu       sync.Mutex
	results  []string // "wait" is never answered
	at       int
	flags    []uint32
	services map[string][]string // addresses by name
	blobs    map[string]string
	queries  map[string]string
}

const secondSession = 4711

func (h *host) secondOf(name string, space uint32, results ...string) *secondFake {
	h.t.Helper()
	f := &secondFake{t: h.t.(*testing.T), id: spi.NewGUID(), results: results, handed: make(chan spi.AsyncCall, 1),
		services: map[string][]string{}, blobs: map[string]string{}, queries: map[string]string{}}
	if e := h.catalog.InstallNameSpace(name, "/nowhere/"+name+".so", space, 1, f.id); e != 0 {
		h.t.Fatal(e)
	}
	h.t.Cleanup(f.answering.Wait)
	return f
}

// routine returns the table.
func (f *secondFake) routine() *spi.NSPv2Routine {
	return &spi.NSPv2Routine{
		Size: spi.SizeofNSPv2Routine,
		LpNSPv2Startup: func(id *spi.GUID, session *uintptr) spi.Errno {
			f.starts.Add(1)
			*session = secondSession
			return 0
		},
		LpNSPv2Cleanup: func(id *spi.GUID, session uintptr) spi.Errno {
			f.wantSession(id, session)
			f.cleanups.Add(1)
			return 0
		},
		LpNSPv2LookupServiceBegin: func(id *spi.GUID, q *spi.QuerySet2, _ uint32, session uintptr) (spi.Lookup, spi.Errno) {
			f.wantSession(id, session)
			if q.Size != spi.SizeofQuerySet2 {
				return 0, spi.WSAEINVAL
			}
			return 1, 0
		},
		LpNSPv2LookupServiceNextEx: f.next,
		LpNSPv2LookupServiceEnd:    func(spi.Lookup) spi.Errno { f.ends.Add(1); return 0 },
		LpNSPv2SetServiceEx:        f.set,
		LpNSPv2ClientSessionRundown: func(id *spi.GUID, session uintptr) {
			f.wantSession(id, session)
			f.rundowns.Add(1)
		},
	}
}

func (f *secondFake) wantSession(id *spi.GUID, session uintptr) {
	if *id != f.id || session != secondSession {
		f.t.Errorf("called for %v with session %d", id, session)
	}
}

func (f *secondFake) answer(call spi.AsyncCall, code spi.Errno) {
	f.answering.Go(func() {
		if err := f.thread.dll.Unbound().WSAProviderCompleteAsyncCall(call, code); err != nil {
			f.t.Errorf("an answer was refused: %v", err)
		}
	})
}

func (f *secondFake) next(call spi.AsyncCall, h spi.Lookup, flags uint32, length *uint32, results []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flags = append(f.flags, flags)
	switch {
	case h != 1:
		f.answer(call, spi.WSA_INVALID_HANDLE)
	case f.at == len(f.results):
		f.answer(call, spi.WSA_E_NO_MORE)
	case f.results[f.at] == "wait":
		f.handed <- call
	default:
		name := f.results[f.at]
		q := &spi.QuerySet{Size: spi.SizeofQuerySet, ServiceInstanceName: spi.UTF16Ptr(name), Blob: spi.NewBlob(make([]byte, 5000))}
		var all []spi.CSAddrInfo
		for _, a := range f.services[name] {
			all = append(all, spi.CSAddrInfo{RemoteAddr: spi.NewSocketAddress([]byte(a))})
		}
		q.SetAddresses(all)
		e := q.Second().Pack(results, length)
		if e == 0 {
			f.at++
		}
		f.answer(call, e)
	}
}

func (f *secondFake) set(call spi.AsyncCall, id *spi.GUID, q *spi.QuerySet2, operation int32, _ uint32, session uintptr) {
	f.wantSession(id, session)
	f.mu.Lock()
	defer f.mu.Unlock()
	info := q.First()
	name := info.Name()
	if operation == spi.RNRSERVICE_DEREGISTER {
		if f.services[name] == nil {
			f.answer(call, spi.WSASERVICE_NOT_FOUND)
			return
		}
		delete(f.services, name)
		f.answer(call, 0)
		return
	}
	f.services[name] = nil
	for _, a := range info.Addresses() {
		f.services[name] = append(f.services[name], string(a.RemoteAddr.Bytes()))
	}
	f.blobs[name], f.queries[name] = string(info.Blob.Bytes()), spi.UTF16PtrToString(info.QueryString)
	f.answer(call, 0)
}

func TestAdvertisedProviderAnswers(t *testing.T) {
	h := newHost(t)
	f := h.secondOf("second", spi.NS_EMAIL, "a", "b")
	h.namespaceOf("first", spi.NS_EMAIL, []string{"c"}, 0)
	thread := h.up()
	f.thread = thread
	q := anyQuery()
	q.NSProviderID = &f.id
	if _, err := thread.WSALookupServiceBegin(q, 0); CodeOf(err) != spi.WSAEPROVIDERFAILEDINIT {
		t.Errorf("not advertised: %v", err)
	}
	wantCode(t, thread, thread.WSAAdvertiseProvider(&f.id, f.routine()), 0)
	if f.starts.Load() != 0 {
		t.Error("started before it was needed")
	}
	if names, code := collectIn(thread, q, 8000); !slices.Equal(names, []string{"a", "b"}) || code != 0 {
		t.Errorf("%v, %v", names, code)
	}
	f.at = 0
	q.NSProviderID, q.NameSpace = nil, spi.NS_EMAIL
	if names, code := collectIn(thread, q, 8000); !slices.Equal(names, []string{"a", "b", "c"}) || code != 0 {
		t.Errorf("%v, %v", names, code)
	}
	wantCode(t, thread, thread.WSACleanup(), 0)
	if s, c, r, e := f.starts.Load(), f.cleanups.Load(), f.rundowns.Load(), f.ends.Load(); s != 1 || c != 1 || r != 1 || e != 2 {
		t.Errorf("%d starts, %d cleanups, %d rundowns, %d ends", s, c, r, e)
	}
	wantCode(t, thread, thread.WSAUnadvertiseProvider(&f.id), spi.WSANOTINITIALISED)
	wantCode(t, thread, thread.WSAProviderCompleteAsyncCall(1, 0), spi.WSANOTINITIALISED)
	wantCode(t, thread, thread.WSAStartup(spi.Version22, new(WSAData)), 0)
	wantCode(t, thread, thread.WSAUnadvertiseProvider(&f.id), spi.WSAEINVAL) // the last cleanup has done it
}

// collectIn is collect with that much room.
func collectIn(thread *Thread, q *spi.QuerySet, room int) (names []string, code spi.Errno) {
	h, err := thread.WSALookupServiceBegin(q, spi.LUP_RETURN_ALL)
	if err != nil {
		return nil, CodeOf(err)
	}
	defer func() { _ = thread.WSALookupServiceEnd(h) }()
	buf := make([]byte, room)
	for {
		length := uint32(len(buf))
		switch code := CodeOf(thread.WSALookupServiceNext(h, spi.LUP_RETURN_ALL, &length, buf)); code {
		case 0:
			names = append(names, spi.QuerySetAt(buf).Name())
		case spi.WSA_E_NO_MORE:
			return names, 0
		default:
			return names, code
		}
	}
}

// A client with less room than the provider was given gets the same result in
// its next call, or passes over it.
func TestAdvertisedProviderAndSmallBuffers(t *testing.T) {
	h := newHost(t)
	f := h.secondOf("second", spi.NS_EMAIL, "a", "b", "c")
	thread := h.up()
	f.thread = thread
	wantCode(t, thread, thread.WSAAdvertiseProvider(&f.id, f.routine()), 0)
	handle, err := thread.WSALookupServiceBegin(anyQuery(), spi.LUP_RETURN_ALL)
	if err != nil {
		t.Fatal(err)
	}
	next := func(flags uint32, room uint32) (string, uint32, spi.Errno) {
		buf := make([]byte, room)
		e := CodeOf(thread.WSALookupServiceNext(handle, spi.LUP_RETURN_ALL|flags, &room, buf))
		if e != 0 {
			return "", room, e
		}
		return spi.QuerySetAt(buf).Name(), room, 0
	}
	_, needed, e := next(0, 100)
	if e != spi.WSAEFAULT || needed < 5000 {
		t.Fatalf("%v, needs %d", e, needed)
	}
	if _, again, e := next(0, needed-1); e != spi.WSAEFAULT || again != needed {
		t.Errorf("%v, needs %d and %d", e, needed, again)
	}
	if name, _, e := next(0, needed); name != "a" || e != 0 {
		t.Errorf("%q, %v", name, e)
	}
	if _, _, e := next(0, 100); e != spi.WSAEFAULT {
		t.Error(e)
	}
	if name, _, e := next(spi.LUP_FLUSHPREVIOUS, needed); name != "c" || e != 0 {
		t.Errorf("%q, %v", name, e)
	}
	if i := slices.IndexFunc(f.flags, func(flags uint32) bool { return flags&spi.LUP_FLUSHPREVIOUS != 0 }); i >= 0 {
		t.Error("the provider is told to pass over a result that it has given")
	}
	wantCode(t, thread, thread.WSALookupServiceEnd(handle), 0)
}

func TestEndsFreeWhoWaitsForAnAnswer(t *testing.T) {
	for what, end := range map[string]struct {
		do   func(*Thread, *secondFake, spi.Lookup) error
		want spi.Errno
	}{
		"end": {func(thread *Thread, _ *secondFake, handle spi.Lookup) error {
			return thread.WSALookupServiceEnd(handle)
		}, spi.WSA_E_CANCELLED},
		"unadvertise": {func(thread *Thread, f *secondFake, _ spi.Lookup) error {
			return thread.WSAUnadvertiseProvider(&f.id)
		}, spi.WSASERVICE_NOT_FOUND},
		"cleanup": {func(thread *Thread, _ *secondFake, _ spi.Lookup) error { return thread.WSACleanup() }, spi.WSA_E_CANCELLED},
	} {
		h := newHost(t)
		f := h.secondOf("second", spi.NS_EMAIL, "wait")
		thread := h.up()
		f.thread = thread
		wantCode(t, thread, thread.WSAAdvertiseProvider(&f.id, f.routine()), 0)
		handle, err := thread.WSALookupServiceBegin(anyQuery(), 0)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error)
		go func() {
			length := uint32(1000)
			got <- h.Unbound().WSALookupServiceNext(handle, 0, &length, make([]byte, length))
		}()
		call := <-f.handed
		wantCode(t, thread, end.do(thread, f, handle), 0)
		if err := <-got; CodeOf(err) != end.want {
			t.Errorf("%s: Next gives %v, want %v", what, err, end.want)
		}
		if f.ends.Load() != 1 {
			t.Errorf("%s: the provider's lookup was ended %d times", what, f.ends.Load())
		}
		// The answer may come when nobody waits for it any more, and once.
		if what != "cleanup" {
			wantCode(t, thread, thread.WSAProviderCompleteAsyncCall(call, 0), 0)
			wantCode(t, thread, thread.WSAProviderCompleteAsyncCall(call, 0), spi.WSAEINVAL)
		}
		if what == "unadvertise" {
			if f.cleanups.Load() != 1 {
				t.Error("not cleaned up")
			}
			wantCode(t, thread, thread.WSALookupServiceEnd(handle), 0)
			if f.ends.Load() != 1 {
				t.Error("ended twice")
			}
		}
	}
}

func TestAdvertiseCodes(t *testing.T) {
	h := newHost(t)
	f := h.secondOf("second", spi.NS_EMAIL)
	thread := h.up()
	f.thread = thread
	half := f.routine()
	half.LpNSPv2LookupServiceEnd = nil
	wantCode(t, thread, thread.WSAAdvertiseProvider(nil, f.routine()), spi.WSAEINVAL)
	wantCode(t, thread, thread.WSAAdvertiseProvider(&f.id, nil), spi.WSAEINVAL)
	wantCode(t, thread, thread.WSAAdvertiseProvider(&f.id, half), spi.WSAEINVAL)
	wantCode(t, thread, thread.WSAAdvertiseProvider(&spi.GUID{Data1: 1}, f.routine()), spi.WSAEINVALIDPROVIDER)
	wantCode(t, thread, thread.WSAUnadvertiseProvider(&f.id), spi.WSAEINVAL)
	wantCode(t, thread, thread.WSAUnadvertiseProvider(nil), spi.WSAEINVAL)
	wantCode(t, thread, thread.WSAProviderCompleteAsyncCall(0, 0), spi.WSAEINVAL)
	wantCode(t, thread, thread.WSAAdvertiseProvider(&f.id, f.routine()), 0)
	wantCode(t, thread, thread.WSAAdvertiseProvider(&f.id, f.routine()), spi.WSAEALREADY)
	wantCode(t, thread, thread.WSAUnadvertiseProvider(&f.id), 0)
	if f.cleanups.Load() != 0 {
		t.Error("cleaned up without a start")
	}

	// The three functions for lookups are enough, and those that are only there
	// for the sake of the table are as good as missing.
	few := &spi.NSPv2Routine{
		Size: spi.SizeofNSPv2Routine, LpNSPv2LookupServiceBegin: f.routine().LpNSPv2LookupServiceBegin,
		LpNSPv2LookupServiceNextEx: f.next, LpNSPv2LookupServiceEnd: f.routine().LpNSPv2LookupServiceEnd,
		LpNSPv2Startup: func(_ *spi.GUID, session *uintptr) spi.Errno { *session = secondSession; return spi.WSAEOPNOTSUPP },
	}
	wantCode(t, thread, thread.WSAAdvertiseProvider(&f.id, few), 0)
	if names, code := collectIn(thread, anyQuery(), 8000); names != nil || code != 0 {
		t.Errorf("%v, %v", names, code)
	}
	wantCode(t, thread, thread.SetAddrInfoEx(new("x"), nil, nil, nil, 0, spi.NS_ALL, nil, nil, nil, nil, nil), spi.WSAEOPNOTSUPP)
	wantCode(t, thread, thread.WSAUnadvertiseProvider(&f.id), 0)

	few.LpNSPv2Startup = func(*spi.GUID, *uintptr) spi.Errno { return spi.WSAEACCES }
	wantCode(t, thread, thread.WSAAdvertiseProvider(&f.id, few), 0)
	_, err := thread.WSALookupServiceBegin(anyQuery(), 0)
	if !errors.Is(err, spi.WSAEPROVIDERFAILEDINIT) || !errors.Is(err, spi.WSAEACCES) {
		t.Errorf("a start that fails: %v", err)
	}
}

func TestAdvertisedProviderPanics(t *testing.T) {
	h := newHost(t)
	f := h.secondOf("second", spi.NS_EMAIL)
	thread := h.up()
	f.thread = thread
	bad := f.routine()
	var call spi.AsyncCall
	bad.LpNSPv2LookupServiceNextEx = func(c spi.AsyncCall, _ spi.Lookup, _ uint32, _ *uint32, _ []byte) {
		call = c
		panic("on purpose")
	}
	wantCode(t, thread, thread.WSAAdvertiseProvider(&f.id, bad), 0)
	if _, code := collectIn(thread, anyQuery(), 1000); code != spi.WSASYSCALLFAILURE {
		t.Error(code)
	}
	wantCode(t, thread, thread.WSAProviderCompleteAsyncCall(call, 0), spi.WSAEINVAL)
	if logged := h.logged(); len(logged) != 1 {
		t.Errorf("logged %q", logged)
	}
}

func TestSetAddrInfoEx(t *testing.T) {
	h := newHost(t)
	f := h.secondOf("second", spi.NS_EMAIL, "somebody")
	h.namespaceOf("refuses", spi.NS_DNS, nil, spi.WSAHOST_NOT_FOUND)
	thread := h.up()
	f.thread = thread
	wantCode(t, thread, thread.WSAAdvertiseProvider(&f.id, f.routine()), 0)
	address := spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.9:25"))
	set := func(name *string, addresses ...spi.SocketAddress) error {
		return thread.SetAddrInfoEx(name, new("smtp"), addresses, spi.NewBlob([]byte("its own")), 0, spi.NS_ALL, nil, nil, nil, nil, nil)
	}
	wantCode(t, thread, set(new("somebody"), spi.NewSocketAddress(address)), 0)
	if f.blobs["somebody"] != "its own" || f.queries["somebody"] != "smtp" {
		t.Errorf("registered with %q and %q", f.blobs, f.queries)
	}
	var found *spi.AddrInfoEx
	wantCode(t, thread, thread.GetAddrInfoEx(new("somebody"), nil, spi.NS_EMAIL, nil, nil, &found, nil, nil, nil, nil), 0)
	if found == nil || spi.AddressString(found.Sockaddr()) != "127.0.0.9:0" || *found.Provider != f.id {
		t.Errorf("found %+v", found)
	}
	wantCode(t, thread, set(new("somebody")), 0)
	wantCode(t, thread, set(new("somebody")), spi.WSASERVICE_NOT_FOUND)
	wantCode(t, thread, set(nil), spi.WSAEINVAL)
	wantCode(t, thread, thread.SetAddrInfoEx(new("x"), nil, nil, nil, 0, spi.NS_DNS, nil, nil, nil, nil, nil), spi.WSAEOPNOTSUPP)
	wantCode(t, thread, thread.SetAddrInfoEx(new("x"), nil, nil, nil, 0, 0, &spi.GUID{Data1: 1}, nil, nil, nil, nil), spi.WSAEINVAL)
	wantCode(t, thread, thread.SetAddrInfoEx(new("x"), nil, nil, nil, 0, 0, nil, new(spi.Timeval), nil, nil, nil), spi.WSAEINVAL)
	wantCode(t, thread, thread.SetAddrInfoEx(new("x"), nil, nil, nil, 0, 0, nil, nil, new(spi.Overlapped), nil, nil), spi.WSAEINVAL)
	wantCode(t, thread, thread.SetAddrInfoEx(new("x"), nil, nil, nil, 0, 0, nil, nil, nil, nil, new(uintptr)), spi.WSAEINVAL)
}
