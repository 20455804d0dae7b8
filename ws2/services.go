package ws2

import (
	"upcall.dev/spi"
)

// WSASetService registers a service with, or removes it from, the namespace
// providers that regInfo names as a lookup's query does. It succeeds when one of
// them does. operation is RNRSERVICE_, flags may be SERVICE_MULTIPLE.
// WSAEFAULT (no regInfo), WSAEINVAL, WSAEACCES, WSAEOPNOTSUPP (none can),
// WSASERVICE_NOT_FOUND. Source: winsock2/nf-winsock2-wsasetservicew.
func (t *Thread) WSASetService(regInfo *spi.QuerySet, operation int32, flags uint32) error {
	r, e := t.enter()
	if e != 0 {
		return t.fail(e)
	}
	return t.setService(r, regInfo, operation, flags)
}

func (t *Thread) setService(r *running, regInfo *spi.QuerySet, operation int32, flags uint32) error {
	copied, e := regInfo.Clone()
	if e == 0 && (copied.ServiceClassID == nil || copied.ServiceInstanceName == nil ||
		operation < spi.RNRSERVICE_REGISTER || operation > spi.RNRSERVICE_DELETE) {
		e = spi.WSAEINVAL
	}
	if e != 0 {
		return t.fail(e)
	}
	providers, e := r.namespaces(copied.NSProviderID, copied.NameSpace)
	if e != 0 {
		return t.fail(e)
	}
	return t.any(providers, func(p *nameProvider) spi.Errno { return p.setService(copied, operation, flags) })
}

// anyProtocol is IPROTOCOL_ANY, with which a namespace provider registers an
// address for the protocols that its family has.
const anyProtocol = -1

// SetAddrInfoEx registers the addresses of a name with the namespace providers
// that nameSpace and provider choose as for [Thread.GetAddrInfoEx], in place of
// those it had, or without addresses removes the name's. It succeeds when one of
// them does. To the providers it is [Thread.WSASetService] of an instance called
// name, of the class SVCID_INET_HOSTADDRBYNAME, with service as the query string;
// what service, blob and flags mean is theirs. timeout, ov, routine and handle
// are reserved.
//
// WSAEINVAL (no name, no such provider, an argument that is reserved), and the
// errors of WSASetService.
// Source: ws2tcpip/nf-ws2tcpip-setaddrinfoexw.
func (t *Thread) SetAddrInfoEx(name, service *string, addresses []spi.SocketAddress, blob *spi.Blob, flags, nameSpace uint32, provider *spi.GUID,
	timeout *spi.Timeval, ov *spi.Overlapped, routine NameCompletion, handle *uintptr,
) error {
	r, e := t.enter()
	if e == 0 && (name == nil || timeout != nil || ov != nil || routine != nil || handle != nil) {
		e = spi.WSAEINVAL
	}
	if e != 0 {
		return t.fail(e)
	}
	class := spi.SVCID_INET_HOSTADDRBYNAME
	regInfo := &spi.QuerySet{
		Size: spi.SizeofQuerySet, ServiceInstanceName: spi.UTF16Ptr(*name), ServiceClassID: &class,
		NameSpace: nameSpace, NSProviderID: provider, Blob: blob,
	}
	if service != nil {
		regInfo.QueryString = spi.UTF16Ptr(*service)
	}
	all := make([]spi.CSAddrInfo, len(addresses))
	for i, a := range addresses {
		all[i] = spi.CSAddrInfo{LocalAddr: a, RemoteAddr: a, Protocol: anyProtocol}
	}
	regInfo.SetAddresses(all)
	operation := int32(spi.RNRSERVICE_REGISTER)
	if len(all) == 0 {
		operation = spi.RNRSERVICE_DEREGISTER
	}
	return t.setService(r, regInfo, operation, flags)
}

// any calls each provider and succeeds when one does; otherwise it gives the
// gravest of their errors.
func (t *Thread) any(providers []*nameProvider, call func(*nameProvider) spi.Errno) error {
	var gravest error
	done := false
	for _, p := range providers {
		err := p.start()
		if err != nil {
			p.complain.once(p.dll, err.Error())
		} else if err = reported(call(p)).Err(); err == nil {
			done = true
			continue
		}
		if gravest == nil || graver(CodeOf(gravest), CodeOf(err)) != CodeOf(gravest) {
			gravest = err
		}
	}
	if done {
		return nil
	}
	return t.failWith(gravest)
}

// everywhere returns every active namespace provider.
func (t *Thread) everywhere() ([]*nameProvider, spi.Errno) {
	r, e := t.enter()
	if e != 0 {
		return nil, e
	}
	return r.namespaces(nil, spi.NS_ALL)
}

// WSAInstallServiceClass makes a class of services known to the namespaces that
// its values name, or to all if it has no values. WSAEINVAL (no class id or
// name), WSAEALREADY, WSAEACCES, WSAEOPNOTSUPP (none can).
// Source: winsock2/nf-winsock2-wsainstallserviceclassw.
func (t *Thread) WSAInstallServiceClass(class *spi.ServiceClassInfo) error {
	providers, e := t.everywhere()
	if e == 0 {
		var length uint32
		if class == nil || class.ServiceClassName == nil || class.Pack(nil, &length) != spi.WSAEFAULT {
			e = spi.WSAEINVAL
		}
	}
	if e != 0 {
		return t.fail(e)
	}
	if values := class.Values(); len(values) > 0 {
		var named []*nameProvider
		for _, p := range providers {
			for _, v := range values {
				if v.NameSpace == spi.NS_ALL || v.NameSpace == p.info.NameSpace {
					named = append(named, p)
					break
				}
			}
		}
		if len(named) == 0 {
			return t.fail(spi.WSAEINVAL)
		}
		providers = named
	}
	return t.any(providers, func(p *nameProvider) spi.Errno { return p.installServiceClass(class) })
}

// WSARemoveServiceClass undoes [Thread.WSAInstallServiceClass].
// WSAEINVAL (nil), WSATYPE_NOT_FOUND, WSAEACCES, WSAEOPNOTSUPP (none can).
// Source: winsock2/nf-winsock2-wsaremoveserviceclass.
func (t *Thread) WSARemoveServiceClass(class *spi.GUID) error {
	providers, e := t.everywhere()
	if e == 0 && class == nil {
		e = spi.WSAEINVAL
	}
	if e != 0 {
		return t.fail(e)
	}
	copied := *class
	return t.any(providers, func(p *nameProvider) spi.Errno { return p.removeServiceClass(&copied) })
}

// WSAGetServiceClassInfo stores what a namespace provider knows of a class
// ([spi.ServiceClassInfoAt] reads it), as [Thread.WSALookupServiceNext] stores
// a result. WSAEFAULT (too small, or a nil pointer), WSAEINVAL (no such
// provider), WSATYPE_NOT_FOUND, and the other errors of NSPGetServiceClassInfo.
// Source: winsock2/nf-winsock2-wsagetserviceclassinfow.
func (t *Thread) WSAGetServiceClassInfo(providerID, class *spi.GUID, length *uint32, info []byte) error {
	r, e := t.enter()
	if e == 0 && (providerID == nil || class == nil || length == nil) {
		e = spi.WSAEFAULT
	}
	if e != 0 {
		return t.fail(e)
	}
	providers, e := r.namespaces(providerID, spi.NS_ALL)
	if e != 0 {
		return t.fail(e)
	}
	if err := providers[0].start(); err != nil {
		return t.failWith(err)
	}
	*length = uint32(min(uint64(*length), uint64(len(info))))
	copied := *class
	return t.result(providers[0].getServiceClassInfo(&copied, length, info[:*length]))
}

// WSAGetServiceClassNameByClassID stores the name of a class in UTF-16 with a
// NUL; length counts bytes: the room going in, and with WSAEFAULT what is needed
// coming out. The first namespace provider that knows the class answers.
// WSAEFAULT, WSATYPE_NOT_FOUND, WSAEOPNOTSUPP.
// Source: winsock2/nf-winsock2-wsagetserviceclassnamebyclassidw.
func (t *Thread) WSAGetServiceClassNameByClassID(class *spi.GUID, name []uint16, length *uint32) error {
	providers, e := t.everywhere()
	if e == 0 && (class == nil || length == nil) {
		e = spi.WSAEFAULT
	}
	if e != 0 {
		return t.fail(e)
	}
	copied := *class
	cause := spi.WSATYPE_NOT_FOUND
	for _, p := range providers {
		if err := p.start(); err != nil {
			p.complain.once(p.dll, err.Error())
			cause = graver(cause, CodeOf(err))
			continue
		}
		info, e := p.classInfo(&copied)
		if e != 0 || info == nil || info.ServiceClassName == nil {
			continue
		}
		room := min(uint32(len(name)), *length/2)
		e = spi.CopyUTF16(spi.UTF16PtrToString(info.ServiceClassName), name[:room], length)
		*length *= 2
		return t.result(e)
	}
	return t.fail(cause)
}

// WSAEnumNameSpaceProviders stores the catalog's namespace entries, inactive
// ones included, as an array of [spi.NamespaceInfo] with their names behind it,
// and returns their number. length counts bytes: the room going in, what is
// needed coming out. WSAEFAULT (too small).
// Source: winsock2/nf-winsock2-wsaenumnamespaceprovidersw.
func (t *Thread) WSAEnumNameSpaceProviders(length *uint32, buf []byte) (int, error) {
	return t.enumNameSpaceProviders(false, length, buf)
}

// WSAEnumNameSpaceProvidersEx is [Thread.WSAEnumNameSpaceProviders] with
// [spi.NamespaceInfoEx].
// Source: winsock2/nf-winsock2-wsaenumnamespaceprovidersexw.
func (t *Thread) WSAEnumNameSpaceProvidersEx(length *uint32, buf []byte) (int, error) {
	return t.enumNameSpaceProviders(true, length, buf)
}

func (t *Thread) enumNameSpaceProviders(extended bool, length *uint32, buf []byte) (int, error) {
	r, e := t.enter()
	if e != 0 {
		return 0, t.fail(e)
	}
	n, e := r.catalog.EnumNameSpaceProviders(extended, length, buf)
	if e != 0 {
		return 0, t.fail(e)
	}
	return n, nil
}
