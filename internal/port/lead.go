package port

import (
	"math"
	"time"

	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// fairness is how many packets may be taken before descriptors are looked at
// again although there are packets.
const fairness = 256

// pollOnce is a deadline that has passed.
var pollOnce = time.Unix(0, 0)

// hasPassed reports whether the time of a deadline has come; that of the zero
// time never does.
func hasPassed(deadline time.Time) bool {
	return !deadline.IsZero() && (deadline.Equal(pollOnce) || !time.Now().Before(deadline))
}

// watch is one watched descriptor.
type watch struct {
	target spi.PortTarget
	key    uintptr
	lane   *Lane
}

// mayLead reports whether there are descriptors that nobody watches over. The
// caller holds mu.
func (p *Port) mayLead() bool { return p.poller != nil && p.leader == nil }

// lead waits for descriptors and goes on with their operations until there are
// packets that w may take, w is interrupted, the port is closed, or the
// deadline passes, which it reports.
//
// While w is the only worker it goes no further than room packets: the other
// descriptors that are ready wait until it leads again, since memory is warmest
// for who deals with one thing after the other. Where there are others it goes
// on with all, so that they find packets in the queue when they come, and the
// clock sees what nobody comes for.
//
// The caller holds mu when it calls and when it gets back; w leads in between.
func (p *Port) lead(w *Worker, deadline time.Time, room int) (expired bool) {
	p.leader = w
	po := p.poller
	for {
		looks := !po.more()
		if p.last != nil || p.working > 0 {
			room = math.MaxInt
		}
		p.called = false
		po.asleep.Store(looks)
		p.unlock()
		if looks {
			po.look(deadline)
			po.asleep.Store(false)
		}
		po.proceed(room)
		p.mu.Lock()
		p.clock.polled++
		p.unfair = 0
		if p.closed.Load() {
			break
		}
		for _, packet := range po.completed() {
			p.push(packet)
		}
		po.forget()
		if p.queue.len > 0 && p.working < p.concurrency || w.interrupted() {
			break
		}
		if !po.more() && looks && hasPassed(deadline) {
			expired = true
			break
		}
	}
	p.leader = nil
	if p.closed.Load() {
		p.mu.Unlock()
		for _, packet := range po.completed() {
			p.lose(packet)
		}
		p.endWatches()
		p.mu.Lock()
	}
	return expired
}

// call has the leader come out of the poller. The caller holds mu.
func (p *Port) call() {
	if p.leader != nil && !p.called && p.poller.asleep.Load() {
		p.called = true
		p.poller.wake()
	}
}

// proceed goes on with the operations of descriptors that are ready, until at
// least room packets have come of it. Only the leader calls it.
func (po *poller) proceed(room int) {
	for po.more() && len(po.ready) < room {
		id, events := po.take()
		w := po.watches.Get(id)
		if w == nil { // the call to the leader, or a watch that has ended
			continue
		}
		if notes, ok := w.target.(*notifier); ok {
			po.ready = notes.harvest(po.ready)
			continue
		}
		po.done = w.target.Ready(events, po.done[:0])
		for _, c := range po.done {
			po.ready = append(po.ready, Packet{Overlapped: c.Overlapped, Key: w.key, Lane: w.lane, Bytes: c.Transferred, Status: c.Status})
		}
		clear(po.done)
	}
}

// keep is the longest buffer that is kept from one poll to the next.
const keep = 4 * mostEvents

// completed returns the packets of the operations that proceed completed.
func (po *poller) completed() []Packet { return po.ready }

// forget empties what completed returns.
func (po *poller) forget() {
	clear(po.ready)
	po.ready = po.ready[:0]
	if cap(po.ready) > keep {
		po.ready = nil
	}
	if cap(po.done) > keep {
		po.done = nil
	}
}

// Watch makes workers call target.Ready when the descriptor is ready, as
// [spi.CompletionPort] tells. Packets of its operations carry key, or take the
// lane if there is one.
func (p *Port) Watch(fd uintptr, target spi.PortTarget, key uintptr, lane *Lane) (id uintptr, code spi.Errno) {
	p.ctl.Lock()
	defer p.ctl.Unlock()
	return p.watch(fd, target, key, lane)
}

// watch is Watch for a caller that holds ctl.
func (p *Port) watch(fd uintptr, target spi.PortTarget, key uintptr, lane *Lane) (id uintptr, code spi.Errno) {
	if p.refuses {
		return 0, spi.WSA_INVALID_HANDLE
	}
	po := p.poller
	if po == nil {
		if po, code = newPoller(); code != 0 {
			return 0, code
		}
		po.watches = slot.New[watch](0)
		p.mu.Lock()
		p.poller = po
		if p.working == 0 {
			p.promote()
		}
		p.unlock()
	}
	id, ok := po.watches.Insert(&watch{target, key, lane}, 0)
	if !ok {
		return 0, spi.WSAENOBUFS
	}
	if code = po.add(fd, id); code != 0 {
		po.watches.Remove(id)
		return 0, code
	}
	return id, 0
}

// Unwatch ends a watch, while fd is still open.
func (p *Port) Unwatch(fd, id uintptr) {
	p.ctl.Lock()
	defer p.ctl.Unlock()
	if p.poller != nil && p.poller.watches.Remove(id) != nil {
		p.poller.remove(fd)
	}
}

// endWatches ends the poller of a closed port that nobody leads.
func (p *Port) endWatches() {
	p.ctl.Lock()
	p.refuses = true
	var orphans []spi.PortTarget
	if po := p.poller; po != nil {
		for id := range po.watches.All() {
			if w := po.watches.Remove(id); w != nil {
				orphans = append(orphans, w.target)
			}
		}
		po.close()
	}
	p.ctl.Unlock()
	for _, target := range orphans {
		target.Orphaned()
	}
}
