package seccomp

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/machine"
)

// Examine tries all that [Start] and a [Server] need of the machine, on a second
// copy of this program that does as programs do.
func Examine(ctx context.Context) []machine.Finding {
	if !Supported {
		f := machine.Find(machine.Run, "architecture", machine.Missing, machine.Refused("use amd64 or arm64", "no filter has been written for %s", runtime.GOARCH))
		return []machine.Finding{f}
	}
	e := examination{findings: []machine.Finding{{Door: machine.Run, Subject: "architecture", State: machine.OK, Detail: runtime.GOARCH}}}
	if err := e.examine(ctx); err != nil {
		e.find("a second copy of upcall", machine.Missing, err)
	}
	e.find("sockets of daemons", machine.Note, examineDetached(ctx))
	_, err := udpCookies()
	if err != nil {
		err = machine.Refused("allow socket(AF_NETLINK) in the container; without it the host keeps descriptors of closed UDP sockets until the end",
			"sock_diag does not list UDP sockets (%w)", err)
	}
	e.find("sock_diag", machine.Note, err)
	return e.findings
}

// examination collects what is found out.
type examination struct{ findings []machine.Finding }

func (e *examination) find(subject string, failed machine.State, err error) {
	e.findings = append(e.findings, machine.Find(machine.Run, subject, failed, err))
}

// examine starts a subject and tries everything on it.
func (e *examination) examine(ctx context.Context) error {
	t, err := startSubject(ctx)
	if err != nil {
		return err
	}
	defer t.end()
	var filterErr error
	if t.is.Filter.Step != "" {
		filterErr = stageError(t.is.Filter)
	}
	e.find("seccomp listener", machine.Missing, filterErr)
	e.find("process_vm_readv", machine.Missing, memoryError("read", t.read()))
	e.find("process_vm_writev", machine.Missing, memoryError("write", t.write()))
	process, err := openProcess(t.is.PID)
	e.find("pidfd_open", machine.Missing, err)
	if err == nil {
		defer unix.Close(process)
		listener, err := unix.PidfdGetfd(process, t.is.descriptor(), 0)
		if err != nil {
			e.find("pidfd_getfd", machine.Missing, tracingError("its programs", err))
		} else {
			defer unix.Close(listener)
			e.find("pidfd_getfd", machine.Missing, nil)
			if filterErr == nil {
				e.find("seccomp answers", machine.Missing, t.answer(listener))
				e.faster(listener, t.is.PID)
			}
		}
	}
	return nil
}

// faster tries what newer kernels have besides.
func (e *examination) faster(listener, pid int) {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), ioctlNotifSetFlags, syncWakeUp)
	var err error
	if errno != 0 {
		err = machine.Refused("Linux 6.6 or newer answers system calls sooner", "no synchronous wake-up (%w)", errno)
	}
	e.find("seccomp wake-up", machine.Note, err)
	thread, err := unix.PidfdOpen(pid, pidfdThread)
	if err == nil {
		_ = unix.Close(thread)
	} else {
		err = machine.Refused("Linux 6.9 or newer finds the sockets of threads sooner", "no descriptors of threads (%w)", err)
	}
	e.find("pidfd of a thread", machine.Note, err)
}

// memoryError explains why the memory of a program cannot be used.
func memoryError(verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return machine.Refused("set kernel.yama.ptrace_scope to 0 or 1; in a container allow process_vm_readv and process_vm_writev, as docker run --cap-add SYS_PTRACE does",
			"the kernel does not let upcall %s the memory of its programs (%w)", verb, err)
	}
	return machine.Refused("upcall run needs a kernel with CONFIG_CROSS_MEMORY_ATTACH, and a container must allow process_vm_readv and process_vm_writev",
		"upcall cannot %s the memory of its programs (%w)", verb, err)
}

// examineDetached tries to take a descriptor from a process whose parent has
// ended.
func examineDetached(ctx context.Context) error {
	t, err := startDaemon(ctx)
	if err != nil {
		return err
	}
	defer t.end()
	process, err := openProcess(t.is.PID)
	if err != nil {
		return err
	}
	defer unix.Close(process)
	fd, err := unix.PidfdGetfd(process, stageFD, 0)
	if err != nil {
		return tracingError("processes whose parent has ended", err)
	}
	return unix.Close(fd)
}
