package layer

import (
	"upcall.dev/layer/relay"
	"upcall.dev/spi"
)

// ownHandles is what a layer sees as its next provider when its sockets have
// handles of the layer's own: because it must see every transfer, or because
// the next provider has no IFS handles to pass through. Every transfer goes
// through it, and what overlapped operations come to is told to the author's
// provider if it wants to know.
type ownHandles struct {
	*relay.Relay
	module *module
	run    *run
	group  *group
}

func newOwnHandles(m *module, link *Link) *ownHandles {
	own := &ownHandles{module: m, run: link.run, group: link.group}
	own.Relay = relay.New(relay.Config{Find: func(info *spi.ProtocolInfo) (spi.Provider, *spi.ProtocolInfo, spi.Errno) {
		link, errno := m.chains.Find(info)
		if errno != 0 {
			return nil, nil, errno
		}
		return link.next, link.Below(info), 0
	}})
	host := m.chains.Host()
	own.Start(host.Upcalls, observed{host.DLL, link.group})
	return own
}

// refresh hands the tables of a further start to what uses them.
func (r *run) refresh(upcalls spi.UpcallTable, dll spi.DLL) {
	for _, g := range r.groups {
		if own := g.ownHandles(); own != nil {
			own.Start(upcalls, observed{dll, g})
			own.Stop() // starts are counted by the module
		}
	}
}

// WSPCleanup undoes one start of the layer, as that of descriptors does.
func (o *ownHandles) WSPCleanup() spi.Errno {
	if len(o.run.groups) > 1 {
		return 0
	}
	return o.module.cleanup()
}

// observed is the DLL as a layer's own handles see it.
type observed struct {
	spi.DLL
	group *group
}

func (o observed) WPUCompleteOverlappedRequest(s spi.Socket, ov *spi.Overlapped, status spi.Errno, transferred uint32) spi.Errno {
	if observer := o.group.observer.Load(); observer != nil {
		(*observer).Completed(s, ov, status, transferred)
	}
	return o.DLL.WPUCompleteOverlappedRequest(s, ov, status, transferred)
}
