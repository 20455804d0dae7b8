package main

import (
	"sync"
	"sync/atomic"

	"upcall.dev/catalog"
	"upcall.dev/layer"
	"upcall.dev/spi"
)

// announcer is a layer written to the bare contract, for the upcalls that the
// others have no use for: a worker tells the thread that connected so, by an
// APC, and select is checked against the sets.
type announcer struct {
	spi.Provider // the next one
	chains       *layer.Chains
	upcalls      spi.UpcallTable
	dll          spi.DLL
	entry        uint32 // the chain that it was started for
	workers      sync.WaitGroup
	announced    atomic.Int32 // connects that their threads heard of
	selected     atomic.Int32 // ready sockets found in read sets
}

const announcerPath = "/demo/announcer.so"

// install puts the announcer over every IFS entry of c.
func (a *announcer) install(c *catalog.Catalog) error {
	id := spi.NewGUID()
	a.chains = layer.NewChains(id)
	var entry uint32
	return c.InstallProviderAndChains(id, announcerPath, "announcer", spi.XP1_IFS_HANDLES, nil, &entry).Err()
}

// startup is the announcer's WSPStartup.
func (a *announcer) startup(version uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
	if errno := spi.NegotiateVersion(version, data, "announcer"); errno != 0 {
		return nil, errno
	}
	link, errno := a.chains.Start(info, upcalls, dll)
	if errno != 0 {
		return nil, errno
	}
	a.Provider, a.upcalls, a.dll, a.entry = link.Next(), upcalls, dll, info.CatalogEntryID
	return a, 0
}

// WSPSocket takes over the handle that the base provider registered.
func (a *announcer) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	link, errno := a.chains.Find(info)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	s, errno := link.Next().WSPSocket(af, typ, protocol, link.Below(info), g, flags)
	if errno != 0 {
		return s, errno
	}
	return a.upcalls.WPUModifyIFSHandle(info.CatalogEntryID, s)
}

// WSPAccept takes over the new handle likewise.
func (a *announcer) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	accepted, errno := a.Provider.WSPAccept(s, addr, addrLen, cond, callbackData)
	if errno != 0 {
		return accepted, errno
	}
	return a.upcalls.WPUModifyIFSHandle(a.entry, accepted)
}

// WSPConnect lets a worker announce the connection to the calling thread.
func (a *announcer) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	if errno := a.Provider.WSPConnect(s, name, callerData, calleeData, sqos, gqos); errno != 0 {
		return errno
	}
	var thread spi.ThreadID
	if errno := a.upcalls.WPUOpenCurrentThread(&thread); errno != 0 {
		return errno
	}
	ready, errno := a.upcalls.WPUCreateEvent()
	if errno != 0 {
		_ = a.upcalls.WPUCloseThread(&thread)
		return errno
	}
	a.workers.Go(func() {
		if a.dll.WaitForEvent(ready, spi.WSA_INFINITE) == spi.WSA_WAIT_EVENT_0 {
			_ = a.upcalls.WPUQueueApc(&thread, func(uintptr) { a.announced.Add(1) }, 0)
		}
		_ = a.upcalls.WPUCloseThread(&thread)
		_ = a.upcalls.WPUCloseEvent(ready)
	})
	return a.upcalls.WPUSetEvent(ready)
}

// WSPSelect counts the sockets that were ready to read.
func (a *announcer) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
	asked := append([]spi.Socket(nil), read.Sockets()...)
	n, errno := a.Provider.WSPSelect(read, write, except, timeout)
	for _, s := range asked {
		if errno == 0 && a.upcalls.WPUFDIsSet(s, read) {
			a.selected.Add(1)
		}
	}
	return n, errno
}

// WSPCleanup waits for the workers, then undoes the next provider's start.
func (a *announcer) WSPCleanup() spi.Errno {
	a.workers.Wait()
	return a.chains.Cleanup()
}
