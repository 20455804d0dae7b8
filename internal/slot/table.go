// Package slot holds the tables behind handles: [Table] gives objects handles
// that go stale for good when they are removed, [Direct] files objects under
// small integers that somebody else hands out, such as file descriptors.
//
// Both are segmented arrays of atomic words. A segment is never moved and never
// freed, so a lookup takes no lock and costs the same at any size.
package slot

import (
	"iter"
	"sync"
	"sync/atomic"
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

	kindMask = MaxKind
	// MaxKind is the largest kind of a [Table].
	MaxKind = 7
	// MaxLen is the number of slots that a [Table] can have.
	MaxLen = 1<<(generationShift-indexShift) - 2
)

// A segment holds segmentLen slots.
const (
	segmentBits = 10
	segmentLen  = 1 << segmentBits
)

// Table gives objects of type T handles, and answers which object and which
// context word belong to a handle. Lookups are lock-free and may run at any
// time beside insertions and removals. Make one with [New].
//
// A lookup costs what it touches: with a million handles in random order the
// processor waits for memory, and hides it behind as many lookups as it can look
// ahead to. So a context takes few instructions and one line of the cache, with
// four slots in it; the object is on another.
type Table[T any] struct {
	// directory is the segments; a longer one takes its place as they come.
	directory atomic.Pointer[[]*segment[T]]
	kind      uint64 // shifted into place

	used atomic.Uint32 // slots that have ever been in use; grows under mu

	// mu guards the fields below and each slot's next and generation while the
	// slot is free. It is a leaf: nothing else is locked or called under it.
	mu    sync.Mutex
	count int // handles in the table
	limit int
	free  uint32 // head of the list of free slots, index + 1; 0 = empty
	// shared is told where each segment's slots are; nil if nobody wants to know.
	shared func(segment int, slots *Slot)
}

// segment is slots by index + 1, so that the first segment's first is unused.
type segment[T any] struct {
	slots   [segmentLen]Slot
	objects [segmentLen]object[T]
}

// Slot is the part of a slot that [Table.Context] looks at. handle is zero while
// the slot is free; it is written after object and context on insertion and
// cleared before object on removal. A reader that finds its handle there before
// and after reading the others has therefore read a matching set: a generation
// is never used twice.
type Slot struct {
	handle  atomic.Uint64
	context atomic.Uintptr
}

// object is the rest of a slot.
type object[T any] struct {
	value      atomic.Pointer[T]
	generation uint32 // of the present or, in a free slot, the latest use
	next       uint32 // next free slot, index + 1
}

// noHandle is in the slot that is never used, so that the handle 0 does not look
// like the present one of a free slot there.
const noHandle = ^uint64(0)

// New returns an empty table without a limit below [MaxLen]. No handle of one
// kind (0 to [MaxKind]) equals a handle of another kind, so tables of different
// kinds refuse each other's handles. New panics on a larger kind.
func New[T any](kind uint8) *Table[T] {
	if kind > MaxKind {
		panic("slot: kind above MaxKind")
	}
	t := &Table[T]{kind: uint64(kind) << kindShift, limit: MaxLen}
	t.directory.Store(new([]*segment[T]))
	return t
}

// find returns the segment and the place in it that the index part of a handle
// names, nil if the table never had it.
func (t *Table[T]) find(handle uint64) (*segment[T], uint32) {
	number := uint32(handle) >> indexShift
	directory := *t.directory.Load()
	if k := number >> segmentBits; int(k) < len(directory) {
		return directory[k], number % segmentLen
	}
	return nil, 0
}

// Get returns the object of a handle, nil when the handle was removed or is not
// one of this table.
func (t *Table[T]) Get(handle uintptr) *T {
	g, i := t.find(uint64(handle))
	if g == nil || g.slots[i].handle.Load() != uint64(handle) {
		return nil
	}
	value := g.objects[i].value.Load()
	if g.slots[i].handle.Load() != uint64(handle) {
		return nil
	}
	return value
}

// Context returns the context word of a handle; false when the handle was
// removed or is not one of this table. It is a leaf: no lock, no allocation, no
// call.
func (t *Table[T]) Context(handle uintptr) (uintptr, bool) {
	return t.At(handle).Context(handle)
}

// Word returns the context word of a handle that is in the table, for an owner
// who changes it while the handle has the slot; afterwards it is another's.
func (t *Table[T]) Word(handle uintptr) *atomic.Uintptr { return &t.At(handle).context }

// At returns the slot that the index part of a handle names, nil if the table
// never had it. With [Slot.Context] it makes a [Table.Context] that is inlined
// into its caller.
func (t *Table[T]) At(handle uintptr) *Slot {
	g, i := t.find(uint64(handle))
	if g == nil {
		return nil
	}
	return &g.slots[i]
}

// Context returns the context word of the handle and true if the handle has this
// slot. A nil slot has none.
func (e *Slot) Context(handle uintptr) (uintptr, bool) {
	if e == nil || e.handle.Load() != uint64(handle) {
		return 0, false
	}
	context := e.context.Load()
	return context, e.handle.Load() == uint64(handle)
}

// Insert gives value, which must not be nil, a new handle. Lookups find it
// from before Insert returns. ok is false when the table is at its limit.
func (t *Table[T]) Insert(value *T, context uintptr) (handle uintptr, ok bool) {
	if value == nil {
		panic("slot: insertion of a nil object")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count >= t.limit {
		return 0, false
	}
	number := t.free // index + 1
	if number == 0 {
		if t.used.Load() == MaxLen {
			return 0, false
		}
		number = t.used.Load() + 1
		t.grow(number)
	}
	g, i := t.find(uint64(number) << indexShift)
	e, o := &g.slots[i], &g.objects[i]
	if number == t.free {
		t.free = o.next
	} else {
		t.used.Store(number)
	}
	o.generation++
	h := t.kind | uint64(o.generation)<<generationShift | uint64(number)<<indexShift
	e.context.Store(context)
	o.value.Store(value)
	e.handle.Store(h)
	t.count++
	return uintptr(h), true
}

// grow makes the segment of the never used slot of the given number, index + 1,
// when it is the segment's first. The caller holds mu.
func (t *Table[T]) grow(number uint32) {
	directory := *t.directory.Load()
	if int(number>>segmentBits) < len(directory) {
		return
	}
	g := new(segment[T])
	if len(directory) == 0 {
		g.slots[0].handle.Store(noHandle)
	}
	// Readers see their own length of an array that is never written within it.
	longer := append(directory, g)
	if t.shared != nil {
		t.shared(len(directory), &g.slots[0])
	}
	t.directory.Store(&longer)
}

// Share makes t tell where the slots of each segment begin, by the segment's
// number: of those that it has before Share returns, of each later one before a
// handle has a place in it. Code outside Go can then look contexts up as
// [Slot.Context] does; [SlotsPerSegment] and [Slot] say how. tell is called with
// the table's lock held.
func (t *Table[T]) Share(tell func(segment int, slots *Slot)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shared = tell
	for i, g := range *t.directory.Load() {
		tell(i, &g.slots[0])
	}
}

// SlotsPerSegment is the number of slots that follow each other in memory. Bits
// 2 to 31 of a handle number its slot in the table.
const SlotsPerSegment = segmentLen

// Remove takes a handle out of the table and returns its object. Of several
// removers of one handle one gets the object, the others nil, as for a handle
// that is not in the table. The handle value is never used again.
func (t *Table[T]) Remove(handle uintptr) *T {
	g, i := t.find(uint64(handle))
	if g == nil || !g.slots[i].handle.CompareAndSwap(uint64(handle), 0) {
		return nil
	}
	o := &g.objects[i]
	value := o.value.Load()
	o.value.Store(nil)
	t.mu.Lock()
	t.count--
	// A slot whose generations are used up is left out of the free list: it
	// costs 32 bytes, where a second round would revive stale handles.
	if o.generation < lastGeneration {
		o.next = t.free
		t.free = uint32(handle) >> indexShift
	}
	t.mu.Unlock()
	return value
}

// Removed reports whether the handle was in the table and is not any more.
func (t *Table[T]) Removed(handle uintptr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := uint64(handle)
	g, i := t.find(h)
	generation := h &^ (kindMask << kindShift) >> generationShift
	return g != nil && i != 0 && h>>kindShift<<kindShift == t.kind && h&(1<<indexShift-1) == 0 && g.slots[i].handle.Load() != h &&
		generation != 0 && generation <= uint64(g.objects[i].generation)
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
			h := t.At(uintptr(number) << indexShift).handle.Load()
			if h == 0 {
				continue
			}
			if object := t.Get(uintptr(h)); object != nil && !yield(uintptr(h), object) {
				return
			}
		}
	}
}
