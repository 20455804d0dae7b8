package ws2

import (
	"upcall.dev/spi"
)

// GetSockName stores the socket's local address and its length. WSAEFAULT, and
// the errors of WSPGetSockName. Source: winsock/nf-winsock-getsockname.
func (t *Thread) GetSockName(s spi.Socket, name []byte, nameLen *int32) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if nameLen == nil {
		return t.fail(spi.WSAEFAULT)
	}
	return t.result(sock.provider.WSPGetSockName(s, name, nameLen))
}

// GetPeerName stores the peer's address and its length. WSAEFAULT, and the
// errors of WSPGetPeerName. Source: winsock/nf-winsock-getpeername.
func (t *Thread) GetPeerName(s spi.Socket, name []byte, nameLen *int32) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if nameLen == nil {
		return t.fail(spi.WSAEFAULT)
	}
	return t.result(sock.provider.WSPGetPeerName(s, name, nameLen))
}

// WSAAddressToString writes the text form of an address to buf as UTF-16. The
// provider is that of info, or the first of the address's family. length
// receives the number of WCHARs with the NUL, also when buf is too small.
// WSAEFAULT, WSAEINVAL (no provider for the family, or not an address).
// Source: winsock2/nf-winsock2-wsaaddresstostringw.
func (t *Thread) WSAAddressToString(addr []byte, info *spi.ProtocolInfo, buf []uint16, length *uint32) error {
	r, e := t.enter()
	if e != 0 {
		return t.fail(e)
	}
	if length == nil || len(addr) < 2 {
		return t.fail(spi.WSAEFAULT)
	}
	translator, err := r.translator(info, spi.AddressFamily(addr))
	if err != nil {
		return t.failWith(err)
	}
	passed := translator.ProtocolInfo
	return t.result(translator.provider.WSPAddressToString(addr, &passed, buf, length))
}

// WSAStringToAddress parses the UTF-16 text str, with or without a NUL, into
// addr. The provider is that of info, or the first of family af. WSAEFAULT
// (addrLen is what is needed), WSAEINVAL.
// Source: winsock2/nf-winsock2-wsastringtoaddressw.
func (t *Thread) WSAStringToAddress(str []uint16, af int32, info *spi.ProtocolInfo, addr []byte, addrLen *int32) error {
	r, e := t.enter()
	if e != 0 {
		return t.fail(e)
	}
	if addrLen == nil {
		return t.fail(spi.WSAEFAULT)
	}
	translator, err := r.translator(info, af)
	if err != nil {
		return t.failWith(err)
	}
	passed := translator.ProtocolInfo
	return t.result(translator.provider.WSPStringToAddress(str, af, &passed, addr, addrLen))
}

// translator returns the entry whose provider translates addresses, started.
func (r *running) translator(info *spi.ProtocolInfo, af int32) (*entry, error) {
	var found *entry
	var code spi.Errno
	if info != nil {
		found, code = r.named(info)
	} else {
		found, code = r.forFamily(af)
	}
	if code != 0 {
		return nil, code.Err()
	}
	return found, found.provider.start(found)
}
