package relay

import (
	"sync"
	"time"
)

// line holds the packets of one direction between arrival and release. One
// goroutine puts, one gets.
type line struct {
	more chan struct{} // capacity 1: there is a packet
	room chan struct{} // capacity 1: there is room

	mu      sync.Mutex // guards what follows; a leaf lock
	packets []packet   // from head on
	head    int
	held    int // bytes, with packetCost for each packet
	limit   int
}

// packetCost is what a packet counts for besides its data.
const packetCost = 128

func newLine(limit int) *line {
	return &line{more: make(chan struct{}, 1), room: make(chan struct{}, 1), limit: limit}
}

// put waits for room. False means that stop was closed first.
func (l *line) put(p packet, stop <-chan struct{}) bool {
	for !l.tryPut(p) {
		select {
		case <-l.room:
		case <-stop:
			return false
		}
	}
	wake(l.more)
	return true
}

func (l *line) tryPut(p packet) bool {
	cost := len(p.data) + packetCost
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held > 0 && l.held+cost > l.limit {
		return false
	}
	l.held += cost
	l.packets = append(l.packets, p)
	return true
}

// get waits for a packet and then for its time. False means that one of the
// stops was closed first.
func (l *line) get(timer *time.Timer, stops [2]<-chan struct{}) (packet, bool) {
	p, ok := l.tryGet()
	for ; !ok; p, ok = l.tryGet() {
		select {
		case <-l.more:
		case <-stops[0]:
			return p, false
		case <-stops[1]:
			return p, false
		}
	}
	if wait := time.Until(p.release); wait > 0 {
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-stops[0]:
			return p, false
		case <-stops[1]:
			return p, false
		}
	}
	return p, true
}

func (l *line) tryGet() (packet, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head == len(l.packets) {
		return packet{}, false
	}
	p := l.packets[l.head]
	l.packets[l.head] = packet{}
	l.head++
	if l.head > len(l.packets)/2 {
		l.packets = append(l.packets[:0], l.packets[l.head:]...)
		l.head = 0
	}
	l.held -= len(p.data) + packetCost
	wake(l.room)
	return p, true
}
