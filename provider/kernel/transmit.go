//go:build linux

package kernel

import (
	"io"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// piece is memory or a part of a file, to be sent.
type piece struct {
	memory []byte
	isFile bool
	file   int
	offset int64 // in the file; -1 is its position
	left   int64 // of the file's part; -1 is the rest of it
	end    bool  // of a datagram
}

// transmitJob is a TransmitFile or TransmitPackets: it sends pieces in order.
// Files are read by the thread that goes on with it, and so as fast as they are.
type transmitJob struct {
	pieces  []piece
	skip    int // sent of the first piece's memory
	perSend int // most of a file that one system call sends
	flags   uint32
}

// The most of a file that one system call sends, where the client leaves it to
// the provider, and where it does not.
const (
	defaultPerSend = 256 << 10
	largestPerSend = 1 << 20
)

// transmitFlags are those that TransmitFile and TransmitPackets know. Which
// thread does the work, and TF_WRITE_BEHIND, are hints.
const transmitFlags = spi.TF_DISCONNECT | spi.TF_REUSE_SOCKET | spi.TF_WRITE_BEHIND | spi.TF_USE_SYSTEM_THREAD | spi.TF_USE_KERNEL_APC

// transmitFile is TransmitFile. A file of 0 or all ones is none.
func (p *provider) transmitFile(s spi.Socket, file uintptr, toWrite, perSend uint32, ov *spi.Overlapped, around *spi.TransmitFileBuffers, flags uint32) spi.Errno {
	var none spi.TransmitFileBuffers
	if around == nil {
		around = &none
	}
	if around.Head == nil && around.HeadLength > 0 || around.Tail == nil && around.TailLength > 0 {
		return spi.WSAEFAULT
	}
	var pieces []piece
	if around.HeadLength > 0 {
		pieces = append(pieces, piece{memory: unsafe.Slice(around.Head, around.HeadLength)})
	}
	if file != 0 && file != ^uintptr(0) {
		part := piece{isFile: true, file: int(file), offset: -1, left: -1}
		if ov != nil {
			part.offset = int64(uint64(ov.OffsetHigh)<<32 | uint64(ov.Offset))
		}
		if toWrite > 0 {
			part.left = int64(toWrite)
		}
		pieces = append(pieces, part)
	}
	if around.TailLength > 0 {
		pieces = append(pieces, piece{memory: unsafe.Slice(around.Tail, around.TailLength)})
	}
	return p.transmit(s, pieces, perSend, ov, flags, false)
}

// transmitPackets is TransmitPackets.
func (p *provider) transmitPackets(s spi.Socket, elements []spi.TransmitPacketsElement, perSend uint32, ov *spi.Overlapped, flags uint32) spi.Errno {
	pieces := make([]piece, len(elements))
	for i := range elements {
		element := &elements[i]
		memory, isMemory := element.Memory()
		file, offset, isFile := element.File()
		if isMemory == isFile || element.ElFlags&^(spi.TP_ELEMENT_MEMORY|spi.TP_ELEMENT_FILE|spi.TP_ELEMENT_EOP) != 0 {
			return spi.WSAEINVAL
		}
		pieces[i] = piece{memory: memory, isFile: isFile, file: int(file), offset: offset, left: int64(element.Length), end: element.ElFlags&spi.TP_ELEMENT_EOP != 0}
		if isFile && element.Length == 0 {
			pieces[i].left = -1
		}
	}
	return p.transmit(s, pieces, perSend, ov, flags, true)
}

func (p *provider) transmit(s spi.Socket, pieces []piece, perSend uint32, ov *spi.Overlapped, flags uint32, datagrams bool) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	switch {
	case !d.kind.stream() && !datagrams:
		return spi.WSAEOPNOTSUPP
	case flags&^transmitFlags != 0, flags&spi.TF_REUSE_SOCKET != 0 && flags&spi.TF_DISCONNECT == 0,
		flags&spi.TF_DISCONNECT != 0 && !d.kind.stream():
		return spi.WSAEINVAL
	case !connected(d.fd):
		if e := spi.Errno(d.broken.Load()); e != 0 {
			return e
		}
		return spi.WSAENOTCONN
	}
	for i := range pieces {
		if e := pieces[i].check(); e != 0 {
			return e
		}
	}
	if perSend == 0 {
		perSend = defaultPerSend
	}
	return d.run(&transmitJob{pieces: pieces, perSend: int(min(perSend, largestPerSend)), flags: flags}, ov)
}

// check finds out early what would fail late. WSAEBADF (not an open file, or
// one that has no positions), WSAEINVAL (the offset).
func (part *piece) check() spi.Errno {
	if !part.isFile {
		return 0
	}
	if part.offset < -1 {
		return spi.WSAEINVAL
	}
	var about unix.Stat_t
	if unix.Fstat(part.file, &about) != nil || about.Mode&unix.S_IFMT != unix.S_IFREG {
		return spi.WSAEBADF
	}
	return 0
}

// attempt implements job.
func (j *transmitJob) attempt(o *operations, op *operation) (uint32, spi.Errno) {
	d := op.through
	if !o.writable && o.watch != nil {
		return 0, spi.WSAEWOULDBLOCK
	}
	for len(j.pieces) > 0 {
		var n int
		var e spi.Errno
		if d.kind.stream() {
			n, e = j.sendStream(d)
		} else {
			n, e = j.sendDatagram(d)
		}
		op.n += n
		if e != 0 {
			o.writable = e != spi.WSAEWOULDBLOCK
			return 0, e
		}
	}
	if j.flags&spi.TF_DISCONNECT != 0 {
		return 0, d.disconnect(o, j.flags&spi.TF_REUSE_SOCKET != 0)
	}
	return 0, 0
}

// sendStream sends from the first piece, and drops it when all of it is sent.
func (j *transmitJob) sendStream(d *descriptor) (int, spi.Errno) {
	part := &j.pieces[0]
	if !part.isFile {
		more := 0
		if len(j.pieces) > 1 {
			more = unix.MSG_MORE
		}
		n := 0
		if len(part.memory) > j.skip {
			var errno unix.Errno
			bufs := [1]spi.Buf{spi.NewBuf(part.memory)}
			if n, errno = sendNow(d.fd, bufs[:], j.skip, more, nil, nil); errno != 0 {
				return 0, d.sendError(errno)
			}
		}
		if j.skip += n; j.skip >= len(part.memory) {
			j.pieces, j.skip = j.pieces[1:], 0
		}
		return n, 0
	}
	count := int64(j.perSend)
	if part.left >= 0 {
		count = min(count, part.left)
	}
	n, errno := d.sendFile(part, int(count))
	switch {
	case errno != 0:
		return 0, d.sendError(errno)
	case n == 0 && part.left > 0:
		return 0, spi.ERROR_HANDLE_EOF
	case part.left >= 0:
		part.left -= int64(n)
	}
	if n == 0 || part.left == 0 {
		j.pieces = j.pieces[1:]
	}
	return n, 0
}

// sendFile is sendfile(2) of count bytes of a file, without waiting for the
// socket: O_NONBLOCK is set meanwhile, since there is no flag of the call.
func (d *descriptor) sendFile(part *piece, count int) (int, unix.Errno) {
	if count == 0 {
		return 0, 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	flags, err := unix.FcntlInt(uintptr(d.fd), unix.F_GETFL, 0)
	if err != nil {
		return 0, errnoOf(err)
	}
	if flags&unix.O_NONBLOCK == 0 {
		_, _ = unix.FcntlInt(uintptr(d.fd), unix.F_SETFL, flags|unix.O_NONBLOCK)
		defer unix.FcntlInt(uintptr(d.fd), unix.F_SETFL, flags)
	}
	var offset *int64
	if part.offset >= 0 {
		offset = &part.offset
	}
	released()
	for {
		n, err := unix.Sendfile(d.fd, part.file, offset, count)
		if err != unix.EINTR {
			return max(n, 0), errnoOf(err)
		}
	}
}

// sendDatagram sends the pieces up to the end of a datagram, as one, and drops
// them.
func (j *transmitJob) sendDatagram(d *descriptor) (int, spi.Errno) {
	var whole []byte
	count := 0
	for count < len(j.pieces) {
		part := &j.pieces[count]
		count++
		if part.isFile {
			var e spi.Errno
			if whole, e = part.appendTo(whole); e != 0 {
				return 0, e
			}
		} else {
			whole = append(whole, part.memory...)
		}
		if part.end {
			break
		}
		if len(whole) > maxDatagram6 {
			return 0, spi.WSAEMSGSIZE
		}
	}
	n, errno := d.sendOnce(&sending{out: []spi.Buf{spi.NewBuf(whole)}}, nil, 0)
	if errno != 0 {
		return 0, d.sendError(errno)
	}
	for i := range j.pieces[:count] {
		if part := &j.pieces[i]; part.isFile && part.offset < 0 {
			_, _ = unix.Seek(part.file, part.left, io.SeekCurrent)
		}
	}
	j.pieces = j.pieces[count:]
	return n, 0
}

// appendTo appends a file's part to a datagram, and stores its length in left.
func (part *piece) appendTo(b []byte) ([]byte, spi.Errno) {
	at := part.offset
	if at < 0 {
		var err error
		if at, err = unix.Seek(part.file, 0, io.SeekCurrent); err != nil {
			return b, spi.WSAEBADF
		}
	}
	want := part.left
	if want < 0 || want > maxDatagram6+1 {
		want = maxDatagram6 + 1
	}
	room := make([]byte, want)
	got := 0
	for got < len(room) {
		n, err := unix.Pread(part.file, room[got:], at+int64(got))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return b, spi.FromErrno(errnoOf(err))
		}
		if n == 0 {
			break
		}
		got += n
	}
	if part.left > int64(got) && got < len(room) {
		return b, spi.ERROR_HANDLE_EOF
	}
	if got > maxDatagram6 {
		return b, spi.WSAEMSGSIZE
	}
	part.left = int64(got)
	return append(b, room[:got]...), 0
}
