package winsock

/*
#include <stdlib.h>
*/
import "C"

import (
	"unicode/utf16"
	"unsafe"

	"upcall.dev/spi"
)

// Every function that takes or gives text has two forms. A program's W form has
// UTF-16. Its A form has text in the code page of the system, which here is
// UTF-8. wide tells a Go half which of them called it; all text that it is given
// goes through this file.

// textAt reads a NUL terminated string of the program, nil for none.
func textAt(p unsafe.Pointer, wide bool) *string {
	if p == nil {
		return nil
	}
	var s string
	if wide {
		s = spi.UTF16PtrToString((*uint16)(p))
	} else {
		s = C.GoString((*C.char)(p))
	}
	return &s
}

// textOr is [textAt] with a value for none.
func textOr(p unsafe.Pointer, wide bool, none string) string {
	if s := textAt(p, wide); s != nil {
		return *s
	}
	return none
}

// encoded returns s with its NUL as bytes of the form.
func encoded(s string, wide bool) []byte {
	if !wide {
		return append([]byte(s), 0)
	}
	units := append(utf16.Encode([]rune(s)), 0)
	return unsafe.Slice((*byte)(unsafe.Pointer(&units[0])), 2*len(units))
}

// characters returns how many units of text are in bytes of the form.
func characters(b []byte, wide bool) int {
	if wide {
		return len(b) / 2
	}
	return len(b)
}

// room returns n units of memory for text at p, nil if there is none.
func room[L int32 | uint32](p unsafe.Pointer, n L, wide bool) []byte {
	if p == nil || n <= 0 {
		return nil
	}
	if wide {
		return unsafe.Slice((*byte)(p), 2*int(n))
	}
	return unsafe.Slice((*byte)(p), int(n))
}

// widened returns a string of the A form as one of the W form. Both stand in
// fields that spi declares for the W form.
func widened(p *uint16) *uint16 {
	if p == nil {
		return nil
	}
	return spi.UTF16Ptr(C.GoString((*C.char)(unsafe.Pointer(p))))
}

// packStrings lays a structure out in the memory of the program in the A form: by
// packPlain without its strings, which are behind it. fields are those strings in
// the structure to copy, which are cleared; stored returns the same fields of the
// copy in memory. length is as for [spi.QuerySet.Pack].
func packStrings(fields []**uint16, memory []byte, length *uint32, packPlain func([]byte, *uint32) spi.Errno, stored func() []**uint16) spi.Errno {
	all := make([][]byte, len(fields)) // nil for a string that is not there
	size := uint32(0)
	for i, f := range fields {
		if *f != nil {
			all[i] = encoded(spi.UTF16PtrToString(*f), false)
			size += uint32(len(all[i]))
			*f = nil
		}
	}
	var plain uint32
	if e := packPlain(nil, &plain); e != 0 && e != spi.WSAEFAULT {
		return e
	}
	space := min(*length, uint32(len(memory)))
	*length = plain + size
	if plain+size > space {
		return spi.WSAEFAULT
	}
	if e := packPlain(memory[:plain], &plain); e != 0 {
		return e
	}
	behind := memory[plain : plain+size]
	for i, field := range stored() {
		if all[i] != nil {
			*field = (*uint16)(unsafe.Pointer(unsafe.SliceData(behind)))
			behind = behind[copy(behind, all[i]):]
		}
	}
	return 0
}

// allocate returns memory of the C library's, set to zero, for the program to
// keep; nil when there is none. Zero it must be: Go's collector looks at what a
// pointer that is stored replaces.
func allocate(size int) unsafe.Pointer { return C.calloc(1, C.size_t(size)) }

func free(p unsafe.Pointer) { C.free(p) }
