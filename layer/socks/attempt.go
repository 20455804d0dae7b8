package socks

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"upcall.dev/layer/names"
	"upcall.dev/spi"
)

// attempt is a connect of a client's socket that is under way.
type attempt struct {
	t     *streams
	c     *conn
	s     spi.Socket
	to    target
	lower lower
	free  func() // lets go of the name

	blocking bool
	dialing  bool // of a blocking one: in the next provider's connect; conn.mu guards it
	reached  bool // the proxy; only the attempt's goroutine touches it

	cancelled sync.Once
	ended     chan struct{} // closed by cancel
	done      chan struct{} // closed when it has settled, and does not use the socket any more
	over      *request      // of ConnectEx
}

// newAttempt prepares to connect s to name. It changes nothing.
func (t *streams) newAttempt(s spi.Socket, name []byte) (*attempt, spi.Errno) {
	to, free, errno := t.target(name)
	if errno != 0 {
		return nil, errno
	}
	a := &attempt{t: t, s: s, to: to, free: free, ended: make(chan struct{}), done: make(chan struct{})}
	a.lower = lower{next: t.Provider, s: s, deadline: time.Now().Add(t.module.config.timeout), cancel: a.ended, ending: t.module.ending()}
	return a, 0
}

// target turns the address that a client connects to into what the proxy is
// asked for. WSAEADDRNOTAVAIL, WSAEHOSTUNREACH (the address stands for a name
// that nobody knows any more).
func (t *streams) target(name []byte) (to target, free func(), errno spi.Errno) {
	addr, ok := spi.AddrPortFrom(name)
	if !ok {
		return to, nil, spi.WSAEFAULT
	}
	if addr.Port() == 0 || addr.Addr().Unmap().IsUnspecified() {
		return to, nil, spi.WSAEADDRNOTAVAIL
	}
	c := &t.module.config
	if c.remoteNames && addr.Port() == dnsPort {
		if c.resolver.port == 0 {
			t.module.once("socks: a program asks " + addr.String() + " for names by TCP, which goes unanswered: resolver=ADDRESS names a DNS server that the proxy can reach")
			return to, nil, spi.WSAECONNREFUSED
		}
		return target{name: c.resolver.name, addr: netip.AddrPortFrom(c.resolver.addr, c.resolver.port)}, func() {}, 0
	}
	to.addr = addr
	free = func() {}
	if names.Default.Assigned(addr.Addr()) {
		release, ok := names.Default.Hold(addr.Addr())
		if !ok {
			return to, nil, spi.WSAEHOSTUNREACH
		}
		free = release
		to.name, _ = names.Default.Lookup(addr.Addr())
	}
	return to, free, 0
}

// start begins to connect, without waiting. The socket has an event then.
func (a *attempt) start(family int32) spi.Errno {
	if err := a.lower.watch(a.t.host.DLL(), a.t.host.Upcalls()); err != nil {
		return outcome(err)
	}
	proxy, quick := a.t.module.route.ready(family)
	if !quick {
		a.goOn(family, nil)
		return spi.WSAEWOULDBLOCK
	}
	a.c.widen(family)
	errno := a.lower.next.WSPConnect(a.s, proxy, nil, nil, nil, nil)
	if errno != 0 && errno != spi.WSAEWOULDBLOCK {
		return errno
	}
	a.goOn(family, func() error {
		if errno == 0 {
			return nil
		}
		return a.lower.connected()
	})
	return spi.WSAEWOULDBLOCK
}

// goOn carries on in the background; dial, if not nil, does the rest of
// connecting to the proxy.
func (a *attempt) goOn(family int32, dial func() error) {
	a.t.module.run(func() {
		err := a.talk(family, dial)
		a.settle(a.t.module.explain(err))
	})
}

func (a *attempt) talk(family int32, dial func() error) error {
	if dial == nil {
		proxy, err := a.proxy(family)
		if err != nil {
			return err
		}
		a.c.widen(family)
		dial = func() error { return a.lower.connect(proxy) }
	}
	if err := dial(); err != nil {
		return err
	}
	a.reached = true
	if err := a.t.module.shake(&a.lower, a.to); err != nil {
		return err
	}
	if a.over != nil && len(a.over.data) > 0 {
		n, err := a.lower.Write(a.over.data)
		a.over.sent = uint32(n)
		return err
	}
	return nil
}

// proxy returns the proxy's socket address.
func (a *attempt) proxy(family int32) ([]byte, error) {
	r := &a.t.module.route
	if proxy, quick := r.ready(family); quick {
		return proxy, nil
	}
	ctx, cancel := a.context()
	defer cancel()
	proxy, err := r.address(ctx, family)
	if err != nil {
		return nil, err
	}
	return spi.SockaddrFrom(proxy), nil
}

// context returns one that ends with the attempt.
func (a *attempt) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithDeadline(context.Background(), a.lower.deadline)
	stop := make(chan struct{})
	a.t.module.run(func() {
		select {
		case <-a.ended:
			cancel()
		case <-a.lower.ending:
			cancel()
		case <-stop:
		}
	})
	return ctx, func() {
		close(stop)
		cancel()
	}
}

// settle ends an attempt that went on in the background.
func (a *attempt) settle(errno spi.Errno) {
	c := a.c
	a.lower.unwatch(a.t.host.Upcalls())
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if errno != 0 && !closed && a.reached {
		a.t.dissolve(a.s)
	}
	state := connected
	if errno != 0 {
		state = failed
	}
	c.leave(state, errno)
	if a.over != nil {
		a.t.complete(a.s, a.over, errno)
	}
	a.free()
	close(a.done)
	a.t.module.tell()
}

// connectNow connects on the calling thread, in blocking calls of the next
// provider.
func (a *attempt) connectNow(family int32) spi.Errno {
	err := a.talkNow(family)
	errno := a.t.module.explain(err)
	c := a.c
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if errno != 0 && !closed && a.reached {
		a.t.dissolve(a.s)
	}
	c.conclude(errno)
	a.free()
	close(a.done)
	return errno
}

func (a *attempt) talkNow(family int32) error {
	proxy, err := a.proxy(family)
	if err != nil {
		return err
	}
	if a.isCancelled() {
		return spi.WSAEINTR
	}
	a.c.widen(family)
	if errno := a.lower.next.WSPConnect(a.s, proxy, nil, nil, nil, nil); errno != 0 {
		return errno
	}
	if !a.arrived() {
		return spi.WSAEINTR
	}
	a.reached = true
	late := a.limit()
	err = a.t.module.shake(&a.lower, a.to)
	switch {
	case late():
		return spi.WSAETIMEDOUT
	case a.isCancelled():
		return spi.WSAEINTR
	}
	return err
}

// arrived tells closers that from now on the attempt makes several calls. False
// when the socket was closed.
func (a *attempt) arrived() bool {
	c := a.c
	c.mu.Lock()
	defer c.mu.Unlock()
	a.dialing = false
	return !c.closed
}

// cancel makes the attempt end soon.
func (a *attempt) cancel() { a.cancelled.Do(func() { close(a.ended) }) }

func (a *attempt) isCancelled() bool {
	select {
	case <-a.ended:
		return true
	default:
		return false
	}
}

// limit makes calls on the socket end when the attempt's time is up. The result
// undoes that, and reports whether it was.
func (a *attempt) limit() (late func() bool) {
	ended := make(chan struct{})
	timer := time.AfterFunc(time.Until(a.lower.deadline), func() {
		a.lower.next.WSPShutdown(a.s, spi.SD_BOTH)
		close(ended)
	})
	return func() bool {
		if timer.Stop() {
			return false
		}
		<-ended
		return true
	}
}

// stop ends an attempt whose socket is being closed, and reports whether the
// socket has been closed by that.
func (a *attempt) stop(dialing bool) (closed bool, errno spi.Errno) {
	a.cancel()
	if !a.blocking {
		<-a.done
		return false, 0
	}
	if dialing { // one call is under way, which closing ends
		errno = a.lower.next.WSPCloseSocket(a.s)
		return true, errno
	}
	a.lower.next.WSPShutdown(a.s, spi.SD_BOTH)
	<-a.done
	return false, 0
}
