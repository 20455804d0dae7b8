//go:build linux

package kernel

import (
	"encoding/binary"
	"sync"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// acceptJob is an AcceptEx. It waits in the listening socket's queue for a
// connection, whose kernel socket then takes the place of the accepting
// socket's under the same handle, and after that, if it is to receive, in the
// accepting socket's queue.
type acceptJob struct {
	home                 *operations // the listening socket's
	accept               *descriptor
	out                  []byte
	receive, local, peer uint32 // lengths of the parts of out
	accepted             bool
}

// addressSlack is how much longer than the longest address the room for one is
// at least.
const addressSlack = 16

// longestAddress is the longest address of the socket's family.
func (s *socket) longestAddress() uint32 { return uint32(s.p.entries[s.kind].MaxSockAddr) }

// acceptEx is AcceptEx. WSA_IO_PENDING also when a connection is there.
func (p *provider) acceptEx(listen, accept spi.Socket, out []byte, receiveLen, localLen, remoteLen uint32, _ *uint32, ov *spi.Overlapped) spi.Errno {
	d, e := p.acquire(listen)
	if e != 0 {
		return e
	}
	defer d.release()
	a, e := p.acquire(accept)
	if e != 0 {
		return e
	}
	defer a.release()
	room := d.longestAddress() + addressSlack
	switch {
	case !d.kind.stream() || !a.kind.stream():
		return spi.WSAEOPNOTSUPP
	case ov == nil, localLen < room, remoteLen < room,
		uint64(len(out)) < uint64(receiveLen)+uint64(localLen)+uint64(remoteLen):
		return spi.WSAEFAULT
	case d.kind != a.kind, !d.listening(), a.used():
		return spi.WSAEINVAL
	}
	home := d.queues()
	if !a.queues().home.CompareAndSwap(nil, home) {
		return spi.WSAEINVAL // another AcceptEx has it
	}
	j := &acceptJob{home: home, accept: a, out: out, receive: receiveLen, local: localLen, peer: remoteLen}
	o, op, e := d.beginExtension(ov, nil)
	if e != 0 {
		j.ended()
		return e
	}
	op.job = j
	e = o.start(&o.receives, op, nil, nil)
	d.reenable(spi.FD_ACCEPT, e)
	return e
}

// listening reports SO_ACCEPTCONN.
func (d *descriptor) listening() bool {
	on, _ := getInt(d.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return on != 0
}

// used reports whether a stream socket has an address or a peer. Only AF_UNIX
// has peers without an address.
func (d *descriptor) used() bool { return d.bound() || d.kind == unixStream && connected(d.fd) }

// attempt implements job.
func (j *acceptJob) attempt(o *operations, op *operation) (uint32, spi.Errno) {
	if j.accepted {
		return o.receive(j.accept, op)
	}
	if j.accept.isClosed() {
		return 0, spi.WSA_OPERATION_ABORTED
	}
	if !o.readable && o.watch != nil {
		return 0, spi.WSAEWOULDBLOCK
	}
	c, errno := op.through.takeConnection()
	if errno != 0 {
		e := op.through.acceptError(errno)
		o.readable = e != spi.WSAEWOULDBLOCK
		return 0, e
	}
	if e := j.install(op.through, c); e != 0 {
		return 0, e
	}
	if j.receive == 0 {
		return 0, 0
	}
	j.accepted = true
	op.room[0] = spi.NewBuf(j.out[:j.receive])
	op.in = op.room[:1]
	return 0, followed
}

// install puts a connection of the listening socket d under the accepting
// socket's handle, and stores its addresses.
func (j *acceptJob) install(d *descriptor, c connection) spi.Errno {
	a := j.accept
	if !a.enter() {
		d.putBack(c)
		return spi.WSA_OPERATION_ABORTED
	}
	defer a.release()
	if a.used() { // meanwhile
		d.putBack(c)
		return spi.WSAEINVAL
	}
	var local sockaddr
	localName(c.fd, &local)
	storeRoom(j.out[j.receive:][:j.local], local.windows())
	storeRoom(j.out[j.receive+j.local:][:j.peer], c.peer.windows())

	o := a.queues()
	o.mu.Lock()
	errno := a.replace(o, c.fd, c.nonblocking)
	o.mu.Unlock()
	if errno != 0 {
		return spi.FromErrno(errno)
	}
	a.newConnection(fAccepted)
	a.setConnected()
	return 0
}

// follow moves an AcceptEx that has its connection to the accepting socket's
// queue, where it waits for data. The caller holds home.mu.
func (j *acceptJob) follow(op *operation) {
	a := j.accept
	o := a.queues()
	j.home.moved.add(j, op)
	o.mu.Lock()
	defer o.mu.Unlock()
	e := spi.Errno(0)
	switch w := op.packet; {
	case a.isClosed():
		e = spi.WSA_OPERATION_ABORTED
	case w == nil:
		e = o.poll(a)
	default:
		if o.watch == nil {
			e = o.rewatch(a, w.port)
		}
		if e == 0 && (o.watch.port != w.port || op.ov.HEvent != spi.InvalidEvent) {
			e = o.poll(a)
		}
	}
	if e != 0 {
		o.finish(op, e, 0, true)
		return
	}
	o.receives.push(op)
	o.serve(&o.receives)
}

// ended lets go of the accepting socket.
func (j *acceptJob) ended() {
	j.home.moved.remove(j)
	j.accept.queues().home.Store(nil)
}

// moved is the AcceptEx operations of a listening socket that wait for data.
type moved struct {
	mu sync.Mutex // taken inside any operations.mu: guards what follows
	by map[*acceptJob]*operation
}

func (m *moved) add(j *acceptJob, op *operation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil {
		m.by = map[*acceptJob]*operation{}
	}
	m.by[j] = op
}

func (m *moved) remove(j *acceptJob) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.by, j)
}

// find returns the jobs of the operations that match.
func (m *moved) find(match func(*operation) bool) (jobs []*acceptJob) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for j, op := range m.by {
		if match(op) {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// abort ends an operation that has moved. No operations.mu is held.
func (j *acceptJob) abort(indicate bool) (count int) {
	o := j.accept.queues()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.end(func(op *operation) bool { return op.job == job(j) }, spi.WSA_OPERATION_ABORTED, indicate)
}

// storeRoom stores an address at the beginning of its room, and its length in
// the last four bytes.
func storeRoom(room, address []byte) {
	n := copy(room[:len(room)-4], address)
	binary.NativeEndian.PutUint32(room[len(room)-4:], uint32(n))
}

// loadRoom returns the address in a room, nil when there is none.
func loadRoom(room []byte) []byte {
	if len(room) < addressSlack {
		return nil
	}
	n := binary.NativeEndian.Uint32(room[len(room)-4:])
	if n < sizeofFamily || int64(n) > int64(len(room)-4) {
		return nil
	}
	return room[:n:n]
}

// acceptAddresses is GetAcceptExSockaddrs.
func acceptAddresses(out []byte, receiveLen, localLen, remoteLen uint32) (local, remote []byte) {
	if uint64(len(out)) < uint64(receiveLen)+uint64(localLen)+uint64(remoteLen) {
		return nil, nil
	}
	rooms := out[receiveLen:]
	return loadRoom(rooms[:localLen]), loadRoom(rooms[localLen : localLen+remoteLen])
}

// updateAcceptContext is SO_UPDATE_ACCEPT_CONTEXT: a socket that AcceptEx has
// connected takes over the mode and the selection of the listening one.
// WSAEFAULT, WSAENOTSOCK, WSAEINVAL (not a listening socket), WSAENOTCONN.
func (d *descriptor) updateAcceptContext(val []byte) spi.Errno {
	if len(val) < 8 {
		return spi.WSAEFAULT
	}
	l, e := d.p.acquire(spi.Socket(binary.NativeEndian.Uint64(val)))
	if e != 0 {
		return e
	}
	defer l.release()
	switch {
	case l.kind != d.kind || !l.listening():
		return spi.WSAEINVAL
	case !d.has(fAccepted) || !connected(d.fd):
		return spi.WSAENOTCONN
	}
	d.set(l.flags.Load() & inherited &^ fNonblocking)
	if l.has(fNonblocking) {
		if e := d.setNonblocking(true); e != 0 {
			return e
		}
	}
	d.inheritSelection(l)
	return 0
}

// updateConnectContext is SO_UPDATE_CONNECT_CONTEXT, after ConnectEx: there is
// nothing to complete. WSAENOTCONN.
func (d *descriptor) updateConnectContext() spi.Errno {
	if !d.kind.stream() || !connected(d.fd) {
		return spi.WSAENOTCONN
	}
	return 0
}
