package seccomp

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// filterBinds stops bind when the chains decide where a socket is bound, or when
// it is told of.
func filterBinds(t traps) []bpf.Instruction {
	if !t.Report && !t.Unix && t.Streams == chains.Untouched && t.Datagrams == chains.Untouched {
		return nil
	}
	return onCall(unix.SYS_BIND, bpf.RetConstant{Val: filterNotify})
}

// filterListeners stops what servers do when TCP is carried, and listen when it
// is only told of.
func filterListeners(t traps) (p []bpf.Instruction) {
	if t.Report || t.Unix || t.Streams != chains.Untouched {
		p = append(p, onCall(unix.SYS_LISTEN, bpf.RetConstant{Val: filterNotify})...)
	}
	if t.Streams != chains.Untouched {
		p = append(p, onCall(unix.SYS_ACCEPT, bpf.RetConstant{Val: filterNotify})...)
		p = append(p, onCall(unix.SYS_ACCEPT4, bpf.RetConstant{Val: filterNotify})...)
	}
	if t.Streams == chains.Joined {
		p = append(p, onCall(unix.SYS_GETSOCKNAME, bpf.RetConstant{Val: filterNotify})...)
	}
	return p
}
