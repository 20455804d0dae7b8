package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLineReleasesInTime puts packets with release times and checks, on a clock
// that only moves while everybody waits, that each comes out exactly then, in
// order, and that the line never holds more than its limit.
func TestLineReleasesInTime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(0, 3000), 1, 40).Draw(rt, "sizes")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 50), len(sizes), len(sizes)).Draw(rt, "pauses in ms")
		delay := time.Duration(rapid.IntRange(0, 100).Draw(rt, "delay in ms")) * time.Millisecond
		limit := rapid.IntRange(1, 10_000).Draw(rt, "limit")
		synctest.Test(t, func(t *testing.T) {
			l := newLine(limit)
			go func() {
				for i, size := range sizes {
					time.Sleep(time.Duration(pauses[i]) * time.Millisecond)
					p := packet{data: make([]byte, size), release: time.Now().Add(delay)}
					if !l.put(p, nil) {
						t.Error("put gave up")
					}
					l.mu.Lock()
					if l.held > limit && len(l.packets)-l.head > 1 {
						t.Errorf("%d bytes held, limit %d", l.held, limit)
					}
					l.mu.Unlock()
				}
			}()
			timer := time.NewTimer(time.Hour)
			defer timer.Stop()
			var last time.Time
			for i, size := range sizes {
				p, ok := l.get(timer, [2]<-chan struct{}{})
				switch now := time.Now(); {
				case !ok || len(p.data) != size:
					t.Fatalf("packet %d: %d bytes, %v", i, len(p.data), ok)
				case now.Before(p.release):
					t.Fatalf("packet %d comes %v early", i, p.release.Sub(now))
				case now.After(p.release) && now.After(last) && p.release.After(last):
					t.Fatalf("packet %d comes %v late", i, now.Sub(p.release))
				default:
					last = now
				}
			}
			if l.held != 0 {
				t.Fatalf("%d bytes left", l.held)
			}
		})
	})
}

func TestLineStops(t *testing.T) {
	stop := make(chan struct{})
	close(stop)
	l := newLine(1)
	if !l.put(packet{data: []byte("x"), release: time.Now().Add(time.Hour)}, stop) {
		t.Error("an empty line takes one packet whatever its size")
	}
	if l.put(packet{data: []byte("y")}, stop) {
		t.Error("put waits for room although it was stopped")
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	if _, ok := l.get(timer, [2]<-chan struct{}{nil, stop}); ok {
		t.Error("get waits for the release although it was stopped")
	}
	if _, ok := l.get(timer, [2]<-chan struct{}{stop}); ok {
		t.Error("get waits for a packet although it was stopped")
	}
}
