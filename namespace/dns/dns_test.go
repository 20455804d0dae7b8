package dns

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"upcall.dev/spi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type nobody struct{}

func (nobody) Notify(*spi.NotifyCompletion, *spi.ThreadID, spi.Errno) {}

// started returns the provider over a server of its own.
func started(t *testing.T) (spi.NSP, *server) {
	t.Helper()
	s := serve(t)
	startup, err := spi.OpenNamespace(ProviderID, spi.GoPath(Name, spi.Options{"server": s.address()}))
	if err != nil {
		t.Fatal(err)
	}
	p, e := startup(&ProviderID, nobody{})
	if e != 0 {
		t.Fatal(e)
	}
	t.Cleanup(func() { p.NSPCleanup(&ProviderID) })
	return p, s
}

func begin(t *testing.T, p spi.NSP, class spi.GUID, name string, families ...int32) spi.Lookup {
	t.Helper()
	q := &spi.QuerySet{Size: spi.SizeofQuerySet, ServiceClassID: &class, ServiceInstanceName: spi.UTF16Ptr(name)}
	var protocols []spi.AFProtocol
	for _, f := range families {
		protocols = append(protocols, spi.AFProtocol{AddressFamily: f})
	}
	q.SetProtocols(protocols)
	h, e := p.NSPLookupServiceBegin(&ProviderID, q, nil, spi.LUP_RETURN_ALL)
	if e != 0 {
		t.Fatal(e)
	}
	return h
}

// lookup returns the names, the canonical one first, and the addresses.
func lookup(t *testing.T, p spi.NSP, class spi.GUID, name string, families ...int32) (names, addresses []string, code spi.Errno) {
	t.Helper()
	h := begin(t, p, class, name, families...)
	defer p.NSPLookupServiceEnd(h)
	for {
		buf := make([]byte, 4096)
		length := uint32(len(buf))
		switch e := p.NSPLookupServiceNext(h, spi.LUP_RETURN_ALL, &length, buf); e {
		case 0:
			q := spi.QuerySetAt(buf)
			names = append(names, q.Name())
			for _, a := range q.Addresses() {
				addresses = append(addresses, strings.TrimSuffix(spi.AddressString(a.RemoteAddr.Bytes()), ":0"))
			}
		case spi.WSA_E_NO_MORE:
			slices.Sort(addresses)
			return names, addresses, 0
		default:
			return nil, nil, e
		}
	}
}

func TestLookups(t *testing.T) {
	p, _ := started(t)
	const four, six = "192.0.2.7", "[2001:db8::7]"
	both := []int32{spi.AF_INET, spi.AF_INET6}
	for _, c := range []struct {
		class     spi.GUID
		name      string
		families  []int32
		names     []string
		addresses []string
		code      spi.Errno
	}{
		{spi.SVCID_INET_HOSTADDRBYNAME, "both.test", both, []string{"both.test"}, []string{four, six}, 0},
		{spi.SVCID_DNS_TYPE_A, "both.test.", nil, []string{"both.test"}, []string{four}, 0},
		{spi.SVCID_DNS_TYPE_AAAA, "both.test", nil, []string{"both.test"}, []string{six}, 0},
		{spi.SVCID_INET_HOSTADDRBYNAME, "alias.test", nil, []string{"canonical.test", "alias.test"}, []string{four}, 0},
		{spi.SVCID_INET_HOSTADDRBYINETSTRING, "192.0.2.7", nil, []string{"both.test"}, []string{four}, 0},
		{spi.SVCID_DNS_TYPE_PTR, "7.2.0.192.in-addr.arpa", nil, []string{"both.test"}, []string{four}, 0},
		{spi.SVCID_DNS_TYPE_AAAA, "four.test", nil, nil, nil, spi.WSANO_DATA},
		{spi.SVCID_INET_HOSTADDRBYNAME, "nobody.test", both, nil, nil, spi.WSAHOST_NOT_FOUND},
		{spi.SVCID_INET_HOSTADDRBYNAME, "nobody.test", nil, nil, nil, spi.WSAHOST_NOT_FOUND},
		{spi.SVCID_INET_HOSTADDRBYINETSTRING, "192.0.2.8", nil, nil, nil, spi.WSAHOST_NOT_FOUND},
		{spi.SVCID_INET_HOSTADDRBYNAME, "failing.test", both, nil, nil, spi.WSATRY_AGAIN},
	} {
		names, addresses, code := lookup(t, p, c.class, c.name, c.families...)
		if code != c.code || !slices.Equal(names, c.names) || !slices.Equal(addresses, c.addresses) {
			t.Errorf("%s: %v at %v, %v; want %v at %v, %v", c.name, names, addresses, code, c.names, c.addresses, c.code)
		}
	}
}

// A lookup that waits for a server ends when it is told to.
func TestEndStopsWaiting(t *testing.T) {
	p, s := started(t)
	h := begin(t, p, spi.SVCID_INET_HOSTADDRBYNAME, "silent.test")
	done := make(chan spi.Errno)
	go func() {
		length := uint32(1024)
		done <- p.NSPLookupServiceNext(h, spi.LUP_RETURN_ALL, &length, make([]byte, 1024))
	}()
	<-s.silent
	if e := p.NSPLookupServiceEnd(h); e != 0 {
		t.Error(e)
	}
	if e := <-done; e != spi.WSA_E_CANCELLED {
		t.Errorf("next: %v", e)
	}
}

func TestNoNoticeOfChanges(t *testing.T) {
	p, _ := started(t)
	h := begin(t, p, spi.SVCID_INET_HOSTADDRBYNAME, "both.test")
	if e := p.NSPIoctl(h, spi.SIO_NSP_NOTIFY_CHANGE, nil, nil, nil, nil, nil); e != spi.WSAEOPNOTSUPP {
		t.Error(e)
	}
}

func TestServerOption(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.53": "192.0.2.53:53", "127.0.0.1:5353": "127.0.0.1:5353", "2001:db8::53": "[2001:db8::53]:53", "[::1]:53": "[::1]:53",
	} {
		if got, err := parseServer(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "name.example", "127.0.0.1:0", "127.0.0.1:99999", "1.2.3"} {
		if got, err := parseServer(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

// The system's resolver is the default, and knows this machine.
func TestSystemResolver(t *testing.T) {
	startup, err := open(spi.Module{})
	if err != nil {
		t.Fatal(err)
	}
	p, e := startup(&ProviderID, nobody{})
	if e != 0 {
		t.Fatal(e)
	}
	defer p.NSPCleanup(&ProviderID)
	if _, addresses, e := lookup(t, p, spi.SVCID_DNS_TYPE_A, "localhost"); e != 0 || !slices.Contains(addresses, "127.0.0.1") {
		t.Errorf("%v, %v", addresses, e)
	}
	if _, addresses, e := lookup(t, p, spi.SVCID_DNS_TYPE_A, "::1"); e != spi.WSANO_DATA {
		t.Errorf("IPv4 addresses of ::1: %v, %v", addresses, e)
	}
}
