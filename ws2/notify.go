package ws2

import (
	"upcall.dev/internal/port"
	"upcall.dev/spi"
)

// ProcessSocketNotifications carries out registrations of sockets for
// notifications of their readiness, each of which tells in RegistrationResult
// how it went, and then takes packets of the port as
// [Thread.GetQueuedCompletionStatusEx] does, not alertably, if entries has room
// for any. A notification is a packet with the registration's key that has
// SOCK_NOTIFY_EVENT_ bits as its Transferred and no Overlapped; a registration
// has one in the queue at most, which tells everything.
//
// A registration is of one port until SOCK_NOTIFY_OP_REMOVE, whose
// SOCK_NOTIFY_EVENT_REMOVE is its last notification, or until the socket is
// closed. Enabling it again replaces events and triggers but not the key. What
// holds when an edge-triggered one is enabled is not told.
//
// WAIT_TIMEOUT (no packet came in time; registrations were carried out),
// WSA_INVALID_HANDLE (no such port), WSAEINVAL (a time to wait without room),
// ERROR_ABANDONED_WAIT_0 (the port was closed meanwhile). The last error stays
// as it is. Results of registrations: WSAENOTSOCK, WSA_INVALID_PARAMETER (no
// such operation, event or trigger, or another port has the socket),
// ERROR_NOT_FOUND (there is no registration), WSAEOPNOTSUPP (a non-IFS handle:
// only the system's own sockets can be watched over), WSAENOBUFS, WSAEMFILE.
// Source: winsock2/nf-winsock2-processsocketnotifications.
func (t *Thread) ProcessSocketNotifications(p Port, registrations []spi.SockNotifyRegistration, milliseconds uint32, entries []Packet) (int, error) {
	object := t.dll.ports.objects.Get(uintptr(p))
	switch {
	case object == nil:
		return 0, spi.WSA_INVALID_HANDLE.Err()
	case len(entries) == 0 && milliseconds != 0:
		return 0, spi.WSAEINVAL.Err()
	}
	for i := range registrations {
		registrations[i].RegistrationResult = t.register(object, &registrations[i])
	}
	if len(entries) == 0 {
		return 0, nil
	}
	n, e := t.dequeue(object, entries, milliseconds, false)
	return n, e.Err()
}

// register carries out one registration.
func (t *Thread) register(object *port.Port, r *spi.SockNotifyRegistration) spi.Errno {
	if r.Operation == spi.SOCK_NOTIFY_OP_NONE {
		return 0
	}
	sock, e := t.dll.attachable(r.Socket)
	switch {
	case e != 0:
		return e
	case !isIFS(r.Socket):
		return spi.WSAEOPNOTSUPP
	}
	t.dll.ports.registering.Lock()
	defer t.dll.ports.registering.Unlock()
	there := sock.notify.Load()
	switch {
	case sock.state.Load() != open:
		return spi.WSAENOTSOCK
	case there != nil && there.Ended():
		there = nil
	case there != nil && !there.On(object):
		return spi.WSA_INVALID_PARAMETER
	}
	switch r.Operation {
	case spi.SOCK_NOTIFY_OP_ENABLE:
		return enable(sock, there, object, r)
	case spi.SOCK_NOTIFY_OP_DISABLE:
		if there == nil {
			return spi.ERROR_NOT_FOUND
		}
		there.Disable()
	case spi.SOCK_NOTIFY_OP_REMOVE:
		if there == nil {
			return spi.ERROR_NOT_FOUND
		}
		sock.notify.Store(nil)
		there.Remove()
	default:
		return spi.WSA_INVALID_PARAMETER
	}
	return 0
}

// enable enables a socket's registration, or makes the first.
func enable(sock *socket, there *port.Registration, object *port.Port, r *spi.SockNotifyRegistration) spi.Errno {
	const (
		life    = spi.SOCK_NOTIFY_TRIGGER_ONESHOT | spi.SOCK_NOTIFY_TRIGGER_PERSISTENT
		trigger = spi.SOCK_NOTIFY_TRIGGER_LEVEL | spi.SOCK_NOTIFY_TRIGGER_EDGE
	)
	flags := r.TriggerFlags
	if r.EventFilter&^spi.SOCK_NOTIFY_REGISTER_EVENTS_ALL != 0 || flags&^spi.SOCK_NOTIFY_TRIGGER_ALL != 0 ||
		flags&life == life || flags&trigger == 0 || flags&trigger == trigger {
		return spi.WSA_INVALID_PARAMETER
	}
	registration := there
	if registration == nil {
		var e spi.Errno
		if registration, e = object.Register(uintptr(r.Socket), r.CompletionKey); e != 0 {
			return e
		}
	}
	e := registration.Enable(r.EventFilter, flags&spi.SOCK_NOTIFY_TRIGGER_EDGE != 0, flags&spi.SOCK_NOTIFY_TRIGGER_ONESHOT != 0)
	switch {
	case there != nil:
	case e != 0:
		registration.Drop()
	default:
		sock.notify.Store(registration)
		if sock.state.Load() == closed {
			sock.notify.Store(nil)
			registration.Drop()
			return spi.WSAENOTSOCK
		}
	}
	return e
}

// forget ends the registration of a socket that is closed.
func (p *portTable) forget(sock *socket) {
	if sock.notify.Load() == nil {
		return
	}
	p.registering.Lock()
	defer p.registering.Unlock()
	if there := sock.notify.Swap(nil); there != nil {
		there.Drop()
	}
}
