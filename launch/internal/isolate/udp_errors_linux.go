package isolate

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/wsnet"
)

// wantErrors makes the kernel keep the errors that a datagram socket's peers send,
// with the peer each is about: without it only connected sockets learn of them.
func wantErrors(conn *wsnet.PacketConn, domain int) {
	_ = conn.Control(func(s spi.Socket) {
		if domain == unix.AF_INET {
			_ = unix.SetsockoptInt(int(s), unix.SOL_IP, unix.IP_RECVERR, 1)
			return
		}
		_ = unix.SetsockoptInt(int(s), unix.SOL_IPV6, unix.IPV6_RECVERR, 1)
	})
}

// reportErrors tells the program the errors that the kernel has kept. It reports
// whether there were any.
func (s *Server) reportErrors(f *flow, conn *wsnet.PacketConn) (some bool) {
	_ = conn.Control(func(socket spi.Socket) {
		control := make([]byte, 512)
		for range maxPeers {
			_, n, _, name, err := unix.Recvmsg(int(socket), nil, control, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			some = true
			if errno := keptError(control[:n]); errno != 0 {
				s.unreachable(f, addrPortOf(name), errno)
			}
		}
	})
	return some
}

// keptError returns the errno of a struct sock_extended_err.
func keptError(control []byte) unix.Errno {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		v4 := m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_RECVERR
		v6 := m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if (v4 || v6) && len(m.Data) >= 4 {
			return unix.Errno(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return 0
}

func addrPortOf(name unix.Sockaddr) netip.AddrPort {
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}
