package seccomp

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/relay"
	"upcall.dev/launch/internal/tally"
)

// Config is what a [Server] serves with.
type Config struct {
	Chains *chains.Set
	// Log receives what a person should always know, Verbose, which may be nil,
	// what was not carried.
	Log, Verbose func(string)
	// ConnectTimeout is the longest that a chain may take to connect.
	ConnectTimeout time.Duration
	// Tally counts what becomes of sockets; nil counts nothing.
	Tally *tally.Tally
}

// Server answers the notifications of one program and its descendants.
type Server struct {
	Config
	listener      int // the seccomp listener
	wake          int // eventfd: stop serving
	receivers     receivers
	pidfds        pidfds
	joiner        joiner
	table         *table
	watch         watch
	gone          chan struct{}  // closed when no process is left under the filter, or serving was stopped
	work          sync.WaitGroup // every goroutine of the server
	connections   sync.WaitGroup // connects and relays among them; added to before gone is closed
	relays        relay.Group
	relayed       atomic.Int64  // bytes, to see whether there is progress
	closing       chan struct{} // closed when connections must end
	reported      reports
	accepts       accepts
	streamCalls   borrowers // bind, listen and accept on TCP sockets
	datagramCalls borrowers
	servers       servers
	traps         traps
	joinedSockets joinedTable
}

func newServer(listener int, c Config) (*Server, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("no eventfd: %w", err)
	}
	s := &Server{
		Config: c, listener: listener, wake: wake, table: newTable(), pidfds: pidfds{chains: c.Chains}, traps: trapsFor(c),
		gone: make(chan struct{}), closing: make(chan struct{}),
	}
	if err := s.receivers.open(listener, wake); err != nil {
		_ = unix.Close(wake)
		return nil, fmt.Errorf("no epoll set: %w", err)
	}
	wakeOnSameProcessor(listener)
	return s, nil
}

// Gone is closed when no process is left under the filter, or serving was
// stopped.
func (s *Server) Gone() <-chan struct{} { return s.gone }

// Relayed is the bytes that relays have carried so far.
func (s *Server) Relayed() int64 { return s.relayed.Load() }

// WaitConnections waits until connects and relays have ended. It is called once
// Gone is closed.
func (s *Server) WaitConnections() { s.connections.Wait() }

// chainsOf returns the chains of the program that a thread runs; the caller
// releases them.
func (s *Server) chainsOf(tid int) (*chains.Chains, error) {
	return s.Chains.For(func() string { return programOf(tid) })
}

func (s *Server) start() { s.receivers.start(s) }

// Stop ends serving: system calls that wait, and later ones, answer ENOSYS.
func (s *Server) Stop() {
	one := [8]byte{1}
	_, _ = unix.Write(s.wake, one[:])
}

// CancelConnects gives up the connects in progress; relays go on.
func (s *Server) CancelConnects() {
	for _, c := range s.table.all() {
		c.cancel()
	}
}

// Shutdown waits for the server's goroutines, at most for the given time, and
// frees its descriptors. It reports whether all have ended.
func (s *Server) Shutdown(patience time.Duration) bool {
	defer s.countRest()
	s.Stop()
	<-s.gone
	close(s.closing)
	s.CancelConnects()
	ended := make(chan struct{})
	go func() {
		s.watch.stop(s)
		s.work.Wait()
		s.relays.Close()
		close(ended)
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		return false // a provider does not return; its goroutine still owns the descriptors
	}
	_ = unix.Close(s.listener)
	_ = unix.Close(s.wake)
	_ = unix.Close(s.receivers.epoll)
	s.table.close()
	s.pidfds.close()
	s.joiner.close()
	return true
}

// handle answers a call. What may wait lets in another receiver first.
func (s *Server) handle(n *notification) {
	if handle := s.carried(n); handle != nil {
		if s.letIn(n) {
			handle(n)
		}
		return
	}
	s.handleQuick(n)
}

// carried returns what handles a call that a chain may have a part in, or nil.
func (s *Server) carried(n *notification) func(*notification) {
	if n.Arch != nativeArch {
		return nil
	}
	switch n.Call {
	case unix.SYS_CONNECT:
		return s.connect
	case unix.SYS_GETSOCKNAME:
		return s.getsockname
	case unix.SYS_BIND:
		return s.bind
	case unix.SYS_LISTEN:
		if s.traps.Streams != chains.Untouched || s.traps.Unix {
			return s.listen
		}
	case unix.SYS_ACCEPT, unix.SYS_ACCEPT4:
		return s.accept
	case unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG, unix.SYS_RECVFROM, unix.SYS_RECVMSG, unix.SYS_RECVMMSG:
		return s.maybeDatagram
	}
	return nil
}

func (s *Server) handleQuick(n *notification) {
	switch {
	case n.Arch != nativeArch || uint32(n.Call)&x32Bit != 0:
		if !s.letIn(n) {
			return
		}
		s.reported.once("foreign", func() {
			s.Log(fmt.Sprintf("%s makes 32-bit or x32 system calls, which cannot be carried: they answer ENOSYS; use a 64-bit build, or --isolate", processName(int(n.TID))))
		})
		s.fail(n, unix.ENOSYS)
	case n.Call == unix.SYS_GETPEERNAME:
		s.getpeername(n)
	case n.Call == unix.SYS_GETSOCKOPT:
		s.socketError(n)
	case n.Call == unix.SYS_LISTEN:
		if s.letIn(n) {
			s.reportListener(n)
			s.pass(n)
		}
	case n.Call == unix.SYS_SOCKET:
		if s.letIn(n) {
			s.reportSocket(n)
			s.pass(n)
		}
	default:
		s.pass(n)
	}
}

// pass lets the kernel go on with the call as if nobody had asked.
func (s *Server) pass(n *notification) {
	_ = respond(s.listener, &answer{ID: n.ID, Flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

// fail answers an errno, or success for zero. Nobody waits any more when it
// fails, which is then nobody's loss.
func (s *Server) fail(n *notification, errno unix.Errno) {
	_ = respond(s.listener, &answer{ID: n.ID, Error: -int32(errno)})
}

// reports remembers what has been said, so that it is said once. It is
// bounded: past the bound nothing more is said.
type reports struct {
	mu   sync.Mutex // guards said; a leaf lock
	said map[string]struct{}
}

const maxReports = 1024

func (r *reports) once(key string, say func()) {
	r.mu.Lock()
	_, known := r.said[key]
	if r.said == nil {
		r.said = map[string]struct{}{}
	}
	known = known || len(r.said) >= maxReports
	if !known {
		r.said[key] = struct{}{}
	}
	r.mu.Unlock()
	if !known {
		say()
	}
}

// reportOnce says something about a process, once for each process and key.
func (s *Server) reportOnce(n *notification, key, what string) {
	if s.Verbose == nil {
		return
	}
	tgid := threadGroup(int(n.TID))
	s.reported.once(fmt.Sprintf("%s %d", key, tgid), func() { s.Verbose(processName(int(n.TID)) + " " + what) })
}

func (s *Server) reportListener(n *notification) {
	fd, err := s.pidfds.borrow(int(n.TID), int(int32(n.Args[0])))
	if err != nil {
		return
	}
	defer unix.Close(fd)
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_INET && domain != unix.AF_INET6 {
		return
	}
	where, errno := socketName(unix.SYS_GETSOCKNAME, fd, domain)
	if errno != 0 {
		return
	}
	s.countListener(fd, where)
	s.reportOnce(n, "listen "+where.String(), fmt.Sprintf("listens on %v, which is not carried: it works as without upcall", where))
}
