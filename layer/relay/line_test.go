package relay

import (
	"bytes"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"upcall.dev/spi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLineModel puts packets with release times and takes them, whole or bit by
// bit, on a clock of its own: each comes when its time has come and not before,
// in order, with its bytes, and the line never holds more than its limit.
func TestLineModel(t *testing.T) {
	type arrival struct {
		data, address []byte
		release       time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		l := line{limit: rapid.IntRange(1, 10_000).Draw(t, "limit")}
		now := time.Unix(1000, 0)
		clock := func() time.Time { return now }
		var model []arrival
		last := now
		var serial byte
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				room := l.room(3000)
				if room == 0 {
					t.Skip()
				}
				a := arrival{data: make([]byte, rapid.IntRange(0, room).Draw(t, "size"))}
				for i := range a.data {
					serial++
					a.data[i] = serial
				}
				a.address = bytes.Repeat([]byte{serial}, rapid.IntRange(0, spi.SizeofSockaddrIn6).Draw(t, "address"))
				a.release = now.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "delay")))
				if a.release.Before(last) {
					a.release = last
				}
				last = a.release
				model = append(model, a)
				l.put(newPacket(a.address, a.data, a.release))
				if l.held > l.limit && len(model) > 1 {
					t.Fatalf("%d bytes held, limit %d", l.held, l.limit)
				}
			},
			"pass time": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "time"))) },
			"take": func(t *rapid.T) {
				p := l.due(clock)
				if p == nil {
					if len(model) > 0 && !model[0].release.After(now) {
						t.Fatal("a packet does not come in time")
					}
					t.Skip()
				}
				first := &model[0]
				if first.release.After(now) {
					t.Fatal("a packet comes early")
				}
				if !bytes.Equal(p.address(), first.address) || !bytes.Equal(p.data(), first.data) {
					t.Fatalf("%v from %v, want %v from %v", p.data(), p.address(), first.data, first.address)
				}
				n := rapid.IntRange(0, len(first.data)).Draw(t, "n")
				p.advance(n)
				first.data = first.data[n:]
				if len(first.data) == 0 {
					l.drop()
					model = model[1:]
				}
			},
			"": func(t *rapid.T) {
				if (l.head == nil) != (len(model) == 0) || l.head == nil && l.held != 0 {
					t.Fatalf("%d bytes held in %d packets", l.held, len(model))
				}
			},
		})
		l.clear()
		if l.head != nil || l.held != 0 {
			t.Fatalf("%d bytes left", l.held)
		}
	})
}

// TestPacketsAreUsedAgain finds packets whose memory has the right size.
func TestPacketsAreUsedAgain(t *testing.T) {
	for _, size := range []int{0, 1, 63, 64, 65, 4000, longestDatagram} {
		data := bytes.Repeat([]byte("x"), size)
		for range 3 {
			p := newPacket([]byte("address"), data, time.Time{})
			if !bytes.Equal(p.data(), data) || string(p.address()) != "address" || p.next != nil || p.end {
				t.Errorf("%d bytes: %+v", size, p)
			}
			p.end, p.next = true, p
			p.free()
		}
	}
}
