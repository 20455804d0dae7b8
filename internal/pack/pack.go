// Package pack lays C structures out in one buffer of the caller's, each with
// what it points to behind it.
package pack

import "unsafe"

// alignment is what the first structure of a buffer needs.
const alignment = 8

// Buffer is memory that is being filled. What does not fit is counted all the
// same, and goes to memory of its own that nobody reads.
type Buffer struct {
	memory []byte
	used   int
}

// Into lays out what build asks for at the beginning of memory, and returns how
// many bytes that takes. ok is false, and memory is as it was, when it is too
// short or not aligned for structures. build is called twice: first to measure.
func Into(memory []byte, build func(*Buffer)) (needed int, ok bool) {
	var measured Buffer
	build(&measured)
	if measured.used > len(memory) || !Aligned(memory) {
		return measured.used, false
	}
	build(&Buffer{memory: memory})
	return measured.used, true
}

// Aligned reports whether a structure with pointers can begin where memory does.
func Aligned(memory []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(memory)))%alignment == 0
}

// Alloc takes room for n values of T, set to zero; nil for none.
func Alloc[T any](b *Buffer, n int) []T {
	if n <= 0 {
		return nil
	}
	var value T
	align, size := int(unsafe.Alignof(value)), int(unsafe.Sizeof(value))
	start := (b.used + align - 1) / align * align
	b.used = start + n*size
	if b.used > len(b.memory) {
		return make([]T, n)
	}
	clear(b.memory[start:b.used])
	return unsafe.Slice((*T)(unsafe.Pointer(&b.memory[start])), n)
}

// One is [Alloc] of one value.
func One[T any](b *Buffer) *T { return &Alloc[T](b, 1)[0] }

// Copy takes room for the values and copies them; nil for none.
func Copy[T any](b *Buffer, values []T) *T {
	copied := Alloc[T](b, len(values))
	copy(copied, values)
	return unsafe.SliceData(copied)
}

// CopyOne copies what p points to; nil for nil.
func CopyOne[T any](b *Buffer, p *T) *T {
	if p == nil {
		return nil
	}
	copied := One[T](b)
	*copied = *p
	return copied
}

// Text stores s in bytes with a NUL.
func (b *Buffer) Text(s string) *byte { return Copy(b, append([]byte(s), 0)) }

// Texts stores strings behind an array of pointers to them that ends in nil.
func (b *Buffer) Texts(all []string) **byte {
	list := Alloc[*byte](b, len(all)+1)
	for i, s := range all {
		list[i] = b.Text(s)
	}
	return unsafe.SliceData(list)
}
