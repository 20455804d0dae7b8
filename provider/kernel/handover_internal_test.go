//go:build linux

package kernel

import (
	"bytes"
	"testing"
)

// What another process says of a socket is taken over whole or not at all.
func FuzzHandoverState(f *testing.F) {
	var s socket
	s.set(fNonblocking | fOverlapped | fSendShut)
	s.broken.Store(10054)
	s.receiveMillis.Store(1500)
	f.Add(s.handoverState())
	f.Add([]byte(nil))
	f.Add(make([]byte, sizeofState))
	f.Add(make([]byte, sizeofHandoverState))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s socket
		if e := s.setHandoverState(b); e != 0 {
			if s.flags.Load() != 0 || s.err.Load() != 0 || s.since.Load() != 0 {
				t.Fatal("a state that was refused has left something behind")
			}
			return
		}
		if s.has(fAdopted | fShared | fSelects | fQueueShared | fAwaits) {
			t.Fatalf("flags %#x are this process's own", s.flags.Load())
		}
		back := s.handoverState()
		var again socket
		if e := again.setHandoverState(back); e != 0 || again.flags.Load() != s.flags.Load() || !bytes.Equal(again.handoverState(), back) {
			t.Fatalf("%x comes back as %x", b, back)
		}
	})
}

func FuzzReceivedDescriptors(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("\x14\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x15\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\x00"))
	f.Add([]byte("\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if fds := receivedDescriptors(b); 4*len(fds) > len(b) {
			t.Fatalf("%d descriptors in %d bytes", len(fds), len(b))
		}
	})
}
