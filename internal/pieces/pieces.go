// Package pieces has the buffers that bytes of a stream are copied through from
// one socket to another.
//
// A copy wakes who waits at its two ends, and a wake-up costs more than many
// bytes. A stream that has much to give is therefore read in large pieces: its
// sender goes on while one is copied, and neither end sleeps. A stream of small
// messages has small buffers, which stay in the processor's cache.
package pieces

import (
	"sync"
	"sync/atomic"
)

// sizes is how many bytes the pieces of each class have.
var sizes = [...]int{128 << 10, 1 << 20, 4 << 20}

// mostHeld bounds the bytes of all pieces in use that are larger than the
// smallest; past it there are small ones only.
const mostHeld = 64 << 20

// Piece is a buffer, to be used by whoever has taken it until it is given back.
type Piece struct {
	bytes []byte
	class uint8
}

// Bytes returns the memory, whose contents are anybody's.
func (p *Piece) Bytes() []byte { return p.bytes }

// Size is how large the pieces of one direction of a stream are. The zero Size
// begins with the smallest. It is for one goroutine at a time.
type Size struct{ class uint8 }

var (
	pools [len(sizes)]sync.Pool
	held  atomic.Int64 // bytes of the larger pieces in use
)

// Take returns a piece of the size.
func (s *Size) Take() *Piece {
	class := s.class
	if class > 0 && held.Add(int64(sizes[class])) > mostHeld {
		held.Add(-int64(sizes[class]))
		class = 0
	}
	if p, ok := pools[class].Get().(*Piece); ok {
		return p
	}
	return &Piece{bytes: make([]byte, sizes[class]), class: class}
}

// Give gives back a piece into which n bytes were read at once: zero if none
// were. The next one is larger after one that was full, and smaller after one
// that had little.
func (s *Size) Give(p *Piece, n int) {
	switch {
	case n == len(p.bytes) && p.class == s.class && int(s.class) < len(sizes)-1:
		s.class++
	case n > 0 && s.class > 0 && n <= sizes[s.class-1]/4:
		s.class--
	}
	if p.class > 0 {
		held.Add(-int64(sizes[p.class]))
	}
	pools[p.class].Put(p)
}
