package nonifs

import (
	"math/bits"
	"sync"
	"unsafe"
)

// ring is a byte queue. An empty ring holds no memory: its buffer comes from
// and returns to a pool, so that idle sockets cost nothing.
type ring struct {
	buf   *byte // 1<<class bytes, nil when empty
	class uint8
	start uint32 // offset of the first byte
	n     uint32 // bytes held
}

// Buffers have 1<<class bytes.
const (
	smallestClass = 9
	largestClass  = 30
)

var ringPools [largestClass + 1]sync.Pool

func takeBuffer(class uint8) *byte {
	if p, ok := ringPools[class].Get().(*byte); ok {
		return p
	}
	return unsafe.SliceData(make([]byte, 1<<class))
}

func (r *ring) size() uint32 {
	if r.buf == nil {
		return 0
	}
	return 1 << r.class
}

func (r *ring) bytes() []byte { return unsafe.Slice(r.buf, r.size()) }

// reserve makes room for more bytes behind those held.
func (r *ring) reserve(more uint32) {
	need := r.n + more
	if need <= r.size() {
		return
	}
	class := max(uint8(bits.Len32(need-1)), smallestClass)
	buf := takeBuffer(class)
	r.peek(0, unsafe.Slice(buf, 1<<class))
	if r.buf != nil {
		ringPools[r.class].Put(r.buf)
	}
	r.buf, r.class, r.start = buf, class, 0
}

// write appends p, for which there is room.
func (r *ring) write(p []byte) {
	buf := r.bytes()
	end := (r.start + r.n) & (r.size() - 1)
	n := copy(buf[end:], p)
	copy(buf, p[n:])
	r.n += uint32(len(p))
}

// peek copies from the bytes held, beginning at offset, and returns how many.
func (r *ring) peek(offset uint32, p []byte) int {
	if offset >= r.n {
		return 0
	}
	p = p[:min(uint32(len(p)), r.n-offset)]
	buf := r.bytes()
	begin := (r.start + offset) & (r.size() - 1)
	n := copy(p, buf[begin:])
	copy(p[n:], buf)
	return len(p)
}

// discard drops the first n bytes.
func (r *ring) discard(n uint32) {
	r.n -= n
	if r.n != 0 {
		r.start = (r.start + n) & (r.size() - 1)
		return
	}
	if r.buf != nil {
		ringPools[r.class].Put(r.buf)
		r.buf, r.start = nil, 0
	}
}
