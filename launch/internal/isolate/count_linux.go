package isolate

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/tally"
)

// count enters a connect, or a datagram of the flow of that number, by its
// outcome.
func (s *Server) count(protocol string, number uint64, to netip.AddrPort, way chains.Way, errno unix.Errno) {
	if s.Tally == nil {
		return
	}
	u := tally.Use{Place: tally.Place{Protocol: protocol, Address: to, Outcome: tally.Carried, How: way.Name}, Socket: number}
	if protocol == "udp" {
		u.Datagrams = 1
	}
	switch {
	case errno != 0:
		u.Outcome, u.How = tally.Refused, unix.ErrnoName(errno)
	case way.Carriage == chains.Untouched:
		u.Outcome = tally.PassedBy
	}
	s.Tally.Count(u)
}
