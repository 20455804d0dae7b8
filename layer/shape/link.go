package shape

import (
	"sync"
	"time"

	"upcall.dev/layer/relay"
)

// link is one direction of the line that all sockets of the layer share: a
// token bucket, then a delay. Bytes are let through on credit: each arrival is
// told when the tokens that it takes will have come in.
type link struct {
	delay time.Duration
	rate  float64 // tokens, one a byte, per second; 0 for no limit
	burst float64 // tokens that are kept at most

	mu     sync.Mutex // guards what follows; a leaf lock
	tokens float64    // at the time of filled, below zero when on credit
	filled time.Time
	last   time.Time // release time of the latest bytes
}

func newLinks(c config) (links [2]*link) {
	for _, d := range []relay.Direction{relay.Up, relay.Down} {
		links[d] = &link{delay: c.delay[d], rate: c.rate[d], burst: float64(c.burst[d]), tokens: float64(c.burst[d])}
	}
	return links
}

// release returns when n bytes that arrived now have passed the link.
func (l *link) release(now time.Time, n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := now.Add(l.delay)
	if l.rate > 0 {
		at = at.Add(l.take(now, n))
	}
	if at.Before(l.last) {
		at = l.last // bytes do not overtake each other
	}
	l.last = at
	return at
}

// take takes n tokens and returns how long it takes until they have come in.
func (l *link) take(now time.Time, n int) time.Duration {
	if l.filled.IsZero() {
		l.filled = now
	}
	if since := now.Sub(l.filled); since > 0 {
		l.tokens = min(l.burst, l.tokens+since.Seconds()*l.rate)
		l.filled = now
	}
	l.tokens -= float64(n)
	if l.tokens >= 0 {
		return 0
	}
	wait := -l.tokens / l.rate * float64(time.Second)
	return time.Duration(min(wait, float64(longestWait)))
}

// longestWait keeps a wait within a time.Duration.
const longestWait = 1 << 62
