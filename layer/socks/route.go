package socks

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"upcall.dev/layer/names"
	"upcall.dev/spi"
)

// route is the way to the proxy: its addresses, and what it is known to cope
// with.
type route struct {
	config *config
	below  func() bool // whether names can be left to a proxy below

	mu       sync.Mutex // guards what follows; a leaf lock
	addrs    []netip.Addr
	looked   time.Time
	method   byte // that the proxy chooses, when it is known
	known    bool
	pipeline pipelining
}

// pipelining is whether the proxy takes a request before it has answered the
// greeting. Some throw away what comes with it.
type pipelining int

const (
	untried pipelining = iota
	trying
	copes
	fails
)

// lookupPause is how long the addresses of the proxy's name are kept.
const lookupPause = 30 * time.Second

// address returns the address of the proxy that a socket of the family, AF_INET
// or AF_INET6, can connect to. WSAHOST_NOT_FOUND, WSAEAFNOSUPPORT.
func (r *route) address(ctx context.Context, family int32) (netip.AddrPort, error) {
	addrs := []netip.Addr{r.config.proxy.addr}
	if name := r.config.proxy.name; name != "" {
		var err error
		if addrs, err = r.lookup(ctx, name); err != nil {
			return netip.AddrPort{}, err
		}
	}
	for _, want := range []func(netip.Addr) bool{netip.Addr.Is6, netip.Addr.Is4} {
		for _, a := range addrs {
			if a = a.Unmap(); !want(a) || family == spi.AF_INET && !a.Is4() {
				continue
			}
			if family == spi.AF_INET6 && a.Is4() {
				a = netip.AddrFrom16(a.As16())
			}
			return netip.AddrPortFrom(a, r.config.proxy.port), nil
		}
	}
	return netip.AddrPort{}, misunderstood(spi.WSAEAFNOSUPPORT, "it has IPv6 addresses only, which an IPv4 socket cannot connect to: proxy= wants its IPv4 address or a name that has one")
}

// ready is address without waiting, as a socket address; false when a name has
// to be looked up.
func (r *route) ready(family int32) ([]byte, bool) {
	if r.config.proxy.name != "" {
		r.mu.Lock()
		fresh := len(r.addrs) > 0 && time.Since(r.looked) < lookupPause
		r.mu.Unlock()
		if !fresh && !r.below() {
			return nil, false
		}
	}
	addr, err := r.address(context.Background(), family)
	if err != nil {
		return nil, false // and who looks again has the error
	}
	return spi.SockaddrFrom(addr), true
}

// family returns the family of sockets of the layer's own to the proxy.
func (r *route) family(ctx context.Context) (int32, error) {
	if _, err := r.address(ctx, spi.AF_INET); err == nil {
		return spi.AF_INET, nil
	}
	_, err := r.address(ctx, spi.AF_INET6)
	return spi.AF_INET6, err
}

func (r *route) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	if r.below() {
		v4, err := names.Default.Assign(name)
		if err != nil {
			return nil, refused(spi.WSAENOBUFS, "its name: %v", err)
		}
		return []netip.Addr{v4}, nil
	}
	r.mu.Lock()
	addrs, looked := r.addrs, r.looked
	r.mu.Unlock()
	if len(addrs) > 0 && time.Since(looked) < lookupPause {
		return addrs, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		if len(addrs) > 0 {
			return addrs, nil
		}
		return nil, misunderstood(spi.WSAHOST_NOT_FOUND, "its name cannot be looked up: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addrs, r.looked = found, time.Now()
	return found, nil
}

// session returns a handshake of SOCKS5, as short as the proxy is known to allow.
func (r *route) session(command byte, to target) *session5 {
	s := &session5{
		user: r.config.user, password: r.config.password, login: r.config.login,
		command: command, to: to, chosen: r.chose,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.method = r.method
	if !r.known && r.config.login {
		s.method = methodLogin // as it was configured
	}
	switch r.config.pipeline {
	case "on":
		s.atOnce = true
	case "auto":
		s.atOnce = r.known && r.pipeline == copes
	}
	return s
}

// chose notes the login method that the proxy has chosen. A refusal means that
// it has changed.
func (r *route) chose(method byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = method != methodRefuse
	if r.known {
		r.method = method
		return
	}
	if r.pipeline == copes {
		r.pipeline = untried
	}
}

// tries reports whether the caller is to find out if the proxy copes with
// pipelining, and nobody else does.
func (r *route) tries() bool {
	if r.config.kind != socks5 || r.config.pipeline != "auto" {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pipeline != untried || !r.known {
		return false
	}
	r.pipeline = trying
	return true
}

func (r *route) tried(coped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pipeline = fails
	if coped {
		r.pipeline = copes
	}
}

// trial is a handshake that tells whether the proxy copes: all at once, for an
// address where nobody can be.
func (r *route) trial() *session5 {
	s := r.session(commandConnect, target{addr: netip.AddrPortFrom(netip.IPv4Unspecified(), 0)})
	s.atOnce, s.chosen = true, nil
	return s
}

// begin returns the first step of a handshake that asks for a connection.
func (r *route) begin(to target) (step, error) {
	switch r.config.kind {
	case socks4a:
		return begin4(r.config.user, to)
	case connect:
		return beginConnect(r.config, to), nil
	}
	return r.session(commandConnect, to).begin(), nil
}

// outcome turns what has ended a handshake into the code that a program gets.
func outcome(err error) spi.Errno {
	if err == nil {
		return 0
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.code
	}
	if errno, ok := errors.AsType[spi.Errno](err); ok && errno != 0 {
		if errno == spi.WSAESHUTDOWN { // a send after the proxy's end
			return spi.WSAECONNRESET
		}
		return errno
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return spi.WSAECONNRESET
	case errors.Is(err, context.DeadlineExceeded):
		return spi.WSAETIMEDOUT
	case errors.Is(err, context.Canceled):
		return errCancelled
	}
	return spi.WSAECONNABORTED
}
