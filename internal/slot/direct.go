package slot

import (
	"iter"
	"sync/atomic"
)

// A [Direct] is a radix tree of three levels with 10 bits each, whose first leaf
// stands apart: most programs have no more descriptors than it has places, and
// each level that a lookup need not visit is a line of the cache less.
const (
	levelBits = 10
	levelSize = 1 << levelBits

	// DirectSize is the number of indexes of a [Direct]: 0 to DirectSize-1.
	DirectSize = 1 << (3 * levelBits)
)

type (
	leaf[T any]   [levelSize]atomic.Pointer[T]
	branch[T any] [levelSize]atomic.Pointer[leaf[T]]
)

// Direct files objects under indexes that somebody else hands out, such as file
// descriptors. Every method is lock-free. Memory grows with the spread of the
// indexes in use, 8 KiB for each 1024 of them. The zero value is empty.
type Direct[T any] struct {
	low  leaf[T] // indexes below levelSize; the tree has no leaf for them
	root [levelSize]atomic.Pointer[branch[T]]
}

// find returns the place of index i, nil when its leaf does not exist.
func (d *Direct[T]) find(i uintptr) *atomic.Pointer[T] {
	if i < levelSize {
		return &d.low[i]
	}
	return d.findHigh(i)
}

func (d *Direct[T]) findHigh(i uintptr) *atomic.Pointer[T] {
	if i >= DirectSize {
		return nil
	}
	b := d.root[i>>(2*levelBits)].Load()
	if b == nil {
		return nil
	}
	l := b[i>>levelBits%levelSize].Load()
	if l == nil {
		return nil
	}
	return &l[i%levelSize]
}

// reach returns the place of index i, which is below DirectSize, and makes its
// leaf when it does not exist.
func (d *Direct[T]) reach(i uintptr) *atomic.Pointer[T] {
	if i < levelSize {
		return &d.low[i]
	}
	b := ensure(&d.root[i>>(2*levelBits)])
	l := ensure(&b[i>>levelBits%levelSize])
	return &l[i%levelSize]
}

// ensure returns what p points to, a new zero value if that is nothing yet.
func ensure[N any](p *atomic.Pointer[N]) *N {
	if n := p.Load(); n != nil {
		return n
	}
	if n := new(N); p.CompareAndSwap(nil, n) {
		return n
	}
	return p.Load()
}

// Load returns the object at i, nil when there is none.
func (d *Direct[T]) Load(i uintptr) *T {
	p := d.find(i)
	if p == nil {
		return nil
	}
	return p.Load()
}

// Swap puts object at i and returns what was there; a nil object leaves the
// place empty. ok is false, and nothing is stored, when i is not below
// [DirectSize].
func (d *Direct[T]) Swap(i uintptr, object *T) (old *T, ok bool) {
	if i >= DirectSize {
		return nil, false
	}
	p := d.find(i)
	if p == nil {
		if object == nil {
			return nil, true
		}
		p = d.reach(i)
	}
	return p.Swap(object), true
}

// Store is [Direct.Swap] for a caller that does not need the old object.
func (d *Direct[T]) Store(i uintptr, object *T) (ok bool) {
	_, ok = d.Swap(i, object)
	return ok
}

// CompareAndSwap puts object, which is not nil, at i if old, which may be nil,
// is there, and reports whether it did. It does not if i is not below
// [DirectSize].
func (d *Direct[T]) CompareAndSwap(i uintptr, old, object *T) bool {
	return i < DirectSize && d.reach(i).CompareAndSwap(old, object)
}

// CompareAndDelete empties place i if old is there, and reports whether it did.
// It never deletes a nil old.
func (d *Direct[T]) CompareAndDelete(i uintptr, old *T) bool {
	p := d.find(i)
	return p != nil && old != nil && p.CompareAndSwap(old, nil)
}

// All yields every object with its index, in ascending order. Objects that are
// there all the while are yielded once; those that come or go meanwhile may be.
// The table may be changed from within the loop.
func (d *Direct[T]) All() iter.Seq2[uintptr, *T] {
	return func(yield func(uintptr, *T) bool) {
		for i := range d.low {
			if object := d.low[i].Load(); object != nil && !yield(uintptr(i), object) {
				return
			}
		}
		for r := range d.root {
			b := d.root[r].Load()
			if b == nil {
				continue
			}
			for m := range b {
				l := b[m].Load()
				if l == nil {
					continue
				}
				for n := range l {
					i := uintptr(r)<<(2*levelBits) | uintptr(m)<<levelBits | uintptr(n)
					if object := l[n].Load(); object != nil && !yield(i, object) {
						return
					}
				}
			}
		}
	}
}
