// Package port holds completion ports: queues of packets from which worker
// threads take in turns.
//
// Packets leave in the order in which they came. Of the workers that wait, the
// one that came last is woken first, since its memory is still warm. A port
// wakes a worker only while fewer than its concurrency are at work, so that a
// few threads stay busy rather than many half busy; a worker is at work from
// the packet it took until it asks for the next.
//
// The system's own ports also notice when a worker blocks and let another one
// run in its place. A queue of packets cannot see that. It has two things
// instead: a worker that is about to block can say so, by [Worker.Leave], and a
// packet that the concurrency value has kept waiting for [patience] is given to
// one more worker whatever the value.
package port

import (
	"runtime"
	"sync"
	"time"

	"upcall.dev/spi"
)

// Packet is a completion packet.
type Packet struct {
	Bytes      uint32          // transferred
	Status     spi.Errno       // of the operation; 0 = success
	Key        uintptr         // given when the handle was associated with the port
	Overlapped *spi.Overlapped // the operation; nil if the poster gave none
}

// Infinite is a timeout that never passes. Every negative timeout is infinite.
const Infinite time.Duration = -1

// Result says how a request for packets ended.
type Result uint8

// Results.
const (
	OK       Result = iota
	TimedOut        // the timeout passed
	Closed          // the port is closed, perhaps since the request began
	Refused         // no room for a packet was given
)

// patience is how long a packet waits for one of the workers at work before the
// concurrency value is overstepped.
const patience = time.Millisecond

// Port is a completion port. Make one with [New].
type Port struct {
	concurrency int

	// mu guards the rest, and the fields of the workers that belong to the
	// port. Nothing is called under it. It is taken while no other port's is
	// held.
	mu      sync.Mutex
	queue   queue
	last    *Worker // waiting workers, the one that came last first
	working int     // workers at work
	closed  bool

	overstep *time.Timer // runs while the concurrency value keeps a packet waiting
	waiting  bool        // overstep runs
}

// New returns a port that lets about concurrency workers be at work at a time;
// 0 or less stands for the number of processors that Go uses.
func New(concurrency int) *Port {
	if concurrency <= 0 {
		concurrency = runtime.GOMAXPROCS(0)
	}
	return &Port{concurrency: concurrency}
}

// Post queues a packet. It reports false when the port is closed.
func (p *Port) Post(packet Packet) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.queue.push(packet)
	p.dispatch()
	return true
}

// Len returns the number of packets that no worker has taken yet.
func (p *Port) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queue.len
}

// Get takes the next packet and waits for one if there is none; see
// [Port.GetMany].
func (p *Port) Get(w *Worker, timeout time.Duration) (Packet, Result) {
	var room []Packet
	if w != nil {
		room = w.one[:]
	} else {
		room = make([]Packet, 1)
	}
	_, result := p.GetMany(w, room, timeout)
	packet := room[0]
	room[0] = Packet{}
	return packet, result
}

// GetMany takes as many of the next packets as there are and packets has room
// for, and waits for the first if there is none. It returns their number, which
// is not 0 if and only if the result is [OK]. A zero timeout looks and returns;
// a negative one never passes. Packets that are there come before the timeout
// and the concurrency value.
//
// w is the calling thread's worker, which leaves the port of its latest request
// if that was another. With a nil w the caller does not count as a worker.
func (p *Port) GetMany(w *Worker, packets []Packet, timeout time.Duration) (int, Result) {
	if len(packets) == 0 {
		return 0, Refused
	}
	if w == nil {
		w = spare.Get().(*Worker)
		defer spare.Put(w)
		defer w.Leave()
	}
	if w.port != p {
		w.Leave()
	}
	p.mu.Lock()
	w.join(p)
	if p.closed {
		p.mu.Unlock()
		return 0, Closed
	}
	if p.queue.len > 0 && (p.working < p.concurrency || timeout == 0) {
		n := p.queue.pop(packets)
		w.start()
		p.dispatch()
		p.mu.Unlock()
		return n, OK
	}
	if timeout == 0 {
		p.dispatch()
		p.mu.Unlock()
		return 0, TimedOut
	}
	w.room = packets
	w.enter()
	p.dispatch()
	p.mu.Unlock()
	return w.park(timeout)
}

// dispatch gives packets to waiting workers as far as the concurrency value
// allows, and starts or stops the clock for those that it keeps waiting. The
// caller holds mu.
func (p *Port) dispatch() {
	for p.queue.len > 0 && p.last != nil && p.working < p.concurrency {
		p.wakeLast()
	}
	if kept := p.queue.len > 0 && p.last != nil; kept && !p.waiting {
		p.waiting = true
		if p.overstep == nil {
			p.overstep = time.AfterFunc(patience, p.runOutOfPatience)
		} else {
			p.overstep.Reset(patience)
		}
	} else if !kept && p.waiting {
		p.waiting = false
		p.overstep.Stop()
	}
}

func (p *Port) runOutOfPatience() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.waiting { // stopped when it had already fired
		return
	}
	p.waiting = false
	p.wakeLast() // waiting means that there is a packet and a worker
	p.dispatch()
}

// wakeLast gives packets to the worker that came last. There are both. The
// caller holds mu.
func (p *Port) wakeLast() {
	w := p.last
	w.exit()
	w.taken = p.queue.pop(w.room)
	w.start()
	w.wake(OK)
}

// Close ends the port: every waiting worker wakes with [Closed], packets in the
// queue are dropped, and the other methods fail from now on. It reports false
// when the port was closed before.
func (p *Port) Close() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.closed = true
	p.queue = queue{}
	for p.last != nil {
		w := p.last
		w.exit()
		w.wake(Closed)
	}
	p.dispatch() // stops the clock
	return true
}
