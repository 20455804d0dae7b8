package namespace

import (
	"context"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"upcall.dev/spi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is a resolver of a few names. One called slow waits for the end of its
// context.
type book struct {
	mu      sync.Mutex
	serial  uint64
	changed chan struct{}
	asked   []Question
	waiting chan struct{}
}

func newBook() *book { return &book{changed: make(chan struct{}, 1), waiting: make(chan struct{}, 1)} }

var both = []netip.Addr{netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("192.0.2.7")}

func (b *book) Forward(ctx context.Context, q Question) (Answer, error) {
	b.mu.Lock()
	b.asked = append(b.asked, q)
	b.mu.Unlock()
	switch q.Name {
	case "slow":
		b.waiting <- struct{}{}
		<-ctx.Done()
		return Answer{}, ctx.Err()
	case "web":
		a := Answer{Name: "web.example", Aliases: []string{"web", "www"}}
		for _, addr := range both {
			if addr.Is4() && q.IPv4 || addr.Is6() && q.IPv6 {
				a.Addresses = append(a.Addresses, addr)
			}
		}
		return a, nil
	case "scoped":
		return Answer{Name: "scoped", Addresses: []netip.Addr{netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("fe80::1%3")}}, nil
	case "elsewhere":
		return Answer{Name: "elsewhere", Addresses: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}}, nil
	case "broken":
		return Answer{}, context.DeadlineExceeded
	}
	return Answer{}, spi.WSAHOST_NOT_FOUND
}

func (b *book) Reverse(_ context.Context, addr netip.Addr) (Answer, error) {
	if !slices.Contains(both, addr) {
		return Answer{}, spi.WSAHOST_NOT_FOUND
	}
	return Answer{Name: "web.example"}, nil
}

func (b *book) Serial() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.serial
}

func (b *book) Follow(ctx context.Context, changed func()) {
	for {
		select {
		case <-b.changed:
			changed()
		case <-ctx.Done():
			return
		}
	}
}

func (b *book) change() {
	b.mu.Lock()
	b.serial++
	b.mu.Unlock()
	b.changed <- struct{}{}
}

// notices is a host that keeps what it is told.
type notices chan spi.Errno

func (n notices) Notify(_ *spi.NotifyCompletion, _ *spi.ThreadID, status spi.Errno) { n <- status }

var providerID = spi.MustParseGUID("00000001-0000-4000-8000-000000000001")

func started(t *testing.T, r Resolver) (*Provider, notices) {
	t.Helper()
	told := make(notices, 10)
	p := New(r, spi.NS_DNS)
	if _, e := p.Startup(&providerID, told); e != 0 {
		t.Fatal(e)
	}
	t.Cleanup(func() { p.NSPCleanup(&providerID) })
	return p, told
}

func query(class spi.GUID, name string, families ...int32) *spi.QuerySet {
	q := &spi.QuerySet{Size: spi.SizeofQuerySet, ServiceClassID: &class}
	if name != "" {
		q.ServiceInstanceName = spi.UTF16Ptr(name)
	}
	var protocols []spi.AFProtocol
	for _, f := range families {
		protocols = append(protocols, spi.AFProtocol{AddressFamily: f})
	}
	q.SetProtocols(protocols)
	return q
}

// collect runs a lookup to its end, and returns the results, and the code if it
// is another than WSA_E_NO_MORE.
func collect(t *testing.T, p *Provider, q *spi.QuerySet, flags uint32) (all []*spi.QuerySet, code spi.Errno) {
	t.Helper()
	h, e := p.NSPLookupServiceBegin(&providerID, q, nil, flags)
	if e != 0 {
		return nil, e
	}
	defer p.NSPLookupServiceEnd(h)
	for {
		buf := make([]byte, 4096)
		length := uint32(len(buf))
		switch e := p.NSPLookupServiceNext(h, flags, &length, buf); e {
		case 0:
			all = append(all, spi.QuerySetAt(buf))
		case spi.WSA_E_NO_MORE:
			return all, 0
		default:
			return all, e
		}
	}
}

func addressesOf(q *spi.QuerySet) (all []string) {
	for _, a := range q.Addresses() {
		all = append(all, spi.AddressString(a.RemoteAddr.Bytes()))
	}
	return all
}

func TestQueriesByClass(t *testing.T) {
	p, _ := started(t, newBook())
	const four, six = "192.0.2.7:0", "[2001:db8::7]:0"
	for _, c := range []struct {
		what     string
		class    spi.GUID
		name     string
		families []int32
		flags    uint32
		want     []string
	}{
		{"a name alone means IPv4", spi.SVCID_INET_HOSTADDRBYNAME, "web", nil, 0, []string{four}},
		{"both families", spi.SVCID_INET_HOSTADDRBYNAME, "web", []int32{spi.AF_INET, spi.AF_INET6}, 0, []string{six, four}},
		{"any family", spi.SVCID_INET_HOSTADDRBYNAME, "web", []int32{spi.AF_UNSPEC}, 0, []string{six, four}},
		{"record A", spi.SVCID_DNS_TYPE_A, "web", nil, 0, []string{four}},
		{"record AAAA", spi.SVCID_DNS_TYPE_AAAA, "web", nil, 0, []string{six}},
		{"a scope by number", spi.SVCID_DNS_TYPE_AAAA, "scoped", nil, 0, []string{"[fe80::1%3]:0"}},
		{"a service", spi.SVCID_TCP(80), "web", nil, 0, []string{"[2001:db8::7]:80", "192.0.2.7:80"}},
		{"all as IPv6", spi.SVCID_DNS_TYPE_AAAA, "web", nil, spi.LUP_DUAL_ADDR, []string{six, "[::ffff:192.0.2.7]:0"}},
		{"reverse", spi.SVCID_INET_HOSTADDRBYINETSTRING, "192.0.2.7", nil, 0, []string{four}},
		{"reverse as in DNS", spi.SVCID_DNS_TYPE_PTR, "7.2.0.192.in-addr.arpa", nil, 0, []string{four}},
		{"reverse IPv6 as in DNS", spi.SVCID_DNS_TYPE_PTR, "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", nil, 0, []string{six}},
	} {
		all, e := collect(t, p, query(c.class, c.name, c.families...), spi.LUP_RETURN_NAME|spi.LUP_RETURN_ADDR|c.flags)
		if e != 0 || len(all) != 1 {
			t.Errorf("%s: %v, %d results", c.what, e, len(all))
			continue
		}
		name := "web.example"
		if c.name == "scoped" {
			name = c.name
		}
		if got := addressesOf(all[0]); !slices.Equal(got, c.want) || all[0].Name() != name || *all[0].NSProviderID != providerID {
			t.Errorf("%s: %q at %v, want %v", c.what, all[0].Name(), got, c.want)
		}
	}
}

func TestLookupCodes(t *testing.T) {
	p, _ := started(t, newBook())
	container := query(spi.SVCID_INET_HOSTADDRBYNAME, "web")
	other := query(spi.SVCID_INET_HOSTADDRBYNAME, "web")
	other.NameSpace = spi.NS_EMAIL
	udp := query(spi.SVCID_TCP(80), "web", spi.AF_INET)
	udp.Protocols.Protocol = spi.IPPROTO_UDP
	for _, c := range []struct {
		what  string
		q     *spi.QuerySet
		flags uint32
		want  spi.Errno
	}{
		{"not known", query(spi.SVCID_INET_HOSTADDRBYNAME, "nobody"), 0, spi.WSAHOST_NOT_FOUND},
		{"a scope by the interface's name alone", query(spi.SVCID_DNS_TYPE_AAAA, "elsewhere"), 0, spi.WSANO_DATA},
		{"broken", query(spi.SVCID_INET_HOSTADDRBYNAME, "broken"), 0, spi.WSANO_RECOVERY},
		{"no name", query(spi.SVCID_INET_HOSTADDRBYNAME, ""), 0, spi.WSAEINVAL},
		{"no address", query(spi.SVCID_INET_HOSTADDRBYINETSTRING, "web"), 0, spi.WSAEINVAL},
		{"address without name", query(spi.SVCID_INET_HOSTADDRBYINETSTRING, "192.0.2.8"), 0, spi.WSAHOST_NOT_FOUND},
		{"another class", query(spi.MustParseGUID("00000001-0000-4000-8000-000000000001"), "web"), 0, spi.WSASERVICE_NOT_FOUND},
		{"containers", container, spi.LUP_CONTAINERS, spi.WSANO_DATA},
		{"another namespace", other, 0, spi.WSASERVICE_NOT_FOUND},
		{"TCP over UDP", udp, 0, spi.WSANO_DATA},
		{"another family", query(spi.SVCID_DNS_TYPE_A, "web", spi.AF_INET6), 0, spi.WSANO_DATA},
		{"no query", nil, 0, spi.WSAEFAULT},
		{"short query", &spi.QuerySet{Size: 8}, 0, spi.WSAEINVAL},
	} {
		if _, e := collect(t, p, c.q, c.flags); e != c.want {
			t.Errorf("%s: %v, want %v", c.what, e, c.want)
		}
	}
	var length uint32
	if e := p.NSPLookupServiceNext(4711, 0, &length, nil); e != spi.WSA_INVALID_HANDLE {
		t.Errorf("next of nothing: %v", e)
	}
	if e := p.NSPLookupServiceEnd(4711); e != spi.WSA_INVALID_HANDLE {
		t.Errorf("end of nothing: %v", e)
	}
}

// Flags choose the parts; aliases come one by one; a result that is too large
// comes again, or is passed over.
func TestResultsByFlags(t *testing.T) {
	p, _ := started(t, newBook())
	all, e := collect(t, p, query(spi.SVCID_INET_HOSTADDRBYNAME, "web"), spi.LUP_RETURN_ALL)
	if e != 0 || len(all) != 3 {
		t.Fatalf("%v, %d results", e, len(all))
	}
	for i, want := range []string{"web.example", "web", "www"} {
		if all[i].Name() != want || (all[i].OutputFlags&spi.RESULT_IS_ALIAS != 0) != (i > 0) {
			t.Errorf("result %d: %q, flags %#x", i, all[i].Name(), all[i].OutputFlags)
		}
	}
	blob := all[0].Blob.Bytes()
	if name := binary.NativeEndian.Uint64(blob); string(blob[name:name+11]) != "web.example" {
		t.Errorf("blob % x", blob)
	}
	h, _ := p.NSPLookupServiceBegin(&providerID, query(spi.SVCID_INET_HOSTADDRBYNAME, "web"), nil, spi.LUP_RETURN_NAME|spi.LUP_RETURN_ALIASES)
	defer p.NSPLookupServiceEnd(h)
	buf := make([]byte, 1024)
	next := func(room, flags uint32) (string, uint32, spi.Errno) {
		length := room
		e := p.NSPLookupServiceNext(h, flags, &length, buf)
		if e != 0 {
			return "", length, e
		}
		q := spi.QuerySetAt(buf)
		if len(q.Addresses()) != 0 {
			t.Error("addresses that Begin did not ask for")
		}
		return q.Name(), length, 0
	}
	_, needed, e := next(8, spi.LUP_RETURN_ALL)
	if e != spi.WSAEFAULT || needed <= spi.SizeofQuerySet {
		t.Fatalf("too small: %v, needs %d", e, needed)
	}
	if name, _, e := next(needed, spi.LUP_RETURN_ALL); e != 0 || name != "web.example" {
		t.Errorf("again: %q, %v", name, e)
	}
	if _, _, e := next(8, spi.LUP_RETURN_ALL); e != spi.WSAEFAULT {
		t.Error(e)
	}
	if name, _, e := next(1024, spi.LUP_RETURN_ALL|spi.LUP_FLUSHPREVIOUS); e != 0 || name != "www" {
		t.Errorf("passed over: %q, %v", name, e)
	}
	if _, _, e := next(1024, spi.LUP_RETURN_ALL); e != spi.WSA_E_NO_MORE {
		t.Errorf("at the end: %v", e)
	}
	all, e = collect(t, p, query(spi.SVCID_INET_HOSTADDRBYNAME, "web"), spi.LUP_RETURN_ALL|spi.LUP_FLUSHPREVIOUS)
	if e != 0 || len(all) != 3 {
		t.Errorf("with nothing to pass over: %v, %d results", e, len(all))
	}
}

func TestEndCancelsNext(t *testing.T) {
	b := newBook()
	p, _ := started(t, b)
	h, e := p.NSPLookupServiceBegin(&providerID, query(spi.SVCID_INET_HOSTADDRBYNAME, "slow"), nil, spi.LUP_RETURN_ALL)
	if e != 0 {
		t.Fatal(e)
	}
	done := make(chan spi.Errno)
	go func() {
		length := uint32(1024)
		done <- p.NSPLookupServiceNext(h, spi.LUP_RETURN_ALL, &length, make([]byte, 1024))
	}()
	<-b.waiting
	if e := p.NSPLookupServiceEnd(h); e != 0 {
		t.Error(e)
	}
	if e := <-done; e != spi.WSA_E_CANCELLED {
		t.Errorf("next: %v", e)
	}
}

func TestNotifyOfChanges(t *testing.T) {
	b := newBook()
	p, told := started(t, b)
	begin := func() spi.Lookup {
		h, e := p.NSPLookupServiceBegin(&providerID, query(spi.SVCID_INET_HOSTADDRBYNAME, "web"), nil, spi.LUP_RETURN_ALL)
		if e != 0 {
			t.Fatal(e)
		}
		return h
	}
	ioctl := func(h spi.Lookup, c *spi.NotifyCompletion) spi.Errno {
		return p.NSPIoctl(h, spi.SIO_NSP_NOTIFY_CHANGE, nil, nil, nil, c, nil)
	}
	h := begin()
	if e := ioctl(h, nil); e != spi.WSAEWOULDBLOCK {
		t.Errorf("nothing has changed: %v", e)
	}
	c := &spi.NotifyCompletion{Type: spi.NSP_NOTIFY_EVENT, Overlapped: new(spi.Overlapped)}
	if e := ioctl(h, c); e != spi.WSA_IO_PENDING {
		t.Fatal(e)
	}
	b.change()
	if e := <-told; e != 0 {
		t.Errorf("told %v", e)
	}
	if e := ioctl(h, nil); e != 0 {
		t.Errorf("it has changed: %v", e)
	}
	if e := ioctl(h, c); e != spi.WSA_IO_PENDING {
		t.Error(e)
	}
	if e := <-told; e != 0 {
		t.Errorf("changed before it was asked: %v", e)
	}
	fresh := begin()
	if e := ioctl(fresh, c); e != spi.WSA_IO_PENDING {
		t.Error(e)
	}
	p.NSPLookupServiceEnd(fresh)
	if e := <-told; e != spi.WSA_OPERATION_ABORTED {
		t.Errorf("ended: %v", e)
	}
	if e := ioctl(fresh, nil); e != spi.WSA_INVALID_HANDLE {
		t.Errorf("after the end: %v", e)
	}
	if e := p.NSPIoctl(h, spi.FIONBIO, nil, nil, nil, nil, nil); e != spi.WSAEOPNOTSUPP {
		t.Errorf("another code: %v", e)
	}
}

func TestStartsAreCounted(t *testing.T) {
	b := newBook()
	p := New(b, spi.NS_DNS)
	if e := p.NSPCleanup(nil); e != spi.WSANOTINITIALISED {
		t.Errorf("without a start: %v", e)
	}
	for range 2 {
		p.Startup(&providerID, make(notices, 1))
	}
	p.NSPCleanup(nil)
	h, e := p.NSPLookupServiceBegin(nil, query(spi.SVCID_INET_HOSTADDRBYNAME, "web"), nil, 0)
	if e != 0 {
		t.Fatal(e)
	}
	p.NSPCleanup(nil)
	if e := p.NSPLookupServiceEnd(h); e != spi.WSA_INVALID_HANDLE {
		t.Errorf("a lookup outlived the last cleanup: %v", e)
	}
	if _, e := p.NSPLookupServiceBegin(nil, query(spi.SVCID_INET_HOSTADDRBYNAME, "web"), nil, 0); e != spi.WSANOTINITIALISED {
		t.Errorf("after it: %v", e)
	}
}

func TestClassInfo(t *testing.T) {
	p, _ := started(t, newBook())
	for class, want := range map[spi.GUID]string{spi.SVCID_HOSTNAME: "Hostname", spi.SVCID_TCP(80): "http", spi.SVCID_UDP(53): "domain"} {
		buf := make([]byte, 512)
		length := uint32(len(buf))
		if e := p.NSPGetServiceClassInfo(nil, &class, &length, buf); e != 0 {
			t.Errorf("%s: %v", want, e)
			continue
		}
		if got := spi.UTF16PtrToString(spi.ServiceClassInfoAt(buf).ServiceClassName); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	unknown, length := spi.SVCID_DNS(999), uint32(0)
	if e := p.NSPGetServiceClassInfo(nil, &unknown, &length, nil); e != spi.WSATYPE_NOT_FOUND {
		t.Error(e)
	}
	for _, e := range []spi.Errno{p.NSPSetService(nil, nil, nil, 0, 0), p.NSPInstallServiceClass(nil, nil), p.NSPRemoveServiceClass(nil, nil)} {
		if e != spi.WSAEOPNOTSUPP {
			t.Error(e)
		}
	}
}

// FuzzQuery begins and runs lookups of any class and name.
func FuzzQuery(f *testing.F) {
	f.Add(uint32(0x2a803), uint16(0), "web", int32(2), uint32(spi.LUP_RETURN_ALL))
	f.Add(uint32(0x90035), uint16(12), "1.0.0.127.in-addr.arpa", int32(0), uint32(0))
	f.Fuzz(func(t *testing.T, class uint32, record uint16, name string, family int32, flags uint32) {
		if name == "slow" {
			return
		}
		id := spi.SVCID_HOSTNAME
		id.Data1, id.Data3 = class, record
		p, _ := started(t, newBook())
		all, e := collect(t, p, query(id, name, family), flags)
		if e == 0 && len(all) == 0 {
			t.Error("neither a result nor an error")
		}
	})
}

// bomb is a resolver that panics.
type bomb struct{}

func (bomb) Forward(context.Context, Question) (Answer, error)   { panic("no") }
func (bomb) Reverse(context.Context, netip.Addr) (Answer, error) { panic("no") }

// After a panic, which is the host's to catch, the lookup has failed.
func TestPanicLeavesAFailure(t *testing.T) {
	p, _ := started(t, bomb{})
	h, e := p.NSPLookupServiceBegin(&providerID, query(spi.SVCID_INET_HOSTADDRBYNAME, "web"), nil, spi.LUP_RETURN_ALL)
	if e != 0 {
		t.Fatal(e)
	}
	length := uint32(1024)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		p.NSPLookupServiceNext(h, spi.LUP_RETURN_ALL, &length, make([]byte, length))
	}()
	if e := p.NSPLookupServiceNext(h, spi.LUP_RETURN_ALL, &length, make([]byte, length)); e != spi.WSANO_RECOVERY {
		t.Error(e)
	}
}
