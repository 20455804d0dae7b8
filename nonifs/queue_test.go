package nonifs

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"upcall.dev/spi"
)

// told reports whether a waiting operation has its outcome.
func told(o *op) bool {
	select {
	case <-o.wake:
		return true
	default:
		return false
	}
}

func bufsOf(parts ...[]byte) []spi.Buf {
	var bufs []spi.Buf
	for _, p := range parts {
		bufs = append(bufs, spi.NewBuf(p))
	}
	return bufs
}

// cut divides p into up to three parts at random places.
func cut(t *rapid.T, p []byte) []spi.Buf {
	a := rapid.IntRange(0, len(p)).Draw(t, "cut")
	b := rapid.IntRange(a, len(p)).Draw(t, "cut")
	return bufsOf(p[:a], p[a:b], p[b:])
}

// TestStreamModel drives a stream queue with receives and sends that wait or
// not, and compares with one byte slice: what was sent and not yet received.
func TestStreamModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := NewStream(nil, nil)
		q.setLimit(rapid.Uint32Range(1, 3000).Draw(t, "limit"))
		var sent byte    // the next byte to send
		var expect byte  // the next byte to arrive
		var taken uint64 // by the queue, from sends that have ended or wait
		var arrived uint64
		ended := false
		type waiting struct {
			*op
			memory []byte
			peek   bool
		}
		var readers, writers []waiting

		check := func(p []byte) {
			for _, b := range p {
				if b != expect {
					t.Fatalf("byte %d is %d, want %d", arrived, b, expect)
				}
				expect++
				arrived++
			}
		}
		settle := func() {
			for len(readers) > 0 && told(readers[0].op) {
				o := readers[0]
				readers = readers[1:]
				if o.errno != 0 {
					t.Fatalf("receive: %v", o.errno)
				}
				if !o.peek {
					check(o.memory[:o.n])
				}
				if o.n == 0 && !ended && len(o.memory) > 0 {
					t.Fatal("end of a stream that has not ended")
				}
			}
			for len(writers) > 0 && told(writers[0].op) {
				o := writers[0]
				writers = writers[1:]
				if o.errno != 0 || int(o.n) != len(o.memory) {
					t.Fatalf("send: %d of %d, %v", o.n, len(o.memory), o.errno)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				if ended {
					t.Skip()
				}
				p := make([]byte, rapid.IntRange(0, 700).Draw(t, "size"))
				for i := range p {
					p[i] = sent
					sent++
				}
				taken += uint64(len(p))
				c := cursor{bufs: cut(t, p)}
				var done finished
				q.mu.Lock()
				errno := q.submit(&c, nil, &done)
				if errno == spi.WSAEWOULDBLOCK {
					o := newRequestless(c)
					q.writers.push(o)
					writers = append(writers, waiting{o, p, false})
				} else if errno != 0 || int(c.n) != len(p) {
					q.mu.Unlock()
					t.Fatalf("sent %d of %d, %v", c.n, len(p), errno)
				}
				q.mu.Unlock()
				done.tell()
			},
			"receive": func(t *rapid.T) {
				p := make([]byte, rapid.IntRange(0, 700).Draw(t, "size"))
				flags := rapid.SampledFrom([]uint32{0, 0, spi.MSG_PEEK, spi.MSG_WAITALL}).Draw(t, "flags")
				wait := rapid.Bool().Draw(t, "wait")
				c := cursor{bufs: cut(t, p)}
				var done finished
				q.mu.Lock()
				errno := spi.WSAEWOULDBLOCK
				if q.readers.last == nil || q.finished() {
					errno = q.receive(&c, flags, nil, nil, &done)
				}
				if errno == spi.WSAEWOULDBLOCK && (wait || c.n > 0) {
					o := newRequestless(c)
					o.flags = flags
					q.readers.push(o)
					readers = append(readers, waiting{o, p, flags == spi.MSG_PEEK})
				}
				q.mu.Unlock()
				done.tell()
				if errno == 0 && flags&spi.MSG_PEEK == 0 {
					check(p[:c.n])
				}
				if errno != 0 && errno != spi.WSAEWOULDBLOCK {
					t.Fatalf("receive: %v", errno)
				}
			},
			"limit": func(t *rapid.T) { q.setLimit(rapid.Uint32Range(1, 3000).Draw(t, "limit")) },
			"end": func(t *rapid.T) {
				q.End()
				ended = true
			},
			"": func(t *rapid.T) {
				settle()
				var left uint64
				for _, w := range writers {
					left += uint64(len(w.memory)) - uint64(w.n)
				}
				partly := uint64(0)
				if len(readers) > 0 {
					partly = uint64(readers[0].n)
				}
				if arrived+partly+uint64(q.ring.n)+left != taken {
					t.Fatalf("%d arrived, %d partly, %d held, %d left of %d", arrived, partly, q.ring.n, left, taken)
				}
				if len(readers) > 0 && (q.ring.n > 0 || ended && len(writers) == 0) {
					t.Fatalf("a receiver waits beside %d bytes (ended: %v)", q.ring.n, ended)
				}
				if len(writers) > 0 && q.room() > 0 {
					t.Fatalf("a sender waits beside room for %d", q.room())
				}
				if q.ring.n == 0 && q.ring.buf != nil {
					t.Fatal("an empty ring holds a buffer")
				}
			},
		})
	})
}

// newRequestless is newBlocked that captures the array.
func newRequestless(c cursor) *op {
	o := newBlocked(c)
	o.bufs = append([]spi.Buf(nil), c.bufs...)
	return o
}

// TestDatagramModel compares a queue of datagrams with a slice of them.
func TestDatagramModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lossy := rapid.Bool().Draw(t, "lossy")
		q := NewDatagrams(nil, nil, lossy)
		q.setLimit(rapid.Uint32Range(1, 3000).Draw(t, "limit"))
		type datagram struct{ data, address string }
		var held []datagram
		serial := 0
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				serial++
				data := append(fmt.Appendf(nil, "%d:", serial), make([]byte, rapid.IntRange(0, 900).Draw(t, "size"))...)
				address := []byte(fmt.Sprint("from ", serial))[:rapid.IntRange(0, 6).Draw(t, "address")]
				c := cursor{bufs: cut(t, data)}
				var done finished
				before := q.records
				q.mu.Lock()
				errno := q.submit(&c, address, &done)
				q.mu.Unlock()
				switch {
				case errno == spi.WSAEWOULDBLOCK && !lossy:
				case errno != 0 || int(c.n) != len(data):
					t.Fatalf("%d of %d, %v", c.n, len(data), errno)
				}
				if q.records > before {
					held = append(held, datagram{string(data), string(address)})
				} else if q.ring.n == 0 {
					t.Fatal("an empty queue took nothing")
				}
			},
			"receive": func(t *rapid.T) {
				p := make([]byte, rapid.IntRange(0, 1000).Draw(t, "size"))
				peek := rapid.Bool().Draw(t, "peek")
				var flags uint32
				if peek {
					flags = spi.MSG_PEEK
				}
				from, fromLen := make([]byte, 10), int32(10)
				c := cursor{bufs: cut(t, p)}
				var done finished
				q.mu.Lock()
				errno := q.receive(&c, flags, from, &fromLen, &done)
				available := q.available()
				q.mu.Unlock()
				if len(held) == 0 {
					if errno != spi.WSAEWOULDBLOCK {
						t.Fatalf("%v from an empty queue", errno)
					}
					return
				}
				d := held[0]
				if peek && int(available) != len(d.data) {
					t.Fatalf("FIONREAD %d, want %d", available, len(d.data))
				}
				if !peek {
					held = held[1:]
				}
				if string(from[:fromLen]) != d.address || !bytes.HasPrefix([]byte(d.data), p[:c.n]) || int(c.n) != min(len(p), len(d.data)) {
					t.Fatalf("%q from %q, want %q from %q", p[:c.n], from[:fromLen], d.data, d.address)
				}
				if cutShort := len(p) < len(d.data); cutShort != (errno == spi.WSAEMSGSIZE) {
					t.Fatalf("%v for %d of %d", errno, len(p), len(d.data))
				}
			},
			"": func(t *rapid.T) {
				if int(q.records) != len(held) {
					t.Fatalf("%d records, want %d", q.records, len(held))
				}
			},
		})
	})
}

func TestQueueEnds(t *testing.T) {
	for name, end := range map[string]func(*Queue){
		"End":    (*Queue).End,
		"Abort":  func(q *Queue) { q.Abort(spi.WSAECONNRESET) },
		"Refuse": func(q *Queue) { q.Refuse() },
	} {
		reader := NewStream(nil, nil)
		var got spi.Errno
		var n int
		var blocked sync.WaitGroup
		blocked.Go(func() { n, got = reader.Read(make([]byte, 10)) })
		for reader.waiting() == 0 {
			runtime.Gosched()
		}
		end(reader)
		blocked.Wait()
		if want := map[string]spi.Errno{"End": 0, "Abort": spi.WSAECONNRESET, "Refuse": spi.WSAESHUTDOWN}[name]; got != want || n != 0 {
			t.Errorf("%s: a blocked Read gave %d, %v", name, n, got)
		}

		writer := NewStream(nil, nil)
		var wrote spi.Errno
		blocked.Go(func() { wrote = writer.Write(make([]byte, 2*DefaultBuffer)) })
		for writer.waiting() == 0 {
			runtime.Gosched()
		}
		end(writer)
		if name == "End" {
			for total := 0; total < 2*DefaultBuffer; total += n {
				if n, got = writer.Read(make([]byte, DefaultBuffer)); n == 0 {
					t.Fatalf("the end after %d bytes, %v", total, got)
				}
			}
		}
		blocked.Wait()
		if want := map[string]spi.Errno{"End": 0, "Abort": spi.WSAECONNRESET, "Refuse": spi.WSAECONNRESET}[name]; wrote != want {
			t.Errorf("%s: a blocked Write gave %v", name, wrote)
		}
		want := map[string]spi.Errno{"End": spi.WSAESHUTDOWN, "Abort": spi.WSAECONNRESET, "Refuse": spi.WSAECONNRESET}[name]
		if got := writer.Write([]byte("x")); got != want {
			t.Errorf("%s: a later Write gave %v", name, got)
		}
	}
}

// A broken connection is found after what had come.
func TestQueueBreak(t *testing.T) {
	held := NewStream(nil, nil)
	held.Write([]byte("last words"))
	held.Break(spi.WSAECONNRESET)
	if errno := held.Write([]byte("x")); errno != spi.WSAESHUTDOWN {
		t.Errorf("a later Write gave %v", errno)
	}
	var got []byte
	buf := make([]byte, 4)
	for {
		n, errno := held.Read(buf)
		if got = append(got, buf[:n]...); n > 0 && errno == 0 {
			continue
		}
		if string(got) != "last words" || errno != spi.WSAECONNRESET {
			t.Errorf("%q, then %v", got, errno)
		}
		break
	}
	empty := NewStream(nil, nil)
	empty.Break(spi.WSAECONNRESET)
	if n, errno := empty.Read(buf); n != 0 || errno != spi.WSAECONNRESET {
		t.Errorf("an empty queue gave %d, %v", n, errno)
	}
}

// waiting returns how many operations wait.
func (q *Queue) waiting() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range []*opList{&q.readers, &q.writers} {
		if o := l.first(); o != nil {
			n++
			for o = o.next; o != l.first(); o = o.next {
				n++
			}
		}
	}
	return n
}

func TestOpListModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l opList
		var model []*op
		t.Repeat(map[string]func(*rapid.T){
			"push": func(*rapid.T) {
				o := &op{}
				l.push(o)
				model = append(model, o)
			},
			"remove": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "i")
				if !l.remove(model[i]) || l.remove(model[i]) {
					t.Fatal("remove")
				}
				model = append(model[:i:i], model[i+1:]...)
			},
			"takeIf": func(t *rapid.T) {
				d := &descriptor{}
				for _, o := range model {
					o.handle = nil
				}
				var kept []*op
				for _, o := range model {
					if rapid.Bool().Draw(t, "of") {
						o.handle = d
					} else {
						kept = append(kept, o)
					}
				}
				var done finished
				done.takeIf(&l, func(o *op) bool { return o.handle == d }, (*op).aborted)
				for o := done.head; o != nil; o = o.next {
					if o.errno != spi.WSAEINTR || o.handle != d {
						t.Fatal("a wrong op was taken")
					}
				}
				model = kept
			},
			"": func(t *rapid.T) {
				o := l.first()
				for i, want := range model {
					if o != want {
						t.Fatalf("element %d", i)
					}
					o = o.next
				}
				if o != l.first() {
					t.Fatal("the ring does not close")
				}
			},
		})
	})
}
