package isolate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/relay"
)

// connect answers a SYN: the chain is connected first, so that the answer is the
// truth. The stack has started a goroutine for it.
func (s *Server) connect(r *tcp.ForwarderRequest) {
	s.work.Add(1)
	s.connections.Add(1)
	defer s.work.Done()
	defer s.connections.Done()
	id := r.ID()
	slot := s.recorded.add(addrPort(id.RemoteAddress, id.RemotePort), addrPort(id.LocalAddress, id.LocalPort))
	defer s.recorded.remove(slot)
	head := s.refusals.take(id)
	defer s.refusals.take(id) // of a SYN that has come again
	to := s.directory.outside(addrPort(id.LocalAddress, id.LocalPort))
	through, err := s.through()
	if err != nil {
		s.Log(fmt.Sprintf("%v; the program's connect to %v fails", err, to))
		s.count("tcp", 0, to, chains.Way{}, unix.ENETDOWN)
		s.refuse(r, head, unix.ENETDOWN)
		return
	}
	defer through.Release()
	remote, errno := s.dial(through, to)
	s.count("tcp", 0, to, through.Way(domainOf(to), unix.SOCK_STREAM), errno)
	if errno != 0 {
		s.refuse(r, head, errno)
		return
	}
	var queue waiter.Queue
	end, tcpErr := r.CreateEndpoint(&queue)
	if tcpErr != nil { // the program has left meanwhile
		r.Complete(false)
		relay.Reset(remote)
		return
	}
	r.Complete(false)
	end.SocketOptions().SetDelayOption(false)
	relay.Run(newStream(end, &queue, id.RemoteAddress, s.link), remote, s.closing, &s.relayed)
}

// dial connects the chain.
func (s *Server) dial(through *chains.Chains, to netip.AddrPort) (relay.Stream, unix.Errno) {
	ctx, cancel := context.WithTimeout(s.connecting, s.ConnectTimeout)
	defer cancel()
	started := time.Now()
	remote, err := through.Dial(ctx, to)
	if err == nil {
		return remote, 0
	}
	if errors.Is(err, context.DeadlineExceeded) && time.Since(started) >= s.ConnectTimeout {
		s.Log(fmt.Sprintf("%s has not connected to %v within %v: the program's connect fails", through.Describe(domainOf(to), unix.SOCK_STREAM), to, s.ConnectTimeout))
	}
	return nil, through.Errno(err)
}

func domainOf(to netip.AddrPort) int {
	if to.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func addrPort(a tcpip.Address, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(a.AsSlice())
	return netip.AddrPortFrom(addr, port)
}
