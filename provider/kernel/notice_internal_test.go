//go:build linux

package kernel

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// addressMessage is what the kernel tells of an address of interface 7.
func addressMessage(kind uint16, ip string, flags uint8) *syscall.NetlinkMessage {
	a := netip.MustParseAddr(ip)
	family := uint8(unix.AF_INET)
	if a.Is6() {
		family = unix.AF_INET6
	}
	data := []byte{family, 24, flags, 0}
	data = binary.NativeEndian.AppendUint32(data, 7)
	data = binary.NativeEndian.AppendUint16(data, uint16(unix.SizeofRtAttr+len(a.AsSlice())))
	data = binary.NativeEndian.AppendUint16(data, unix.IFA_ADDRESS)
	data = append(data, a.AsSlice()...)
	return &syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: kind}, Data: data}
}

// Which messages of the kernel are a change of the list of addresses.
func TestWhatChangesAddresses(t *testing.T) {
	w := news{addresses: map[interfaceEntry]struct{}{}}
	for _, step := range []struct {
		what  string
		m     *syscall.NetlinkMessage
		v4    bool
		v6    bool
		count int
	}{
		{"a new one", addressMessage(unix.RTM_NEWADDR, "10.0.0.1", 0), true, false, 1},
		{"a new lifetime", addressMessage(unix.RTM_NEWADDR, "10.0.0.1", 0), false, false, 1},
		{"one that another machine may have", addressMessage(unix.RTM_NEWADDR, "fd00::1", unix.IFA_F_TENTATIVE), false, false, 1},
		{"it is this machine's", addressMessage(unix.RTM_NEWADDR, "fd00::1", 0), false, true, 2},
		{"another machine has it", addressMessage(unix.RTM_NEWADDR, "fd00::1", unix.IFA_F_DADFAILED), false, true, 1},
		{"its end", addressMessage(unix.RTM_DELADDR, "fd00::1", 0), false, false, 1},
		{"an end", addressMessage(unix.RTM_DELADDR, "10.0.0.1", 0), true, false, 0},
		{"the end again", addressMessage(unix.RTM_DELADDR, "10.0.0.1", 0), false, false, 0},
		{"a route", &syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.RTM_NEWROUTE}}, false, false, 0},
		{"nothing", &syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.RTM_NEWADDR}}, false, false, 0},
	} {
		var c change
		w.note(step.m, &c)
		if c.addresses4 != step.v4 || c.addresses6 != step.v6 || !c.routes || len(w.addresses) != step.count {
			t.Errorf("%s: %+v, %d addresses", step.what, c, len(w.addresses))
		}
	}
}

// Where messages were lost, comparing finds what they would have told.
func TestLostMessages(t *testing.T) {
	now, errno := interfaceEntries()
	if errno != 0 {
		t.Skip(errno)
	}
	w := news{addresses: now}
	var c change
	if w.compare(&c); c.addresses4 || c.addresses6 {
		t.Errorf("nothing has changed, yet %+v", c)
	}
	gone, _ := interfaceEntryOf(addressMessage(unix.RTM_NEWADDR, "192.0.2.1", 0))
	w.addresses[gone] = struct{}{}
	if w.compare(&c); !c.addresses4 || c.addresses6 {
		t.Errorf("an address has gone, yet %+v", c)
	}
	if _, still := w.addresses[gone]; still {
		t.Error("an address that has gone is still known")
	}
}

func reached(addr, source string) destination {
	d := destination{addr: netip.MustParseAddr(addr), source: netip.MustParseAddr(source)}
	d.precedence, d.label = policyOf(d.addr)
	return d
}

// The examples of RFC 6724, section 10.2, that have neither home nor deprecated
// addresses.
func TestSortLikeTheRFC(t *testing.T) {
	for _, example := range [][2]destination{
		{reached("2001:db8:1::1", "2001:db8:1::2"), reached("198.51.100.121", "169.254.13.78")},
		{reached("198.51.100.121", "198.51.100.117"), reached("2001:db8:1::1", "fe80::1")},
		{reached("2001:db8:1::1", "2001:db8:1::2"), reached("10.1.2.3", "10.1.2.4")},
		{reached("fe80::1", "fe80::2"), reached("2001:db8:1::1", "2001:db8:1::2")},
		{reached("2001:db8:1::1", "2001:db8:1::2"), reached("2001:db8:3ffe::1", "2001:db8:3f44::2")},
		{reached("2002:c633:6401::1", "2002:c633:6401::2"), reached("2001:db8:1::1", "2002:c633:6401::2")},
		{reached("2001:db8:1::1", "2001:db8:1::2"), reached("2002:c633:6401::1", "2002:c633:6401::2")},
	} {
		for _, list := range [][]destination{{example[0], example[1]}, {example[1], example[0]}} {
			slices.SortStableFunc(list, compareDestinations)
			if list[0].addr != example[0].addr {
				t.Errorf("%v goes before %v", list[0].addr, list[1].addr)
			}
		}
	}
}

// The rules are an order: it does not depend on what else is in the list.
func TestSortIsAnOrder(t *testing.T) {
	one := rapid.Custom(func(t *rapid.T) destination {
		addr := rapid.SampledFrom([]string{"::1", "fe80::1", "fec0::1", "fd00::1", "2001::1", "2002::1", "2001:db8::1", "2001:db8:1::1", "ff02::1", "3ffe::1", "::7", "10.0.0.1", "169.254.0.1", "127.0.0.1"}).Draw(t, "addr")
		source := rapid.SampledFrom([]string{"", "::1", "fe80::2", "fd00::2", "2001:db8::2", "2002::2", "10.0.0.2", "127.0.0.1"}).Draw(t, "source")
		if source == "" || netip.MustParseAddr(source).Is4() != netip.MustParseAddr(addr).Is4() {
			d := destination{addr: netip.MustParseAddr(addr)}
			d.precedence, d.label = policyOf(d.addr)
			return d
		}
		return reached(addr, source)
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := one.Draw(t, "a"), one.Draw(t, "b"), one.Draw(t, "c")
		ab, ba, bc, ac := compareDestinations(a, b), compareDestinations(b, a), compareDestinations(b, c), compareDestinations(a, c)
		if ab != -ba {
			t.Fatalf("%d one way and %d the other", ab, ba)
		}
		if compareDestinations(a, a) != 0 {
			t.Fatal("not equal to itself")
		}
		if ab < 0 && bc < 0 && ac >= 0 {
			t.Fatal("not transitive")
		}
	})
}
