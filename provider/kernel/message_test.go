//go:build linux

package kernel_test

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// msgOf returns a message with an address's room or bytes, one buffer and
// control information.
func msgOf(name, buf, control []byte) *spi.Msg {
	bufs := []spi.Buf{spi.NewBuf(buf)}
	return &spi.Msg{Name: unsafe.SliceData(name), NameLen: int32(len(name)), Buffers: &bufs[0], BufferCount: 1, Control: spi.NewBuf(control)}
}

// cmsg is a piece of control information in Winsock's form.
type cmsg struct {
	level, kind int32
	data        string
}

func parseCmsgs(t testing.TB, control []byte) (list []cmsg) {
	t.Helper()
	for len(control) >= 16 {
		h := (*spi.CmsgHdr)(unsafe.Pointer(&control[0]))
		if h.Len < 16 || int(h.Len) > len(control) {
			t.Fatalf("a piece of %d bytes among %d", h.Len, len(control))
		}
		list = append(list, cmsg{h.Level, h.Type, string(control[16:h.Len])})
		control = control[min(len(control), int(h.Len+7)&^7):]
	}
	return list
}

func buildCmsgs(list ...cmsg) (control []byte) {
	for _, c := range list {
		control = binary.NativeEndian.AppendUint64(control, uint64(16+len(c.data)))
		control = binary.NativeEndian.AppendUint32(control, uint32(c.level))
		control = binary.NativeEndian.AppendUint32(control, uint32(c.kind))
		control = append(control, c.data...)
		for len(control)%8 != 0 {
			control = append(control, 0)
		}
	}
	return control
}

func number(v uint32) string { return string(binary.NativeEndian.AppendUint32(nil, v)) }

// loopbackIndex is the index of the interface that 127.0.0.1 is on.
func loopbackIndex(t testing.TB) uint32 {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	ok(t, err)
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	ok(t, err)
	ok(t, unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request))
	return request.Uint32()
}

// pktinfo is IN_PKTINFO or IN6_PKTINFO.
func pktinfo(ip string, index uint32) string {
	return string(netip.MustParseAddr(ip).AsSlice()) + number(index)
}

// What Winsock tells of a datagram is what the kernel tells, in Winsock's form.
func TestRecvMsg(t *testing.T) {
	index := loopbackIndex(t)
	rows := map[string]struct {
		options []int32
		level   int32
		sent    []cmsg
		got     []cmsg
	}{
		"ipv4": {
			[]int32{spi.IP_PKTINFO, spi.IP_RECVTTL, spi.IP_RECVTOS}, spi.IPPROTO_IP,
			[]cmsg{{spi.IPPROTO_IP, spi.IP_TTL, number(9)}, {spi.IPPROTO_IP, spi.IP_TOS, number(0x20)}, {spi.IPPROTO_IP, spi.IP_PKTINFO, pktinfo("127.0.0.9", 0)}},
			[]cmsg{{spi.IPPROTO_IP, spi.IP_PKTINFO, pktinfo("127.0.0.1", index)}, {spi.IPPROTO_IP, spi.IP_TTL, number(9)}, {spi.IPPROTO_IP, spi.IP_TOS, number(0x20)}},
		},
		"ipv6": {
			[]int32{spi.IPV6_PKTINFO, spi.IPV6_HOPLIMIT, spi.IPV6_RECVTCLASS}, spi.IPPROTO_IPV6,
			[]cmsg{{spi.IPPROTO_IPV6, spi.IPV6_HOPLIMIT, number(7)}, {spi.IPPROTO_IPV6, spi.IPV6_TCLASS, number(0x20)}, {spi.IPPROTO_IPV6, spi.IPV6_PKTINFO, pktinfo("::1", index)}},
			[]cmsg{{spi.IPPROTO_IPV6, spi.IPV6_PKTINFO, pktinfo("::1", index)}, {spi.IPPROTO_IPV6, spi.IPV6_HOPLIMIT, number(7)}, {spi.IPPROTO_IPV6, spi.IPV6_TCLASS, number(0x20)}},
		},
	}
	eachIndicated(t, datagrams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		row := rows[f.name]
		r, name := udp(t, th, f)
		for _, option := range row.options {
			setInt(t, th, r, row.level, option, 1)
		}
		s := socket(t, th, f, spi.SOCK_DGRAM)
		any, _ := spi.AddrPortFrom(f.any(t))
		ok(t, th.Bind(s, spi.SockaddrFrom(netip.AddrPortFrom(map[bool]netip.Addr{true: netip.IPv4Unspecified(), false: netip.IPv6Unspecified()}[any.Addr().Is4()], 0))))
		for _, how := range []string{"pending", "at once", "synchronous"} {
			from, b, control := make([]byte, 28), make([]byte, 100), make([]byte, 200)
			m := msgOf(from, b, control)
			ov := by.begin(t, th, r)
			var n uint32
			var err error
			if how == "pending" {
				want(t, th.WSARecvMsg(r, m, nil, ov, nil), spi.WSA_IO_PENDING)
			}
			sm := msgOf(name, []byte("a message"), buildCmsgs(row.sent...))
			sov := by.begin(t, th, s)
			ok(t, th.WSASendMsg(s, sm, 0, &n, sov, nil))
			if n, err := by.end(t, th, s, sov); n != 9 || err != nil {
				t.Errorf("sent %d, %v", n, err)
			}
			switch how {
			case "at once":
				ready(t, th, r, 'r')
				ok(t, th.WSARecvMsg(r, m, nil, ov, nil))
				n, err = by.end(t, th, r, ov)
			case "synchronous":
				err = th.WSARecvMsg(r, m, &n, nil, nil)
			default:
				n, err = by.end(t, th, r, ov)
			}
			if err != nil || string(b[:n]) != "a message" || m.Flags != 0 {
				t.Errorf("%s: %d, %v: %q, flags %#x", how, n, err, b[:n], m.Flags)
			}
			got := parseCmsgs(t, control[:m.Control.Len])
			if len(got) != len(row.got) {
				t.Fatalf("%s: %q", how, got)
			}
			for _, expected := range row.got {
				found := false
				for _, c := range got {
					found = found || c == expected
				}
				if !found {
					t.Errorf("%s: no %q among %q", how, expected, got)
				}
			}
			if f.name == "ipv4" { // the address that the sender has chosen
				if sender, _ := spi.AddrPortFrom(from[:m.NameLen]); sender.Addr() != netip.MustParseAddr("127.0.0.9") {
					t.Errorf("%s: from %s", how, sender)
				}
			}
		}
	})
}

// What WSARecvMsg tells is what recvmsg(2) tells of the same datagram.
func TestRecvMsgOracle(t *testing.T) {
	each(t, []family{ipv4}, func(t *testing.T, th *ws2.Thread, f family) {
		r := socket(t, th, f, spi.SOCK_DGRAM)
		ok(t, th.Bind(r, addr("0.0.0.0:0")))
		bound, _ := spi.AddrPortFrom(sockName(t, th, r))
		for _, option := range []int32{spi.IP_PKTINFO, spi.IP_RECVTTL, spi.IP_RECVTOS} {
			setInt(t, th, r, spi.IPPROTO_IP, option, 1)
		}
		for i, to := range []string{"127.0.0.1", "127.0.0.2", "127.9.8.7"} {
			s := socket(t, th, f, spi.SOCK_DGRAM)
			setInt(t, th, s, spi.IPPROTO_IP, spi.IP_TTL, uint32(20+i))
			setInt(t, th, s, spi.IPPROTO_IP, spi.IP_TOS, uint32(4*i))
			_, err := th.SendTo(s, []byte("datagram"), 0, spi.SockaddrFrom(netip.AddrPortFrom(netip.MustParseAddr(to), bound.Port())))
			ok(t, err)
			room := make([]byte, 200)
			_, size, _, from, err := unix.Recvmsg(int(r), make([]byte, 10), room, unix.MSG_PEEK)
			ok(t, err)
			native, err := unix.ParseSocketControlMessage(room[:size])
			ok(t, err)
			expected := map[cmsg]bool{}
			for _, m := range native {
				switch m.Header.Type {
				case unix.IP_PKTINFO:
					info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&m.Data[0]))
					expected[cmsg{spi.IPPROTO_IP, spi.IP_PKTINFO, string(info.Addr[:]) + number(uint32(info.Ifindex))}] = true
				case unix.IP_TTL:
					expected[cmsg{spi.IPPROTO_IP, spi.IP_TTL, string(m.Data)}] = true
				case unix.IP_TOS:
					expected[cmsg{spi.IPPROTO_IP, spi.IP_TOS, number(uint32(m.Data[0]))}] = true
				}
			}
			name, control := make([]byte, 16), make([]byte, 200)
			m := msgOf(name, make([]byte, 10), control)
			var n uint32
			ok(t, th.WSARecvMsg(r, m, &n, nil, nil))
			got := map[cmsg]bool{}
			for _, c := range parseCmsgs(t, control[:m.Control.Len]) {
				got[c] = true
			}
			if !maps.Equal(got, expected) || len(got) != 3 {
				t.Errorf("%v, the kernel has %v", got, expected)
			}
			sender, _ := spi.AddrPortFrom(name)
			if in := from.(*unix.SockaddrInet4); sender != netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port)) {
				t.Errorf("from %s, the kernel has %v", sender, in)
			}
		}
	})
}

func TestRecvMsgCut(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		r, name := udp(t, th, f)
		level, option := int32(spi.IPPROTO_IP), int32(spi.IP_PKTINFO)
		if f.name == "ipv6" {
			level, option = spi.IPPROTO_IPV6, spi.IPV6_PKTINFO
		}
		setInt(t, th, r, level, option, 1)
		s := socket(t, th, f, spi.SOCK_DGRAM)
		for _, row := range []struct {
			room, control int
			flags         uint32
		}{{3, 100, spi.MSG_TRUNC}, {10, 10, spi.MSG_CTRUNC}, {3, 0, spi.MSG_TRUNC | spi.MSG_CTRUNC}} {
			_, err := th.SendTo(s, []byte("12345"), 0, name)
			ok(t, err)
			b := make([]byte, row.room)
			m := msgOf(nil, b, make([]byte, row.control))
			var n uint32
			want(t, th.WSARecvMsg(r, m, &n, nil, nil), spi.WSAEMSGSIZE)
			if int(n) != min(row.room, 5) || m.Flags != row.flags {
				t.Errorf("%+v: %d bytes, flags %#x", row, n, m.Flags)
			}
		}
	})
}

func TestMsgRefuses(t *testing.T) {
	th := start(t)
	u, name := udp(t, th, ipv4)
	c, _ := pair(t, th, ipv4)
	var n uint32
	want(t, th.WSARecvMsg(c, msgOf(nil, make([]byte, 1), nil), &n, nil, nil), spi.WSAEOPNOTSUPP)
	want(t, th.WSASendMsg(c, msgOf(nil, make([]byte, 1), nil), 0, &n, nil, nil), spi.WSAEOPNOTSUPP)
	want(t, th.WSARecvMsg(u, msgOf(make([]byte, 4), make([]byte, 1), nil), &n, nil, nil), spi.WSAEFAULT)
	for _, control := range [][]byte{
		buildCmsgs(cmsg{spi.IPPROTO_IP, 99, "1234"}),
		buildCmsgs(cmsg{spi.SOL_SOCKET, 1, "1234"}),
		buildCmsgs(cmsg{spi.IPPROTO_IPV6, spi.IPV6_PKTINFO, pktinfo("::1", 1)}),
		buildCmsgs(cmsg{spi.IPPROTO_IP, spi.IP_PKTINFO, "short"}),
		buildCmsgs(cmsg{spi.IPPROTO_IP, spi.IP_TTL, "1"}),
		buildCmsgs(cmsg{spi.IPPROTO_IP, spi.IP_TTL, "1234"})[:8],
		{255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		want(t, th.WSASendMsg(u, msgOf(name, []byte("x"), control), 0, &n, nil, nil), spi.WSAEINVAL)
	}
	if err := th.WSASendMsg(u, msgOf(nil, []byte("x"), nil), 0, &n, nil, nil); err == nil {
		t.Error("sent to nobody")
	}
}

// The routine of an extension function runs on the thread that called it.
func TestRecvMsgRoutine(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		bound := th.DLL().BindThread()
		defer bound.Unbind()
		r, name := udp(t, th, f)
		s := socket(t, th, f, spi.SOCK_DGRAM)
		b := make([]byte, 10)
		var ov spi.Overlapped
		ran := 0
		routine := func(e spi.Errno, n uint32, o *spi.Overlapped, _ uint32) {
			if ran++; e != 0 || n != 4 || o != &ov || string(b[:n]) != "data" {
				t.Errorf("%v, %d: %q", e, n, b)
			}
		}
		want(t, bound.WSARecvMsg(r, msgOf(nil, b, nil), nil, &ov, routine), spi.WSA_IO_PENDING)
		_, err := th.SendTo(s, []byte("data"), 0, name)
		ok(t, err)
		if i := bound.SleepEx(uint32(wait.Milliseconds()), true); i != spi.WSA_WAIT_IO_COMPLETION || ran != 1 {
			t.Errorf("the wait gives %#x, the routine ran %d times", i, ran)
		}
	})
}

// The translation is total: what a client sends, however malformed, is refused
// or sent.
func FuzzSendControl(f *testing.F) {
	f.Add(buildCmsgs(cmsg{spi.IPPROTO_IP, spi.IP_TTL, number(1)}))
	f.Add(buildCmsgs(cmsg{spi.IPPROTO_IP, spi.IP_PKTINFO, pktinfo("127.0.0.1", 0)}))
	f.Add([]byte{1, 2, 3})
	th := start(f)
	u, name := udp(f, th, ipv4)
	b := make([]byte, 1)
	f.Fuzz(func(t *testing.T, control []byte) {
		var n uint32
		if th.WSASendMsg(u, msgOf(name, b, control), 0, &n, nil, nil) == nil {
			_, err := th.Recv(u, b, 0)
			ok(t, err)
		}
	})
}
