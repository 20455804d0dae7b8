package relay

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
)

// Group is relays that share threads, one for each two processors: the programs
// and their servers need the others. A provider that waits in a call on a nonblocking
// socket, which it must not, holds up the relays of its thread. The zero Group has no
// threads yet.
type Group struct {
	mu    sync.Mutex // guards loops and next; loop.mu is not taken under it
	loops []*loop
	next  int
}

// Run is [Run], without goroutines where local is a socket of the kernel's and the
// descriptor of remote can be waited for beside it.
func (g *Group) Run(local, remote Stream, closing <-chan struct{}, relayed *atomic.Int64) {
	near, isTCP := local.(*net.TCPConn)
	far, canAttend := remote.(attended)
	if isTCP && canAttend {
		if l := g.loop(); l != nil {
			if j, err := l.join(near, far, relayed); err == nil {
				j.run(closing)
				return
			}
		}
	}
	Run(local, remote, closing, relayed)
}

// loop returns the next in turn, nil when the system has no descriptors for one.
func (g *Group) loop() *loop {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next++
	if most := max(1, runtime.GOMAXPROCS(0)/2); len(g.loops) < most {
		if l, err := startLoop(); err == nil {
			g.loops = append(g.loops, l)
		}
	}
	if len(g.loops) == 0 {
		return nil
	}
	return g.loops[g.next%len(g.loops)]
}

// Close ends the threads, after all relays have ended.
func (g *Group) Close() {
	g.mu.Lock()
	loops := g.loops
	g.loops = nil
	g.mu.Unlock()
	for _, l := range loops {
		l.stop()
	}
}
