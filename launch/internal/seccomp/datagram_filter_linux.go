package seccomp

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// filterSends stops sends that have, or may have, an address when UDP is
// carried or told of, or Unix sockets are asked about. Those that connect
// (MSG_FASTOPEN) would pass the host by: they fail as without that feature.
func filterSends(t traps) (p []bpf.Instruction) {
	stopped := t.Report || t.Unix || t.Datagrams != chains.Untouched
	others := filterAllow
	if stopped {
		others = filterNotify
	}
	for _, send := range []struct{ call, flags uint32 }{{unix.SYS_SENDTO, 3}, {unix.SYS_SENDMSG, 2}, {unix.SYS_SENDMMSG, 3}} {
		body := []bpf.Instruction{
			argument(send.flags),
			bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: msgFastOpen, SkipTrue: 1},
			bpf.RetConstant{Val: filterErrno | uint32(unix.EOPNOTSUPP)},
		}
		if send.call == unix.SYS_SENDTO && stopped {
			body = append(body, whenAddress(4)...)
		} else {
			body = append(body, bpf.RetConstant{Val: uint32(others)})
		}
		p = append(p, onCall(send.call, body...)...)
	}
	return p
}

// filterReceives stops what shows a peer's address, or the socket's own, when
// UDP sockets are joined to sockets of the chain.
func filterReceives(datagrams chains.Carriage) (p []bpf.Instruction) {
	if datagrams != chains.Joined {
		return nil
	}
	p = append(p, onCall(unix.SYS_RECVFROM, whenAddress(4)...)...)
	for _, call := range []uint32{unix.SYS_RECVMSG, unix.SYS_RECVMMSG, unix.SYS_GETSOCKNAME} {
		p = append(p, onCall(call, bpf.RetConstant{Val: filterNotify})...)
	}
	return p
}

// whenAddress stops the call when a pointer among its arguments is not nil.
func whenAddress(n uint32) []bpf.Instruction {
	return []bpf.Instruction{
		argument(n),
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 3},
		bpf.LoadAbsolute{Off: offsetArgs + 8*n + 4, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 1},
		bpf.RetConstant{Val: filterAllow},
		bpf.RetConstant{Val: filterNotify},
	}
}
