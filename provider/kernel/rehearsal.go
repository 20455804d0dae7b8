//go:build linux

package kernel

import (
	"bytes"

	"upcall.dev/spi"
)

// rehearsal is what a socket of SIO_REHEARSE has instead of the kernel's.
type rehearsal struct {
	name []byte // what WSPGetSockName gives
}

func (d *descriptor) rehearse(name []byte) spi.Errno {
	switch {
	case d.kind != unixStream:
		return spi.WSAEOPNOTSUPP
	case len(name) > 0 && spi.AddressFamily(name) != spi.AF_UNIX:
		return spi.WSAEFAULT
	}
	d.rehearsed.Store(&rehearsal{bytes.Clone(name)})
	return 0
}

func (d *descriptor) rehearses() bool { return d.kind == unixStream && d.rehearsed.Load() != nil }

// rehearsedSend is WSPSendTo of what goes nowhere.
func (d *descriptor) rehearsedSend(bufs []spi.Buf, sent *uint32, to []byte, ov *spi.Overlapped) spi.Errno {
	switch {
	case ov != nil:
		return spi.WSAEOPNOTSUPP
	case len(to) > 0 && spi.AddressFamily(to) != spi.AF_UNIX:
		return spi.WSAEAFNOSUPPORT
	case sent == nil:
		return spi.WSAEFAULT
	}
	*sent = 0
	for _, b := range bufs {
		*sent += b.Len
	}
	return 0
}
