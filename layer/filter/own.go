package filter

import (
	"log"

	"upcall.dev/layer"
	"upcall.dev/layer/relay"
	"upcall.dev/spi"
)

// owner is the layer with handles=own, or its half for datagrams: a relay that
// asks for each address.
type owner struct {
	*relay.Relay
	*shared
	chains *layer.Chains
	here   target // what the other half knows its sockets by
}

func newOwner(id spi.GUID, s *shared) *owner {
	o := &owner{shared: s, chains: layer.NewChains(id)}
	o.Relay = relay.New(relay.Config{
		Find: func(info *spi.ProtocolInfo) (spi.Provider, *spi.ProtocolInfo, spi.Errno) {
			link, errno := o.chains.Find(info)
			if errno != 0 {
				return nil, nil, errno
			}
			return link.Next(), link.Below(info), 0
		},
		Judge: o.judge,
		Received: func(from, data []byte) {
			if len(data) <= largestAnswer && fromResolver(from) {
				learnMessage(data)
			}
		},
	})
	var provider spi.Provider = o.Relay
	o.here.relayed = true
	o.here.next.Store(&provider)
	return o
}

// beside starts the layer as the two halves that it has with handles=datagrams:
// passed, which hands sockets for datagrams over, and the relay.
func (o *owner) beside(passed spi.StartupFunc) spi.StartupFunc {
	return func(requested uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
		p, errno := passed(requested, data, info, upcalls, dll)
		if errno != 0 {
			return nil, errno
		}
		if _, errno := o.chains.Start(info, upcalls, dll); errno != 0 {
			p.WSPCleanup()
			return nil, errno
		}
		o.Start(upcalls, dll)
		return &halves{p, o}, 0
	}
}

// halves is the layer with handles=datagrams.
type halves struct {
	spi.Provider
	datagrams *owner
}

// WSPCleanup undoes one start: that of the relay first, whose sockets stand on
// the providers below and go to other chains.
func (h *halves) WSPCleanup() (first spi.Errno) {
	for _, cleanup := range []func() spi.Errno{h.datagrams.Relay.WSPCleanup, h.datagrams.chains.Cleanup, h.Provider.WSPCleanup} {
		if errno := cleanup(); errno != 0 && first == 0 {
			first = errno
		}
	}
	return first
}

// WSPCancelBlockingCall names no socket: the half in which the thread is blocked
// succeeds.
func (h *halves) WSPCancelBlockingCall() spi.Errno {
	if h.datagrams.WSPCancelBlockingCall() == 0 {
		return 0
	}
	return h.Provider.WSPCancelBlockingCall()
}

func (o *owner) startup(requested uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
	if errno := spi.NegotiateVersion(requested, data, summary); errno != 0 {
		return nil, errno
	}
	if _, errno := o.chains.Start(info, upcalls, dll); errno != 0 {
		return nil, errno
	}
	if err := o.start(&layer.Host{Upcalls: upcalls, DLL: dll}, false); err != nil {
		o.chains.Cleanup()
		log.Printf("layer filter cannot start: %v", err)
		return nil, spi.WSAEPROVIDERFAILEDINIT
	}
	o.Start(upcalls, dll)
	return o, 0
}

// WSPCleanup undoes one start: the layer's own sockets end before the
// providers that they stand on.
func (o *owner) WSPCleanup() spi.Errno {
	if errno := o.Relay.WSPCleanup(); errno != 0 {
		return errno
	}
	o.stop()
	return o.chains.Cleanup()
}

var directions = map[relay.Purpose]direction{
	relay.Connect: connect, relay.Send: send, relay.Bind: bind, relay.Listen: listen, relay.Accept: accept,
}

// judge decides about an address for the relay.
func (o *owner) judge(p relay.Purpose, info *spi.ProtocolInfo, name []byte) (*relay.Chain, spi.Errno) {
	d, policy := directions[p], o.current()
	if !policy.judges(d) && o.log.Load() == nil {
		return nil, 0
	}
	op, ok := newOperation(d, protocolOfType(info.SocketType, info.AddressFamily), name)
	if !ok {
		return nil, 0 // the provider says what is wrong with it
	}
	r := policy.decide(&op)
	o.log.Load().write(&op, r)
	switch r.action {
	case deny:
		return nil, r.errno
	case via:
		t, err := o.chain(r, info)
		if err == nil {
			err = t.reaches(&op, r)
		}
		if err != nil {
			o.complain(err)
			return nil, spi.WSAENETDOWN
		}
		return &t.relay, 0
	}
	return nil, 0
}
