// Package port holds completion ports: queues of packets from which worker
// threads take in turns, and descriptors that those threads watch meanwhile.
//
// Packets leave in the order in which they came. Of the workers that wait, the
// one that came last is woken first, since its memory is still warm. A port
// wakes a worker only while fewer than its concurrency are at work, so that a
// few threads stay busy rather than many half busy; a worker is at work from
// the packet it took until it asks for the next.
//
// # Descriptors
//
// A port that watches descriptors ([Port.Watch]) has no goroutine for that: one
// of the workers that wait, the leader, waits in epoll instead of sleeping, and
// goes on with the operations of the descriptors that are ready. What completes
// by that goes through the queue, and the leader takes its share of it. Other
// workers that wait are followers; they sleep. A leader that got packets stops
// leading, and nobody leads while it is at work: it will be back sooner than
// another thread could be woken and could warm up. If it is not, a follower
// leads in its place.
//
// # The clock
//
// The system's own ports also notice when a worker blocks and let another one
// run in its place. A queue of packets cannot see that. It has two things
// instead: a worker that is about to block can say so, by [Worker.Leave], and
// a clock, which ticks each [patience] while a worker waits for its turn with
// packets in the queue, or a follower while nobody leads. It gives packets that
// have waited for a tick to one more worker; where the concurrency value
// forbids that, it stops counting on the workers at work if none of them has
// come back for a tick.
package port

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"upcall.dev/spi"
)

// Packet is a completion packet.
type Packet struct {
	Overlapped *spi.Overlapped // the operation; nil if the poster gave none
	Posted     uintptr         // a number of the poster's in its place
	Key        uintptr         // given when the handle was associated with the port
	Lane       *Lane           // nil for packets that requests return
	Bytes      uint32          // transferred
	Status     spi.Errno       // of the operation; 0 = success
}

// Lane is the way of packets that requests do not return: the worker that takes
// one calls Complete, with no lock held, and goes on to the next packet.
type Lane struct {
	Complete func(spi.Completion)

	// deliver, in place of Complete, makes the packet one that requests return,
	// or reports false if there is nothing to return any more. It does not block.
	deliver func(*Packet) bool
}

// Run runs a lane packet.
func (p *Packet) Run() {
	p.Lane.Complete(spi.Completion{Overlapped: p.Overlapped, Status: p.Status, Transferred: p.Bytes})
}

// Infinite is a timeout that never passes. Every negative timeout is infinite.
const Infinite time.Duration = -1

// Result says how a request for packets ended.
type Result uint8

// Results.
const (
	OK          Result = iota
	TimedOut           // the timeout passed
	Closed             // the port is closed, perhaps since the request began
	Refused            // no room for a packet was given
	Interrupted        // by [Worker.Interrupt]
	again              // a follower is to look again: it may lead
)

// Port is a completion port. Make one with [New].
type Port struct {
	concurrency int
	stray       func(Packet)

	// ctl guards the table of watched descriptors, and the making and the end
	// of poller. Nothing is called under it but mu taken.
	ctl     sync.Mutex
	refuses bool // no more watches
	notes   *notifier

	// mu guards the rest, and the fields of the workers that belong to the
	// port. Nothing is called under it. It is taken while no other port's is
	// held.
	mu      sync.Mutex
	poller  *poller // nil before the first watch; changes under both locks
	queue   queue
	last    *Worker // followers, the one that came last first
	leader  *Worker // waits for the poller, or goes on with operations
	called  bool    // the leader has been called out of the poller
	working int     // workers at work
	round   uint    // counts how often working was set back
	closed  atomic.Bool
	clock   clock
	unfair  int // packets taken since descriptors were looked at

	lanes atomic.Int32 // workers that run lane packets, and will be back at once
}

// New returns a port that lets about concurrency workers be at work at a time;
// 0 or less stands for the number of processors that Go uses. stray receives
// lane packets that no worker will take, because the port is closed; it is
// called with no lock of the port held, may be called by whoever posts, and
// must not block. It may be nil if there are no lanes.
func New(concurrency int, stray func(Packet)) *Port {
	if concurrency <= 0 {
		concurrency = runtime.GOMAXPROCS(0)
	}
	return &Port{concurrency: concurrency, stray: stray}
}

// Post queues a packet. It reports false when the port is closed; a lane packet
// has gone astray then.
func (p *Port) Post(packet Packet) bool {
	p.mu.Lock()
	if p.closed.Load() {
		p.mu.Unlock()
		p.lose(packet)
		return false
	}
	p.push(packet)
	p.dispatch()
	p.unlock()
	return true
}

// lose gives a packet that nobody will take to stray if it is a lane's.
func (p *Port) lose(packet Packet) {
	if packet.Lane != nil && packet.Lane.Complete != nil {
		p.stray(packet)
	}
}

func (p *Port) push(packet Packet) {
	p.queue.push(packet)
	p.clock.pushed++
}

// unlock starts the clock if it must run, and unlocks mu.
func (p *Port) unlock() {
	if !p.clock.runs && p.mustTick() {
		p.startClock()
	}
	p.mu.Unlock()
}

// Closed reports whether the port is closed.
func (p *Port) Closed() bool { return p.closed.Load() }

// Waiters returns the number of workers that wait, the leader included.
func (p *Port) Waiters() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	if p.leader != nil {
		n++
	}
	for w := p.last; w != nil; w = w.older {
		n++
	}
	return n
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
	if w == nil {
		w = takeSpare()
		defer w.giveBack()
	}
	_, result := p.GetMany(w, w.one[:], timeout)
	packet := w.one[0]
	w.one[0] = Packet{}
	return packet, result
}

// GetMany takes as many of the next packets as there are and packets has room
// for, and waits for the first if there is none. It returns their number, which
// is not 0 if and only if the result is [OK]. A zero timeout looks and returns;
// a negative one never passes. Packets that are there come before the timeout,
// the concurrency value and interrupts. Lane packets that come are run within.
//
// w is the calling thread's worker, which leaves the port of its latest request
// if that was another. With a nil w the caller does not count as a worker.
func (p *Port) GetMany(w *Worker, packets []Packet, timeout time.Duration) (int, Result) {
	if len(packets) == 0 {
		return 0, Refused
	}
	if w == nil {
		w = takeSpare()
		defer w.giveBack()
	}
	if old := w.port.Load(); old != p {
		w.Leave()
		w.port.Store(p)
	}
	r := request{w: w, room: packets, timeout: timeout}
	for {
		n, result := p.take(&r)
		if result != OK {
			return 0, result
		}
		if n = p.runLanes(packets[:n]); n > 0 {
			return n, OK
		}
	}
}

// runLanes runs the lane packets and returns how many others there are, which
// it moves to the front.
func (p *Port) runLanes(packets []Packet) int {
	first := 0
	for first < len(packets) && packets[first].Lane == nil {
		first++
	}
	if first == len(packets) {
		return first
	}
	running := false // a defer within the loop would allocate
	defer func() {
		if running {
			p.lanes.Add(-1)
		}
	}()
	n := first
	for i := first; i < len(packets); i++ {
		if lane := packets[i].Lane; lane != nil && lane.deliver == nil {
			if !running {
				running = true
				p.lanes.Add(1)
			}
			packets[i].Run()
			continue
		} else if lane != nil {
			packets[i].Lane = nil
			if !lane.deliver(&packets[i]) {
				continue
			}
		}
		packets[n] = packets[i]
		n++
	}
	clear(packets[n:])
	return n
}

// request is one call of GetMany.
type request struct {
	w        *Worker
	room     []Packet
	timeout  time.Duration // 0 when it has passed
	deadline time.Time     // set when the first wait begins
	polled   bool          // descriptors were looked at
}

// take takes packets, lane packets or not.
func (p *Port) take(r *request) (int, Result) {
	w := r.w
	p.mu.Lock()
	w.stop()
	for {
		switch {
		case p.closed.Load():
			p.mu.Unlock()
			return 0, Closed
		case p.unfair >= fairness && p.mayLead():
			p.lead(w, pollOnce, len(r.room))
		case p.queue.len > 0 && (r.timeout == 0 || p.working < p.concurrency):
			n := p.pop(r.room)
			w.start(p)
			p.unlock()
			return n, OK
		case r.timeout == 0 && !r.polled && p.mayLead():
			r.polled = true
			p.lead(w, pollOnce, len(r.room))
		case r.timeout == 0:
			p.unlock()
			return 0, TimedOut
		case w.interrupted():
			p.promote()
			p.unlock()
			return 0, Interrupted
		case p.mayLead() && (p.working == 0 || w.promoted):
			w.promoted = false
			if p.lead(w, r.wait(), len(r.room)) {
				r.timeout, r.polled = 0, true
				p.promote()
			}
		default:
			w.room = r.room
			w.enter(p)
			p.unlock()
			switch n, result := w.park(p, r.wait()); result {
			case again:
				p.mu.Lock()
			case TimedOut:
				r.timeout, r.polled = 0, true // as for packets that the concurrency value kept waiting
				p.mu.Lock()
			default:
				return n, result
			}
		}
	}
}

// wait returns when the request's time has passed; zero is never.
func (r *request) wait() time.Time {
	if r.timeout > 0 && r.deadline.IsZero() {
		r.deadline = time.Now().Add(r.timeout)
	}
	return r.deadline
}

func (p *Port) pop(room []Packet) int {
	n := p.queue.pop(room)
	p.clock.popped += uint64(n)
	if p.poller != nil {
		p.unfair += n
	}
	return n
}

// dispatch gives packets to waiting workers as far as the concurrency value
// allows. The caller holds mu.
func (p *Port) dispatch() {
	if p.lanes.Load() > 0 {
		return
	}
	for p.queue.len > 0 && p.working < p.concurrency {
		if p.last == nil {
			p.call()
			return
		}
		p.wakeLast()
	}
}

// wakeLast gives packets to the worker that came last. There are both. The
// caller holds mu.
func (p *Port) wakeLast() {
	w := p.last
	w.exit(p)
	w.taken = p.pop(w.room)
	w.start(p)
	w.wake(OK)
}

// promote has the follower that came last lead if nobody does. The caller
// holds mu.
func (p *Port) promote() {
	if w := p.last; w != nil && p.mayLead() {
		w.promoted = true
		w.exit(p)
		w.wake(again)
	}
}

// Close ends the port: every waiting worker wakes with [Closed], packets in the
// queue are dropped, those of lanes given to stray, watches end, and the other
// methods fail from now on. It reports false when the port was closed before.
func (p *Port) Close() bool {
	p.mu.Lock()
	if p.closed.Load() {
		p.mu.Unlock()
		return false
	}
	p.closed.Store(true)
	queue := p.queue
	p.queue.reset()
	for p.last != nil {
		w := p.last
		w.exit(p)
		w.wake(Closed)
	}
	p.stopClock()
	led := p.leader != nil
	if led {
		p.call() // it ends the watches
	}
	p.mu.Unlock()
	if !led {
		p.endWatches()
	}
	queue.drain(p.lose)
	return true
}
