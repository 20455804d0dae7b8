package filter

import (
	"log"

	"upcall.dev/layer"
	"upcall.dev/layer/relay"
	"upcall.dev/spi"
)

// owner is the layer with handles=own: a relay that asks for each address.
type owner struct {
	*relay.Relay
	*shared
	chains *layer.Chains
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
	return o
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
