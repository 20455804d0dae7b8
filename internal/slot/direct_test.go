package slot

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// TestDirectModel checks a Direct against a map.
func TestDirectModel(t *testing.T) {
	index := rapid.OneOf(
		rapid.UintptrRange(0, 20),
		rapid.UintptrRange(levelSize-2, levelSize+2),
		rapid.UintptrRange(1<<(2*levelBits)-2, 1<<(2*levelBits)+2),
		rapid.UintptrRange(DirectSize-3, DirectSize+3),
		rapid.Just(^uintptr(0)),
	)
	rapid.Check(t, func(t *rapid.T) {
		var direct Direct[int]
		model := map[uintptr]*int{}
		t.Repeat(map[string]func(*rapid.T){
			"swap": func(t *rapid.T) {
				i := index.Draw(t, "index")
				object := rapid.SampledFrom([]*int{nil, new(int)}).Draw(t, "object")
				old, ok := direct.Swap(i, object)
				if ok != (i < DirectSize) || old != model[i] {
					t.Fatalf("Swap(%d) gave %p, %v", i, old, ok)
				}
				if ok && object != nil {
					model[i] = object
				} else if ok {
					delete(model, i)
				}
			},
			"compare and swap": func(t *rapid.T) {
				i, object := index.Draw(t, "index"), new(int)
				if direct.CompareAndSwap(i, new(int), object) {
					t.Fatal("swapped although another object is there")
				}
				if swapped := direct.CompareAndSwap(i, model[i], object); swapped != (i < DirectSize) {
					t.Fatalf("CompareAndSwap(%d): %v", i, swapped)
				} else if swapped {
					model[i] = object
				}
			},
			"delete": func(t *rapid.T) {
				i := index.Draw(t, "index")
				if direct.CompareAndDelete(i, new(int)) || direct.CompareAndDelete(i, nil) {
					t.Fatal("deleted although another object is there")
				}
				if deleted := direct.CompareAndDelete(i, model[i]); deleted != (model[i] != nil) {
					t.Fatalf("CompareAndDelete(%d): %v", i, deleted)
				}
				delete(model, i)
			},
			"load": func(t *rapid.T) {
				i := index.Draw(t, "index")
				if direct.Load(i) != model[i] {
					t.Fatalf("Load(%d) is wrong", i)
				}
			},
			"": func(t *rapid.T) {
				if got := maps.Collect(direct.All()); !maps.Equal(got, model) {
					t.Fatalf("All gave %v, want %v", got, model)
				}
				var order []uintptr
				for i := range direct.All() {
					order = append(order, i)
				}
				if !slices.IsSorted(order) {
					t.Fatal("All is not in order")
				}
			},
		})
	})
}

// TestDirectConcurrentFirstUse has goroutines make the same leaves at once: no
// object may be lost in a leaf that another goroutine replaced.
func TestDirectConcurrentFirstUse(t *testing.T) {
	var direct Direct[uintptr]
	const goroutines, leaves = 4, 200
	var wg sync.WaitGroup
	for g := range uintptr(goroutines) {
		wg.Go(func() {
			for l := range uintptr(leaves) {
				i := l*levelSize*37 + g
				direct.Store(i, &i)
			}
		})
	}
	wg.Wait()
	n := 0
	for i, object := range direct.All() {
		if *object != i {
			t.Errorf("index %d holds the object of %d", i, *object)
		}
		n++
	}
	if n != goroutines*leaves {
		t.Errorf("%d objects, want %d", n, goroutines*leaves)
	}
}

func TestDirectOneDeleterWins(t *testing.T) {
	var direct Direct[int]
	object := new(int)
	for i := range uintptr(1000) {
		direct.Store(i, object)
	}
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range uintptr(1000) {
				if direct.CompareAndDelete(i, object) {
					wins.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1000 {
		t.Errorf("%d deletions won, want 1000", wins.Load())
	}
}

func BenchmarkDirectLoad(b *testing.B) {
	var direct Direct[int]
	object := new(int)
	for i := range uintptr(1000) {
		direct.Store(i, object)
	}
	i := uintptr(0)
	for b.Loop() {
		if direct.Load(i) == nil {
			b.Fatal("lost")
		}
		if i++; i == 1000 {
			i = 0
		}
	}
}
