package memory_test

import (
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/layer"
	"upcall.dev/nonifs"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// passage is a layer with handles of its own that changes nothing: the tests
// of what a socket does run over memory alone and through it.
func init() {
	spi.Register(spi.Driver{
		Name:    "passage",
		Summary: "passes everything through under handles of its own",
		Open: func(m spi.Module) (spi.StartupFunc, error) {
			chains := layer.NewChains(m.ProviderID)
			l := nonifs.NewLayer(nonifs.LayerConfig{
				Find: func(info *spi.ProtocolInfo) (nonifs.LayerLink, spi.Errno) {
					link, errno := chains.Find(info)
					return link, errno
				},
				Cleanup: chains.Cleanup,
			})
			return func(requested uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
				if errno := spi.NegotiateVersion(requested, data, "passage"); errno != 0 {
					return nil, errno
				}
				if _, errno := chains.Start(info, upcalls, dll); errno != 0 {
					return nil, errno
				}
				l.Start(upcalls, dll)
				return l, 0
			}, nil
		},
	})
}

// stacks are the catalogs that the behaviour tests run over.
var stacks = map[string][]catalog.Layer{
	"memory":              nil,
	"passage over memory": {{Name: "passage"}},
	"two passages":        {{Name: "passage"}, {Name: "passage"}},
}

// each runs a test over every stack, on a thread of a started DLL.
func each(t *testing.T, test func(t *testing.T, th *ws2.Thread)) {
	for name, layers := range stacks {
		t.Run(name, func(t *testing.T) {
			test(t, startedOver(t, layers, spi.Version22).Unbound())
		})
	}
}

// startedOver returns a DLL over memory through layers, started with version.
func startedOver(t testing.TB, layers []catalog.Layer, version uint16) *ws2.DLL {
	t.Helper()
	c := catalog.Default()
	if len(layers) > 0 {
		var err error
		c, err = catalog.Compose(c, "memory", layers)
		ok(t, err)
	}
	d := ws2.New(ws2.Config{Catalog: c, Log: func(m string) { t.Error(m) }})
	th := d.Unbound()
	ok(t, th.WSAStartup(version, new(ws2.WSAData)))
	t.Cleanup(func() { ok(t, th.WSACleanup()) })
	return d
}
