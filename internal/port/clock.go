package port

import "time"

// patience is the time between two ticks of the clock.
const patience = time.Millisecond

// clock is the state behind the port's ticks: counters of what happens, and
// what they were at the latest tick. mu guards it.
type clock struct {
	runs  bool
	timer *time.Timer

	counters
	before counters
}

type counters struct {
	pushed, popped uint64 // packets
	polled         uint64 // how often a leader looked at descriptors
}

// mustTick reports whether a worker waits for something that the clock may have
// to bring about. The caller holds mu.
func (p *Port) mustTick() bool {
	if p.closed.Load() {
		return false
	}
	if p.queue.len > 0 {
		return p.last != nil || p.leader != nil
	}
	return p.last != nil && p.mayLead()
}

func (p *Port) startClock() {
	p.clock.runs = true
	p.clock.before = p.clock.counters
	if p.clock.timer == nil {
		p.clock.timer = time.AfterFunc(patience, p.tick)
	} else {
		p.clock.timer.Reset(patience)
	}
}

func (p *Port) stopClock() {
	if p.clock.runs {
		p.clock.runs = false
		p.clock.timer.Stop()
	}
}

// tick runs while the clock does. It stops when nothing has happened for a tick
// and nobody needs it, not before, since starting it costs more.
func (p *Port) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.clock.runs { // stopped when it had already fired
		return
	}
	now, before := p.clock.counters, p.clock.before
	standstill := now.popped == before.popped
	if now.popped < before.pushed && p.queue.len > 0 { // a packet has waited for a tick
		if standstill && p.working >= p.concurrency {
			p.working = 0
			p.round++
		}
		if p.working < p.concurrency {
			if p.last != nil {
				p.wakeLast()
			} else {
				p.call()
			}
		}
	} else if standstill && now.polled == before.polled {
		p.promote()
	}
	p.clock.before = p.clock.counters
	if now == before && !p.mustTick() {
		p.clock.runs = false
		return
	}
	p.clock.timer.Reset(patience)
}
