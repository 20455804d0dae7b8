package seccomp

import (
	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/relay"
)

// startRelay joins the two ends until both directions have ended. The
// connection stays in the table as long, for getpeername.
func (s *Server) startRelay(c *connection, through *chains.Chains, local, remote relay.Stream) {
	relay.ResetOnDeath(local)
	s.work.Add(1)
	s.connections.Add(1)
	go func() {
		defer s.work.Done()
		defer s.connections.Done()
		defer s.table.remove(c)
		defer through.Release()
		s.relays.Run(local, remote, s.closing, &s.relayed)
	}()
}
