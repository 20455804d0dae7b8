package ws2

import (
	"net/netip"
	"strconv"

	"upcall.dev/internal/netdb"
	"upcall.dev/spi"
)

// GetNameInfo stores the name of an address's host, and that of the service on
// its port, in UTF-16 with a NUL; nil for what is not wanted. A host without a
// name is told by its address unless NI_NAMEREQD. It stands for getnameinfo and
// GetNameInfoW.
//
// WSAEAFNOSUPPORT (not an internet address), WSAEFAULT (the address or a buffer
// is too short), WSAHOST_NOT_FOUND (nothing is wanted, or NI_NAMEREQD and there
// is no name), WSAEINVAL (flags), WSATRY_AGAIN, WSANO_RECOVERY.
// Source: ws2tcpip/nf-ws2tcpip-getnameinfo.
func (t *Thread) GetNameInfo(addr []byte, host, service []uint16, flags int32) error {
	r, e := t.enter()
	if e != 0 {
		return t.fail(e)
	}
	const known = spi.NI_NOFQDN | spi.NI_NUMERICHOST | spi.NI_NAMEREQD | spi.NI_NUMERICSERV | spi.NI_DGRAM
	const numericAndName = spi.NI_NUMERICHOST | spi.NI_NAMEREQD
	switch {
	case flags&^known != 0, flags&numericAndName == numericAndName:
		return t.fail(spi.WSAEINVAL)
	case len(host) == 0 && len(service) == 0:
		return t.fail(spi.WSAHOST_NOT_FOUND)
	}
	ap, ok := spi.AddrPortFrom(addr)
	if !ok {
		if f := spi.AddressFamily(addr); f == spi.AF_INET || f == spi.AF_INET6 {
			return t.fail(spi.WSAEFAULT)
		}
		return t.fail(spi.WSAEAFNOSUPPORT)
	}
	var length uint32
	if len(service) > 0 {
		if e := spi.CopyUTF16(serviceText(ap.Port(), flags), service, &length); e != 0 {
			return t.fail(e)
		}
	}
	if len(host) == 0 {
		return nil
	}
	name, err := t.dll.hostText(r, ap.Addr(), flags)
	if err != nil {
		return t.failWith(err)
	}
	return t.result(spi.CopyUTF16(name, host, &length))
}

func serviceText(port uint16, flags int32) string {
	if flags&spi.NI_NUMERICSERV == 0 {
		protocol := int32(spi.IPPROTO_TCP)
		if flags&spi.NI_DGRAM != 0 {
			protocol = spi.IPPROTO_UDP
		}
		if s, ok := netdb.System.ServiceByPort(port, protocolText(protocol)); ok {
			return s.Name
		}
	}
	return strconv.Itoa(int(port))
}

func (d *DLL) hostText(r *running, addr netip.Addr, flags int32) (string, error) {
	if flags&spi.NI_NUMERICHOST != 0 {
		return addr.String(), nil
	}
	a, err := d.reverse(r, addr, new(canceller))
	switch {
	case err == nil && flags&spi.NI_NOFQDN != 0:
		return hostOf(a.name), nil
	case err == nil:
		return a.name, nil
	case flags&spi.NI_NAMEREQD == 0:
		return addr.String(), nil
	case CodeOf(err) == spi.WSANO_DATA || CodeOf(err) == spi.WSASERVICE_NOT_FOUND:
		return "", spi.WSAHOST_NOT_FOUND.Err()
	}
	return "", err
}

// reverse finds the names of an address.
func (d *DLL) reverse(r *running, addr netip.Addr, c *canceller) (*answer, error) {
	a, err := d.ask(r, &question{class: spi.SVCID_INET_HOSTADDRBYINETSTRING, name: addr.String(), nameSpace: spi.NS_ALL, names: true}, c)
	if err == nil && a.name == "" {
		err = spi.WSANO_DATA.Err()
	}
	return a, err
}
