package catalog

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"upcall.dev/spi"
)

// TestMain runs a writer instead of the tests in the processes that the crash
// tests start.
func TestMain(m *testing.M) {
	if command := os.Getenv(writerEnv); command != "" {
		name, path, _ := strings.Cut(command, ":")
		if err := writers[name](OpenFile(path)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

var (
	kernelID = spi.MustParseGUID("11111111-0000-4000-8000-000000000001")
	memoryID = spi.MustParseGUID("11111111-0000-4000-8000-000000000002")
)

// The drivers of these tests: two bases, of which one has IFS handles, and three
// layers, of which one passes them through and one is each program's own. None is ever started.
func init() {
	open := func(m spi.Module) (spi.StartupFunc, error) {
		if m.Options["delay"] == "soon" {
			return nil, errors.New(`delay "soon" is not a duration: write it as 20ms`)
		}
		return nil, nil
	}
	spi.Register(spi.Driver{Name: "apart", Summary: "base without IFS handles", ProviderID: memoryID, Open: open,
		Protocols: func() []spi.ProtocolInfo {
			return []spi.ProtocolInfo{
				baseInfo("apart TCP", spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, 0),
				baseInfo("apart RDM", spi.AF_INET, spi.SOCK_RDM, 113, 0),
			}
		}})
	spi.Register(spi.Driver{Name: "kernel", Summary: "base with IFS handles", ProviderID: kernelID, Open: open,
		Protocols: func() []spi.ProtocolInfo {
			return []spi.ProtocolInfo{
				baseInfo("TCP/IP", spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, spi.XP1_IFS_HANDLES),
				baseInfo("UDP/IP", spi.AF_INET, spi.SOCK_DGRAM, spi.IPPROTO_UDP, spi.XP1_IFS_HANDLES),
			}
		}})
	spi.Register(spi.Driver{Name: "pass", Summary: "layer that passes handles through", Open: open,
		Options: []spi.Option{{Name: "data"}},
		IFS:     func(o spi.Options) bool { return o["data"] != "on" }})
	spi.Register(spi.Driver{Name: "slow", Summary: "layer with its own handles", Open: open,
		Options: []spi.Option{{Name: "delay"}}})
	spi.Register(spi.Driver{Name: "watch", Summary: "layer that looks at the program", Open: open, ByApplication: true})
}

func baseInfo(name string, family, socketType, protocol int32, flags uint32) spi.ProtocolInfo {
	info := spi.ProtocolInfo{
		ServiceFlags1: flags | spi.XP1_GUARANTEED_DELIVERY,
		ProviderFlags: spi.PFL_MATCHES_PROTOCOL_ZERO,
		ProtocolChain: spi.ProtocolChain{ChainLen: spi.BaseProtocol},
		Version:       2, AddressFamily: family, MaxSockAddr: 16, MinSockAddr: 16,
		SocketType: socketType, Protocol: protocol,
	}
	info.SetName(name)
	return info
}

// guid returns a provider id that depends on n alone.
func guid(n int) spi.GUID { return spi.GUID{Data1: uint32(n), Data4: [8]byte{1}} }

// layered returns Default with slow over pass over everything.
func layered(t *testing.T) *Catalog {
	t.Helper()
	c := Default()
	must(t, c.InstallProviderAndChains(guid(1), "go:pass", "pass", spi.XP1_IFS_HANDLES, nil, nil))
	must(t, c.InstallProviderAndChains(guid(2), "go:slow?delay=20ms", "slow", 0, nil, nil))
	return c
}

func must(t *testing.T, code spi.Errno) {
	t.Helper()
	if code != 0 {
		t.Fatal(code)
	}
}

func wantCode(t *testing.T, what string, got, want spi.Errno) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// outline returns one short line an entry: id, chain and handles.
func outline(c *Catalog) string {
	var lines []string
	for _, e := range c.Entries() {
		line := fmt.Sprintf("%d %s", e.CatalogEntryID, e.Name())
		if e.Chain() {
			line += fmt.Sprint(" ", e.ProtocolChain.Entries())
		}
		if e.IFS() {
			line += " ifs"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
