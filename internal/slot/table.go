// Package slot holds the tables behind handles: [Table] gives objects handles
// that go stale for good when they are removed, [Direct] files objects under
// small integers that somebody else hands out, such as file descriptors.
//
// Both are segmented arrays of atomic words. A segment is never moved and never
// freed, so a lookup takes no lock and costs the same at any size.
package slot

import (
	"iter"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A handle is
//
//	bits 60–62  kind, the same for every handle of one table
//	bits 32–59  generation, 1 or more: counts the uses of the slot
//	bits  2–31  slot index + 1
//
// so it is a multiple of four, at least 2^32 (never a file descriptor) and
// never negative (never INVALID_SOCKET or INVALID_HANDLE_VALUE).
const (
	kindShift       = 60
	generationShift = 32
	indexShift      = 2
	lastGeneration  = 1<<(kindShift-generationShift) - 1

	// MaxKind is the largest kind of a [Table].
	MaxKind = 7
	// MaxLen is the number of slots that a [Table] can have.
	MaxLen = 1<<(generationShift-indexShift) - 1
)

// Segment k has firstSegment<<k slots, so the segment and the offset of a slot
// follow from the position of the highest bit of index + firstSegment.
const (
	firstSegmentBits = 6
	firstSegment     = 1 << firstSegmentBits
	segments         = 31 - firstSegmentBits
)

// Table gives objects of type T handles, and answers which object and which
// context word belong to a handle. Lookups are lock-free and may run at any
// time beside insertions and removals; they touch nothing but one slot, which
// never crosses a cache line. Make one with [New].
type Table[T any] struct {
	segments [segments]atomic.Pointer[Slot[T]] // first slot of each segment
	kind     uint64                            // shifted into place

	used atomic.Uint32 // slots that have ever been in use; grows under mu

	// mu guards the fields below and each slot's next and generation while the
	// slot is free. It is a leaf: nothing else is locked or called under it.
	mu    sync.Mutex
	count int // handles in the table
	limit int
	free  uint32 // head of the list of free slots, index + 1; 0 = empty
}

// Slot is one place of a [Table], 32 bytes, so that two share a cache line.
// handle is zero while the slot is free; it is written after object and context
// on insertion and cleared before object on removal. A reader that finds its
// handle there before and after reading the others has therefore read a matching
// set: a generation is never used twice.
type Slot[T any] struct {
	handle     atomic.Uint64
	object     atomic.Pointer[T]
	context    atomic.Uintptr
	generation uint32 // of the present or, in a free slot, the latest use
	next       uint32 // next free slot, index + 1
}

// New returns an empty table without a limit below [MaxLen]. No handle of one
// kind (0 to [MaxKind]) equals a handle of another kind, so tables of different
// kinds refuse each other's handles. New panics on a larger kind.
func New[T any](kind uint8) *Table[T] {
	if kind > MaxKind {
		panic("slot: kind above MaxKind")
	}
	return &Table[T]{kind: uint64(kind) << kindShift, limit: MaxLen}
}

// at returns the slot that the index part of a handle names, nil if the table
// never had it.
func (t *Table[T]) at(handle uint64) *Slot[T] {
	position := uint32(handle)>>indexShift + firstSegment - 1
	k := uint(bits.Len32(position)) - firstSegmentBits - 1
	if k >= segments { // index part 0
		return nil
	}
	first := t.segments[k].Load()
	if first == nil {
		return nil
	}
	offset := uintptr(position) &^ (firstSegment << k) // < firstSegment<<k, the segment's length
	return (*Slot[T])(unsafe.Add(unsafe.Pointer(first), offset*unsafe.Sizeof(*first)))
}

// Get returns the object of a handle, nil when the handle was removed or is not
// one of this table.
func (t *Table[T]) Get(handle uintptr) *T {
	e := t.at(uint64(handle))
	if e == nil || e.handle.Load() != uint64(handle) {
		return nil
	}
	object := e.object.Load()
	if e.handle.Load() != uint64(handle) {
		return nil
	}
	return object
}

// Context returns the context word of a handle; false when the handle was
// removed or is not one of this table. It is a leaf: no lock, no allocation, no
// call.
func (t *Table[T]) Context(handle uintptr) (uintptr, bool) {
	return t.At(handle).Context(handle)
}

// At returns the slot that the index part of a handle names, nil if the table
// never had it. With [Slot.Context] it makes a [Table.Context] that is inlined
// into its caller.
func (t *Table[T]) At(handle uintptr) *Slot[T] { return t.at(uint64(handle)) }

// Context returns the context word of the handle and true if the handle has this
// slot. A nil slot has none.
func (e *Slot[T]) Context(handle uintptr) (uintptr, bool) {
	if e == nil || e.handle.Load() != uint64(handle) {
		return 0, false
	}
	context := e.context.Load()
	return context, e.handle.Load() == uint64(handle)
}

// Insert gives object, which must not be nil, a new handle. Lookups find it
// from before Insert returns. ok is false when the table is at its limit.
func (t *Table[T]) Insert(object *T, context uintptr) (handle uintptr, ok bool) {
	if object == nil {
		panic("slot: insertion of a nil object")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count >= t.limit {
		return 0, false
	}
	var e *Slot[T]
	number := t.free // index + 1
	if number != 0 {
		e = t.at(uint64(number) << indexShift)
		t.free = e.next
	} else {
		if t.used.Load() == MaxLen {
			return 0, false
		}
		number = t.used.Load() + 1
		e = t.grow(number)
		t.used.Store(number)
	}
	e.generation++
	h := t.kind | uint64(e.generation)<<generationShift | uint64(number)<<indexShift
	e.context.Store(context)
	e.object.Store(object)
	e.handle.Store(h)
	t.count++
	return uintptr(h), true
}

// grow returns the never used slot of the given number, index + 1, and makes
// its segment when it is the segment's first. The caller holds mu.
func (t *Table[T]) grow(number uint32) *Slot[T] {
	position := number + firstSegment - 1
	k := bits.Len32(position) - firstSegmentBits - 1
	if t.segments[k].Load() == nil {
		t.segments[k].Store(unsafe.SliceData(make([]Slot[T], firstSegment<<k)))
	}
	return t.at(uint64(number) << indexShift)
}

// Remove takes a handle out of the table and returns its object. Of several
// removers of one handle one gets the object, the others nil, as for a handle
// that is not in the table. The handle value is never used again.
func (t *Table[T]) Remove(handle uintptr) *T {
	e := t.at(uint64(handle))
	if e == nil || !e.handle.CompareAndSwap(uint64(handle), 0) {
		return nil
	}
	object := e.object.Load()
	e.object.Store(nil)
	t.mu.Lock()
	t.count--
	// A slot whose generations are used up is left out of the free list: it
	// costs 32 bytes, where a second round would revive stale handles.
	if e.generation < lastGeneration {
		e.next = t.free
		t.free = uint32(handle) >> indexShift
	}
	t.mu.Unlock()
	return object
}

// Len returns the number of handles in the table.
func (t *Table[T]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// SetLimit makes Insert fail while the table holds limit handles or more. It
// removes nothing. A negative limit, or one above [MaxLen], stands for MaxLen.
func (t *Table[T]) SetLimit(limit int) {
	if limit < 0 || limit > MaxLen {
		limit = MaxLen
	}
	t.mu.Lock()
	t.limit = limit
	t.mu.Unlock()
}

// All yields every handle with its object, in the order of slots. Handles that
// are in the table all the while are yielded once; those that come or go
// meanwhile may be. The table may be changed from within the loop.
func (t *Table[T]) All() iter.Seq2[uintptr, *T] {
	return func(yield func(uintptr, *T) bool) {
		for number := uint32(1); number <= t.used.Load(); number++ {
			h := t.at(uint64(number) << indexShift).handle.Load()
			if h == 0 {
				continue
			}
			if object := t.Get(uintptr(h)); object != nil && !yield(uintptr(h), object) {
				return
			}
		}
	}
}
