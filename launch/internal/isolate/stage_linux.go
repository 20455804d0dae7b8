package isolate

import (
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// stageName is the argv[0] by which a copy of the command knows that it is the
// stage.
const stageName = "upcall: isolated stage"

// exitNotStarted is the stage's status when it does not become the program.
const exitNotStarted = 125

// stageFD is the stage's end of the socket pair to the host.
const stageFD = 3

// stageRequest is what the host asks of the stage.
type stageRequest struct {
	Path      string
	Args, Env []string
	Names     nameFiles
}

// stageReply is what the stage answers: first that the namespaces are ready,
// after the packet sockets, then, only when execve failed, its errno.
type stageReply struct {
	Step  string // what failed, empty when nothing did
	Errno unix.Errno
}

const stepExec = "execve"

// StageMain returns at once, unless this process was started by [Start] as the
// stage of a program: then it becomes that program and never returns. Nor does it
// in a guard.
func StageMain() {
	switch {
	case len(os.Args) != 1:
	case os.Args[0] == stageName:
		unix.Exit(stage(os.NewFile(stageFD, "host"))) // at once: os.Exit gives race detectors a second
	case os.Args[0] == guardName:
		guardMain()
	}
}

func stage(host *os.File) (exitCode int) {
	runtime.LockOSThread() // the namespaces are the thread's, and after execve the program's
	unix.CloseOnExec(stageFD)
	var request stageRequest
	if gob.NewDecoder(host).Decode(&request) != nil {
		fmt.Fprintln(os.Stderr, "upcall: this process is the stage of a program, but no host talks to it: start upcall run instead")
		return exitNotStarted
	}
	reply := gob.NewEncoder(host)
	var errno unix.Errno
	outer, step, err := isolateNetwork()
	if err == nil {
		step, err = request.Names.mount()
	}
	if err == nil {
		step, err = "drop capabilities", dropCapabilities()
	}
	if err == nil {
		step, err = "hand over the link", unix.Sendmsg(stageFD, binary.NativeEndian.AppendUint32([]byte{0}, outer.largest), unix.UnixRights(outer.sockets[:]...), nil, 0)
	}
	if err != nil {
		if !errors.As(err, &errno) {
			errno = unix.EIO
		}
		_, _ = host.Write([]byte{1})
		_ = reply.Encode(stageReply{Step: step, Errno: errno})
		return exitNotStarted
	}
	var proceed [1]byte
	if n, err := host.Read(proceed[:]); n != 1 || err != nil {
		return exitNotStarted
	}
	err = syscall.Exec(request.Path, request.Args, request.Env)
	errors.As(err, &errno)
	_ = reply.Encode(stageReply{Step: stepExec, Errno: errno})
	return exitNotStarted
}

// Stage is the host's end of a started stage.
type Stage struct {
	conn *net.UnixConn
}

// Start starts the stage for the program of cmd, whose Path, Args and Env are the
// program's, in namespaces of its own, and serves their link. The stage then waits
// for [Stage.Proceed]. On error the stage has been killed and waited for.
func Start(cmd *exec.Cmd, c Config) (*Server, *Stage, error) {
	if c.Chains.TellsProgramsApart() {
		c.Log(fmt.Sprintf("the catalog tells programs apart, which --isolate does not: what holds for %s holds for all that it starts", c.Chains.First()))
	}
	names, err := hostNames()
	if err != nil {
		return nil, nil, err
	}
	defer names.remove()
	stage, outer, err := startStage(cmd, names)
	if err != nil {
		return nil, nil, err
	}
	s, err := serve(outer, newDirectory(names.behind), c)
	if err != nil {
		stage.conn.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, nil, err
	}
	return s, stage, nil
}

// serve takes over the outer end of the link.
func serve(outer linkEnd, d *directory, c Config) (*Server, error) {
	connections, file, err := newFlows()
	if err != nil {
		outer.close(receiving, sending, guarding)
		return nil, fmt.Errorf("no memory to share with the namespace's guard: %w", err)
	}
	g, err := startGuard(os.NewFile(uintptr(outer.sockets[guarding]), "packets"), file)
	if err == nil {
		var s *Server
		if s, err = newServer(outer, d, connections, g, c); err == nil {
			return s, nil
		}
		g.end(false)
	}
	outer.close(receiving, sending)
	connections.close()
	return nil, err
}

func startStage(cmd *exec.Cmd, names *nameFiles) (link *Stage, outer linkEnd, err error) {
	request := stageRequest{Path: cmd.Path, Args: cmd.Args, Env: cmd.Env, Names: *names}
	cmd.Path, cmd.Args, cmd.Env = "/proc/self/exe", []string{stageName}, []string{}
	cmd.Err = nil
	if cmd.SysProcAttr, err = namespaces(); err != nil {
		return nil, outer, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, outer, fmt.Errorf("no socket pair for the stage: %w", err)
	}
	own, remote := os.NewFile(uintptr(pair[0]), "stage"), os.NewFile(uintptr(pair[1]), "host")
	conn, err := net.FileConn(own)
	own.Close()
	if err != nil {
		remote.Close()
		return nil, outer, fmt.Errorf("no socket pair for the stage: %w", err)
	}
	cmd.ExtraFiles = []*os.File{remote}
	err = cmd.Start()
	remote.Close()
	if err != nil {
		conn.Close()
		return nil, outer, startError(err)
	}
	link = &Stage{conn: conn.(*net.UnixConn)}
	outer, err = link.takeLink(request)
	if err != nil {
		conn.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, outer, err
	}
	return link, outer, nil
}

// takeLink gives the stage its task and waits for the outer end of the link.
func (l *Stage) takeLink(request stageRequest) (outer linkEnd, err error) {
	if err := gob.NewEncoder(l.conn).Encode(request); err != nil {
		return outer, errNoStage
	}
	var ok [1]byte
	rights := make([]byte, unix.CmsgSpace(4*len(outer.sockets)))
	n, rightsLen, _, _, err := l.conn.ReadMsgUnix(ok[:], rights)
	if err != nil || n != 1 {
		return outer, errNoStage
	}
	if ok[0] != 0 {
		var reply stageReply
		if err := gob.NewDecoder(l.conn).Decode(&reply); err != nil {
			return outer, errNoStage
		}
		return outer, stageError(reply)
	}
	var largest [4]byte
	if _, err := io.ReadFull(l.conn, largest[:]); err != nil {
		return outer, errNoStage
	}
	outer.largest = binary.NativeEndian.Uint32(largest[:])
	messages, err := unix.ParseSocketControlMessage(rights[:rightsLen])
	if err != nil || len(messages) != 1 {
		return outer, errNoStage
	}
	descriptors, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(descriptors) != len(outer.sockets) {
		return outer, errNoStage
	}
	for i, fd := range descriptors {
		unix.CloseOnExec(fd)
		outer.sockets[i] = fd
	}
	return outer, nil
}

// Proceed lets the stage become the program and waits until it has. errno is what
// execve failed with, if it did.
func (l *Stage) Proceed() (errno unix.Errno, err error) {
	defer l.conn.Close()
	if _, err := l.conn.Write([]byte{1}); err != nil {
		return 0, errNoStage
	}
	var reply stageReply
	if err := gob.NewDecoder(l.conn).Decode(&reply); err != nil {
		return 0, nil // closed by a successful execve
	}
	return reply.Errno, nil
}

var errNoStage = errors.New("the second copy of this program did not act as the stage: its main must call launch.StageMain first")
