package socks

import (
	"fmt"
	"log"
	"sync"
	"time"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

const summary = "connects through a SOCKS5, SOCKS4a or HTTP proxy"

func init() {
	spi.Register(spi.Driver{
		Name:       "socks",
		Summary:    summary,
		Options:    options,
		IFS:        func(spi.Options) bool { return true },
		OwnHandles: func(_ spi.Options, e *spi.ProtocolInfo) bool { return isDatagram(e) },
		Handshakes: func(spi.Options) bool { return true },
		AnswersNames: func(o spi.Options) bool {
			c, err := parse(o)
			return err == nil && c.remoteNames
		},
		Open: func(loaded spi.Module) (spi.StartupFunc, error) {
			c, err := parse(loaded.Options)
			if err != nil {
				return nil, fmt.Errorf("socks: %w", err)
			}
			return newModule(loaded, c)
		},
	})
}

// isDatagram reports whether the layer has handles of its own over an entry:
// those of UDP, whose datagrams get a header and whose queries for names are
// answered here.
func isDatagram(e *spi.ProtocolInfo) bool {
	return e.SocketType == spi.SOCK_DGRAM && carries(e.AddressFamily)
}

// module is one loaded layer.
type module struct {
	config    config
	route     route
	inner     spi.StartupFunc // of the half for streams
	chains    *layer.Chains   // for sockets of the layer's own, and datagrams
	datagrams datagrams

	mu      sync.Mutex // guards what follows; a leaf lock
	starts  int
	entryID uint32
	ended   chan struct{} // closed at the last cleanup
	changed chan struct{} // closed when an attempt has ended
	logged  map[string]bool
	all     sync.WaitGroup // goroutines; none is added once ended is closed
}

func newModule(loaded spi.Module, c config) (spi.StartupFunc, error) {
	m := &module{config: c, chains: layer.NewChains(loaded.ProviderID), changed: make(chan struct{}), logged: map[string]bool{}}
	m.route = route{config: &m.config, below: m.overProxy}
	m.datagrams.init(m)
	inner, err := layer.Definition{
		Name:    "socks",
		Summary: summary,
		New:     func(next spi.Provider, _ spi.Options) (spi.Provider, error) { return newStreams(m, next) },
	}.Driver().Open(loaded)
	m.inner = inner
	return m.startup, err
}

func (m *module) startup(requested uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
	m.mu.Lock()
	if m.starts == 0 {
		m.ended = make(chan struct{})
	}
	m.starts++
	if info != nil {
		m.entryID = info.CatalogEntryID
	}
	m.mu.Unlock()
	m.datagrams.Start(upcalls, dll)
	streams, errno := m.inner(requested, data, info, upcalls, dll)
	if errno == 0 {
		if _, errno = m.chains.Start(info, upcalls, dll); errno != 0 {
			streams.WSPCleanup()
		}
	}
	if errno != 0 {
		m.stop()
		m.datagrams.WSPCleanup()
		return nil, errno
	}
	return &provider{Provider: streams, module: m}, 0
}

// stop undoes one start. The last one ends every goroutine.
func (m *module) stop() (last bool) {
	m.mu.Lock()
	m.starts--
	last = m.starts == 0
	if last {
		close(m.ended)
	}
	m.mu.Unlock()
	if last {
		m.all.Wait()
	}
	return last
}

// run runs f on a goroutine, whose end the last cleanup waits for; after that on
// the caller's.
func (m *module) run(f func()) {
	m.mu.Lock()
	if m.starts == 0 {
		m.mu.Unlock()
		f()
		return
	}
	m.all.Go(f)
	m.mu.Unlock()
}

// ending is closed at the last cleanup.
func (m *module) ending() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended
}

// news is closed when the next attempt has ended.
func (m *module) news() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

func (m *module) tell() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.changed)
	m.changed = make(chan struct{})
}

// entry is a catalog entry id of the layer's.
func (m *module) entry() uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entryID
}

// mostLogged bounds the messages that are remembered as said.
const mostLogged = 1000

// once logs a message that was not logged before.
func (m *module) once(message string) {
	m.mu.Lock()
	said := m.logged[message] || len(m.logged) >= mostLogged
	m.logged[message] = true
	m.mu.Unlock()
	if !said {
		log.Print(message)
	}
}

// explain turns what ended a handshake into a code, and says once what somebody
// has to look at.
func (m *module) explain(err error) spi.Errno {
	if r, ok := err.(*refusal); ok && r.misunderstood {
		m.once("socks: proxy " + m.config.proxy.String() + ": " + r.why)
	}
	return outcome(err)
}

// shake has the proxy at the other end of t connect to to. The first time it
// finds out in the background what the proxy copes with.
func (m *module) shake(t transport, to target) error {
	first, err := m.route.begin(to)
	if err == nil {
		err = shake(t, first)
	}
	if m.route.tries() {
		m.run(m.try)
	}
	return err
}

// trialTime is how long a proxy has to answer the trial, whose request fails at
// once.
const trialTime = 5 * time.Second

// try finds out whether the proxy copes with pipelining.
func (m *module) try() {
	s := m.route.trial()
	own, err := m.dial(nil, trialTime)
	if err == nil {
		err = shake(own, s.begin())
		own.close()
	}
	m.route.tried(err == nil || s.replied)
}

// overProxy reports whether there is another layer like this one below, which
// can look the proxy's name up.
func (m *module) overProxy() bool {
	own := true
	for _, link := range m.chains.Links() {
		if !isStream(link.Entry()) {
			continue
		}
		for _, id := range link.Entry().ProtocolChain.Entries() {
			name, options := m.driverOf(id)
			if name != "socks" {
				continue
			}
			if !own && options["dns"] != "local" {
				return true
			}
			own = false
		}
		return false
	}
	return false
}

// driverOf returns what a bare layer's path names.
func (m *module) driverOf(entry uint32) (name string, options spi.Options) {
	host := m.chains.Host()
	for _, e := range host.DLL.WSCEnumProtocols() {
		if e.CatalogEntryID == entry && e.ProtocolChain.ChainLen == spi.LayeredProtocol {
			if path, errno := host.ProviderPath(e.ProviderID); errno == 0 {
				name, options, _, _ = spi.ParseGoPath(path)
			}
		}
	}
	return name, options
}

func isStream(e *spi.ProtocolInfo) bool {
	return e.SocketType == spi.SOCK_STREAM && e.Protocol == spi.IPPROTO_TCP && carries(e.AddressFamily)
}
