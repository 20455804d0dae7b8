package ws2

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// A provider's states. Only ready lets client calls through.
const (
	unstarted uint32 = iota
	ready
	retired // the start-up that it belongs to has ended
)

// provider is one service provider, for all catalog entries with its id: the
// host loads it once and calls its WSPStartup once. Its methods are in guard.go.
type provider struct {
	dll  *DLL
	id   spi.GUID
	name string // for people
	// first is the entry to start it with when the call that needs it names
	// none: the catalog's first that is no bare layer.
	first *entry

	inner spi.Provider  // valid while state is not unstarted
	state atomic.Uint32 // changes under mu

	mu       sync.Mutex // a leaf lock; guards attempt and the changes of state
	attempt  *attempt   // the start in progress
	complain complaints
}

// attempt is one load and WSPStartup of a provider, in a goroutine of its own
// so that a provider that never answers does not hold its callers for ever.
type attempt struct {
	deadline time.Time
	done     chan struct{} // closed when err is set
	err      error
}

func newProvider(d *DLL, e *entry) *provider {
	return &provider{dll: d, id: e.ProviderID, name: providerName(e.Path), first: e}
}

// providerName returns what people call a provider: the driver's name, or the
// file name of a shared object.
func providerName(path string) string {
	if name, _, ok, _ := spi.ParseGoPath(path); ok && name != "" {
		return name
	}
	return filepath.Base(path)
}

// StartProvider starts the provider of the catalog entry that info names, and
// through it the providers below it in its chain, as making a first socket of
// the entry would. A program calls it to learn at once whether its chain
// works. WSAEINVAL (unknown id, or a bare layer), or a [ProviderError].
func (t *Thread) StartProvider(info *spi.ProtocolInfo) error {
	r, e := t.enter()
	if e != 0 {
		return t.fail(e)
	}
	named, e := r.named(info)
	if e != 0 {
		return t.fail(e)
	}
	if err := named.provider.start(named); err != nil {
		return t.failWith(err)
	}
	return nil
}

// start makes the provider ready, with e as the entry it is started for. It
// returns at once when it is ready; one that other callers are starting is
// waited for. The error is a *ProviderError, or WSANOTINITIALISED.
func (p *provider) start(e *entry) error {
	if p.state.Load() == ready {
		return nil
	}
	p.mu.Lock()
	switch p.state.Load() {
	case ready:
		p.mu.Unlock()
		return nil
	case retired:
		p.mu.Unlock()
		return spi.WSANOTINITIALISED.Err()
	}
	a := p.attempt
	if a == nil {
		a = &attempt{deadline: time.Now().Add(p.dll.startTimeout()), done: make(chan struct{})}
		p.attempt = a
		go p.make(a, e)
	}
	p.mu.Unlock()
	if !a.wait() {
		return &ProviderError{
			Code: spi.WSAEPROVIDERFAILEDINIT, Provider: p.name,
			Err: fmt.Errorf("has not answered WSPStartup within %v", p.dll.startTimeout()),
		}
	}
	return a.err
}

// startForCode is start for callers that have only a code to give; the log
// says the rest.
func (p *provider) startForCode(e *entry) spi.Errno {
	err := p.start(e)
	if err != nil {
		p.complain.once(p.dll, err.Error())
	}
	return CodeOf(err)
}

// wait waits for the end of the attempt; false when its deadline comes first.
func (a *attempt) wait() bool {
	timer := time.NewTimer(time.Until(a.deadline))
	defer timer.Stop()
	select {
	case <-a.done:
		return true
	case <-timer.C:
		return false
	}
}

// make carries out an attempt. A provider that answers after its deadline is
// ready all the same; one that answers after the last WSACleanup is ended.
func (p *provider) make(a *attempt, e *entry) {
	defer close(a.done)
	inner, err := p.startUp(e)
	p.mu.Lock()
	p.attempt = nil
	a.err = err
	late := p.state.Load() == retired
	if err == nil && !late {
		p.inner = inner
		p.state.Store(ready)
	}
	p.mu.Unlock()
	if err == nil && late {
		a.err = spi.WSANOTINITIALISED.Err()
		endQuietly(inner)
	}
}

// startUp loads the provider, calls its WSPStartup and checks the answer.
func (p *provider) startUp(e *entry) (spi.Provider, error) {
	fail := func(code spi.Errno, err error) (spi.Provider, error) {
		return nil, &ProviderError{Code: code, Provider: p.name, Err: err}
	}
	startup, err := p.dll.load(p.id, e.Path)
	if err != nil {
		return fail(spi.WSAEPROVIDERFAILEDINIT, fmt.Errorf("cannot be loaded: %w", err))
	}
	var data spi.WSPData
	info := e.ProtocolInfo
	start := new(trail)
	defer start.end()
	inner, code := startup(spi.Version22, &data, &info, p.dll.table, &exports{p.dll, start})
	if code != 0 {
		err := start.cause(p.name)
		if err == nil {
			err = fmt.Errorf("WSPStartup failed: %w", reported(code).Err())
		}
		return fail(spi.WSAEPROVIDERFAILEDINIT, err)
	}
	if code, err := checkStart(inner, &data); err != nil {
		endQuietly(inner)
		return fail(code, err)
	}
	return inner, nil
}

// checkStart says what is wrong with what a good WSPStartup returned.
func checkStart(inner spi.Provider, data *spi.WSPData) (spi.Errno, error) {
	if data.Version != spi.Version22 {
		return spi.WSAEINVALIDPROVIDER, fmt.Errorf("it chose version %d.%d of the provider interface, and only 2.2 will do",
			data.Version&0xff, data.Version>>8)
	}
	if code := spi.CheckProvider(inner); code != 0 {
		return code, errors.New("one of its thirty functions is missing")
	}
	return 0, nil
}

// endQuietly calls WSPCleanup of a provider that will not be used, which may be
// one whose WSPCleanup is missing.
func endQuietly(inner spi.Provider) {
	if inner == nil {
		return
	}
	defer func() { _ = recover() }()
	inner.WSPCleanup()
}

// retire ends the provider's use: it calls WSPCleanup if the provider was
// started, after waiting for a start in progress.
func (p *provider) retire() {
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
	switch e, ended := p.dll.await(p.WSPCleanup); {
	case !ended:
		p.complain.once(p.dll, fmt.Sprintf("provider %s: has not returned from WSPCleanup within %v; it was left running", p.name, p.dll.startTimeout()))
	case e != 0:
		p.complain.once(p.dll, fmt.Sprintf("provider %s: WSPCleanup failed: %v", p.name, e))
	}
}

// await calls a provider's cleanup function. One that does not come back within
// the start timeout is left behind: ended is false.
func (d *DLL) await(cleanup func() spi.Errno) (e spi.Errno, ended bool) {
	done := make(chan spi.Errno, 1)
	go func() { done <- cleanup() }()
	timer := time.NewTimer(d.startTimeout())
	defer timer.Stop()
	select {
	case e = <-done:
		return e, true
	case <-timer.C:
		return 0, false
	}
}

func (d *DLL) startTimeout() time.Duration {
	if d.config.StartTimeout > 0 {
		return d.config.StartTimeout
	}
	return 10 * time.Second
}

// moduleKey names a loaded module: the same id and path are the same module,
// whoever loads it.
type moduleKey struct {
	id   spi.GUID
	path string
}

// module is a loaded DLL: its WSPStartup. It stays loaded as long as the DLL.
type module struct {
	mu      sync.Mutex // held over the loading, which makes no upcalls
	startup spi.StartupFunc
}

// load returns the WSPStartup of the provider at path, guarded against panics.
func (d *DLL) load(id spi.GUID, path string) (startup spi.StartupFunc, err error) {
	d.modulesMu.Lock()
	key := moduleKey{id, path}
	m := d.modules[key]
	if m == nil {
		m = new(module)
		d.modules[key] = m
	}
	d.modulesMu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.startup != nil {
		return m.startup, nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("it panicked while it was loaded: %v", v)
		}
	}()
	opened, err := d.open(id, path)
	if err != nil {
		return nil, err
	}
	m.startup = d.guardStartup(providerName(path), opened)
	return m.startup, nil
}

func (d *DLL) open(id spi.GUID, path string) (spi.StartupFunc, error) {
	if _, _, isGo, _ := spi.ParseGoPath(path); isGo {
		return spi.OpenDriver(id, path)
	}
	if d.config.LoadLibrary == nil {
		return nil, fmt.Errorf("%s is a shared object, and this program can only load providers written in Go: install one whose path begins with \"go:\"", path)
	}
	startup, err := d.config.LoadLibrary(catalog.ExpandPath(path))
	if err == nil && startup == nil {
		err = fmt.Errorf("%s has no WSPStartup", path)
	}
	return startup, err
}
