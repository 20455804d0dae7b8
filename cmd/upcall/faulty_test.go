package main

import (
	"fmt"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

// The layer "faulty" fails in the way that its option says, for the scripts
// that show what a user then sees.
func init() {
	spi.Register(spi.Driver{
		Name:    "faulty",
		Summary: "fails at start-up",
		Options: []spi.Option{{Name: "how"}},
		IFS:     func(spi.Options) bool { return true },
		Open: func(m spi.Module) (spi.StartupFunc, error) {
			switch how := m.Options["how"]; how {
			case "panic":
				return func(uint16, *spi.WSPData, *spi.ProtocolInfo, spi.UpcallTable, spi.DLL) (spi.Provider, spi.Errno) {
					panic("out of luck")
				}, nil
			case "table":
				return func(_ uint16, data *spi.WSPData, _ *spi.ProtocolInfo, _ spi.UpcallTable, _ spi.DLL) (spi.Provider, spi.Errno) {
					return (&spi.ProcTable{}).Provider(), spi.NegotiateVersion(spi.Version22, data, "faulty")
				}, nil
			case "version":
				return func(_ uint16, data *spi.WSPData, _ *spi.ProtocolInfo, _ spi.UpcallTable, _ spi.DLL) (spi.Provider, spi.Errno) {
					data.Version = 0x0002
					p := &spi.ProcTable{LpWSPCleanup: func() spi.Errno { return 0 }}
					return p.Provider(), 0
				}, nil
			case "refuse":
				return func(uint16, *spi.WSPData, *spi.ProtocolInfo, spi.UpcallTable, spi.DLL) (spi.Provider, spi.Errno) {
					return nil, spi.WSASYSNOTREADY
				}, nil
			case "silent":
				return func(uint16, *spi.WSPData, *spi.ProtocolInfo, spi.UpcallTable, spi.DLL) (spi.Provider, spi.Errno) {
					select {}
				}, nil
			default:
				return nil, fmt.Errorf("faulty: how=%s is none of panic, table, version, refuse, silent", how)
			}
		},
	})
	layer.Register(layer.Definition{
		Name:    "stumbling",
		Summary: "starts, and panics or hangs when it connects",
		Options: []spi.Option{{Name: "how"}},
		New: func(next spi.Provider, o spi.Options) (spi.Provider, error) {
			return stumbling{next, o["how"]}, nil
		},
	})
}

type stumbling struct {
	spi.Provider
	how string
}

func (s stumbling) WSPConnect(spi.Socket, []byte, *spi.Buf, *spi.Buf, *spi.QOS, *spi.QOS) spi.Errno {
	if s.how == "panic" {
		panic("lost my footing")
	}
	select {}
}
