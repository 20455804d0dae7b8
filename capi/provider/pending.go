package provider

/*
#include "callbacks.h"
*/
import "C"

import (
	"sync"
	"unsafe"

	"upcall.dev/spi"
)

// operation is what an overlapped operation uses of the caller, whose memory
// may be Go's, while a provider in C has it; and the routine that is to run. It
// is in the table of operations from before the call that starts it until it is
// known to have ended, or until a provider in Go has been given the same
// OVERLAPPED, who then keeps it all.
type operation struct {
	provider *called
	ov       *spi.Overlapped
	done     spi.CompletionRoutine
	starting bool // the call that starts it has not returned; guarded as the table

	bufs        []*byte
	first, last *byte // bufs when there are two at most
	memory      [2]*byte
	words       [2]*uint32
	length      *int32
	message     *spi.Msg
}

// keep notes memory, which may be nil.
func (o *operation) keep(a, b []byte, words ...*uint32) {
	if o == nil {
		return
	}
	o.memory = [2]*byte{unsafe.SliceData(a), unsafe.SliceData(b)}
	copy(o.words[:], words)
}

func (o *operation) keepMsg(msg *spi.Msg) {
	if o == nil || msg == nil {
		return
	}
	o.message = msg
	o.keepBufs(unsafe.Slice(msg.Buffers, msg.BufferCount))
}

func (o *operation) keepLength(length *int32) {
	if o != nil {
		o.length = length
	}
}

func (o *operation) keepBufs(bufs []spi.Buf) {
	if o == nil {
		return
	}
	switch len(bufs) {
	case 0:
	case 1, 2:
		o.first, o.last = bufs[0].Buf, bufs[len(bufs)-1].Buf
	default:
		o.bufs = make([]*byte, len(bufs))
		for i := range bufs {
			o.bufs[i] = bufs[i].Buf
		}
	}
}

// routine says whether C gets a routine.
func (o *operation) routine() C.int32_t { return truth(o != nil && o.done != nil) }

// finish ends the operation and runs its routine.
func (o *operation) finish(code spi.Errno, transferred uint32, ov *spi.Overlapped, flags uint32) {
	o.shard().remove(o)
	o.done(code, transferred, ov, flags)
}

func truth(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

// operations are those under way, by the OVERLAPPED, which is all that C knows
// of them.
var operations [32]shard

type shard struct {
	mu   sync.Mutex // a leaf lock; guards the rest
	byOv map[*spi.Overlapped]*operation
	_    [40]byte // a line of the cache for each
}

func shardOf(ov *spi.Overlapped) *shard {
	a := uintptr(unsafe.Pointer(ov)) >> 5
	return &operations[(a^a>>7)%uintptr(len(operations))]
}

func (o *operation) shard() *shard { return shardOf(o.ov) }

func (s *shard) remove(o *operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byOv[o.ov] == o {
		delete(s.byOv, o.ov)
	}
}

// begin notes an operation that is about to be started, nil without an
// OVERLAPPED. [operation.begun] follows.
func (p *called) begin(ov *spi.Overlapped, routine spi.CompletionRoutine) *operation {
	if ov == nil {
		return nil
	}
	o := &operation{provider: p, ov: ov, done: routine, starting: true}
	s := o.shard()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byOv == nil {
		s.byOv = map[*spi.Overlapped]*operation{}
	}
	s.byOv[ov] = o
	return o
}

// begun notes how the start went. Unless the operation goes on, or its routine
// is still to run, it is over.
func (o *operation) begun(e spi.Errno) {
	if o == nil {
		return
	}
	s := o.shard()
	s.mu.Lock()
	defer s.mu.Unlock()
	o.starting = false
	over := e != spi.WSA_IO_PENDING && (e != 0 || o.done == nil)
	if over && s.byOv[o.ov] == o {
		delete(s.byOv, o.ov)
	}
}

// ended drops the operation of an OVERLAPPED that has ended, if it has no
// routine.
func ended(ov *spi.Overlapped) {
	if ov == nil {
		return
	}
	s := shardOf(ov)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.byOv[ov]; o != nil && o.done == nil {
		delete(s.byOv, ov)
	}
}

// take takes the operation of an OVERLAPPED, if it has a routine or has none as
// asked for; nil otherwise.
func take(ov *spi.Overlapped, routine bool) *operation {
	s := shardOf(ov)
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.byOv[ov]
	if o == nil || (o.done != nil) != routine {
		return nil
	}
	delete(s.byOv, ov)
	return o
}

// restore puts an operation back whose start by the provider below failed: the
// layer may try again or do it in another way.
func (o *operation) restore() {
	s := o.shard()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byOv[o.ov] == nil && o.starting {
		s.byOv[o.ov] = o
	}
}

// forget drops the operations of a provider that has ended.
func (p *called) forget() {
	for i := range operations {
		s := &operations[i]
		s.mu.Lock()
		for ov, o := range s.byOv {
			if o.provider == p {
				delete(s.byOv, ov)
			}
		}
		s.mu.Unlock()
	}
}

// goCompletion is upcall_completion: C runs the routine of a Go caller.
//
//export goCompletion
func goCompletion(code, transferred uint32, ov unsafe.Pointer, flags uint32) {
	var e int32
	defer recovered("a completion routine", &e)
	if o := take((*spi.Overlapped)(ov), true); o != nil {
		o.done(spi.Errno(int32(code)), transferred, o.ov, flags)
	}
}
