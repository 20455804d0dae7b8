package relay

import (
	"io"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/pieces"
)

// The system calls of a copy do not wait, so that the runtime need not know of
// them: where it does, a copy takes so long that the runtime's monitor hands the
// processor on, and stays awake to do so again. The longest copies take half a
// millisecond, less than a goroutine that only computes may go on for.

// Transfer makes one call, SYS_RECVFROM or SYS_SENDTO, without waiting; flags may have
// MSG_PEEK.
func Transfer(call, fd uintptr, b []byte, flags uintptr) (int, unix.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch {
		case errno == 0:
			return int(n), 0
		case errno != unix.EINTR:
			return 0, errno
		}
	}
}

// copyDescriptor copies from a socket of the kernel's to the end of the stream.
func copyDescriptor(to io.Writer, from *net.TCPConn) error {
	raw, err := from.SyscallConn()
	if err != nil {
		return err
	}
	var size pieces.Size
	var piece *pieces.Piece
	var n int
	var errno unix.Errno
	read := func(fd uintptr) bool {
		piece = size.Take()
		n, errno = Transfer(unix.SYS_RECVFROM, fd, piece.Bytes(), 0)
		if errno == unix.EAGAIN {
			size.Give(piece, 0)
			return false
		}
		return true
	}
	for {
		if err := raw.Read(read); err != nil {
			return err
		}
		if n > 0 {
			_, err = to.Write(piece.Bytes()[:n])
		}
		size.Give(piece, n)
		switch {
		case err != nil:
			return err
		case errno != 0:
			return errno
		case n == 0:
			return nil
		}
	}
}

// descriptorWriter writes to a socket of the kernel's, for one goroutine.
type descriptorWriter struct {
	raw   syscall.RawConn
	try   func(fd uintptr) bool // w.once, bound once
	rest  []byte
	errno unix.Errno
}

func newDescriptorWriter(to *net.TCPConn) (*descriptorWriter, error) {
	raw, err := to.SyscallConn()
	if err != nil {
		return nil, err
	}
	w := &descriptorWriter{raw: raw}
	w.try = w.once
	return w, nil
}

// Write sends all of b, or fails with the number of bytes that were sent.
func (w *descriptorWriter) Write(b []byte) (int, error) {
	w.rest, w.errno = b, 0
	err := w.raw.Write(w.try)
	n := len(b) - len(w.rest)
	w.rest = nil
	if err == nil && w.errno != 0 {
		err = w.errno
	}
	return n, err
}

func (w *descriptorWriter) once(fd uintptr) bool {
	for len(w.rest) > 0 {
		n, errno := Transfer(unix.SYS_SENDTO, fd, w.rest, 0)
		switch errno {
		case 0:
			w.rest = w.rest[n:]
		case unix.EAGAIN:
			return false
		default:
			w.errno = errno
			return true
		}
	}
	return true
}
