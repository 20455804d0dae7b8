package soak

import (
	"flag"
	"os"
	"runtime"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"upcall.dev/catalog"
	"upcall.dev/conformance/internal/chains"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

var (
	connections = flag.Int("connections", 400, "connections to make over each chain")
	operations  = flag.Int("operations", 30000, "overlapped operations to run over each chain, at least")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heapGrowth is how much the heap may hold at the end beyond what it held when
// a tenth of the connections was through.
const heapGrowth = 8 << 20

func TestSoak(t *testing.T) {
	for _, c := range chains.All {
		for _, workers := range []int{1, 2} {
			name := c.Name + "/one worker"
			if workers > 1 {
				name = c.Name + "/two workers"
			}
			t.Run(name, func(t *testing.T) {
				source, err := c.Compose()
				if err != nil {
					t.Fatal(err)
				}
				before := descriptors(t)
				soak(t, source, workers)
				if after := descriptors(t); after > before {
					t.Errorf("%d descriptors were open before, %d after", before, after)
				}
			})
		}
	}
}

func soak(t *testing.T, source catalog.Source, workers int) {
	dll := ws2.New(ws2.Config{Catalog: source, Log: func(line string) { t.Log(line) }})
	thread := dll.BindThread()
	defer thread.Unbind()
	if err := thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
		t.Fatal(err)
	}
	defer thread.WSACleanup()
	r, err := newRun(t, dll, thread, *connections/2, *operations/2)
	if err != nil {
		t.Fatal(err)
	}
	var early, late uint64
	r.tenth = func() { early = heap() }
	var work sync.WaitGroup
	for range workers {
		work.Add(1)
		go func() {
			defer work.Done()
			worker := dll.BindThread()
			defer worker.Unbind()
			r.work(worker)
		}()
	}
	r.begin(thread)
	work.Wait()
	late = heap()
	if err := r.end(thread); err != nil {
		t.Error(err)
	}
	t.Logf("%d connections, %d operations, %d cancelled or aborted; heap %d KiB after a tenth, %d KiB at the end",
		r.made.Load(), r.started.Load(), r.aborted.Load(), early>>10, late>>10)
	if late > early+heapGrowth {
		t.Errorf("the heap grew from %d to %d bytes", early, late)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// descriptors counts this process's open ones.
func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the system does not list descriptors: ", err)
	}
	return len(entries)
}
