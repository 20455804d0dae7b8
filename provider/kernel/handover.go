//go:build linux

package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// A duplicate for another process waits behind an AF_UNIX socket that listens
// under an abstract name with the token in it. The target's WSPSocket connects,
// each end asks the kernel who the other one is, and the descriptor goes over by
// SCM_RIGHTS together with what the provider knows of the socket beyond the
// kernel. After that the name is gone, and so is it when the target process ends
// without having come. Abstract names belong to a network namespace: both
// processes must be in the same one.
//
// What the two ends then share is what the kernel has: the connection with its
// data, the options, and the blocking mode. Selections of events, overlapped
// operations and connections that were put back by CF_DEFER stay where they are.

// handovers are the duplicates that wait for other processes.
type handovers struct {
	attendant *attendant

	mu     sync.Mutex // a leaf: guards what follows
	offers map[*offer]struct{}
	ended  bool
}

// maxOffers bounds the duplicates that wait for other processes, each of which
// takes three descriptors.
const maxOffers = 256

// offer is one of them.
type offer struct {
	d                   *descriptor // the duplicate
	pid                 int32
	process             int // its pidfd; negative where the kernel has none
	listener            int
	processID, listenID int32 // with the attendant
}

// handoverName is the name of the socket behind which a duplicate waits.
func handoverName(token uint32) *unix.SockaddrUnix {
	return &unix.SockaddrUnix{Name: fmt.Sprintf("@upcall.dev/duplicate/%08x", token)}
}

// offer makes the duplicate d available to a process under a new token.
func (h *handovers) offer(d *descriptor, pid uint32) (token uint32, e spi.Errno) {
	if pid == 0 || pid > math.MaxInt32 {
		return 0, spi.WSAEINVAL
	}
	o := &offer{d: d, pid: int32(pid), process: -1, listener: -1}
	defer func() {
		if e != 0 {
			o.closeFiles()
		}
	}()
	if e := o.openProcess(); e != 0 {
		return 0, e
	}
	if token, e = o.listen(); e != 0 {
		return 0, e
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended:
		return 0, spi.WSANOTINITIALISED
	case len(h.offers) >= maxOffers:
		return 0, spi.WSAENOBUFS
	}
	// The attendant's lock is taken inside this one; its calls, which take this
	// one, begin when both are free.
	if o.listenID, e = h.attendant.attend(o.listener, func() { h.serve(o) }); e != 0 {
		return 0, e
	}
	if o.process >= 0 {
		if o.processID, e = h.attendant.attend(o.process, func() { h.withdraw(o) }); e != 0 {
			h.attendant.leave(o.listener, o.listenID)
			return 0, e
		}
	}
	if h.offers == nil {
		h.offers = map[*offer]struct{}{}
	}
	h.offers[o] = struct{}{}
	return token, 0
}

// openProcess makes sure that the target process lives.
func (o *offer) openProcess() spi.Errno {
	fd, err := unix.PidfdOpen(int(o.pid), 0)
	switch err {
	case nil:
		o.process = fd
		if pollNow(fd, unix.POLLIN) != 0 { // it has ended, and its parent has not asked yet
			return spi.WSAEINVAL
		}
		return 0
	case unix.ENOSYS, unix.EPERM:
		if err := unix.Kill(int(o.pid), 0); err != unix.ESRCH {
			return 0
		}
	case unix.EMFILE, unix.ENFILE, unix.ENOMEM:
		return spi.FromErrno(errnoOf(err))
	}
	return spi.WSAEINVAL
}

// listen makes the socket that the target process connects to. The name shows
// that the token is nobody else's.
func (o *offer) listen() (token uint32, e spi.Errno) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, spi.FromErrno(errnoOf(err))
	}
	o.listener = fd
	for range 16 {
		token = rand.Uint32() &^ 1
		if token == 0 {
			continue
		}
		if err = unix.Bind(fd, handoverName(token)); err != unix.EADDRINUSE {
			break
		}
	}
	if err == nil {
		err = unix.Listen(fd, 8)
	}
	return token, spi.FromErrno(errnoOf(err))
}

func (o *offer) closeFiles() {
	for _, fd := range []int{o.listener, o.process} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// serve answers a process that has connected. One that the duplicate is not for
// gets nothing, and the offer stands.
func (h *handovers) serve(o *offer) {
	conn, _, err := unix.Accept4(o.listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		if err == unix.EMFILE || err == unix.ENFILE {
			time.Sleep(10 * time.Millisecond) // it is asked again at once, and other descriptors must close first
		}
		return
	}
	defer unix.Close(conn)
	peer, err := unix.GetsockoptUcred(conn, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || peer.Pid != o.pid || !mayGive(uint32(os.Geteuid()), peer.Uid) {
		return
	}
	if !h.take(o) { // before the target can know: it is given once
		return
	}
	o.d.set(fShared)
	if unix.Sendmsg(conn, o.d.handoverState(), unix.UnixRights(o.d.fd), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) != nil && h.restore(o) {
		return // the target may ask again
	}
	o.end(h.attendant)
}

// mayGive reports whether processes of one user give sockets to those of
// another.
func mayGive(from, to uint32) bool { return from == to || from == 0 }

// take removes the offer from the others; false when somebody did so before.
func (h *handovers) take(o *offer) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, stands := h.offers[o]
	delete(h.offers, o)
	return stands
}

// restore undoes take; false when the cleanup has begun.
func (h *handovers) restore(o *offer) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		h.offers[o] = struct{}{}
	}
	return !h.ended
}

// withdraw ends an offer whose process has ended.
func (h *handovers) withdraw(o *offer) {
	if h.take(o) {
		o.end(h.attendant)
	}
}

// end closes what belongs to an offer that stands no more.
func (o *offer) end(a *attendant) {
	a.leave(o.listener, o.listenID)
	if o.process >= 0 {
		a.leave(o.process, o.processID)
	}
	o.closeFiles()
	o.d.discard()
}

// drop ends all offers and lets none be made again. The attendant has stopped.
func (h *handovers) drop() {
	h.mu.Lock()
	offers := h.offers
	h.offers, h.ended = nil, true
	h.mu.Unlock()
	for o := range offers {
		o.end(h.attendant)
	}
}

// handoverTimeout is how long WSPSocket waits for the process that made the
// duplicate, which may have been stopped.
const handoverTimeout = 5 * time.Second

// receiveHandover fetches the duplicate with the given token from the process
// that offers it. WSAEINVAL (nobody does, or not to this process),
// WSAETIMEDOUT (that process does not answer).
func (p *provider) receiveHandover(token uint32) (*descriptor, spi.Errno) {
	conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, spi.FromErrno(errnoOf(err))
	}
	defer unix.Close(conn)
	var wait call
	defer wait.end()
	if e := wait.beginUnhooked(p, handoverTimeout); e != 0 {
		return nil, e
	}
	err = unix.Connect(conn, handoverName(token))
	for pause := time.Millisecond; err == unix.EAGAIN; pause = min(2*pause, 20*time.Millisecond) {
		if e := wait.pause(pause); e != 0 { // its queue is full
			return nil, e
		}
		err = unix.Connect(conn, handoverName(token))
	}
	if err != nil {
		return nil, spi.WSAEINVAL
	}
	peer, err := unix.GetsockoptUcred(conn, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || !mayGive(peer.Uid, uint32(os.Geteuid())) {
		return nil, spi.WSAEINVAL
	}
	for pollNow(conn, unix.POLLIN) == 0 {
		if e := wait.on(conn, unix.POLLIN); e != 0 {
			return nil, e
		}
	}
	var state [sizeofHandoverState]byte
	rights := make([]byte, unix.CmsgSpace(4))
	n, m, _, _, err := unix.Recvmsg(conn, state[:], rights, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return nil, spi.WSAEINVAL
	}
	fd, ok := receivedDescriptor(rights[:m])
	if !ok {
		return nil, spi.WSAEINVAL
	}
	d, e := p.handedOver(fd, state[:n])
	if e != 0 {
		_ = unix.Close(fd)
	}
	return d, e
}

// receivedDescriptor returns the one descriptor that came over. Where several
// came, they are closed.
func receivedDescriptor(rights []byte) (fd int, ok bool) {
	fds := receivedDescriptors(rights)
	if len(fds) == 1 {
		return fds[0], true
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
	return -1, false
}

func receivedDescriptors(rights []byte) []int {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 || len(messages[0].Data)%4 != 0 {
		return nil
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil
	}
	return fds
}

// handedOver makes the socket of a descriptor that came over. When this process
// has the socket already, it becomes another descriptor of that.
func (p *provider) handedOver(fd int, state []byte) (*descriptor, spi.Errno) {
	k := kindOfDescriptor(fd)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if k == noKind || p.entries[k] == nil || err != nil {
		return nil, spi.WSAEINVAL
	}
	for _, own := range p.table.All() {
		if !own.enter() {
			continue
		}
		if same, err := unix.GetsockoptUint64(own.fd, unix.SOL_SOCKET, unix.SO_COOKIE); err == nil && same == cookie {
			own.set(fShared)
			other := &descriptor{socket: own.socket}
			other.share(fd)
			own.release()
			return other, 0
		}
		own.release()
	}
	d := p.newDescriptor(fd, k, cookie, fShared)
	if e := d.setHandoverState(state); e != 0 {
		return nil, e
	}
	return d, 0
}

// handoverState is what goes over with a descriptor.
type handoverState struct {
	Version                   uint32
	Flags                     uint32 // a bit for each of handedFlags
	Err, Failed, Broken       int32
	ReceiveMillis, SendMillis uint32
	Since                     int64
}

// handoverVersion changes with the meaning of handoverState and handedFlags.
const handoverVersion = 1

var sizeofState = binary.Size(handoverState{})

// sizeofHandoverState is room for a state, with a byte that shows one of another
// size.
const sizeofHandoverState = 64

// handedFlags are the flags that the other end is told, in the order of the
// state's bits.
var handedFlags = []uint32{
	fNonblocking, fBound, fConnecting, fConnected, fSendShut, fRecvShut, fAborted,
	fLinger, fReuse, fExclusive, fOverlapped, fNoConnReset, fErrorQueue,
}

func (s *socket) handoverState() []byte {
	state := handoverState{
		Version:       handoverVersion,
		Err:           s.err.Load(),
		Failed:        s.failed.Load(),
		Broken:        s.broken.Load(),
		ReceiveMillis: s.receiveMillis.Load(),
		SendMillis:    s.sendMillis.Load(),
		Since:         s.since.Load(),
	}
	for i, f := range handedFlags {
		if s.has(f) {
			state.Flags |= 1 << i
		}
	}
	b, _ := binary.Append(nil, binary.NativeEndian, state)
	return b
}

// setHandoverState takes over what the other end has told. WSAEINVAL when it is
// of another version.
func (s *socket) setHandoverState(b []byte) spi.Errno {
	var state handoverState
	if len(b) != sizeofState || binary.Read(bytes.NewReader(b), binary.NativeEndian, &state) != nil || state.Version != handoverVersion {
		return spi.WSAEINVAL
	}
	for i, f := range handedFlags {
		if state.Flags&(1<<i) != 0 {
			s.set(f)
		}
	}
	s.err.Store(state.Err)
	s.failed.Store(state.Failed)
	s.broken.Store(state.Broken)
	s.receiveMillis.Store(state.ReceiveMillis)
	s.sendMillis.Store(state.SendMillis)
	s.since.Store(state.Since)
	return 0
}
