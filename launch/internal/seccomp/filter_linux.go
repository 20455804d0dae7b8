package seccomp

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data. Both supported architectures are little
// endian, so the low half of an argument comes first.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

const (
	filterAllow  = unix.SECCOMP_RET_ALLOW
	filterNotify = unix.SECCOMP_RET_USER_NOTIF
	filterErrno  = unix.SECCOMP_RET_ERRNO
)

// msgFastOpen is MSG_FASTOPEN: a send that connects.
const msgFastOpen = 0x20000000

// x32Bit marks the x32 calls of amd64.
const x32Bit = 0x40000000

// filterProgram returns the seccomp filter. It notifies the host of connect,
// getpeername, getsockopt(SO_ERROR), every call of a foreign architecture, and
// what else the chains need; when the host reports what it does not carry also
// of listen, datagrams and making sockets of other kinds than TCP. io_uring would pass the host by: it
// answers what a kernel without it answers, and programs fall back.
func filterProgram(t traps) ([]unix.SockFilter, error) {
	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: nativeArch, SkipTrue: 1},
		bpf.RetConstant{Val: filterNotify},
		bpf.LoadAbsolute{Off: offsetNumber, Size: 4},
	}
	if nativeArch == unix.AUDIT_ARCH_X86_64 {
		p = append(p,
			bpf.JumpIf{Cond: bpf.JumpLessThan, Val: x32Bit, SkipTrue: 1},
			bpf.RetConstant{Val: filterNotify})
	}
	p = append(p, onCall(unix.SYS_CONNECT, bpf.RetConstant{Val: filterNotify})...)
	p = append(p, onCall(unix.SYS_GETPEERNAME, bpf.RetConstant{Val: filterNotify})...)
	p = append(p, onCall(unix.SYS_GETSOCKOPT,
		argument(1),
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SOL_SOCKET, SkipTrue: 3},
		argument(2),
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SO_ERROR, SkipTrue: 1},
		bpf.RetConstant{Val: filterNotify},
		bpf.RetConstant{Val: filterAllow})...)
	p = append(p, filterSends(t)...)
	p = append(p, filterReceives(t.Datagrams)...)
	p = append(p, filterBinds(t)...)
	p = append(p, onCall(unix.SYS_IO_URING_SETUP, bpf.RetConstant{Val: filterErrno | uint32(unix.ENOSYS)})...)
	p = append(p, filterListeners(t)...)
	p = append(p, filterSockets(t)...)
	p = append(p, bpf.RetConstant{Val: filterAllow})
	raw, err := bpf.Assemble(p)
	if err != nil {
		return nil, err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return filter, nil
}

// onCall runs body, which ends in a return, when the accumulator holds the
// system call's number, and skips it otherwise.
func onCall(number uint32, body ...bpf.Instruction) []bpf.Instruction {
	return append([]bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: uint8(len(body))},
	}, body...)
}

// argument loads the low half of a system call's argument; the kernel takes
// the trapped arguments as int.
func argument(n uint32) bpf.Instruction {
	return bpf.LoadAbsolute{Off: offsetArgs + 8*n, Size: 4}
}
