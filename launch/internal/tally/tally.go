// Package tally counts what became of a program's sockets, for the summary that
// a run ends with.
//
// A [Tally] has a line for each address, protocol and outcome, up to a bound,
// and counts each socket once in its totals, by the outcome that matters most to
// somebody who wants to know whether anything has gone past the chain.
package tally

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
)

// Outcome is what became of a use of a socket. Of a socket with several the
// greatest counts.
type Outcome int

// Outcomes.
const (
	Refused  Outcome = iota // nothing has left
	Carried                 // through the chain
	PassedBy                // as without upcall
	outcomes
)

// Direction says whose address a use has.
type Direction int

// Directions.
const (
	To       Direction = iota // the peer's
	At                        // the socket's own: a server
	Accepted                  // the own one of the socket that accepted it
)

// Place is where a socket was used, and how. Uses with the same one share a line.
type Place struct {
	Protocol  string // such as tcp
	Direction Direction
	Address   netip.AddrPort // zero where there is none, or Path has it
	Path      string         // of a Unix socket
	Outcome   Outcome
	How       string // the chain, the reason, or the error's name
}

// Use is one thing that a program has done with a socket.
type Use struct {
	Place
	Socket    uint64 // the number by which a socket is known again, such as its SO_COOKIE; 0: it is not met again
	Datagrams uint64
}

// Line is what is known of one place.
type Line struct {
	Place
	Rest      bool // of all places of that outcome that have no line of their own; Place has nothing else
	Sockets   uint64
	Datagrams uint64
}

// maxLines bounds the lines, maxMet the sockets that are known again. A socket
// that is used again after that many others is counted as another.
const (
	maxLines = 1024
	maxMet   = 1 << 15
)

// Tally counts. A nil one counts nothing. Its methods may be called from several
// goroutines at once.
type Tally struct {
	mu     sync.Mutex // guards what follows; a leaf lock
	lines  map[Place]*Line
	rest   [outcomes]Line
	totals [outcomes]uint64
	met    map[meeting]Outcome // the sockets of late, and the lines that they are in
	before map[meeting]Outcome // those that were met before these
}

// meeting is a socket, and a line that counts it, or none for the totals.
type meeting struct {
	socket uint64
	line   *Line
}

// New returns an empty tally.
func New() *Tally {
	return &Tally{lines: map[Place]*Line{}, met: map[meeting]Outcome{}}
}

// Count enters a use.
func (t *Tally) Count(u Use) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.line(u.Place)
	line.Datagrams += u.Datagrams
	if _, known := t.meet(meeting{u.Socket, line}, u.Outcome); !known {
		line.Sockets++
	}
	was, known := t.meet(meeting{u.Socket, nil}, u.Outcome)
	switch {
	case !known:
		t.totals[u.Outcome]++
	case u.Outcome > was:
		t.totals[was]--
		t.totals[u.Outcome]++
	}
}

func (t *Tally) line(p Place) *Line {
	line := t.lines[p]
	switch {
	case line != nil:
	case len(t.lines) < maxLines:
		line = &Line{Place: p}
		t.lines[p] = line
	default:
		line = &t.rest[p.Outcome]
		line.Rest, line.Outcome = true, p.Outcome
	}
	return line
}

// meet returns the greatest outcome so far, and remembers the greater.
func (t *Tally) meet(m meeting, o Outcome) (was Outcome, known bool) {
	if m.socket == 0 {
		return 0, false
	}
	if was, known = t.met[m]; !known {
		was, known = t.before[m]
	}
	if len(t.met) >= maxMet {
		t.before, t.met = t.met, map[meeting]Outcome{}
	}
	t.met[m] = max(was, o)
	return was, known
}

// Totals are sockets, each counted once.
type Totals struct{ Carried, PassedBy, Refused uint64 }

// Result returns the lines in order: by outcome, PassedBy first, then by
// protocol, direction, address and the way they went, at the end those of the
// rest.
func (t *Tally) Result() ([]Line, Totals) {
	if t == nil {
		return nil, Totals{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := make([]Line, 0, len(t.lines)+len(t.rest))
	for _, l := range t.lines {
		lines = append(lines, *l)
	}
	slices.SortFunc(lines, func(a, b Line) int {
		return cmp.Or(
			-cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Direction, b.Direction),
			a.Address.Compare(b.Address), cmp.Compare(a.Path, b.Path), cmp.Compare(a.How, b.How))
	})
	for o := PassedBy; o >= Refused; o-- {
		if t.rest[o].Rest {
			lines = append(lines, t.rest[o])
		}
	}
	return lines, Totals{Carried: t.totals[Carried], PassedBy: t.totals[PassedBy], Refused: t.totals[Refused]}
}
