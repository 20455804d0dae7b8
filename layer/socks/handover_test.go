package socks

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"upcall.dev/spi"
)

// below is a next provider that notes what is chosen, and takes its time over the
// first selection with events.
type below struct {
	spi.Provider
	selecting, goOn chan struct{}
	calls           []string
}

func (b *below) WSPEventSelect(_ spi.Socket, _ spi.Event, mask int32) spi.Errno {
	b.calls = append(b.calls, fmt.Sprintf("select %#x", mask))
	if mask != 0 {
		close(b.selecting)
		<-b.goOn
	}
	return 0
}

func (b *below) WSPIoctl(_ spi.Socket, code uint32, in, _ []byte, _ *uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
	if code == spi.FIONBIO {
		b.calls = append(b.calls, fmt.Sprintf("nonblocking %d", binary.NativeEndian.Uint32(in)))
	}
	return 0
}

func newBelow() *below {
	return &below{selecting: make(chan struct{}), goOn: make(chan struct{})}
}

// What a client does when the first event of its connection arrives comes after
// everything that the layer does to the socket: a selection would make it
// nonblocking again.
func TestClientHasTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := newBelow()
		streams := &streams{Provider: next, module: &module{}}
		c := streams.conn(3)
		a := &attempt{t: streams, s: 3, done: make(chan struct{})}
		c.selection = selection{event: 1, mask: spi.FD_CONNECT}
		if errno := c.begin(a, []byte("name")); errno != 0 {
			t.Fatal(errno)
		}
		go func() {
			c.leave(connected, 0)
			close(a.done)
		}()
		<-next.selecting
		var chosen, changed spi.Errno
		over := false
		go func() {
			chosen = streams.WSPEventSelect(3, 0, 0)
			changed = streams.WSPIoctl(3, spi.FIONBIO, make([]byte, 4), nil, nil, nil, nil, nil)
			over = true
		}()
		synctest.Wait()
		if over {
			t.Error("the client's calls do not wait")
		}
		close(next.goOn)
		synctest.Wait()
		if chosen != 0 || changed != 0 {
			t.Errorf("they give %v and %v", chosen, changed)
		}
		want := []string{fmt.Sprintf("select %#x", spi.FD_CONNECT), "select 0x0", "nonblocking 0"}
		if !slices.Equal(next.calls, want) {
			t.Errorf("the next provider gets %q, want %q", next.calls, want)
		}
	})
}
