package tally

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"sync"
	"testing"
)

func tcp(address string, o Outcome, how string) Place {
	return Place{Protocol: "tcp", Address: netip.MustParseAddrPort(address), Outcome: o, How: how}
}

func TestOrderAndTotals(t *testing.T) {
	counted := New()
	a, b := tcp("10.0.0.2:80", Carried, "chain"), tcp("10.0.0.1:80", Carried, "chain")
	refused := tcp("10.0.0.1:80", Refused, "ECONNREFUSED")
	passed := Place{Protocol: "udp", Address: netip.MustParseAddrPort("10.0.0.1:53"), Outcome: PassedBy, How: "kernel"}
	server := tcp("10.0.0.9:80", Carried, "chain")
	server.Direction = At
	for _, u := range []Use{
		{Place: a, Socket: 1}, {Place: b, Socket: 2}, {Place: refused, Socket: 3}, {Place: server, Socket: 4},
		{Place: refused, Socket: 2},                   // has been carried: counts once
		{Place: passed, Socket: 5, Datagrams: 2},      //
		{Place: passed, Socket: 5, Datagrams: 1},      // the same socket again
		{Place: a, Socket: 6}, {Place: a}, {Place: a}, // those without a number are others each time
	} {
		counted.Count(u)
	}
	lines, totals := counted.Result()
	want := []Line{
		{Place: passed, Sockets: 1, Datagrams: 3},
		{Place: b, Sockets: 1},
		{Place: a, Sockets: 4},
		{Place: server, Sockets: 1},
		{Place: refused, Sockets: 2},
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("the lines are\n%+v\nnot\n%+v", lines, want)
	}
	if want := (Totals{Carried: 6, PassedBy: 1, Refused: 1}); totals != want {
		t.Errorf("the totals are %+v, not %+v", totals, want)
	}
}

// What has passed by once counts as that, whatever became of the socket besides.
func TestWorstOutcomeOfASocketCounts(t *testing.T) {
	counted := New()
	for _, o := range []Outcome{Refused, PassedBy, Carried, Refused} {
		counted.Count(Use{Place: tcp("10.0.0.1:80", o, ""), Socket: 7})
	}
	lines, totals := counted.Result()
	if want := (Totals{PassedBy: 1}); totals != want || len(lines) != 3 {
		t.Errorf("the totals are %+v of %d lines, not %+v of 3", totals, len(lines), want)
	}
}

func TestNilCountsNothing(t *testing.T) {
	var none *Tally
	none.Count(Use{Place: tcp("10.0.0.1:80", Carried, "")})
	if lines, totals := none.Result(); lines != nil || totals != (Totals{}) {
		t.Errorf("there are %v, %v", lines, totals)
	}
}

func address(i uint32) netip.AddrPort {
	var ip [4]byte
	binary.BigEndian.PutUint32(ip[:], i)
	return netip.AddrPortFrom(netip.AddrFrom4(ip), 80)
}

// However many addresses and sockets there are, memory is bounded and nothing is
// lost from the totals.
func TestBounds(t *testing.T) {
	counted := New()
	const sockets = 3*maxMet + 17
	for i := range uint32(sockets) {
		o := Carried
		if i%3 == 0 {
			o = PassedBy
		}
		counted.Count(Use{Place: Place{Protocol: "tcp", Address: address(i), Outcome: o}, Socket: uint64(i) + 1, Datagrams: 2})
	}
	if n := len(counted.met) + len(counted.before); n > 2*maxMet {
		t.Errorf("%d meetings are remembered", n)
	}
	lines, totals := counted.Result()
	if len(lines) != maxLines+2 {
		t.Errorf("there are %d lines", len(lines))
	}
	var seen, datagrams uint64
	rest := map[Outcome]bool{}
	for _, l := range lines {
		seen += l.Sockets
		datagrams += l.Datagrams
		if l.Rest {
			rest[l.Outcome] = true
		}
	}
	if seen != sockets || datagrams != 2*sockets || !rest[Carried] || !rest[PassedBy] {
		t.Errorf("%d sockets and %d datagrams are in the lines, with rests %v", seen, datagrams, rest)
	}
	if want := uint64((sockets + 2) / 3); totals.PassedBy != want || totals.Carried != sockets-want || totals.Refused != 0 {
		t.Errorf("the totals are %+v", totals)
	}
}

// Against a plain count, with sockets that come again, from many goroutines.
func TestAgainstPlainCount(t *testing.T) {
	counted := New()
	type seen struct {
		socket uint64
		place  Place
	}
	var (
		mu       sync.Mutex
		inLine   = map[Place]map[uint64]bool{}
		worst    = map[uint64]Outcome{}
		messages = map[Place]uint64{}
		all      sync.WaitGroup
	)
	for g := range uint64(4) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(g, 1))
			for range 2000 {
				u := seen{1 + r.Uint64N(200), Place{Protocol: "udp", Address: address(r.Uint32N(20)), Outcome: Outcome(r.IntN(int(outcomes)))}}
				counted.Count(Use{Place: u.place, Socket: u.socket, Datagrams: 1})
				mu.Lock()
				if inLine[u.place] == nil {
					inLine[u.place] = map[uint64]bool{}
				}
				inLine[u.place][u.socket] = true
				messages[u.place]++
				worst[u.socket] = max(worst[u.socket], u.place.Outcome)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	lines, totals := counted.Result()
	if len(lines) != len(inLine) {
		t.Errorf("there are %d lines, not %d", len(lines), len(inLine))
	}
	for _, l := range lines {
		if l.Sockets != uint64(len(inLine[l.Place])) || l.Datagrams != messages[l.Place] {
			t.Errorf("%+v should have %d sockets and %d datagrams", l, len(inLine[l.Place]), messages[l.Place])
		}
	}
	var want [outcomes]uint64
	for _, o := range worst {
		want[o]++
	}
	if totals != (Totals{Carried: want[Carried], PassedBy: want[PassedBy], Refused: want[Refused]}) {
		t.Errorf("the totals are %+v, not %v", totals, want)
	}
}
