package ws2

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// Namespace providers come to life as transport providers do: loaded and
// started by the first call that needs them, ended by the last WSACleanup.

// Kinds of the handles of names; see handles.go.
const (
	kindLookup = 6
	kindAsync  = 7
)

// nameTable is what the DLL keeps for names.
type nameTable struct {
	lookups *slot.Table[lookup] // in progress, the DLL's own included
	async   *slot.Table[asyncRequest]
	calls   *slot.Table[asyncCall] // to providers of version 2, that are not answered

	mu    sync.Mutex // guards ended, and adding to lookups, tasks and advertisements; only the table is called under it
	ended bool       // the last WSACleanup has begun
	tasks sync.WaitGroup
}

func (n *nameTable) init() {
	n.lookups = slot.New[lookup](kindLookup)
	n.async = slot.New[asyncRequest](kindAsync)
	n.calls = slot.New[asyncCall](kindAsync)
}

// begin opens for a start-up.
func (n *nameTable) begin() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = false
}

// add gives a lookup a handle. WSANOTINITIALISED (the last WSACleanup of its
// start-up has begun), WSA_NOT_ENOUGH_MEMORY.
func (n *nameTable) add(l *lookup) (spi.Lookup, spi.Errno) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return 0, spi.WSANOTINITIALISED
	}
	if p := l.parts[0].provider; p.state.Load() != ready {
		return 0, CodeOf(p.gone())
	}
	handle, ok := n.lookups.Insert(l, 0)
	if !ok {
		return 0, spi.WSA_NOT_ENOUGH_MEMORY
	}
	return spi.Lookup(handle), 0
}

// run calls task on a goroutine that end waits for. It reports false when the
// last WSACleanup has begun.
func (n *nameTable) run(task func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return false
	}
	n.tasks.Go(task)
	return true
}

// end cancels every lookup and request in progress and waits for the goroutines,
// no longer than patience. It reports whether all have ended.
func (n *nameTable) end(patience time.Duration) bool {
	n.mu.Lock()
	n.ended = true
	n.mu.Unlock()
	for _, a := range n.async.All() {
		a.abandon()
	}
	for handle, l := range n.lookups.All() {
		if n.lookups.Remove(handle) != nil {
			l.end()
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.tasks.Wait()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// nameProvider is one namespace provider of a start-up. The methods that call
// it are in nameguard.go.
type nameProvider struct {
	dll  *DLL
	info catalog.Namespace
	name string // for people

	routine    *spi.NSPv2Routine            // nil but for an advertised one
	advertised atomic.Pointer[nameProvider] // what takes its place, nil if nothing

	inner spi.NSP       // valid while state is not unstarted
	state atomic.Uint32 // unstarted, ready or retired; changes under mu

	mu       sync.Mutex // a leaf lock; guards attempt and the changes of state
	attempt  *attempt   // the start in progress
	complain complaints
}

func (d *DLL) nameProviders(c *catalog.Catalog) []*nameProvider {
	var all []*nameProvider
	for _, n := range c.Namespaces() {
		all = append(all, &nameProvider{dll: d, info: n, name: providerName(n.Path)})
	}
	return all
}

// namespaces returns the providers that a query goes to: the one with that id,
// or all active ones of a namespace, or of NS_ALL, in catalog order. WSAEINVAL
// (no such id), WSASERVICE_NOT_FOUND (none is active).
func (r *running) namespaces(id *spi.GUID, nameSpace uint32) ([]*nameProvider, spi.Errno) {
	var found []*nameProvider
	known := id == nil
	for _, p := range r.names {
		switch {
		case id != nil && p.info.ID != *id,
			id == nil && nameSpace != spi.NS_ALL && p.info.NameSpace != nameSpace:
			continue
		}
		known = true
		if p.info.Active {
			found = append(found, p.current())
		}
	}
	switch {
	case !known:
		return nil, spi.WSAEINVAL
	case len(found) == 0:
		return nil, spi.WSASERVICE_NOT_FOUND
	}
	return found, 0
}

// start makes the provider ready. The error is a *ProviderError, or
// WSANOTINITIALISED.
func (p *nameProvider) start() error {
	p.mu.Lock()
	switch p.state.Load() {
	case ready:
		p.mu.Unlock()
		return nil
	case retired:
		p.mu.Unlock()
		return p.gone()
	}
	a := p.attempt
	if a == nil {
		a = &attempt{deadline: time.Now().Add(p.dll.startTimeout()), done: make(chan struct{})}
		p.attempt = a
		go p.make(a)
	}
	p.mu.Unlock()
	if !a.wait() {
		return p.failed(fmt.Errorf("has not answered NSPStartup within %v", p.dll.startTimeout()))
	}
	return a.err
}

func (p *nameProvider) failed(err error) error {
	return &ProviderError{Code: spi.WSAEPROVIDERFAILEDINIT, Provider: p.name, Err: err}
}

// make carries out an attempt. A provider that answers after the last
// WSACleanup is ended.
func (p *nameProvider) make(a *attempt) {
	defer close(a.done)
	inner, err := p.startUp()
	p.mu.Lock()
	p.attempt = nil
	a.err = err
	late := p.state.Load() == retired
	if err == nil {
		p.inner = inner
		if !late {
			p.state.Store(ready)
		}
	}
	p.mu.Unlock()
	if err == nil && late {
		a.err = p.gone()
		p.NSPCleanup()
	}
}

// startUp loads the provider, calls its NSPStartup and checks the answer.
func (p *nameProvider) startUp() (inner spi.NSP, err error) {
	defer func() {
		if v := recover(); v != nil {
			p.complain.once(p.dll, fmt.Sprintf("namespace provider %s panicked in NSPStartup: %v", p.name, v), string(debug.Stack()))
			inner, err = nil, p.failed(fmt.Errorf("panicked in NSPStartup: %v", v))
		}
	}()
	startup, err := p.open()
	if err != nil {
		return nil, p.failed(fmt.Errorf("cannot be loaded: %w", err))
	}
	id := p.info.ID
	inner, code := startup(&id, nameHost{p.dll})
	if code != 0 {
		return nil, p.failed(fmt.Errorf("NSPStartup failed: %w", reported(code).Err()))
	}
	if code := spi.CheckNSP(inner); code != 0 {
		return nil, &ProviderError{Code: code, Provider: p.name, Err: errors.New("one of its nine functions is missing")}
	}
	return inner, nil
}

func (p *nameProvider) open() (spi.NSPStartupFunc, error) {
	if p.routine != nil {
		return p.startSecond, nil
	}
	if _, _, isGo, _ := spi.ParseGoPath(p.info.Path); isGo {
		return spi.OpenNamespace(p.info.ID, p.info.Path)
	}
	if p.dll.config.LoadNamespace == nil {
		return nil, fmt.Errorf("%s is a shared object, and this program can only load namespace providers written in Go: install one whose path begins with \"go:\"", p.info.Path)
	}
	startup, err := p.dll.config.LoadNamespace(catalog.ExpandPath(p.info.Path))
	if err == nil && startup == nil {
		err = fmt.Errorf("%s has no NSPStartup", p.info.Path)
	}
	return startup, err
}

// retire ends the provider's use as [provider.retire] does.
func (p *nameProvider) retire() {
	p.mu.Lock()
	was := p.state.Load()
	p.state.Store(retired)
	a := p.attempt
	p.mu.Unlock()
	if a != nil {
		a.wait()
	}
	if was != ready {
		return
	}
	switch e, ended := p.dll.await(p.NSPCleanup); {
	case !ended:
		p.complain.once(p.dll, fmt.Sprintf("namespace provider %s: has not returned from NSPCleanup within %v; it was left running", p.name, p.dll.startTimeout()))
	case e != 0:
		p.complain.once(p.dll, fmt.Sprintf("namespace provider %s: NSPCleanup failed: %v", p.name, e))
	}
}

// retireNames ends everything of names with the last WSACleanup.
func (d *DLL) retireNames(r *running) {
	if len(r.names) == 0 {
		return
	}
	if !d.names.end(d.startTimeout()) {
		d.complain.once(d, fmt.Sprintf("a lookup of a name has not ended within %v of being cancelled; it was left running", d.startTimeout()))
	}
	for _, p := range r.names {
		if advertised := p.advertised.Swap(nil); advertised != nil {
			advertised.retire()
		}
		p.retire()
	}
}

// nameHost is what namespace providers reach of the DLL.
type nameHost struct{ dll *DLL }

// Notify completes an NSPIoctl.
func (h nameHost) Notify(c *spi.NotifyCompletion, thread *spi.ThreadID, status spi.Errno) {
	d, ov := h.dll, c.Overlapped
	if c.Type == spi.NSP_NOTIFY_HWND {
		if status != spi.WSA_OPERATION_ABORTED {
			d.windows.post(spi.HWND(c.Handle), c.Message, c.Context, uintptr(status))
		}
		return
	}
	if ov == nil {
		return
	}
	ev := ov.HEvent
	ov.OffsetHigh = uint32(status)
	ov.Complete(status, 0)
	switch c.Type {
	case spi.NSP_NOTIFY_EVENT:
		d.wpuSetEvent(ev)
	case spi.NSP_NOTIFY_APC:
		if routine := c.Routine; routine != nil {
			d.wpuQueueApc(thread, func(uintptr) { routine(status, 0, ov, 0) }, 0)
		}
	case spi.NSP_NOTIFY_PORT:
		_ = d.PostQueuedCompletionStatus(Port(c.Handle), Packet{Status: status, Key: c.Context, Overlapped: ov}) // a port that is closed by now is passed over
	}
}
