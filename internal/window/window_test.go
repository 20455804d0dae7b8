package window

import (
	"runtime"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"upcall.dev/spi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func create(t *testing.T, q *Queue) spi.HWND {
	t.Helper()
	h, ok := q.Create()
	if !ok || h == 0 {
		t.Fatalf("Create: %#x, %v", h, ok)
	}
	return h
}

func TestPostAndGet(t *testing.T) {
	d := NewDesktop(0)
	q := d.NewQueue()
	defer q.Close()
	h := create(t, q)
	want := Message{h, 0x8001, ^uintptr(0), 1 << 63}
	if !d.Post(h, want.Message, want.WParam, want.LParam) {
		t.Fatal("Post failed")
	}
	if got, more := q.Get(Filter{}); got != want || !more {
		t.Errorf("%+v, %v", got, more)
	}
	if got, ok := q.Peek(Filter{}, true); ok {
		t.Errorf("a second message: %+v", got)
	}
}

func TestPostToNoWindow(t *testing.T) {
	d := NewDesktop(0)
	q, other := d.NewQueue(), d.NewQueue()
	defer q.Close()
	defer other.Close()
	h := create(t, q)
	for _, bad := range []spi.HWND{0, 1, h + 1, h + 1<<32, 0xffff, ^spi.HWND(0)} {
		if d.Post(bad, 1, 0, 0) || d.Exists(bad) || q.Destroy(bad) {
			t.Errorf("%#x is a window", bad)
		}
	}
	if other.Destroy(h) {
		t.Error("another thread destroyed the window")
	}
	if !d.Exists(h) || !q.Destroy(h) || d.Exists(h) || q.Destroy(h) || d.Post(h, 1, 0, 0) {
		t.Error("Destroy does not destroy once")
	}
}

func TestQueueLimit(t *testing.T) {
	d := NewDesktop(0)
	q := d.NewQueue()
	defer q.Close()
	a, b := create(t, q), create(t, q)
	for i := range QueueLimit {
		if !d.Post(a, 1, uintptr(i), 0) {
			t.Fatalf("message %d refused", i)
		}
	}
	if d.Post(b, 1, 0, 0) {
		t.Error("a full queue takes another message")
	}
	q.Get(Filter{})
	if !d.Post(b, 1, 0, 0) || d.Post(b, 1, 0, 0) {
		t.Error("a queue with room for one does not take one")
	}
	for i := 1; i < QueueLimit; i++ {
		if m, _ := q.Get(Filter{}); m.WParam != uintptr(i) || m.Window != a {
			t.Fatalf("%+v instead of message %d", m, i)
		}
	}
}

func TestQuit(t *testing.T) {
	d := NewDesktop(0)
	q := d.NewQueue()
	defer q.Close()
	h := create(t, q)
	q.PostQuit(3)
	d.Post(h, 100, 0, 0)
	if m, more := q.Get(Filter{}); m.Message != 100 || !more {
		t.Errorf("%+v, %v before the message", m, more)
	}
	d.Post(h, 100, 0, 0)
	quit := Message{Message: WMQuit, WParam: 3}
	if m, ok := q.Peek(Filter{h, 200, 300}, false); m != quit || !ok {
		t.Errorf("Peek: %+v, %v", m, ok)
	}
	if m, more := q.Get(Filter{h, 200, 300}); m != quit || more {
		t.Errorf("Get: %+v, %v", m, more)
	}
	if m, more := q.Get(Filter{}); m.Message != 100 || !more {
		t.Errorf("after quit: %+v, %v", m, more)
	}
	if m, ok := q.Peek(Filter{}, true); ok {
		t.Errorf("quit twice: %+v", m)
	}
	// One that was posted as a message ends the loop, too.
	d.Post(h, WMQuit, 4, 0)
	if m, more := q.Get(Filter{}); m.WParam != 4 || more {
		t.Errorf("posted WM_QUIT: %+v, %v", m, more)
	}
}

func TestGetWakes(t *testing.T) {
	type got struct {
		m    Message
		more bool
	}
	for name, end := range map[string]func(d *Desktop, q *Queue, h spi.HWND) got{
		"message": func(d *Desktop, q *Queue, h spi.HWND) got {
			d.Post(h, 1, 2, 3) // not for the filter
			d.Post(h, 7, 2, 3)
			return got{Message{h, 7, 2, 3}, true}
		},
		"quit": func(d *Desktop, q *Queue, h spi.HWND) got {
			q.PostQuit(9)
			return got{Message{Message: WMQuit, WParam: 9}, false}
		},
		"destroy": func(d *Desktop, q *Queue, h spi.HWND) got { q.Destroy(h); return got{} },
		"close":   func(d *Desktop, q *Queue, h spi.HWND) got { q.Close(); return got{} },
	} {
		d := NewDesktop(0)
		q := d.NewQueue()
		h := create(t, q)
		result := make(chan got)
		go func() {
			m, more := q.Get(Filter{h, 5, 10})
			result <- got{m, more}
		}()
		for range 20 {
			runtime.Gosched()
		}
		want := end(d, q, h)
		if r := <-result; r != want {
			t.Errorf("%s: %+v, want %+v", name, r, want)
		}
		q.Close()
	}
}

func TestGetForForeignWindow(t *testing.T) {
	d := NewDesktop(0)
	q, other := d.NewQueue(), d.NewQueue()
	h := create(t, other)
	if m, more := q.Get(Filter{Window: h}); more || m != (Message{}) {
		t.Errorf("%+v, %v", m, more)
	}
	q.Close()
	other.Close()
	if _, ok := q.Create(); ok {
		t.Error("a closed queue makes windows")
	}
	if m, more := q.Get(Filter{}); more || m != (Message{}) {
		t.Errorf("closed: %+v, %v", m, more)
	}
	q.PostQuit(1)
	if _, ok := q.Peek(Filter{}, true); ok {
		t.Error("a closed queue has a message")
	}
}

// TestModel checks two queues against slices of messages.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := NewDesktop(uint8(rapid.IntRange(0, 7).Draw(t, "kind")))
		queues := []*Queue{d.NewQueue(), d.NewQueue()}
		messages := make([][]Message, 2)
		owner := map[spi.HWND]int{}
		all := []spi.HWND{0}
		quit := make([]bool, 2)
		queue, number := rapid.IntRange(0, 1), rapid.Uint32Range(1000, 1005)
		next := uintptr(0)
		take := func(t *rapid.T, k int, f Filter, remove bool) (Message, bool) {
			for i, m := range messages[k] {
				if f.accepts(&m) {
					if remove {
						messages[k] = append(messages[k][:i:i], messages[k][i+1:]...)
					}
					return m, true
				}
			}
			if quit[k] {
				quit[k] = !remove
				return Message{Message: WMQuit, WParam: uintptr(k)}, true
			}
			return Message{}, false
		}
		filter := func(t *rapid.T) Filter {
			f := Filter{Window: rapid.SampledFrom(all).Draw(t, "window")}
			if rapid.Bool().Draw(t, "range") {
				f.Min, f.Max = number.Draw(t, "min"), number.Draw(t, "max")
			}
			return f
		}
		post := func(t *rapid.T) {
			h, m := rapid.SampledFrom(all).Draw(t, "window"), number.Draw(t, "message")
			for range rapid.IntRange(1, 20).Draw(t, "count") {
				next++
				k, exists := owner[h]
				if d.Post(h, m, next, 0) != exists {
					t.Fatalf("Post to %#x: %v", h, !exists)
				}
				if exists {
					messages[k] = append(messages[k], Message{h, m, next, 0})
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"post": post, "post again": post,
			"create": func(t *rapid.T) {
				k := queue.Draw(t, "queue")
				h, ok := queues[k].Create()
				if _, exists := owner[h]; !ok || exists {
					t.Fatal("no new window")
				}
				owner[h], all = k, append(all, h)
			},
			"destroy": func(t *rapid.T) {
				h, k := rapid.SampledFrom(all).Draw(t, "window"), queue.Draw(t, "queue")
				of, exists := owner[h]
				if queues[k].Destroy(h) != (exists && of == k) {
					t.Fatalf("Destroy(%#x) by %d", h, k)
				}
				if exists && of == k {
					delete(owner, h)
					var kept []Message
					for _, m := range messages[k] {
						if m.Window != h {
							kept = append(kept, m)
						}
					}
					messages[k] = kept
				}
			},
			"peek": func(t *rapid.T) {
				k, f, remove := queue.Draw(t, "queue"), filter(t), rapid.Bool().Draw(t, "remove")
				m, ok := queues[k].Peek(f, remove)
				if want, wantOK := take(t, k, f, remove); m != want || ok != wantOK {
					t.Fatalf("Peek(%+v, %v): %+v, %v, want %+v", f, remove, m, ok, want)
				}
			},
			"get": func(t *rapid.T) {
				k, f := queue.Draw(t, "queue"), filter(t)
				want, ok := take(t, k, f, true)
				if !ok {
					if of, exists := owner[f.Window]; f.Window == 0 || exists && of == k {
						t.Skip("would wait")
					}
				}
				m, more := queues[k].Get(f)
				if m != want || more != (ok && m.Message != WMQuit) {
					t.Fatalf("Get(%+v): %+v, %v, want %+v", f, m, more, want)
				}
			},
			"quit": func(t *rapid.T) {
				k := queue.Draw(t, "queue")
				queues[k].PostQuit(uintptr(k))
				quit[k] = true
			},
			"": func(t *rapid.T) {
				for k, q := range queues {
					if q.Len() != len(messages[k]) {
						t.Fatalf("queue %d: %d messages, want %d", k, q.Len(), len(messages[k]))
					}
				}
			},
		})
	})
}

// TestPostersKeepTheirOrder has threads post while windows come and go; what a
// window's thread gets from one poster is in order, and nothing comes for a
// window that it has destroyed.
func TestPostersKeepTheirOrder(t *testing.T) {
	const posters, each = 3, 3000
	d := NewDesktop(0)
	q := d.NewQueue()
	steady, brief := create(t, q), create(t, q)
	var current sync.Mutex // guards brief
	var wg sync.WaitGroup
	for k := range uintptr(posters) {
		wg.Go(func() {
			for i := range uintptr(each) {
				for !d.Post(steady, 1, k, i) { // full
					runtime.Gosched()
				}
				current.Lock()
				h := brief
				current.Unlock()
				d.Post(h, 2, k, i)
			}
		})
	}
	var next [posters]uintptr
	for got := 0; got < posters*each; {
		m, more := q.Get(Filter{})
		if !more {
			t.Fatal("quit")
		}
		if m.Window == steady {
			if m.LParam != next[m.WParam] {
				t.Fatalf("poster %d: message %d instead of %d", m.WParam, m.LParam, next[m.WParam])
			}
			next[m.WParam]++
			got++
			continue
		}
		if m.Window != brief {
			t.Fatal("a message for a destroyed window")
		}
		if m.LParam%16 == 0 {
			q.Destroy(brief)
			h := create(t, q)
			current.Lock()
			brief = h
			current.Unlock()
		}
	}
	q.Close()
	wg.Wait()
	if d.Exists(steady) || d.Exists(brief) {
		t.Error("windows outlive their queue")
	}
}

func BenchmarkPostGet(b *testing.B) {
	d := NewDesktop(0)
	q := d.NewQueue()
	defer q.Close()
	h, _ := q.Create()
	for b.Loop() {
		d.Post(h, 1, 2, 3)
		q.Get(Filter{})
	}
}
