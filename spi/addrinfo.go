package spi

import (
	"iter"
	"unsafe"
)

// Flags of getaddrinfo's hints, AI_.
const (
	AI_PASSIVE                = 0x00000001
	AI_CANONNAME              = 0x00000002
	AI_NUMERICHOST            = 0x00000004
	AI_NUMERICSERV            = 0x00000008
	AI_DNS_ONLY               = 0x00000010
	AI_ALL                    = 0x00000100
	AI_ADDRCONFIG             = 0x00000400
	AI_V4MAPPED               = 0x00000800
	AI_NON_AUTHORITATIVE      = 0x00004000
	AI_SECURE                 = 0x00008000
	AI_RETURN_PREFERRED_NAMES = 0x00010000
	AI_FQDN                   = 0x00020000
	AI_FILESERVER             = 0x00040000
	AI_DISABLE_IDN_ENCODING   = 0x00080000
)

// Flags of getnameinfo, NI_.
const (
	NI_NOFQDN      = 0x01
	NI_NUMERICHOST = 0x02
	NI_NAMEREQD    = 0x04
	NI_NUMERICSERV = 0x08
	NI_DGRAM       = 0x10
)

// AddrInfo is ADDRINFOW, one address of getaddrinfo's list.
// Source: ws2def/ns-ws2def-addrinfow.
type AddrInfo struct {
	Flags     int32 // AI_
	Family    int32
	SockType  int32
	Protocol  int32
	AddrLen   uintptr // bytes at Addr
	CanonName *uint16
	Addr      *byte
	Next      *AddrInfo
}

// Sockaddr returns the address, sharing its memory.
func (a *AddrInfo) Sockaddr() []byte {
	if a.Addr == nil {
		return nil
	}
	return unsafe.Slice(a.Addr, a.AddrLen)
}

// Canonical returns the canonical name, "" if there is none.
func (a *AddrInfo) Canonical() string { return UTF16PtrToString(a.CanonName) }

// All yields the list from a on; nothing for nil.
func (a *AddrInfo) All() iter.Seq[*AddrInfo] {
	return func(yield func(*AddrInfo) bool) {
		for ; a != nil && yield(a); a = a.Next {
		}
	}
}

// AddrInfoEx is ADDRINFOEXW, one address of GetAddrInfoEx's list.
// Source: ws2def/ns-ws2def-addrinfoexw.
type AddrInfoEx struct {
	Flags     int32 // AI_
	Family    int32
	SockType  int32
	Protocol  int32
	AddrLen   uintptr // bytes at Addr
	CanonName *uint16
	Addr      *byte
	Blob      *byte
	BlobLen   uintptr
	Provider  *GUID // the namespace provider that it is from
	Next      *AddrInfoEx
}

// Sockaddr returns the address, sharing its memory.
func (a *AddrInfoEx) Sockaddr() []byte {
	if a.Addr == nil {
		return nil
	}
	return unsafe.Slice(a.Addr, a.AddrLen)
}

// Canonical returns the canonical name, "" if there is none.
func (a *AddrInfoEx) Canonical() string { return UTF16PtrToString(a.CanonName) }

// All yields the list from a on; nothing for nil.
func (a *AddrInfoEx) All() iter.Seq[*AddrInfoEx] {
	return func(yield func(*AddrInfoEx) bool) {
		for ; a != nil && yield(a); a = a.Next {
		}
	}
}
