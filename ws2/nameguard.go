package ws2

import (
	"fmt"
	"runtime/debug"

	"upcall.dev/spi"
)

// This file stands between the DLL and its namespace providers as guard.go does
// for transport providers: a panic becomes WSASYSCALLFAILURE for that call.

func (p *nameProvider) recovered(function string, e *spi.Errno) {
	v := recover()
	if v == nil {
		return
	}
	*e = spi.WSASYSCALLFAILURE
	p.complain.once(p.dll, fmt.Sprintf("namespace provider %s panicked in %s: %v", p.name, function, v), string(debug.Stack()))
}

// id returns a copy that the provider may keep.
func (p *nameProvider) id() *spi.GUID {
	id := p.info.ID
	return &id
}

// NSPCleanup ends one start.
func (p *nameProvider) NSPCleanup() (e spi.Errno) {
	defer p.recovered("NSPCleanup", &e)
	return p.inner.NSPCleanup(p.id())
}

func (p *nameProvider) lookupBegin(restrictions *spi.QuerySet, flags uint32) (h spi.Lookup, e spi.Errno) {
	defer p.recovered("NSPLookupServiceBegin", &e)
	var class *spi.ServiceClassInfo
	if restrictions.ServiceClassID != nil {
		class, _ = p.classInfo(restrictions.ServiceClassID)
	}
	return p.inner.NSPLookupServiceBegin(p.id(), restrictions, class, flags)
}

func (p *nameProvider) lookupNext(h spi.Lookup, flags uint32, length *uint32, results []byte) (e spi.Errno) {
	defer p.recovered("NSPLookupServiceNext", &e)
	return p.inner.NSPLookupServiceNext(h, flags, length, results)
}

func (p *nameProvider) lookupEnd(h spi.Lookup) (e spi.Errno) {
	defer p.recovered("NSPLookupServiceEnd", &e)
	return p.inner.NSPLookupServiceEnd(h)
}

func (p *nameProvider) setService(regInfo *spi.QuerySet, operation int32, flags uint32) (e spi.Errno) {
	defer p.recovered("NSPSetService", &e)
	var class *spi.ServiceClassInfo
	if regInfo.ServiceClassID != nil {
		class, _ = p.classInfo(regInfo.ServiceClassID)
	}
	return p.inner.NSPSetService(p.id(), class, regInfo, operation, flags)
}

func (p *nameProvider) installServiceClass(class *spi.ServiceClassInfo) (e spi.Errno) {
	defer p.recovered("NSPInstallServiceClass", &e)
	return p.inner.NSPInstallServiceClass(p.id(), class)
}

func (p *nameProvider) removeServiceClass(class *spi.GUID) (e spi.Errno) {
	defer p.recovered("NSPRemoveServiceClass", &e)
	return p.inner.NSPRemoveServiceClass(p.id(), class)
}

func (p *nameProvider) getServiceClassInfo(class *spi.GUID, length *uint32, info []byte) (e spi.Errno) {
	defer p.recovered("NSPGetServiceClassInfo", &e)
	return p.inner.NSPGetServiceClassInfo(p.id(), class, length, info)
}

func (p *nameProvider) ioctl(h spi.Lookup, code uint32, in, out []byte, returned *uint32, completion *spi.NotifyCompletion, thread *spi.ThreadID) (e spi.Errno) {
	defer p.recovered("NSPIoctl", &e)
	return p.inner.NSPIoctl(h, code, in, out, returned, completion, thread)
}

// classInfo returns what the provider knows of a class.
func (p *nameProvider) classInfo(class *spi.GUID) (*spi.ServiceClassInfo, spi.Errno) {
	buf := make([]byte, 512)
	for range 4 { // it may change between being told the length and asking again
		length := uint32(len(buf))
		e := p.getServiceClassInfo(class, &length, buf)
		if e == spi.WSAEFAULT && length > uint32(len(buf)) && length <= largestResult {
			buf = make([]byte, length)
			continue
		}
		if e != 0 {
			return nil, e
		}
		return spi.ServiceClassInfoAt(buf), 0
	}
	return nil, spi.WSAEFAULT
}
