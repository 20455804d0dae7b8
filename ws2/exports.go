package ws2

import (
	"fmt"

	"upcall.dev/internal/wait"
	"upcall.dev/spi"
)

// Exports returns what providers reach by linking with the DLL.
func (d *DLL) Exports() spi.DLL { return exports{d} }

type exports struct{ dll *DLL }

// WPUCompleteOverlappedRequest is with the other upcalls, in upcalls.go.
func (x exports) WPUCompleteOverlappedRequest(s spi.Socket, ov *spi.Overlapped, status spi.Errno, transferred uint32) spi.Errno {
	e := x.dll.wpuCompleteOverlappedRequest(s, ov, status, transferred)
	if x.dll.stats != nil {
		x.dll.stats[completeOverlappedRequest].count(e == 0)
	}
	return e
}

// WSCEnumProtocols returns the entries of the catalog that this start-up read;
// none when there is no start-up.
func (x exports) WSCEnumProtocols() []spi.ProtocolInfo {
	r := x.dll.current.Load()
	if r == nil {
		return nil
	}
	infos := make([]spi.ProtocolInfo, len(r.entries))
	for i, e := range r.entries {
		infos[i] = e.ProtocolInfo
	}
	return infos
}

// LoadProvider loads a provider for a layer above it. The log says why it could
// not be loaded.
func (x exports) LoadProvider(id spi.GUID, path string) (spi.StartupFunc, spi.Errno) {
	startup, err := x.dll.load(id, path)
	if err != nil {
		x.dll.complain.once(x.dll, fmt.Sprintf("provider %s: cannot be loaded: %v", providerName(path), err))
		return nil, spi.WSAEPROVIDERFAILEDINIT
	}
	return startup, 0
}

// RegisterWait makes an event that calls signal each time it is set.
func (x exports) RegisterWait(signal func()) (spi.Event, spi.Errno) {
	if signal == nil {
		return spi.InvalidEvent, spi.WSAEFAULT
	}
	return x.dll.newEvent(wait.NewNotifyEvent(signal))
}

// WaitForEvent waits for one event, not alertably.
func (x exports) WaitForEvent(ev spi.Event, milliseconds uint32) uint32 {
	e := x.dll.event(ev)
	if e == nil {
		return spi.WSA_WAIT_FAILED
	}
	return waitCode(wait.For([]*wait.Event{e}, false, timeoutOf(milliseconds)))
}
