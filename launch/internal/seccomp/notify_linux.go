package seccomp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// notification is struct seccomp_notif: one system call that waits for the
// host's answer.
type notification struct {
	ID    uint64
	TID   uint32 // the calling thread
	Flags uint32
	Call  int32
	Arch  uint32
	_     uint64 // instruction pointer
	Args  [6]uint64

	// The kernel knows nothing of what follows.
	opened uint64    // pidfds.opened before it was received
	by     *receiver // who handles it
}

// answer is struct seccomp_notif_resp. Error is a negated errno.
type answer struct {
	ID    uint64
	Value int64
	Error int32
	Flags uint32
}

// The ioctl numbers are the same on both supported architectures; x/sys/unix
// has these per architecture only.
const (
	ioctlNotifIDValid  = 0x40082102
	ioctlNotifSetFlags = 0x40082104
)

// syncWakeUp is SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (Linux 6.6).
const syncWakeUp = 1

// wakeOnSameProcessor tells the kernel that a program and the host take turns, so
// that one wakes the other on the processor that it leaves to it. Kernels
// before 6.6 do not know that.
func wakeOnSameProcessor(listener int) {
	_, _, _ = unix.RawSyscall(unix.SYS_IOCTL, uintptr(listener), ioctlNotifSetFlags, syncWakeUp)
}

// restartSystemCall is ERESTARTSYS: with a signal pending the kernel runs the
// handler and then restarts the call or makes it EINTR, as the handler's
// SA_RESTART says.
const restartSystemCall unix.Errno = 512

func receive(listener int, n *notification) error {
	*n = notification{by: n.by}
	return ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(n))
}

func respond(listener int, a *answer) error {
	return ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(a))
}

// stillWaiting reports whether the call is still waiting for its answer. While
// it is, its thread is alive, so what was read by the thread's id was its own.
func stillWaiting(listener int, id uint64) bool {
	return ioctl(listener, ioctlNotifIDValid, unsafe.Pointer(&id)) == nil
}

func ioctl(fd int, request uint, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}
