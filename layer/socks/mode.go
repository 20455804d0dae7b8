package socks

import (
	"encoding/binary"

	"upcall.dev/internal/lent"
	"upcall.dev/spi"
)

// isNonblocking returns the client's mode of a handle: who has lent a descriptor has
// told it, others tell it themselves, even those that were made elsewhere; for other
// handles the layer has seen FIONBIO.
func isNonblocking(s spi.Socket, c *conn) bool {
	if s < 1<<32 {
		if known := lent.Known(uintptr(s)); known != nil {
			return known.Nonblocking
		}
		if on, ok := descriptorMode(uintptr(s)); ok {
			return on
		}
	}
	return c.isNonblocking()
}

func setMode(next spi.Provider, s spi.Socket, nonblocking bool) spi.Errno {
	var in [4]byte
	var n uint32
	if nonblocking {
		binary.NativeEndian.PutUint32(in[:], 1)
	}
	return next.WSPIoctl(s, spi.FIONBIO, in[:], nil, &n, nil, nil, nil)
}
