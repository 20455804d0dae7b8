package seccomp

import (
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/tally"
)

// socketTypeMask is SOCK_TYPE_MASK: the type without SOCK_NONBLOCK and
// SOCK_CLOEXEC.
const socketTypeMask = 0xf

// filterSockets stops the making of sockets that no chain carries, when that is
// told of. Streams of IPv4 and IPv6 are told of by what is done with them, unless
// they are not TCP; Unix and netlink sockets lead to nobody but this machine.
func filterSockets(t traps) []bpf.Instruction {
	if !t.Report {
		return nil
	}
	return onCall(unix.SYS_SOCKET,
		argument(0),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_UNIX, SkipTrue: 9},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_NETLINK, SkipTrue: 8},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_INET6, SkipTrue: 7},
		argument(1),
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: socketTypeMask},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SOCK_STREAM, SkipTrue: 4},
		argument(2),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_IP, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 1},
		bpf.RetConstant{Val: filterAllow},
		bpf.RetConstant{Val: filterNotify})
}

// reportSocket tells of a socket that is being made and that no chain carries.
func (s *Server) reportSocket(n *notification) {
	domain, kind, protocol := int(int32(n.Args[0])), int(int32(n.Args[1]))&socketTypeMask, int(int32(n.Args[2]))
	name := protocolName(domain, kind, protocol)
	switch name {
	case "":
		return
	case "udp":
		if s.traps.Datagrams == chains.Untouched {
			s.reportOnce(n, "udp", "uses UDP, which is not carried: it works as without upcall")
		}
		return
	}
	// The program has no more privileges than the host: what the kernel refuses
	// here it refuses there.
	probe, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return
	}
	_ = unix.Close(probe)
	s.reportOnce(n, name, fmt.Sprintf("uses %s sockets, which are not carried: they work as without upcall", name))
	s.Tally.Count(tally.Use{Place: tally.Place{Protocol: name, Outcome: tally.PassedBy, How: "no chain carries such sockets"}})
}

// protocolName is what people call sockets of a domain, type and protocol; empty
// for those that are carried, and that talk to this machine's kernel alone.
func protocolName(domain, kind, protocol int) string {
	switch domain {
	case unix.AF_INET, unix.AF_INET6:
	case unix.AF_UNIX, unix.AF_NETLINK, unix.AF_ALG, unix.AF_KEY:
		return ""
	case unix.AF_PACKET:
		return "packet"
	case unix.AF_VSOCK:
		return "vsock"
	case unix.AF_BLUETOOTH:
		return "bluetooth"
	case unix.AF_XDP:
		return "xdp"
	case unix.AF_CAN:
		return "can"
	default:
		return fmt.Sprintf("family %d", domain)
	}
	switch {
	case kind == unix.SOCK_RAW:
		return "raw"
	case kind == unix.SOCK_DGRAM && (protocol == 0 || protocol == unix.IPPROTO_UDP):
		return "udp"
	case kind == unix.SOCK_STREAM && (protocol == 0 || protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_MPTCP):
		return ""
	case protocol == unix.IPPROTO_ICMP || protocol == unix.IPPROTO_ICMPV6:
		return "ping"
	case protocol == unix.IPPROTO_UDPLITE:
		return "udplite"
	case protocol == unix.IPPROTO_SCTP:
		return "sctp"
	case protocol == unix.IPPROTO_DCCP:
		return "dccp"
	}
	return fmt.Sprintf("protocol %d", protocol)
}
