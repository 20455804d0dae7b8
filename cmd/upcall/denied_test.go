package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// deniable are the system calls that the scripts' command denied can deny, each
// with the argument that makes it the one that is meant, if any.
var deniable = map[string]struct{ number, argument, mask, value uint32 }{
	"seccomp":           {number: unix.SYS_SECCOMP},
	"pidfd_open":        {number: unix.SYS_PIDFD_OPEN},
	"pidfd_getfd":       {number: unix.SYS_PIDFD_GETFD},
	"process_vm_readv":  {number: unix.SYS_PROCESS_VM_READV},
	"process_vm_writev": {number: unix.SYS_PROCESS_VM_WRITEV},
	"unshare":           {number: unix.SYS_UNSHARE},
	"mount":             {number: unix.SYS_MOUNT},
	"new-user":          {unix.SYS_CLONE, 0, unix.CLONE_NEWUSER, unix.CLONE_NEWUSER},
	"new-net":           {unix.SYS_CLONE, 0, unix.CLONE_NEWNET, unix.CLONE_NEWNET},
	"packet-socket":     {unix.SYS_SOCKET, 0, ^uint32(0), unix.AF_PACKET},
	"sock_diag":         {unix.SYS_SOCKET, 2, ^uint32(0), unix.NETLINK_SOCK_DIAG},
}

// denied runs a program as a container does whose seccomp profile denies a system
// call: denied CALL PROGRAM ARG...
func denied() {
	runtime.LockOSThread() // the filter is the thread's, and after execve the program's
	if err := runDenied(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "denied:", err)
		os.Exit(1)
	}
}

func runDenied(call string, command []string) error {
	d, known := deniable[call]
	path, err := exec.LookPath(command[0])
	if err != nil || !known {
		return fmt.Errorf("%s, or %v", call, err)
	}
	raw, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: d.number, SkipTrue: 4},
		bpf.LoadAbsolute{Off: 16 + 8*d.argument, Size: 4},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: d.mask},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: d.value, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW},
	})
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return err
	}
	return errors.Join(syscall.Exec(path, command, os.Environ()))
}
