package layer

import (
	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// ownHandles is what a layer sees as its next provider when its sockets have
// handles of the layer's own: because it must see every transfer, or because
// the next provider has no IFS handles to pass through.
type ownHandles struct {
	*nonifs.Layer
	module *module
	run    *run
}

func newOwnHandles(m *module, link *Link) *ownHandles {
	own := &ownHandles{module: m, run: link.run}
	own.Layer = nonifs.NewLayer(nonifs.LayerConfig{
		Find: func(info *spi.ProtocolInfo) (nonifs.LayerLink, spi.Errno) {
			link, errno := m.chains.Find(info)
			if errno != 0 {
				return nil, errno
			}
			return link, 0
		},
		Cleanup: func() spi.Errno { return link.run.cleanup(link.group) },
		Without: m.definition.Without,
	})
	host := m.chains.Host()
	own.Start(host.Upcalls, host.DLL)
	return own
}

// refresh hands the tables of a further start to what uses them.
func (r *run) refresh(upcalls spi.UpcallTable, dll spi.DLL) {
	for _, g := range r.groups {
		if own := g.ownHandles(); own != nil {
			own.Start(upcalls, dll)
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
