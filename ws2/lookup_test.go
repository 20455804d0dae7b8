package ws2

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"upcall.dev/spi"
)

// fakeNames is a namespace provider whose results a test gives.
type fakeNames struct {
	spi.NSPRoutine
	id              spi.GUID
	starts, cleanup atomic.Int32
	host            spi.NSPHost

	mu      sync.Mutex
	results []string  // names that a lookup finds
	code    spi.Errno // after them
	at      map[spi.Lookup]int
	ended   map[spi.Lookup]chan struct{}
	flags   []uint32 // of Next
	next    spi.Lookup
}

func (h *host) namespaceOf(name string, space uint32, results []string, code spi.Errno) *fakeNames {
	h.t.Helper()
	f := &fakeNames{id: spi.NewGUID(), results: results, code: code, at: map[spi.Lookup]int{}, ended: map[spi.Lookup]chan struct{}{}}
	f.Size = spi.SizeofNSPRoutine
	no := spi.WSAEOPNOTSUPP
	f.LpNSPCleanup = func(*spi.GUID) spi.Errno { f.cleanup.Add(1); return 0 }
	f.LpNSPLookupServiceBegin = f.begin
	f.LpNSPLookupServiceNext = f.lookupNext
	f.LpNSPLookupServiceEnd = f.end
	f.LpNSPSetService = func(*spi.GUID, *spi.ServiceClassInfo, *spi.QuerySet, int32, uint32) spi.Errno { return no }
	f.LpNSPInstallServiceClass = func(*spi.GUID, *spi.ServiceClassInfo) spi.Errno { return no }
	f.LpNSPRemoveServiceClass = func(_, _ *spi.GUID) spi.Errno { return no }
	f.LpNSPGetServiceClassInfo = func(_, _ *spi.GUID, _ *uint32, _ []byte) spi.Errno { return no }
	f.LpNSPIoctl = func(spi.Lookup, uint32, []byte, []byte, *uint32, *spi.NotifyCompletion, *spi.ThreadID) spi.Errno {
		return no
	}
	path := "/fakes/" + name + ".so"
	before := h.config.LoadNamespace
	h.config.LoadNamespace = func(p string) (spi.NSPStartupFunc, error) {
		if p != path {
			return before(p)
		}
		return func(_ *spi.GUID, host spi.NSPHost) (spi.NSP, spi.Errno) {
			f.starts.Add(1)
			f.host = host
			return f.Provider(), 0
		}, nil
	}
	if e := h.catalog.InstallNameSpace(name, path, space, 1, f.id); e != 0 {
		h.t.Fatal(e)
	}
	return f
}

func (f *fakeNames) begin(*spi.GUID, *spi.QuerySet, *spi.ServiceClassInfo, uint32) (spi.Lookup, spi.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	f.at[f.next], f.ended[f.next] = 0, make(chan struct{})
	return f.next, 0
}

// lookupNext gives the results; one called "wait" is waited for until the end of
// the lookup.
func (f *fakeNames) lookupNext(h spi.Lookup, flags uint32, length *uint32, results []byte) spi.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flags = append(f.flags, flags)
	at, ok := f.at[h]
	switch {
	case !ok:
		return spi.WSA_INVALID_HANDLE
	case at == len(f.results) && f.code != 0:
		return f.code
	case at == len(f.results):
		return spi.WSA_E_NO_MORE
	}
	name := f.results[at]
	if name == "wait" {
		ended := f.ended[h]
		f.mu.Unlock()
		<-ended
		f.mu.Lock()
		return spi.WSA_E_CANCELLED
	}
	q := spi.QuerySet{Size: spi.SizeofQuerySet, ServiceInstanceName: spi.UTF16Ptr(name), NSProviderID: &f.id}
	e := q.Pack(results, length)
	if e == 0 {
		f.at[h]++
	}
	return e
}

func (f *fakeNames) end(h spi.Lookup) spi.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.at[h]; !ok {
		return spi.WSA_INVALID_HANDLE
	}
	close(f.ended[h])
	delete(f.at, h)
	return 0
}

func anyQuery() *spi.QuerySet {
	class := spi.SVCID_HOSTNAME
	return &spi.QuerySet{Size: spi.SizeofQuerySet, ServiceClassID: &class}
}

// collect returns the names that a query finds, and the code of a failure.
func collect(thread *Thread, q *spi.QuerySet) (names []string, code spi.Errno) {
	h, err := thread.WSALookupServiceBegin(q, spi.LUP_RETURN_NAME)
	if err != nil {
		return nil, CodeOf(err)
	}
	defer func() { _ = thread.WSALookupServiceEnd(h) }()
	buf := make([]byte, 1024)
	for {
		length := uint32(len(buf))
		err := thread.WSALookupServiceNext(h, spi.LUP_RETURN_NAME, &length, buf)
		switch CodeOf(err) {
		case 0:
			names = append(names, spi.QuerySetAt(buf).Name())
		case spi.WSA_E_NO_MORE:
			return names, 0
		default:
			return names, CodeOf(err)
		}
	}
}

func TestLookupGoesToProvidersInOrder(t *testing.T) {
	h := newHost(t)
	one := h.namespaceOf("one", spi.NS_DNS, []string{"a", "b"}, 0)
	none := h.namespaceOf("none", spi.NS_DNS, nil, spi.WSAHOST_NOT_FOUND)
	other := h.namespaceOf("other", spi.NS_EMAIL, []string{"c"}, 0)
	off := h.namespaceOf("off", spi.NS_DNS, []string{"x"}, 0)
	if e := h.catalog.EnableNSProvider(off.id, false); e != 0 {
		t.Fatal(e)
	}
	thread := h.up()
	if one.starts.Load() != 0 {
		t.Error("started before it was needed")
	}
	for _, c := range []struct {
		what  string
		id    *spi.GUID
		space uint32
		want  []string
		code  spi.Errno
	}{
		{"all", nil, spi.NS_ALL, []string{"a", "b", "c"}, 0},
		{"one namespace", nil, spi.NS_EMAIL, []string{"c"}, 0},
		{"one provider, whatever the namespace", &other.id, spi.NS_DNS, []string{"c"}, 0},
		{"a provider that finds nothing", &none.id, 0, nil, spi.WSAHOST_NOT_FOUND},
		{"an inactive provider", &off.id, 0, nil, spi.WSASERVICE_NOT_FOUND},
		{"an empty namespace", nil, spi.NS_NLA, nil, spi.WSASERVICE_NOT_FOUND},
		{"an unknown provider", &spi.GUID{Data1: 1}, 0, nil, spi.WSAEINVAL},
	} {
		q := anyQuery()
		q.NSProviderID, q.NameSpace = c.id, c.space
		if names, code := collect(thread, q); !slices.Equal(names, c.want) || code != c.code {
			t.Errorf("%s: %v, %v; want %v, %v", c.what, names, code, c.want, c.code)
		}
	}
	if one.starts.Load() != 1 || off.starts.Load() != 0 {
		t.Errorf("started %d and %d times", one.starts.Load(), off.starts.Load())
	}
	if err := thread.WSACleanup(); err != nil {
		t.Fatal(err)
	}
	if one.cleanup.Load() != 1 || off.cleanup.Load() != 0 {
		t.Errorf("cleaned up %d and %d times", one.cleanup.Load(), off.cleanup.Load())
	}
	if _, err := thread.WSALookupServiceBegin(anyQuery(), 0); CodeOf(err) != spi.WSANOTINITIALISED {
		t.Errorf("after the last cleanup: %v", err)
	}
}

func TestLookupBuffersAndFlags(t *testing.T) {
	h := newHost(t)
	f := h.namespaceOf("one", spi.NS_DNS, []string{"a"}, 0)
	thread := h.up()
	if _, err := thread.WSALookupServiceBegin(nil, 0); CodeOf(err) != spi.WSAEFAULT {
		t.Errorf("no query: %v", err)
	}
	if _, err := thread.WSALookupServiceBegin(&spi.QuerySet{Size: spi.SizeofQuerySet}, 0); CodeOf(err) != spi.WSAEINVAL {
		t.Errorf("no class: %v", err)
	}
	handle, err := thread.WSALookupServiceBegin(anyQuery(), spi.LUP_RETURN_NAME|spi.LUP_RETURN_ADDR)
	if err != nil {
		t.Fatal(err)
	}
	next := func(length *uint32, buf []byte) spi.Errno {
		return CodeOf(thread.WSALookupServiceNext(handle, spi.LUP_RETURN_NAME|spi.LUP_RETURN_BLOB|spi.LUP_FLUSHPREVIOUS, length, buf))
	}
	if e := next(nil, nil); e != spi.WSAEFAULT {
		t.Errorf("no length: %v", e)
	}
	length := uint32(1000)
	if e := next(&length, make([]byte, 10)); e != spi.WSAEFAULT || length < spi.SizeofQuerySet {
		t.Errorf("no room: %v, needs %d", e, length)
	}
	if e := next(&length, make([]byte, length)); e != 0 {
		t.Error(e)
	}
	if want := uint32(spi.LUP_RETURN_NAME | spi.LUP_FLUSHPREVIOUS); f.flags[0] != want {
		t.Errorf("flags %#x, want %#x", f.flags[0], want)
	}
	if err := thread.WSALookupServiceEnd(handle); err != nil {
		t.Error(err)
	}
	for _, err := range []error{
		thread.WSALookupServiceEnd(handle), thread.WSALookupServiceNext(handle, 0, &length, nil),
		thread.WSANSPIoctl(handle, spi.SIO_NSP_NOTIFY_CHANGE, nil, nil, &length, nil),
	} {
		if CodeOf(err) != spi.WSA_INVALID_HANDLE {
			t.Error(err)
		}
	}
}

// The end of a lookup, and the last WSACleanup, free a thread that waits in it.
// A result that is passed over as too large is one of the provider that had it:
// the next provider's come all the same.
func TestFlushPreviousAtTheEndOfAProvider(t *testing.T) {
	h := newHost(t)
	one := h.namespaceOf("one", spi.NS_DNS, nil, 0)
	two := h.namespaceOf("two", spi.NS_DNS, []string{"b"}, 0)
	thread := h.up()
	handle, err := thread.WSALookupServiceBegin(anyQuery(), spi.LUP_RETURN_NAME)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = thread.WSALookupServiceEnd(handle) }()
	buf := make([]byte, 1024)
	length := uint32(len(buf))
	if err := thread.WSALookupServiceNext(handle, spi.LUP_RETURN_NAME|spi.LUP_FLUSHPREVIOUS, &length, buf); err != nil {
		t.Fatal(err)
	}
	if one.flags[0]&spi.LUP_FLUSHPREVIOUS == 0 || two.flags[0]&spi.LUP_FLUSHPREVIOUS != 0 {
		t.Errorf("flags %#x and %#x", one.flags, two.flags)
	}
}

// Getaddrinfo has no buffer that could be too small.
func TestProviderThatNeverHasRoomEnough(t *testing.T) {
	h := newHost(t)
	h.namespaceOf("greedy", spi.NS_DNS, nil, spi.WSAEFAULT)
	if _, err := h.up().GetAddrInfo(new("somebody"), nil, nil); CodeOf(err) != spi.WSANO_RECOVERY {
		t.Error(err)
	}
}

func TestEndFreesNext(t *testing.T) {
	for _, how := range []string{"end", "cleanup"} {
		h := newHost(t)
		f := h.namespaceOf("slow", spi.NS_DNS, []string{"wait"}, 0)
		thread := h.up()
		handle, err := thread.WSALookupServiceBegin(anyQuery(), spi.LUP_RETURN_NAME)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			length := uint32(1024)
			done <- h.Unbound().WSALookupServiceNext(handle, spi.LUP_RETURN_NAME, &length, make([]byte, length))
		}()
		for f.asked() == 0 {
			thread.SleepEx(1, false)
		}
		if how == "end" {
			err = thread.WSALookupServiceEnd(handle)
		} else {
			err = thread.WSACleanup()
		}
		if err != nil {
			t.Error(err)
		}
		if err := <-done; CodeOf(err) != spi.WSA_E_CANCELLED {
			t.Errorf("%s: %v", how, err)
		}
	}
}

func (f *fakeNames) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.flags)
}

func TestNamespaceProviderThatFails(t *testing.T) {
	h := newHost(t)
	broken := h.namespaceOf("broken", spi.NS_DNS, nil, 0)
	broken.LpNSPLookupServiceNext = nil
	panics := h.namespaceOf("panics", spi.NS_DNS, nil, 0)
	panics.LpNSPLookupServiceNext = func(spi.Lookup, uint32, *uint32, []byte) spi.Errno { panic("no names today") }
	h.namespaceOf("good", spi.NS_DNS, []string{"a"}, 0)
	thread := h.up()
	if names, code := collect(thread, anyQuery()); code != 0 || !slices.Equal(names, []string{"a"}) {
		t.Errorf("%v, %v", names, code)
	}
	q := anyQuery()
	q.NSProviderID = &broken.id
	if _, code := collect(thread, q); code != spi.WSAEINVALIDPROCTABLE {
		t.Errorf("an incomplete table: %v", code)
	}
	q.NSProviderID = &panics.id
	if _, code := collect(thread, q); code != spi.WSASYSCALLFAILURE {
		t.Errorf("a panic: %v", code)
	}
	if logged := strings.Join(h.logged(), "\n"); !strings.Contains(logged, "panics.so panicked in NSPLookupServiceNext: no names today") ||
		!strings.Contains(logged, "broken") {
		t.Errorf("logged %s", logged)
	}
}

func TestServicesReachProviders(t *testing.T) {
	h := newHost(t)
	refuses := h.namespaceOf("refuses", spi.NS_DNS, nil, 0)
	takes := h.namespaceOf("takes", spi.NS_EMAIL, nil, 0)
	class := spi.SVCID_TCP(4711)
	info := &spi.ServiceClassInfo{ServiceClassID: &class, ServiceClassName: spi.UTF16Ptr("mail")}
	known := false
	takes.LpNSPInstallServiceClass = func(_ *spi.GUID, c *spi.ServiceClassInfo) spi.Errno {
		known = *c.ServiceClassID == class
		return 0
	}
	takes.LpNSPRemoveServiceClass = func(_, c *spi.GUID) spi.Errno {
		if !known || *c != class {
			return spi.WSATYPE_NOT_FOUND
		}
		known = false
		return 0
	}
	takes.LpNSPGetServiceClassInfo = func(_, c *spi.GUID, length *uint32, buf []byte) spi.Errno {
		if !known || *c != class {
			return spi.WSATYPE_NOT_FOUND
		}
		return info.Pack(buf, length)
	}
	var registered []string
	takes.LpNSPSetService = func(_ *spi.GUID, c *spi.ServiceClassInfo, q *spi.QuerySet, operation int32, flags uint32) spi.Errno {
		registered = append(registered, q.Name()+" "+spi.UTF16PtrToString(c.ServiceClassName))
		return 0
	}
	thread := h.up()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	want := func(err error, code spi.Errno) {
		t.Helper()
		if CodeOf(err) != code {
			t.Errorf("%v, want %v", err, code)
		}
	}
	must(thread.WSAInstallServiceClass(info))
	want(thread.WSAInstallServiceClass(nil), spi.WSAEINVAL)
	var length uint32
	want(thread.WSAGetServiceClassInfo(&takes.id, &class, &length, nil), spi.WSAEFAULT)
	buf := make([]byte, length)
	must(thread.WSAGetServiceClassInfo(&takes.id, &class, &length, buf))
	if name := spi.UTF16PtrToString(spi.ServiceClassInfoAt(buf).ServiceClassName); name != "mail" {
		t.Errorf("class %q", name)
	}
	name := make([]uint16, 8)
	length = 2
	want(thread.WSAGetServiceClassNameByClassID(&class, name, &length), spi.WSAEFAULT)
	if length != 10 {
		t.Errorf("needs %d bytes", length)
	}
	must(thread.WSAGetServiceClassNameByClassID(&class, name, &length))
	if got := spi.UTF16ToString(name); got != "mail" {
		t.Errorf("class %q", got)
	}
	q := &spi.QuerySet{Size: spi.SizeofQuerySet, ServiceClassID: &class, ServiceInstanceName: spi.UTF16Ptr("inbox")}
	must(thread.WSASetService(q, spi.RNRSERVICE_REGISTER, 0))
	if !slices.Equal(registered, []string{"inbox mail"}) {
		t.Errorf("registered %q", registered)
	}
	want(thread.WSASetService(q, 3, 0), spi.WSAEINVAL)
	q.NSProviderID = &refuses.id
	want(thread.WSASetService(q, spi.RNRSERVICE_REGISTER, 0), spi.WSAEOPNOTSUPP)
	must(thread.WSARemoveServiceClass(&class))
	want(thread.WSARemoveServiceClass(&class), spi.WSATYPE_NOT_FOUND)
	want(thread.WSAGetServiceClassNameByClassID(&class, name, &length), spi.WSATYPE_NOT_FOUND)
	length = 0
	_, err := thread.WSAEnumNameSpaceProviders(&length, nil)
	want(err, spi.WSAEFAULT)
	n, err := thread.WSAEnumNameSpaceProviders(&length, make([]byte, length))
	if n != 2 || err != nil {
		t.Errorf("%d providers, %v", n, err)
	}
}

// A notice comes by each of the four ways.
func TestNotificationsComplete(t *testing.T) {
	h := newHost(t)
	f := h.namespaceOf("changing", spi.NS_DNS, []string{"a"}, 0)
	var pending []spi.NotifyCompletion
	var threads []spi.ThreadID
	f.LpNSPIoctl = func(_ spi.Lookup, _ uint32, _, _ []byte, _ *uint32, c *spi.NotifyCompletion, thread *spi.ThreadID) spi.Errno {
		if c == nil {
			return spi.WSAEWOULDBLOCK
		}
		pending, threads = append(pending, *c), append(threads, *thread)
		return spi.WSA_IO_PENDING
	}
	thread := h.up()
	lookup, err := thread.WSALookupServiceBegin(anyQuery(), 0)
	if err != nil {
		t.Fatal(err)
	}
	ioctl := func(c *spi.NotifyCompletion) spi.Errno {
		var returned uint32
		return CodeOf(thread.WSANSPIoctl(lookup, spi.SIO_NSP_NOTIFY_CHANGE, nil, nil, &returned, c))
	}
	if e := ioctl(nil); e != spi.WSAEWOULDBLOCK {
		t.Errorf("a poll: %v", e)
	}
	if e := ioctl(&spi.NotifyCompletion{}); e != spi.WSAEWOULDBLOCK {
		t.Errorf("at once: %v", e)
	}
	wnd, _ := thread.CreateWindow()
	ev, _ := thread.WSACreateEvent()
	port, err := h.CreateIoCompletionPort(0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.CloseCompletionPort(port) }()
	byAPC := 0
	ovs := [3]spi.Overlapped{0: {HEvent: ev}}
	for _, c := range []spi.NotifyCompletion{
		{Type: spi.NSP_NOTIFY_HWND, Handle: uintptr(wnd), Message: 0x401, Context: 7},
		{Type: spi.NSP_NOTIFY_EVENT, Overlapped: &ovs[0]},
		{Type: spi.NSP_NOTIFY_PORT, Overlapped: &ovs[1], Handle: uintptr(port), Context: 8},
		{Type: spi.NSP_NOTIFY_APC, Overlapped: &ovs[2], Routine: func(e spi.Errno, _ uint32, _ *spi.Overlapped, _ uint32) { byAPC++ }},
	} {
		if e := ioctl(&c); e != spi.WSA_IO_PENDING {
			t.Errorf("type %d: %v", c.Type, e)
		}
	}
	for i := range pending {
		f.host.Notify(&pending[i], &threads[i], 0)
	}
	if m, ok := thread.PeekMessage(wnd, true); !ok || m.Message != 0x401 || m.WParam != 7 {
		t.Errorf("message %+v, %v", m, ok)
	}
	if n, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, true, 0, false); n != 0 {
		t.Errorf("event: %d, %v", n, err)
	}
	if packet, err := thread.GetQueuedCompletionStatus(port, 0); packet.Overlapped != &ovs[1] || packet.Key != 8 {
		t.Errorf("packet %+v, %v", packet, err)
	}
	if thread.SleepEx(0, true) != spi.WSA_WAIT_IO_COMPLETION || byAPC != 1 {
		t.Errorf("%d APCs", byAPC)
	}
	f.host.Notify(&pending[0], &threads[0], spi.WSA_OPERATION_ABORTED)
	if m, ok := thread.PeekMessage(wnd, true); ok {
		t.Errorf("a message of an aborted request: %+v", m)
	}
	for i, c := range []spi.NotifyCompletion{
		{Type: 9}, {Type: spi.NSP_NOTIFY_EVENT}, {Type: spi.NSP_NOTIFY_APC, Overlapped: &ovs[0]}, {Type: spi.NSP_NOTIFY_PORT},
	} {
		if e := ioctl(&c); e != spi.WSAEINVAL {
			t.Errorf("completion %d: %v", i, e)
		}
	}
}
