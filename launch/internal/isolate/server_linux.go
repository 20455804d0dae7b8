package isolate

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/tally"
)

// Config is what a [Server] serves with.
type Config struct {
	Chains *chains.Set
	// Log receives what a person should always know, Verbose, which may be nil,
	// what was not carried.
	Log, Verbose func(string)
	// ConnectTimeout is the longest that a chain may take to connect.
	ConnectTimeout time.Duration
	// Tally counts what becomes of sockets; nil counts nothing.
	Tally *tally.Tally
}

// Server carries what comes over the link of one program's namespace.
type Server struct {
	Config
	directory   *directory
	link        *link
	stack       *stack.Stack
	refusals    refusals
	datagrams   datagrams
	recorded    *flows
	guard       *guard
	gone        chan struct{}  // closed when the namespace has gone, or serving was stopped
	work        sync.WaitGroup // every goroutine of the server
	connections sync.WaitGroup // connects, relays and flows among them
	relayed     atomic.Int64   // bytes, to see whether there is progress
	closing     chan struct{}  // closed when connections must end
	connecting  context.Context
	giveUp      context.CancelFunc
	sending     context.Context // the datagrams of all flows
	stopSending context.CancelFunc
}

const nicID = 1

// Sizes of what a connection may have under way on the link, in bytes. They hold
// many of the link's largest segments, so that neither side waits for the other.
const (
	bufferSize    = 2 << 20
	maxBufferSize = 4 << 20
)

// timeWait is short: the two ends of the link lose no packets that come late, and
// a program may use a port again at once.
const timeWait = 5 * time.Millisecond

// newServer takes over what it is given but the guard's socket, on success.
func newServer(outer linkEnd, d *directory, connections *flows, g *guard, c Config) (*Server, error) {
	s := &Server{Config: c, directory: d, recorded: connections, guard: g, gone: make(chan struct{}), closing: make(chan struct{})}
	s.connecting, s.giveUp = context.WithCancel(context.Background())
	s.sending, s.stopSending = context.WithCancel(context.Background())
	s.datagrams.flows = map[netip.AddrPort]*flow{}
	s.refusals.heads = map[stack.TransportEndpointID][]byte{}
	var err error
	if s.link, err = newLink(outer, s.datagrams.closedBy, func() { close(s.gone) }); err != nil {
		s.giveUp()
		s.stopSending()
		return nil, err
	}
	s.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	if err := s.configure(); err != nil {
		s.giveUp()
		s.stopSending()
		s.stack.Destroy()
		return nil, err
	}
	return s, nil
}

func (s *Server) configure() error {
	forwarder := tcp.NewForwarder(s.stack, bufferSize, 1<<16, s.connect)
	s.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, func(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
		s.refusals.note(id, pkt)
		return forwarder.HandlePacket(id, pkt)
	})
	s.stack.SetTransportProtocolHandler(udp.ProtocolNumber, s.datagram)

	sack, moderate, wait := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true), tcpip.TCPTimeWaitTimeoutOption(timeWait)
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: bufferSize, Max: maxBufferSize}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: 4096, Default: bufferSize, Max: maxBufferSize}
	for _, option := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &wait, &receive, &send} {
		if err := s.stack.SetTransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			return fmt.Errorf("the network stack refuses %T: %v", option, err)
		}
	}
	if err := s.stack.CreateNIC(nicID, s.link); err != nil {
		return fmt.Errorf("the network stack refuses the link: %v", err)
	}
	// It has every address there is.
	if err := s.stack.SetPromiscuousMode(nicID, true); err != nil {
		return fmt.Errorf("the network stack: %v", err)
	}
	if err := s.stack.SetSpoofing(nicID, true); err != nil {
		return fmt.Errorf("the network stack: %v", err)
	}
	s.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nicID}, {Destination: header.IPv6EmptySubnet, NIC: nicID}})
	return nil
}

// Gone is closed when nothing is left in the program's namespace, neither a
// process nor a socket that has something to send, or when serving was stopped.
func (s *Server) Gone() <-chan struct{} { return s.gone }

// Relayed is the bytes that relays have carried so far.
func (s *Server) Relayed() int64 { return s.relayed.Load() }

// WaitConnections waits until connects and relays have ended, and the datagrams
// that the program had sent are with the chain. It is called once Gone is closed.
func (s *Server) WaitConnections() {
	s.datagrams.finish()
	s.connections.Wait()
}

// Stop ends serving: the namespace has no way out any more, and from Shutdown on
// its guard says so to whoever is left.
func (s *Server) Stop() { s.link.stop() }

// CancelConnects gives up the connects in progress; relays go on.
func (s *Server) CancelConnects() { s.giveUp() }

// Shutdown waits for the server's goroutines, at most for the given time, and
// frees its descriptors. It reports whether all have ended.
func (s *Server) Shutdown(patience time.Duration) bool {
	s.Stop()
	<-s.gone
	defer s.guard.end(!s.link.vanished.Load())
	close(s.closing)
	s.CancelConnects()
	s.datagrams.finish()
	s.stopSending()
	ended := make(chan struct{})
	go func() {
		s.work.Wait()
		s.stack.Destroy()
		s.link.Wait()
		close(ended)
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		return false // a provider does not return; its goroutine still owns the link
	}
	s.link.close()
	s.recorded.close()
	return true
}

// through returns the chains; the caller releases them. All programs of a
// namespace share those of the first.
func (s *Server) through() (*chains.Chains, error) {
	return s.Chains.For(s.Chains.First)
}
