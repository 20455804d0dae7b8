package ws2

import (
	"fmt"
	"sync"

	"upcall.dev/spi"
)

// WSAData is WSADATA in its 64-bit layout of 408 bytes.
// Source: winsock/ns-winsock-wsadata.
type WSAData struct {
	Version      uint16 // the version to use, low byte major
	HighVersion  uint16 // the highest version there is
	MaxSockets   uint16 // version 1 only
	MaxUDPDg     uint16 // version 1 only, bytes
	VendorInfo   uintptr
	Description  [257]byte // NUL terminated
	SystemStatus [129]byte // NUL terminated
}

// negotiate returns the version that a client gets for the one it requests;
// ok is false when there is none. Both have the major version in the low byte.
//
//	requested      version
//	0.x            none
//	1.0            1.0
//	1.1 to 1.255   1.1
//	2.0, 2.1, 2.2  as requested
//	above          2.2
func negotiate(requested uint16) (version uint16, ok bool) {
	switch major, minor := requested&0xff, requested>>8; major {
	case 0:
		return spi.Version22, false
	case 1:
		return 1 | min(minor, 1)<<8, true
	case 2:
		return 2 | min(minor, 2)<<8, true
	}
	return spi.Version22, true
}

// older reports whether version a is below b.
func older(a, b uint16) bool { return a&0xff<<8|a>>8 < b&0xff<<8|b>>8 }

func (data *WSAData) fill(version uint16) {
	data.Version, data.HighVersion = version, spi.Version22
	data.MaxSockets, data.MaxUDPDg = 0, 0
	if version&0xff == 1 {
		data.MaxSockets, data.MaxUDPDg = 32767, 65467
	}
	data.Description, data.SystemStatus = [257]byte{}, [129]byte{}
	copy(data.Description[:], "WinSock 2.0")
	copy(data.SystemStatus[:], "Running")
}

// lifecycle counts start-ups. While the first WSAStartup reads the catalog or
// the last WSACleanup ends the providers, changing is open and its closing
// tells those who wait to look again.
type lifecycle struct {
	mu       sync.Mutex // a leaf lock; guards the fields below
	count    int
	version  uint16 // the lowest negotiated; 0 while count is 0
	changing chan struct{}
}

// acquire locks l when no change is under way.
func (l *lifecycle) acquire() {
	for {
		l.mu.Lock()
		changing := l.changing
		if changing == nil {
			return
		}
		l.mu.Unlock()
		<-changing
	}
}

// change marks the beginning of a change and unlocks.
func (l *lifecycle) change() {
	l.changing = make(chan struct{})
	l.mu.Unlock()
}

// settle ends a change and leaves l locked.
func (l *lifecycle) settle() {
	l.mu.Lock()
	close(l.changing)
	l.changing = nil
}

// effectiveVersion is the lowest version that this process has negotiated, 0
// when it is not started up.
func (d *DLL) effectiveVersion() uint16 {
	d.life.mu.Lock()
	defer d.life.mu.Unlock()
	return d.life.version
}

// WSAStartup begins one use of Windows Sockets; each is ended by one
// [Thread.WSACleanup]. The first one reads the catalog. data receives the
// negotiated version, also when that fails. The lowest version that any caller
// has negotiated is in force for the whole process. It clears the last error.
// WSAVERNOTSUPPORTED (major version 0), WSAEFAULT (no data), WSAEINPROGRESS
// (in a blocking hook), WSASYSNOTREADY (a [ProviderError] with the reason why
// the catalog cannot be used).
// Source: winsock/nf-winsock-wsastartup.
func (t *Thread) WSAStartup(version uint16, data *WSAData) error {
	negotiated, ok := negotiate(version)
	if data != nil {
		data.fill(negotiated)
	}
	switch {
	case !ok:
		if t.dll.client.Load() == nil {
			t.setLastError(spi.WSANOTINITIALISED)
		}
		return spi.WSAVERNOTSUPPORTED.Err()
	case data == nil:
		return t.fail(spi.WSAEFAULT)
	case t.blocking:
		return t.fail(spi.WSAEINPROGRESS)
	}
	if err := t.dll.startUp(negotiated); err != nil {
		t.setLastError(CodeOf(err))
		return err
	}
	t.setLastError(0)
	return nil
}

func (d *DLL) startUp(version uint16) error {
	d.life.acquire()
	defer d.life.mu.Unlock()
	if d.life.count == 0 {
		d.life.change()
		r, err := d.readCatalog()
		d.life.settle()
		if err != nil {
			return &ProviderError{Code: spi.WSASYSNOTREADY, Err: err}
		}
		d.names.begin()
		d.current.Store(r)
		d.client.Store(r)
		d.life.version = version
	}
	d.life.count++
	if older(version, d.life.version) {
		d.life.version = version
	}
	return nil
}

// WSACleanup ends one use of Windows Sockets. The last one calls WSPCleanup of
// every provider that was started, which resets open sockets; the handle table
// outlives it, so that providers can still close their handles.
// WSANOTINITIALISED, WSAEINPROGRESS (in a blocking hook).
// Source: winsock/nf-winsock-wsacleanup.
func (t *Thread) WSACleanup() error {
	if t.blocking {
		return t.fail(spi.WSAEINPROGRESS)
	}
	d := t.dll
	d.life.acquire()
	if d.life.count == 0 {
		d.life.mu.Unlock()
		return t.fail(spi.WSANOTINITIALISED)
	}
	d.life.count--
	if d.life.count > 0 {
		d.life.mu.Unlock()
		return nil
	}
	d.life.version = 0
	r := d.client.Swap(nil)
	d.life.change()
	d.notifications.closeAll()
	d.retireNames(r)
	d.strays.wait()
	for _, p := range r.providers {
		p.retire()
	}
	d.strays.wait() // of what the providers have just ended
	d.life.settle()
	d.current.Store(nil)
	d.life.mu.Unlock()
	return nil
}

// readCatalog makes the view of the catalog that this start-up works with.
func (d *DLL) readCatalog() (*running, error) {
	if d.config.Catalog == nil {
		return nil, fmt.Errorf("none was configured: set Config.Catalog")
	}
	c, err := d.config.Catalog.Load()
	if err != nil {
		return nil, err
	}
	return d.view(c), nil
}
