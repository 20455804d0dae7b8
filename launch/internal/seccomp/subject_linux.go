package seccomp

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/machine"
)

// Names of the processes that [Examine] tries things on, as stageName.
const (
	subjectName  = "upcall: subject"
	detacherName = "upcall: detacher"
	daemonName   = "upcall: daemon"
)

// subjectReply is what a subject tells its host: first what there is to try, then
// how its trapped call has ended.
type subjectReply struct {
	PID    int
	Filter stageReply
	Memory uintptr // where it has subjectToken
	Errno  unix.Errno
}

// descriptor is one of the subject's that its host may take.
func (r *subjectReply) descriptor() int {
	if r.Filter.Step == "" {
		return r.Filter.Listener
	}
	return stageFD
}

// What a subject has in its memory, and what its host puts there instead: as many
// bytes.
var (
	subjectToken = []byte("the subject's own bytes")
	hostToken    = []byte("bytes that the host had")
)

// subject lets its host try everything on it, then makes a call that its filter
// stops, if it has one.
func subject(host *os.File) (exitCode int) {
	runtime.LockOSThread()
	unix.CloseOnExec(stageFD)
	memory := bytes.Clone(subjectToken)
	r := subjectReply{PID: os.Getpid(), Memory: uintptr(unsafe.Pointer(&memory[0]))}
	r.Filter.Listener, r.Filter.Step, r.Filter.Errno = installFilter(traps{})
	link := gob.NewEncoder(host)
	if link.Encode(r) != nil {
		return exitNotStarted
	}
	var proceed [1]byte
	if n, _ := host.Read(proceed[:]); n != 1 {
		return 0
	}
	_, _, r.Errno = unix.Syscall(unix.SYS_CONNECT, ^uintptr(0), uintptr(unsafe.Pointer(&memory[0])), uintptr(len(memory)))
	_ = link.Encode(r)
	return 0
}

// detacher leaves a daemon behind.
func detacher(host *os.File) (exitCode int) {
	process, err := os.StartProcess("/proc/self/exe", []string{daemonName}, &os.ProcAttr{Env: []string{}, Files: []*os.File{nil, nil, nil, host}})
	if err != nil {
		return exitNotStarted
	}
	_ = process.Release()
	return 0
}

// daemon is a subject whose parent has ended.
func daemon(host *os.File) (exitCode int) {
	unix.CloseOnExec(stageFD)
	if gob.NewEncoder(host).Encode(subjectReply{PID: os.Getpid()}) == nil {
		var end [1]byte
		_, _ = host.Read(end[:])
	}
	return 0
}

// trial is the host's end of a subject.
type trial struct {
	is      subjectReply
	link    *os.File
	decoder *gob.Decoder
	cancel  context.CancelFunc
	cmd     *exec.Cmd
}

// startSubject starts a subject and waits until it is ready. The caller ends it.
func startSubject(ctx context.Context) (*trial, error) { return startTrial(ctx, subjectName, false) }

// startDaemon starts a subject whose parent has ended.
func startDaemon(ctx context.Context) (*trial, error) { return startTrial(ctx, detacherName, true) }

func startTrial(ctx context.Context, name string, detaches bool) (*trial, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("no socket pair for the second copy of this program: %w", err)
	}
	own, remote := os.NewFile(uintptr(pair[0]), "subject"), os.NewFile(uintptr(pair[1]), "host")
	defer remote.Close()
	ctx, cancel := context.WithCancel(ctx)
	t := &trial{link: own, decoder: gob.NewDecoder(own), cancel: cancel}
	t.cmd = exec.CommandContext(ctx, "/proc/self/exe")
	t.cmd.Args, t.cmd.Env, t.cmd.ExtraFiles = []string{name}, []string{}, []*os.File{remote}
	if err := t.cmd.Start(); err != nil {
		own.Close()
		cancel()
		return nil, fmt.Errorf("a second copy of this program does not start: %w", err)
	}
	remote.Close()
	if detaches {
		_ = t.cmd.Wait()
		t.cmd = nil
	}
	if err := t.decoder.Decode(&t.is); err != nil {
		t.end()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, errNoStage
	}
	return t, nil
}

// end ends the subject.
func (t *trial) end() {
	t.link.Close()
	if t.cmd != nil {
		t.cancel()
		_ = t.cmd.Wait()
	}
	t.cancel()
}

// patienceWithSubjects is how long a subject may take to make a system call.
const patienceWithSubjects = 10 * time.Second

var errOtherBytes = errors.New("the bytes are not those that the program has")

// read reads the subject's memory.
func (t *trial) read() error {
	got := make([]byte, len(subjectToken))
	if err := readMemory(t.is.PID, uint64(t.is.Memory), got); err != nil {
		return err
	}
	if !bytes.Equal(got, subjectToken) {
		return errOtherBytes
	}
	return nil
}

// write writes to the subject's memory and reads what it then has.
func (t *trial) write() error {
	if err := writeMemory(t.is.PID, uint64(t.is.Memory), hostToken); err != nil {
		return err
	}
	got := make([]byte, len(hostToken))
	if readMemory(t.is.PID, uint64(t.is.Memory), got) == nil && !bytes.Equal(got, hostToken) {
		return errOtherBytes
	}
	return nil
}

// answer answers a call of the subject with a descriptor, as it does accept.
func (t *trial) answer(listener int) error {
	if _, err := t.link.Write([]byte{1}); err != nil {
		return errNoStage
	}
	var n notification
	if err := receiveWithin(patienceWithSubjects, listener, &n); err != nil {
		return err
	}
	if err := answerWithDescriptor(listener, n.ID, int(t.link.Fd()), true); err != nil {
		_ = respond(listener, &answer{ID: n.ID, Error: -int32(unix.ENOSYS)})
		return machine.Refused("upcall run needs Linux 5.19 or newer", "a system call cannot be answered with a descriptor (%w)", err)
	}
	var r subjectReply
	if err := t.decoder.Decode(&r); err != nil || r.Errno != 0 {
		return errors.Join(errors.New("a stopped system call did not end as it was answered"), err)
	}
	return nil
}

// receiveWithin waits for a notification. Signals are heeded on neither side: they
// interrupt the waiting here, and a call over there, which is then made again.
func receiveWithin(patience time.Duration, listener int, n *notification) error {
	deadline := time.Now().Add(patience)
	set := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
	for {
		left := time.Until(deadline)
		ready, err := unix.Poll(set, max(0, int(left.Milliseconds())))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || ready != 1 || set[0].Revents&unix.POLLIN == 0 {
			return errors.Join(errors.New("a system call of the second copy of this program was not stopped"), err)
		}
		if err = receive(listener, n); err == nil {
			return nil
		}
		if !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("a stopped system call was not received: %w", err)
		}
	}
}
