//go:build linux

package kernel

import (
	"math/rand/v2"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// WSPDuplicateSocket makes another descriptor of the socket, which WSPSocket
// hands out once. It is made at once, so that the socket stays open whatever
// becomes of s. The token in dwProviderReserved is odd for this process and even
// for another one (handover.go).
//
// WSAEINVAL (no such process), WSAENOBUFS (too many duplicates wait for other
// processes).
func (p *provider) WSPDuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
	if info == nil {
		return spi.WSAEFAULT
	}
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	fd, err := unix.FcntlInt(uintptr(d.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return spi.FromErrno(errnoOf(err))
	}
	other := &descriptor{socket: d.socket}
	other.share(fd)
	var token uint32
	if int(pid) == os.Getpid() {
		token = p.duplicates.add(other)
	} else if token, e = p.handovers.offer(other, pid); e != 0 {
		other.discard()
		return e
	}
	if p.ended.Load() {
		p.duplicates.drop()
		return spi.WSANOTINITIALISED
	}
	*info = *p.entries[d.kind]
	info.ProviderReserved = token
	return 0
}

// openDuplicate is WSPSocket for a token of WSPDuplicateSocket.
func (p *provider) openDuplicate(token uint32) (spi.Socket, spi.Errno) {
	var d *descriptor
	e := spi.WSAEINVAL
	if ofThisProcess(token) {
		d = p.duplicates.take(token)
	} else {
		d, e = p.receiveHandover(token)
	}
	if d == nil {
		return spi.InvalidSocket, e
	}
	defer d.release()
	if e := p.publish(d); e != 0 {
		return spi.InvalidSocket, e
	}
	return spi.Socket(d.fd), 0
}

// ofThisProcess tells the two kinds of tokens apart, so that one that another
// process made never passes for one of this process.
func ofThisProcess(token uint32) bool { return token&1 != 0 }

// duplicates are the descriptors that WSPDuplicateSocket made for this process
// and nobody has taken, by token.
type duplicates struct {
	mu   sync.Mutex // a leaf: guards what follows
	made map[uint32]*descriptor
}

func (t *duplicates) add(d *descriptor) (token uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.made == nil {
		t.made = map[uint32]*descriptor{}
	}
	for {
		token = rand.Uint32() | 1
		if _, taken := t.made[token]; !taken {
			t.made[token] = d
			return token
		}
	}
}

func (t *duplicates) take(token uint32) *descriptor {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.made[token]
	delete(t.made, token)
	return d
}

// drop closes the descriptors that nobody has taken.
func (t *duplicates) drop() {
	t.mu.Lock()
	made := t.made
	t.made = nil
	t.mu.Unlock()
	for _, d := range made {
		d.discard()
	}
}

// discard closes a descriptor that was never handed out.
func (d *descriptor) discard() {
	d.beginClose()
	d.release()
}
