package pieces

import "testing"

func TestSizeFollowsTheStream(t *testing.T) {
	var s Size
	read := func(n int) (size int) {
		p := s.Take()
		size = len(p.Bytes())
		s.Give(p, min(n, size))
		return size
	}
	steps := []struct{ n, size int }{
		{100, 128 << 10},
		{8 << 20, 128 << 10}, // full: the next is larger
		{8 << 20, 1 << 20},
		{8 << 20, 4 << 20},
		{8 << 20, 4 << 20},
		{0, 4 << 20},         // nothing there: that tells nothing
		{2 << 20, 4 << 20},   // a large part of it
		{100 << 10, 4 << 20}, // little
		{100 << 10, 1 << 20},
		{10 << 10, 1 << 20},
		{10 << 10, 128 << 10},
	}
	for i, step := range steps {
		if size := read(step.n); size != step.size {
			t.Fatalf("step %d: a piece of %d bytes, want %d", i, size, step.size)
		}
	}
	if n := held.Load(); n != 0 {
		t.Errorf("%d bytes count as held", n)
	}
}

func TestLargePiecesAreBounded(t *testing.T) {
	const smallest, largest = 128 << 10, 4 << 20
	large := Size{class: uint8(len(sizes) - 1)}
	var taken []*Piece
	for range 2 * mostHeld / largest {
		taken = append(taken, large.Take())
	}
	total := 0
	for i, p := range taken {
		n := len(p.Bytes())
		if total += n; n > smallest && total > mostHeld {
			t.Fatalf("piece %d has %d bytes, with %d in use", i, n, total-n)
		}
	}
	if last := taken[len(taken)-1]; len(last.Bytes()) != smallest {
		t.Errorf("the last piece has %d bytes", len(last.Bytes()))
	}
	for _, p := range taken {
		large.Give(p, 0)
	}
	if n := held.Load(); n != 0 {
		t.Errorf("%d bytes count as held after all were given back", n)
	}
	if p := large.Take(); len(p.Bytes()) != largest {
		t.Errorf("then a piece has %d bytes", len(p.Bytes()))
	} else {
		large.Give(p, 0)
	}
}
