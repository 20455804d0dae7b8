package spi

import (
	"unicode/utf16"
)

// MaxProtocolChain is MAX_PROTOCOL_CHAIN, the longest chain, base included.
const MaxProtocolChain = 7

// Values of ProtocolChain.ChainLen that are not a count.
const (
	LayeredProtocol = 0 // a bare layer: never usable by itself
	BaseProtocol    = 1
)

// ProtocolChain is WSAPROTOCOLCHAIN. ChainLen is [LayeredProtocol],
// [BaseProtocol], or the number of ChainEntries, the topmost layer's catalog
// entry id first and the base provider's last.
// Source: winsock2/ns-winsock2-wsaprotocolchain.
type ProtocolChain struct {
	ChainLen     int32
	ChainEntries [MaxProtocolChain]uint32
}

// Entries returns the ids of a chain, topmost first; a base protocol or a bare
// layer has none.
func (c *ProtocolChain) Entries() []uint32 {
	if c.ChainLen <= BaseProtocol || c.ChainLen > MaxProtocolChain {
		return nil
	}
	return c.ChainEntries[:c.ChainLen]
}

// ProtocolInfo is WSAPROTOCOL_INFOW, one catalog entry.
// Source: winsock2/ns-winsock2-wsaprotocol_infow.
type ProtocolInfo struct {
	ServiceFlags1     uint32 // XP1_ bits
	ServiceFlags2     uint32
	ServiceFlags3     uint32
	ServiceFlags4     uint32
	ProviderFlags     uint32 // PFL_ bits
	ProviderID        GUID
	CatalogEntryID    uint32
	ProtocolChain     ProtocolChain
	Version           int32
	AddressFamily     int32
	MaxSockAddr       int32
	MinSockAddr       int32
	SocketType        int32
	Protocol          int32
	ProtocolMaxOffset int32
	NetworkByteOrder  int32 // 0 big endian, 1 little endian
	SecurityScheme    int32
	MessageSize       uint32 // 0 for a stream
	ProviderReserved  uint32
	ProtocolName      [256]uint16 // szProtocol, NUL terminated
}

// IFS reports whether sockets of this entry are IFS handles.
func (p *ProtocolInfo) IFS() bool { return p.ServiceFlags1&XP1_IFS_HANDLES != 0 }

// Name returns szProtocol.
func (p *ProtocolInfo) Name() string { return UTF16ToString(p.ProtocolName[:]) }

// SetName stores name as szProtocol, cut to WSAPROTOCOL_LEN characters.
func (p *ProtocolInfo) SetName(name string) {
	p.ProtocolName = [256]uint16{}
	copy(p.ProtocolName[:len(p.ProtocolName)-1], utf16.Encode([]rune(name)))
}

// UTF16ToString decodes s up to its first NUL.
func UTF16ToString(s []uint16) string {
	for i, c := range s {
		if c == 0 {
			s = s[:i]
			break
		}
	}
	return string(utf16.Decode(s))
}

// CopyUTF16 encodes s with its terminating NUL into buf, whose size and result
// length count WCHARs. A buffer that is too small leaves the needed length,
// NUL included, in *length and gives WSAEFAULT; on success *length is the
// number of WCHARs written, NUL included.
func CopyUTF16(s string, buf []uint16, length *uint32) Errno {
	encoded := append(utf16.Encode([]rune(s)), 0)
	*length = uint32(len(encoded))
	if len(buf) < len(encoded) {
		return WSAEFAULT
	}
	copy(buf, encoded)
	return 0
}
