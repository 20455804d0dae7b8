//go:build linux

package kernel

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/outcome"
	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// ProviderID is the id that the five entries are installed under.
var ProviderID = spi.MustParseGUID("b3a1c2f4-5d0e-4a7b-9c36-6b65726e656c")

func init() {
	spi.Register(spi.Driver{
		Name:       "kernel",
		Summary:    "the sockets of the Linux kernel",
		Protocols:  Protocols,
		ProviderID: ProviderID,
		Open: func(m spi.Module) (spi.StartupFunc, error) {
			return (&module{id: m.ProviderID}).startup, nil
		},
	})
}

const (
	tcpFlags  = spi.XP1_IFS_HANDLES | spi.XP1_GUARANTEED_DELIVERY | spi.XP1_GUARANTEED_ORDER | spi.XP1_GRACEFUL_CLOSE | spi.XP1_EXPEDITED_DATA
	udpFlags  = spi.XP1_IFS_HANDLES | spi.XP1_CONNECTIONLESS | spi.XP1_MESSAGE_ORIENTED | spi.XP1_SUPPORT_BROADCAST | spi.XP1_SUPPORT_MULTIPOINT
	unixFlags = spi.XP1_IFS_HANDLES | spi.XP1_GUARANTEED_DELIVERY | spi.XP1_GUARANTEED_ORDER | spi.XP1_GRACEFUL_CLOSE
)

// The longest datagrams: what a 16-bit length leaves after the UDP header and,
// in IPv4, the IP header.
const (
	maxDatagram4 = 65507
	maxDatagram6 = 65527
)

// Protocols returns the provider's entries, without catalog ids: TCP and UDP
// over IPv4, TCP and UDP over IPv6, AF_UNIX streams.
func Protocols() []spi.ProtocolInfo {
	entry := func(name string, flags uint32, af, addrMin, addrMax, typ, protocol int32, message uint32) spi.ProtocolInfo {
		info := spi.ProtocolInfo{
			ServiceFlags1: flags,
			ProviderFlags: spi.PFL_MATCHES_PROTOCOL_ZERO,
			ProviderID:    ProviderID,
			Version:       2,
			AddressFamily: af,
			MinSockAddr:   addrMin,
			MaxSockAddr:   addrMax,
			SocketType:    typ,
			Protocol:      protocol,
			MessageSize:   message,
		}
		info.ProtocolChain.ChainLen = spi.BaseProtocol
		info.SetName(name)
		return info
	}
	return []spi.ProtocolInfo{
		entry("Linux TCP/IPv4", tcpFlags, spi.AF_INET, spi.SizeofSockaddrIn, spi.SizeofSockaddrIn, spi.SOCK_STREAM, spi.IPPROTO_TCP, 0),
		entry("Linux UDP/IPv4", udpFlags, spi.AF_INET, spi.SizeofSockaddrIn, spi.SizeofSockaddrIn, spi.SOCK_DGRAM, spi.IPPROTO_UDP, maxDatagram4),
		entry("Linux TCP/IPv6", tcpFlags, spi.AF_INET6, spi.SizeofSockaddrIn6, spi.SizeofSockaddrIn6, spi.SOCK_STREAM, spi.IPPROTO_TCP, 0),
		entry("Linux UDP/IPv6", udpFlags, spi.AF_INET6, spi.SizeofSockaddrIn6, spi.SizeofSockaddrIn6, spi.SOCK_DGRAM, spi.IPPROTO_UDP, maxDatagram6),
		entry("Linux AF_UNIX", unixFlags, spi.AF_UNIX, sizeofFamily, spi.SizeofSockaddrUn, spi.SOCK_STREAM, 0, 0),
	}
}

// module is the loaded provider. It counts starts: the first makes a provider,
// the last WSPCleanup ends it.
type module struct {
	id spi.GUID

	mu      sync.Mutex // guards what follows; held over WSCEnumProtocols only
	starts  int
	running *provider
}

// provider is a started provider.
type provider struct {
	module  *module
	dll     spi.DLL
	entries [numKinds]*spi.ProtocolInfo // its catalog entries, nil where not installed
	upcalls atomic.Pointer[spi.UpcallTable]
	ended   atomic.Bool

	table      slot.Direct[descriptor] // by file descriptor
	waits      waiting
	duplicates duplicates
	handovers  handovers
	attendant  attendant
	news       news
	extensions spi.Extensions
	results    outcome.Waits // calls of WSPGetOverlappedResult
	poller     poller
}

var _ spi.Provider = (*provider)(nil)

// startup is WSPStartup.
func (m *module) startup(version uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
	if data == nil || info == nil || dll == nil {
		return nil, spi.WSAEFAULT
	}
	if e := spi.NegotiateVersion(version, data, "Upcall kernel sockets"); e != 0 {
		return nil, e
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running == nil {
		p := &provider{module: m, dll: dll}
		p.waits.init()
		p.initExtensions()
		p.handovers.attendant = &p.attendant
		p.findEntries(info)
		m.running = p
	}
	m.running.upcalls.Store(&upcalls)
	m.starts++
	return m.running, 0
}

// findEntries keeps the provider's own catalog entries by the kind of socket,
// and started, the entry that it was started for, where the catalog has none.
func (p *provider) findEntries(started *spi.ProtocolInfo) {
	installed := p.dll.WSCEnumProtocols()
	for _, info := range append(installed, *started) {
		if info.ProviderID != p.module.id || info.ProtocolChain.ChainLen != spi.BaseProtocol {
			continue
		}
		if k := kindOf(info.AddressFamily, info.SocketType, info.Protocol); k != noKind && p.entries[k] == nil {
			p.entries[k] = &info
		}
	}
}

// WSPCleanup undoes one start. The last one ends every wait with WSAEINTR,
// aborts overlapped operations without indications, resets the sockets that
// the provider made, lets go of those that it adopted, and waits for its
// goroutines.
func (p *provider) WSPCleanup() spi.Errno {
	m := p.module
	m.mu.Lock()
	if m.running != p {
		m.mu.Unlock()
		return spi.WSANOTINITIALISED
	}
	m.starts--
	if m.starts > 0 {
		m.mu.Unlock()
		return 0
	}
	m.running = nil
	m.mu.Unlock()

	p.ended.Store(true)
	p.poller.stop()
	p.attendant.stop()
	p.waits.end()
	p.duplicates.drop()
	p.handovers.drop()
	p.news.stop()
	for _, d := range p.table.All() {
		if d.has(fAdopted) || !d.current() {
			d.lose()
			continue
		}
		if d.enter() {
			d.beginClose()
			if !d.has(fShared) { // another process goes on with it
				setLinger(d.fd, unix.Linger{Onoff: 1})
			}
			d.release()
		}
	}
	return 0
}
