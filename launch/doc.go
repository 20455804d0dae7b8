// Package launch is the door for unmodified programs: it runs a Linux program,
// dynamic or static, without privilege, and carries its TCP and UDP sockets,
// those that connect and those that listen, through chains of providers.
//
// # Where to start
//
// [Run] runs one program. A command that calls it must call [StageMain] first
// thing in main, because the program starts as a second copy of the command.
//
// # How it works
//
//	host (Run)                              program
//	    │  starts a copy of itself, "stage" ──▶ no_new_privs, seccomp filter
//	    │◀── number of the filter's listener ── waits
//	    │  pidfd_getfd(listener)            ──▶ execve(PROGRAM)
//	    │                                       connect(fd, address)
//	    │◀── notification ───────────────────── (the thread waits in the kernel)
//	    │  pidfd_getfd(fd): a dup of the program's own socket
//	    │  connects it through the chain
//	    │  answers 0 or an errno ─────────────▶ connect returns
//
// connect, getpeername and getsockopt(SO_ERROR) are trapped, and what else the
// chains need: bind, listen and accept, datagrams with an address. Reads, writes,
// epoll, dup, fork and threads stay the kernel's business. The
// program's descriptor is never replaced.
//
// An IFS chain connects the program's own socket: after that no byte passes
// through the host. A non-IFS chain holds the bytes itself, so the host opens a
// socket of the chain and joins the program's socket to it with a relay over
// loopback. A blocking connect is joined when the chain is connected; a
// nonblocking one is held in SYN_SENT until then (internal/seccomp/syn_hold_linux.go), so that
// the program sees EINPROGRESS and then EPOLLOUT at the true moment.
//
// # What it is not
//
// It is compatibility, not a sandbox. Calls that are none of its business go
// on in the kernel (such as those of Unix sockets without rules), and a program that changes an
// address in memory while another thread connects to it can slip past.
//
// [Examine] tries what a machine allows of this; package machine says what it
// returns.
//
// Files: launch.go (Options), run_linux.go ([Run]), signals_linux.go, program.go,
// summary.go ([Summary]), check_linux.go and executable_linux.go ([Check]).
// Below: internal/chains is what connects, internal/seccomp the second copy, the
// notifications and the trapped calls, internal/relay joins two streams.
package launch
