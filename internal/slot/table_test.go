package slot

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFourSlotsFillACacheLine(t *testing.T) {
	if size := unsafe.Sizeof(Slot{}); size != 16 {
		t.Errorf("a slot has %d bytes, want 16", size)
	}
	if size := unsafe.Sizeof(object[int]{}); size != 16 {
		t.Errorf("the rest of a slot has %d bytes, want 16", size)
	}
}

func TestHandleFormat(t *testing.T) {
	for kind := range uint8(MaxKind + 1) {
		table := New[int](kind)
		for range 5000 {
			h, ok := table.Insert(new(int), 0)
			if !ok || h < 1<<32 || h%4 != 0 || int(h) < 0 || h>>60 != uintptr(kind) {
				t.Fatalf("kind %d: handle %#x, %v", kind, h, ok)
			}
			if h%16 == 0 {
				table.Remove(h)
			}
		}
	}
}

func TestKindsRefuseEachOthersHandles(t *testing.T) {
	a, b := New[int](0), New[int](1)
	h, _ := a.Insert(new(int), 7)
	b.Insert(new(int), 8)
	if b.Get(h) != nil || b.Remove(h) != nil {
		t.Error("a table took a handle of another kind")
	}
	if _, ok := b.Context(h); ok {
		t.Error("a table has a context for a handle of another kind")
	}
}

func TestNewRefusesLargeKind(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New took a kind above MaxKind")
		}
	}()
	New[int](MaxKind + 1)
}

func TestValuesThatAreNoHandles(t *testing.T) {
	table := New[int](0)
	h, _ := table.Insert(new(int), 1)
	for _, bad := range []uintptr{0, 1, 3, 4, 1 << 32, 1<<32 | 8, h | 1, h | 2, h + 1<<32, h | 1<<60, h | 1<<63, 1<<33 | 0xfffffffc, ^uintptr(0), ^uintptr(0) - 3} {
		if table.Get(bad) != nil {
			t.Errorf("Get(%#x) found an object", bad)
		}
		if _, ok := table.Context(bad); ok {
			t.Errorf("Context(%#x) found a context", bad)
		}
		if table.Remove(bad) != nil {
			t.Errorf("Remove(%#x) removed an object", bad)
		}
	}
	if table.Get(h) == nil {
		t.Error("the handle itself was lost")
	}
}

func TestWornOutSlotIsNotUsedAgain(t *testing.T) {
	table := New[int](3)
	first, _ := table.Insert(new(int), 0)
	g, i := table.find(uint64(first))
	g.objects[i].generation = lastGeneration - 1
	table.Remove(first) // leaves the slot with one use
	last, _ := table.Insert(new(int), 0)
	if uint32(last) != uint32(first) {
		t.Fatalf("handle %#x is not in the slot of %#x", last, first)
	}
	table.Remove(last)
	other, ok := table.Insert(new(int), 0)
	if !ok || uint32(other) == uint32(first) {
		t.Errorf("handle %#x is in the worn-out slot", other)
	}
}

func TestLimit(t *testing.T) {
	table := New[int](0)
	table.SetLimit(2)
	a, _ := table.Insert(new(int), 0)
	if _, ok := table.Insert(new(int), 0); !ok {
		t.Fatal("no room below the limit")
	}
	if h, ok := table.Insert(new(int), 0); ok || h != 0 {
		t.Fatal("room above the limit")
	}
	table.Remove(a)
	if _, ok := table.Insert(new(int), 0); !ok {
		t.Fatal("no room after a removal")
	}
	table.SetLimit(0)
	if _, ok := table.Insert(new(int), 0); ok {
		t.Fatal("room above a limit that was lowered")
	}
	table.SetLimit(-1)
	if _, ok := table.Insert(new(int), 0); !ok {
		t.Fatal("no room without a limit")
	}
}

// TestModel checks a table against a map, stale handles included.
func TestModel(t *testing.T) {
	type held struct {
		object  *int
		context uintptr
	}
	rapid.Check(t, func(t *rapid.T) {
		table := New[int](uint8(rapid.IntRange(0, MaxKind).Draw(t, "kind")))
		model := map[uintptr]held{}
		gone := map[uintptr]bool{}
		var live, stale []uintptr
		pick := func(t *rapid.T, from []uintptr) uintptr {
			if len(from) == 0 {
				t.Skip("none")
			}
			return rapid.SampledFrom(from).Draw(t, "handle")
		}
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				for range rapid.IntRange(1, 80).Draw(t, "count") {
					object, context := new(int), uintptr(rapid.Uint64().Draw(t, "context"))
					h, ok := table.Insert(object, context)
					if _, exists := model[h]; !ok || exists || gone[h] {
						t.Fatalf("Insert gave %#x, %v", h, ok)
					}
					model[h], live = held{object, context}, append(live, h)
				}
			},
			"remove": func(t *rapid.T) {
				h := pick(t, live)
				if got := table.Remove(h); got != model[h].object {
					t.Fatalf("Remove(%#x) gave another object", h)
				}
				delete(model, h)
				live = slices.DeleteFunc(live, func(l uintptr) bool { return l == h })
				stale, gone[h] = append(stale, h), true
			},
			"stale": func(t *rapid.T) {
				h := pick(t, stale)
				_, ok := table.Context(h)
				if ok || table.Get(h) != nil || table.Remove(h) != nil {
					t.Fatalf("stale handle %#x resolves", h)
				}
			},
			"": func(t *rapid.T) {
				if table.Len() != len(model) {
					t.Fatalf("Len %d, want %d", table.Len(), len(model))
				}
				for h, want := range model {
					context, ok := table.Context(h)
					if !ok || context != want.context || table.Get(h) != want.object {
						t.Fatalf("handle %#x: context %#x, %v, or another object", h, context, ok)
					}
				}
				seen := map[uintptr]bool{}
				for h, object := range table.All() {
					if seen[h] || model[h].object != object {
						t.Fatalf("All yields %#x wrongly", h)
					}
					seen[h] = true
				}
				if len(seen) != len(model) {
					t.Fatalf("All yields %d of %d", len(seen), len(model))
				}
			},
		})
	})
}

// TestLookupsBesideReuse has readers look up handles whose slots are reused all
// the time: a lookup that succeeds must give what was inserted under exactly
// that handle. Each object and context spells the sequence number of its use.
func TestLookupsBesideReuse(t *testing.T) {
	type use struct{ context uintptr }
	table := New[use](0)
	const rounds, readers = 100_000, 2
	var published [8]atomic.Pointer[[2]uintptr] // handle, context
	var done atomic.Bool
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for i := 0; !done.Load(); i++ {
				p := published[i%len(published)].Load()
				if p == nil {
					continue
				}
				h, want := p[0], p[1]
				if context, ok := table.Context(h); ok && context != want {
					t.Errorf("handle %#x: context %d, want %d", h, context, want)
					return
				}
				if object := table.Get(h); object != nil && object.context != want {
					t.Errorf("handle %#x: object of use %d, want %d", h, object.context, want)
					return
				}
			}
		})
	}
	for i := range uintptr(rounds) {
		h, ok := table.Insert(&use{i + 1}, i+1)
		if !ok {
			t.Fatal("table full")
		}
		old := published[i%uintptr(len(published))].Swap(&[2]uintptr{h, i + 1})
		if old != nil {
			table.Remove(old[0])
		}
	}
	done.Store(true)
	wg.Wait()
}

func TestOneRemoverWins(t *testing.T) {
	table := New[int](0)
	const handles, removers = 2000, 4
	var list []uintptr
	for range handles {
		h, _ := table.Insert(new(int), 0)
		list = append(list, h)
	}
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range removers {
		wg.Go(func() {
			for _, h := range list {
				if table.Remove(h) != nil {
					wins.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if wins.Load() != handles || table.Len() != 0 {
		t.Errorf("%d removals won, %d left, want %d and 0", wins.Load(), table.Len(), handles)
	}
}

func TestConcurrentInsertionsAreDistinct(t *testing.T) {
	table := New[int](0)
	const each, inserters = 3000, 4
	lists := make([][]uintptr, inserters)
	var wg sync.WaitGroup
	for i := range inserters {
		wg.Go(func() {
			for range each {
				h, _ := table.Insert(new(int), 0)
				lists[i] = append(lists[i], h)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(lists...)
	slices.Sort(all)
	if len(slices.Compact(all)) != each*inserters {
		t.Error("a handle was given twice")
	}
}

func TestTableMayChangeInsideAll(t *testing.T) {
	table := New[int](0)
	for range 300 {
		table.Insert(new(int), 0)
	}
	n := 0
	for h := range table.All() {
		table.Remove(h)
		n++
	}
	if n != 300 || table.Len() != 0 {
		t.Errorf("%d yielded, %d left", n, table.Len())
	}
}

var sizes = []int{1, 1_000, 1_000_000}

func filled(size int) (*Table[int], []uintptr) {
	table := New[int](0)
	list := make([]uintptr, size)
	object := new(int)
	for i := range list {
		list[i], _ = table.Insert(object, uintptr(i))
	}
	rand.Shuffle(size, func(i, j int) { list[i], list[j] = list[j], list[i] })
	return table, list
}

func BenchmarkContext(b *testing.B) {
	for _, size := range sizes {
		table, list := filled(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			i := 0
			for b.Loop() {
				if _, ok := table.Context(list[i]); !ok {
					b.Fatal("lost")
				}
				if i++; i == len(list) {
					i = 0
				}
			}
		})
		b.Run(fmt.Sprintf("%d/parallel", size), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				i := rand.IntN(len(list))
				for pb.Next() {
					if _, ok := table.Context(list[i]); !ok {
						b.Error("lost")
						return
					}
					if i++; i == len(list) {
						i = 0
					}
				}
			})
		})
	}
}

func BenchmarkGet(b *testing.B) {
	for _, size := range sizes {
		table, list := filled(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			i := 0
			for b.Loop() {
				if table.Get(list[i]) == nil {
					b.Fatal("lost")
				}
				if i++; i == len(list) {
					i = 0
				}
			}
		})
	}
}

func BenchmarkInsertRemove(b *testing.B) {
	for _, size := range sizes {
		table, _ := filled(size)
		object := new(int)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				h, _ := table.Insert(object, 1)
				table.Remove(h)
			}
		})
	}
}

// BenchmarkArray is the floor for random lookups: a flat array of slots.
func BenchmarkArray(b *testing.B) {
	_, list := filled(1_000_000)
	array := make([]Slot, len(list)+1)
	i, sum := 0, uint64(0)
	for b.Loop() {
		sum += array[uint32(list[i])>>2].handle.Load()
		if i++; i == len(list) {
			i = 0
		}
	}
}

func TestRemovedTellsOldHandlesFromOthers(t *testing.T) {
	table := New[int](3)
	first, _ := table.Insert(new(int), 0)
	if table.Removed(first) || table.Removed(0) || table.Removed(first+4) {
		t.Error("removed before anything was")
	}
	table.Remove(first)
	second, _ := table.Insert(new(int), 0)
	switch {
	case !table.Removed(first):
		t.Error("the first handle was removed")
	case table.Removed(second), table.Removed(first + 1), table.Removed(second + 1<<generationShift):
		t.Error("a handle that is there, or never was, was removed")
	case New[int](2).Removed(first):
		t.Error("another table removed it")
	}
}
