// Package rot13 is a whole layer that changes bytes: letters go out thirteen
// places further on in the alphabet, and come in thirteen places back.
package rot13

import (
	"upcall.dev/layer"
	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

func init() {
	layer.Register(layer.Definition{
		Name:      "rot13",
		Summary:   "turns letters by thirteen places",
		SeesBytes: func(spi.Options) bool { return true },
		Without:   []spi.GUID{spi.WSAID_CONNECTEX, spi.WSAID_TRANSMITFILE, spi.WSAID_TRANSMITPACKETS, spi.WSAID_WSASENDMSG},
		New: func(next spi.Provider, _ spi.Options) (spi.Provider, error) {
			next.(interface{ Observe(func(*nonifs.Transfer)) }).Observe(received)
			return rot13{next}, nil
		},
	})
}

type rot13 struct{ spi.Provider }

// A send goes on with a copy, for its memory is the client's.
func (r rot13) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	return r.Provider.WSPSend(s, turned(bufs), sent, flags, ov, routine, thread)
}

func (r rot13) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	return r.Provider.WSPSendTo(s, turned(bufs), sent, flags, to, ov, routine, thread)
}

func turned(bufs []spi.Buf) []spi.Buf {
	copies := make([]spi.Buf, len(bufs))
	for i, b := range bufs {
		text := append([]byte(nil), b.Bytes()...)
		turn(text)
		copies[i] = spi.NewBuf(text)
	}
	return copies
}

// received sees each receive when it has ended and before the client is told,
// whether it was overlapped or not.
func received(t *nonifs.Transfer) {
	if !t.Receive {
		return
	}
	left := int(t.N)
	for _, b := range t.Bufs {
		n := min(left, len(b.Bytes()))
		turn(b.Bytes()[:n])
		left -= n
	}
}

func turn(text []byte) {
	for i, c := range text {
		switch {
		case c >= 'a' && c <= 'z':
			text[i] = 'a' + (c-'a'+13)%26
		case c >= 'A' && c <= 'Z':
			text[i] = 'A' + (c-'A'+13)%26
		}
	}
}
