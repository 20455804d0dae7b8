package seccomp

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/machine"
)

// stageName is the argv[0] by which a copy of the command knows that it is the
// stage.
const stageName = "upcall: stage"

// exitNotStarted is the stage's status when it does not become the program.
const exitNotStarted = 125

// stageFD is the stage's end of the socket pair to the host.
const stageFD = 3

// stageRequest is what the host asks of the stage.
type stageRequest struct {
	Path      string
	Args, Env []string
	Traps     traps
}

// stageReply is what the stage answers: first the listener's number, then,
// only when execve failed, its errno.
type stageReply struct {
	Listener int
	Step     string // what failed, empty when nothing did
	Errno    unix.Errno
}

// StageMain returns at once, unless this process was started by [Start] as the
// stage of a program: then it becomes that program and never returns. It does not
// return either from a process that [Examine] has started.
func StageMain() {
	if len(os.Args) != 1 {
		return
	}
	var act func(*os.File) int
	switch os.Args[0] {
	case stageName:
		act = stage
	case subjectName:
		act = subject
	case detacherName:
		act = detacher
	case daemonName:
		act = daemon
	default:
		return
	}
	unix.Exit(act(os.NewFile(stageFD, "host"))) // at once: os.Exit gives race detectors a second
}

func stage(host *os.File) (exitCode int) {
	// The filter covers the thread that installs it and, after execve, the
	// whole program.
	runtime.LockOSThread()
	unix.CloseOnExec(stageFD)
	var request stageRequest
	if gob.NewDecoder(host).Decode(&request) != nil {
		fmt.Fprintln(os.Stderr, "upcall: this process is the stage of a program, but no host talks to it: start upcall run instead")
		return exitNotStarted
	}
	reply := gob.NewEncoder(host)
	listener, step, errno := installFilter(request.Traps)
	if reply.Encode(stageReply{Listener: listener, Step: step, Errno: errno}) != nil || errno != 0 {
		return exitNotStarted
	}
	var proceed [1]byte
	if n, err := host.Read(proceed[:]); n != 1 || err != nil {
		return exitNotStarted
	}
	_, _ = unix.Getpeername(-1) // the first of the calls that are stopped: the host counts from it
	err := syscall.Exec(request.Path, request.Args, request.Env)
	errors.As(err, &errno)
	_ = reply.Encode(stageReply{Step: stepExec, Errno: errno})
	return exitNotStarted
}

// Steps of the stage that can fail.
const (
	stepFilter     = "assemble the seccomp filter"
	stepPrivileges = "set no_new_privs"
	stepSeccomp    = "install a seccomp filter"
	stepExec       = "execve"
)

func installFilter(t traps) (listener int, step string, errno unix.Errno) {
	filter, err := filterProgram(t)
	if err != nil {
		return -1, stepFilter, unix.EINVAL
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		errors.As(err, &errno)
		return -1, stepPrivileges, errno
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return -1, stepSeccomp, errno
	}
	return int(fd), "", 0
}

// Stage is the host's end of a started stage.
type Stage struct {
	conn    *os.File
	decoder *gob.Decoder
}

// Start starts the stage for the program of cmd, whose Path, Args and Env are the
// program's, takes the filter's listener from it, and serves it. The stage then
// waits for [Stage.Proceed]. On error the stage has been killed and waited for.
func Start(cmd *exec.Cmd, c Config) (*Server, *Stage, error) {
	stage, listener, err := startStage(cmd, trapsFor(c))
	if err != nil {
		return nil, nil, err
	}
	s, err := newServer(listener, c)
	if err != nil {
		stage.conn.Close()
		_ = unix.Close(listener)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, nil, err
	}
	s.start()
	return s, stage, nil
}

func startStage(cmd *exec.Cmd, t traps) (link *Stage, listener int, err error) {
	request := stageRequest{Path: cmd.Path, Args: cmd.Args, Env: cmd.Env, Traps: t}
	cmd.Path, cmd.Args, cmd.Env = "/proc/self/exe", []string{stageName}, []string{}
	cmd.Err = nil
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, fmt.Errorf("no socket pair for the stage: %w", err)
	}
	conn, remote := os.NewFile(uintptr(pair[0]), "stage"), os.NewFile(uintptr(pair[1]), "host")
	cmd.ExtraFiles = []*os.File{remote}
	err = cmd.Start()
	remote.Close()
	if err != nil {
		conn.Close()
		return nil, -1, fmt.Errorf("a second copy of this program does not start: %w", err)
	}
	link = &Stage{conn: conn, decoder: gob.NewDecoder(conn)}
	listener, err = link.takeListener(cmd.Process.Pid, request)
	if err != nil {
		conn.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, -1, err
	}
	return link, listener, nil
}

func (l *Stage) takeListener(pid int, request stageRequest) (int, error) {
	if err := gob.NewEncoder(l.conn).Encode(request); err != nil {
		return -1, errNoStage
	}
	var reply stageReply
	if err := l.decoder.Decode(&reply); err != nil {
		return -1, errNoStage
	}
	if reply.Step != "" {
		return -1, stageError(reply)
	}
	process, err := openProcess(pid)
	if err != nil {
		return -1, err
	}
	defer unix.Close(process)
	listener, err := unix.PidfdGetfd(process, reply.Listener, 0)
	if err != nil {
		return -1, tracingError("the program", err)
	}
	return listener, nil
}

func openProcess(pid int) (pidfd int, err error) {
	pidfd, err = unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, machine.Refused("upcall run needs Linux 5.19 or newer, and a container must allow it", "pidfd_open is refused (%w)", err)
	}
	return pidfd, nil
}

// Proceed lets the stage become the program and waits until it has. errno is what
// execve failed with, if it did.
func (l *Stage) Proceed() (errno unix.Errno, err error) {
	defer l.conn.Close()
	if _, err := l.conn.Write([]byte{1}); err != nil {
		return 0, errNoStage
	}
	var reply stageReply
	if err := l.decoder.Decode(&reply); err != nil {
		return 0, nil // closed by a successful execve
	}
	return reply.Errno, nil
}

var errNoStage = errors.New("the second copy of this program did not act as the stage: its main must call launch.StageMain first")

// stageError explains why the filter was not installed.
func stageError(r stageReply) error {
	switch {
	case r.Step == stepSeccomp && r.Errno == unix.EBUSY:
		return machine.Refused("give one of the two --isolate, or the outer one all layers",
			"this process is itself under a seccomp listener, and the kernel allows one")
	case r.Step == stepSeccomp && (r.Errno == unix.EINVAL || r.Errno == unix.ENOSYS):
		return machine.Refused("upcall run needs Linux 5.19 or newer",
			"the kernel has no seccomp user notification with killable waits (%w)", r.Errno)
	}
	return machine.Refused("upcall run needs Linux 5.19 or newer, and a container must allow seccomp(2)", "cannot %s (%w)", r.Step, r.Errno)
}

// tracingError explains why pidfd_getfd on a process was refused.
func tracingError(process string, err error) error {
	if !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("pidfd_getfd on %s failed: %w", process, err)
	}
	if scope, readErr := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); readErr == nil && len(scope) > 0 && scope[0] != '0' {
		return machine.Refused("set it to 0, or give the container CAP_SYS_PTRACE",
			"the kernel forbids access to the sockets of %s: kernel.yama.ptrace_scope is %c", process, scope[0])
	}
	return machine.Refused("run it as a readable, non-setuid file, and allow ptrace in the container",
		"the kernel forbids access to the sockets of %s (it is not dumpable, or a container denies pidfd_getfd)", process)
}
