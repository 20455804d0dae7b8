package ws2

import (
	"fmt"

	"upcall.dev/internal/wait"
	"upcall.dev/spi"
)

// Exports returns what providers reach by linking with the DLL.
func (d *DLL) Exports() spi.DLL { return &exports{dll: d} }

// exports is what one start of a provider receives; it hands it down its chain.
type exports struct {
	dll   *DLL
	trail *trail // of the start, nil outside one
}

// WPUCompleteOverlappedRequest is with the other upcalls, in upcalls.go.
func (x *exports) WPUCompleteOverlappedRequest(s spi.Socket, ov *spi.Overlapped, status spi.Errno, transferred uint32) spi.Errno {
	e := x.dll.wpuCompleteOverlappedRequest(s, ov, status, transferred)
	if x.dll.stats != nil {
		x.dll.stats[completeOverlappedRequest].count(e == 0)
	}
	return e
}

// WSCEnumProtocols returns the entries of the catalog that this start-up read;
// none when there is no start-up.
func (x *exports) WSCEnumProtocols() []spi.ProtocolInfo {
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

// LoadProvider loads a provider for a layer above it.
func (x *exports) LoadProvider(id spi.GUID, path string) (spi.StartupFunc, spi.Errno) {
	startup, err := x.dll.load(id, path)
	if err != nil {
		x.trail.note(x.dll, providerName(path), fmt.Errorf("cannot be loaded: %w", err))
		return nil, spi.WSAEPROVIDERFAILEDINIT
	}
	name := providerName(path)
	return func(version uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
		inner, code := startup(version, data, info, upcalls, dll)
		var err error
		if code != 0 {
			err = fmt.Errorf("WSPStartup failed: %w", reported(code).Err())
		} else if data != nil {
			_, err = checkStart(inner, data)
		}
		if err != nil {
			x.trail.note(x.dll, name, err)
		}
		return inner, code
	}, 0
}

// RegisterWait makes an event that calls signal each time it is set.
func (x *exports) RegisterWait(signal func()) (spi.Event, spi.Errno) {
	if signal == nil {
		return spi.InvalidEvent, spi.WSAEFAULT
	}
	return x.dll.newEvent(wait.NewNotifyEvent(signal))
}

// RegisterWaitBy makes one that also tells who waits for descriptors.
func (x *exports) RegisterWaitBy(by spi.Watcher, signal func()) (spi.Event, spi.Errno) {
	if by == nil || signal == nil {
		return spi.InvalidEvent, spi.WSAEFAULT
	}
	e := wait.NewNotifyEvent(signal)
	e.By = by
	return x.dll.newEvent(e)
}

// EventWatcher returns what RegisterWaitBy was given.
func (x *exports) EventWatcher(ev spi.Event) spi.Watcher {
	if e := x.dll.event(ev); e != nil {
		by, _ := e.By.(spi.Watcher)
		return by
	}
	return nil
}

// WaitForEvent waits for one event, not alertably.
func (x *exports) WaitForEvent(ev spi.Event, milliseconds uint32) uint32 {
	e := x.dll.event(ev)
	if e == nil {
		return spi.WSA_WAIT_FAILED
	}
	return waitCode(wait.For([]*wait.Event{e}, false, timeoutOf(milliseconds)))
}

// Host returns the DLL, for loaders of providers that are not written in Go,
// which serve one DLL of the process.
func (x *exports) Host() *DLL { return x.dll }

// Explain tells why a provider could not be started, for loaders whose
// WSPStartup has only a code to answer with.
func (x *exports) Explain(provider string, err error) {
	x.trail.note(x.dll, providerName(provider), err)
}

// Application returns the path by which the catalog knows the program.
func (x *exports) Application() string {
	path, _ := x.dll.application()
	return path
}

// CompletionPort and CompleteWith are with the completion ports, in lanes.go.
