package winsock

import "C"

import (
	"sync"
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

// lookups is what is kept for each lookup that a program has begun, until it
// ends it.
var lookups sync.Map // spi.Lookup to *lookupState

// lookupState holds results, in the W form, that had no room in the A form. Their
// length there is only known when the provider has given them.
type lookupState struct {
	mu      sync.Mutex // a leaf lock; guards waiting
	waiting []*spi.QuerySet
}

func (l *lookupState) take() *spi.QuerySet {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return nil
	}
	q := l.waiting[0]
	l.waiting = l.waiting[1:]
	return q
}

func (l *lookupState) putBack(q *spi.QuerySet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append([]*spi.QuerySet{q}, l.waiting...)
}

// querySet reads a query set of the program, in the W form.
func querySet(p unsafe.Pointer, wide bool) *spi.QuerySet {
	q := (*spi.QuerySet)(p)
	if q == nil || wide {
		return q
	}
	w := *q
	for _, field := range textsOf(&w) {
		*field = widened(*field)
	}
	return &w
}

// textsOf returns the strings of a query set.
func textsOf(q *spi.QuerySet) []**uint16 {
	return []**uint16{&q.ServiceInstanceName, &q.Comment, &q.Context, &q.QueryString}
}

// packNarrow stores a result in the A form.
func packNarrow(q *spi.QuerySet, memory []byte, length *uint32) spi.Errno {
	plain := *q
	return packStrings(textsOf(&plain), memory, length, plain.Pack, func() []**uint16 {
		return textsOf((*spi.QuerySet)(unsafe.Pointer(unsafe.SliceData(memory))))
	})
}

//export goLookupBegin
func goLookupBegin(t, query unsafe.Pointer, flags uint32, wide bool) (handle uintptr, e int32) {
	h, err := process.Thread(t).WSALookupServiceBegin(querySet(query, wide), flags)
	if err != nil {
		return 0, code(err)
	}
	lookups.Store(h, new(lookupState))
	return uintptr(h), 0
}

//export goLookupNext
func goLookupNext(t unsafe.Pointer, handle uintptr, flags uint32, length, results unsafe.Pointer, wide bool) int32 {
	size := (*uint32)(length)
	if size == nil {
		return int32(spi.WSAEFAULT)
	}
	room := memory(results, *size)
	if wide {
		return code(process.Thread(t).WSALookupServiceNext(spi.Lookup(handle), flags, size, room))
	}
	return nextNarrow(t, spi.Lookup(handle), flags, size, room)
}

func nextNarrow(t unsafe.Pointer, h spi.Lookup, flags uint32, size *uint32, room []byte) int32 {
	kept, ok := lookups.Load(h)
	if !ok {
		return int32(spi.WSA_INVALID_HANDLE)
	}
	state := kept.(*lookupState)
	q := state.take()
	if q != nil && flags&spi.LUP_FLUSHPREVIOUS != 0 {
		q = nil
		flags &^= spi.LUP_FLUSHPREVIOUS // the provider has passed over it
	}
	if q == nil {
		var err error
		if q, err = nextWide(t, h, flags); err != nil {
			return code(err)
		}
	}
	*size = min(*size, uint32(len(room)))
	e := packNarrow(q, room, size)
	if e != 0 {
		state.putBack(q)
	}
	return int32(e)
}

// nextWide has the next result in memory of its own.
func nextWide(t unsafe.Pointer, h spi.Lookup, flags uint32) (*spi.QuerySet, error) {
	room, err := growing(func(room []byte, n *uint32) error {
		err := process.Thread(t).WSALookupServiceNext(h, flags, n, room)
		flags &^= spi.LUP_FLUSHPREVIOUS
		return err
	})
	if err != nil {
		return nil, err
	}
	return spi.QuerySetAt(room), nil
}

// largestResult is what a result may take, in bytes.
const largestResult = 16 << 20

//export goLookupEnd
func goLookupEnd(t unsafe.Pointer, handle uintptr) int32 {
	lookups.Delete(spi.Lookup(handle))
	return code(process.Thread(t).WSALookupServiceEnd(spi.Lookup(handle)))
}

// goNSPIoctl gets the completion's parts as they are named in spi; kind is -1 when
// there is none.
//
//export goNSPIoctl
func goNSPIoctl(t unsafe.Pointer, handle uintptr, control uint32, in unsafe.Pointer, inLength uint32, out unsafe.Pointer, outLength uint32,
	returned unsafe.Pointer, kind int32, message uint32, ov unsafe.Pointer, routine, object, context uintptr,
) int32 {
	var completion *spi.NotifyCompletion
	if kind >= 0 {
		completion = &spi.NotifyCompletion{
			Type: kind, Message: message, Overlapped: (*spi.Overlapped)(ov), Handle: object, Context: context,
			Routine: notifyRoutine(routine),
		}
	}
	return code(process.Thread(t).WSANSPIoctl(spi.Lookup(handle), control, memory(in, inLength), memory(out, outLength),
		(*uint32)(returned), completion))
}

//export goSetService
func goSetService(t, info unsafe.Pointer, operation int32, flags uint32, wide bool) int32 {
	return code(process.Thread(t).WSASetService(querySet(info, wide), operation, flags))
}
