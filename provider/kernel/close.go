//go:build linux

package kernel

import (
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// WSPCloseSocket closes the descriptor; calls that wait on it end with
// WSAEINTR, and overlapped operations with WSA_OPERATION_ABORTED. What becomes
// of the connection, when it is the last descriptor:
//
//	SO_LINGER             blocking socket                     nonblocking socket
//	off (SO_DONTLINGER)   sent in the background              the same
//	on, 0 s               reset                               the same
//	on, n s               waits for n s, resets what is left  WSAEWOULDBLOCK: stays open
func (p *provider) WSPCloseSocket(s spi.Socket) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	linger := d.lingerTime()
	if linger > 0 && !d.blocking() {
		return spi.WSAEWOULDBLOCK
	}
	if linger > 0 {
		e = d.linger(linger)
	}
	if !d.beginClose() {
		return spi.WSAENOTSOCK
	}
	return e
}

// lingerTime is how long closing the descriptor has to wait. Where another
// process may have the socket, the kernel waits, when the last one closes it.
func (d *descriptor) lingerTime() time.Duration {
	if !d.has(fLinger) || d.has(fShared) || d.lent != nil || !d.last() {
		return 0
	}
	l, errno := getLinger(d.fd)
	if errno != 0 || l.Onoff == 0 {
		return 0
	}
	return time.Duration(l.Linger) * time.Second
}

// linger waits until the peer has everything that was sent, or for limit. What
// is then left is discarded with a reset. WSAEINTR when the wait was cancelled;
// the rest goes out in the background.
func (d *descriptor) linger(limit time.Duration) spi.Errno {
	if !d.kind.tcp() || !connected(d.fd) {
		return 0
	}
	var wait call
	defer wait.end()
	if e := wait.begin(d.p, d.p.entries[d.kind].CatalogEntryID, limit, d); e != 0 {
		return e
	}
	_ = unix.Shutdown(d.fd, unix.SHUT_WR)
	e := spi.Errno(0)
	for pause := time.Millisecond; e == 0; pause = min(2*pause, 20*time.Millisecond) {
		unacknowledged, err := unix.IoctlGetInt(d.fd, unix.SIOCOUTQ)
		if err != nil || unacknowledged == 0 {
			break
		}
		e = wait.pause(pause)
	}
	if e == spi.WSAETIMEDOUT {
		setLinger(d.fd, unix.Linger{Onoff: 1})
		return 0
	}
	setLinger(d.fd, unix.Linger{}) // the kernel need not wait again
	return e
}

// WSPShutdown stands for shutdown(2). SD_RECEIVE on TCP resets the connection
// when data is waiting, and when data comes later.
func (p *provider) WSPShutdown(s spi.Socket, how int32) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	if how < spi.SD_RECEIVE || how > spi.SD_BOTH {
		return spi.WSAEINVAL
	}
	// On a stream that is not connected the call would fail, yet have effects.
	if d.kind.stream() && !connected(d.fd) {
		return spi.WSAENOTCONN
	}
	// The flags come first, for the call wakes receives and sends, which look at
	// them.
	var shut uint32
	if how != spi.SD_RECEIVE {
		shut |= fSendShut
	}
	if how != spi.SD_SEND {
		shut |= fRecvShut
	}
	fresh := shut &^ d.flags.Or(shut)
	if err := unix.Shutdown(d.fd, int(how)); err != nil && (d.kind.stream() || err != unix.ENOTCONN) {
		d.clear(fresh)
		return spi.FromErrno(errnoOf(err))
	}
	if how != spi.SD_SEND {
		d.refuseData()
	}
	return 0
}

// refuseData resets a TCP connection that cannot receive but has data. Later
// data is watched for.
func (d *descriptor) refuseData() {
	if !d.kind.tcp() {
		return
	}
	if !d.has(fSendShut) { // the kernel does it after both
		_ = d.p.poller.watch(d)
	}
	d.resetIfData()
}

func (d *descriptor) resetIfData() {
	if n, errno := available(d.fd); errno != 0 || n == 0 {
		return
	}
	d.set(fAborted)
	disconnect(d.fd)
}

// WSPSendDisconnect is WSPShutdown(SD_SEND); disconnect data is refused.
func (p *provider) WSPSendDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	if data != nil && data.Len > 0 {
		return p.refuseDisconnectData(s)
	}
	return p.WSPShutdown(s, spi.SD_SEND)
}

// WSPRecvDisconnect is WSPShutdown(SD_RECEIVE); disconnect data is refused.
func (p *provider) WSPRecvDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	if data != nil && data.Len > 0 {
		return p.refuseDisconnectData(s)
	}
	return p.WSPShutdown(s, spi.SD_RECEIVE)
}

func (p *provider) refuseDisconnectData(s spi.Socket) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	d.release()
	return spi.WSAENOPROTOOPT
}
