package socks

import (
	"encoding/binary"
	"net/netip"

	"upcall.dev/spi"
)

// The numbers of RFC 1928 and RFC 1929.
const (
	version5     = 5
	methodNone   = 0
	methodLogin  = 2
	methodRefuse = 0xff
	loginVersion = 1

	commandConnect   = 1
	commandAssociate = 3

	kindIPv4 = 1
	kindName = 3
	kindIPv6 = 4
)

// session5 is one handshake of SOCKS5.
type session5 struct {
	user, password string
	login          bool
	command        byte
	to             target

	// method, when it is known, is what the proxy chooses: then it alone is
	// offered, and everything that follows from it is sent at once.
	method  byte
	atOnce  bool
	chosen  func(method byte) // told what the proxy answers; may be nil
	bound   target            // the address in the proxy's answer
	replied bool              // the proxy has taken the request, whatever it says
}

// usualLength is room for what is said at once.
const usualLength = 64

// begin returns the first step.
func (s *session5) begin() step {
	if !s.atOnce {
		hello := []byte{version5, 1, methodNone}
		if s.login {
			hello = []byte{version5, 2, methodNone, methodLogin}
		}
		return step{send: hello, read: 2, then: s.gotMethod}
	}
	all := append(make([]byte, 0, usualLength), version5, 1, s.method)
	if s.method == methodLogin {
		all = s.appendLogin(all)
	}
	return step{send: s.appendRequest(all), read: 2, then: s.gotMethod}
}

func (s *session5) gotMethod(b []byte) (step, error) {
	if b[0] != version5 {
		return step{}, misunderstood(spi.WSAECONNABORTED, "it does not speak SOCKS5: its answer begins with %#02x; type= says what it speaks", b[0])
	}
	method := b[1]
	if s.chosen != nil {
		s.chosen(method)
	}
	switch {
	case method == methodRefuse && s.login:
		return step{}, misunderstood(spi.WSAEACCES, "it takes neither no login nor one with a password")
	case method == methodRefuse:
		return step{}, misunderstood(spi.WSAEACCES, "it wants a login: user= and password-file= give one")
	case s.atOnce && method != s.method,
		method != methodNone && (method != methodLogin || !s.login):
		return step{}, misunderstood(spi.WSAECONNABORTED, "it chooses login method %d, which nobody has offered", method)
	}
	if method == methodNone {
		return s.request(), nil
	}
	next := step{read: 2, then: s.gotLogin}
	if !s.atOnce {
		next.send = s.appendLogin(nil)
	}
	return next, nil
}

func (s *session5) gotLogin(b []byte) (step, error) {
	if b[1] != 0 {
		return step{}, misunderstood(spi.WSAEACCES, "it does not let user %q in with this password", s.user)
	}
	if b[0] != loginVersion && b[0] != version5 { // some answer with the other version
		return step{}, misunderstood(spi.WSAECONNABORTED, "its answer to the login begins with %#02x", b[0])
	}
	return s.request(), nil
}

// request is the step of the request, which has gone out already when
// everything went at once.
func (s *session5) request() step {
	next := step{read: 4, then: s.gotReply}
	if !s.atOnce {
		next.send = s.appendRequest(make([]byte, 0, usualLength))
	}
	return next
}

func (s *session5) gotReply(b []byte) (step, error) {
	if b[0] != version5 {
		return step{}, misunderstood(spi.WSAECONNABORTED, "its answer to the request begins with %#02x", b[0])
	}
	s.replied = true
	if b[1] != 0 {
		return step{}, replyError(b[1])
	}
	switch b[3] {
	case kindIPv4:
		return step{read: 4 + 2, then: s.gotAddress}, nil
	case kindIPv6:
		return step{read: 16 + 2, then: s.gotAddress}, nil
	case kindName:
		return step{read: 1, then: func(b []byte) (step, error) {
			return step{read: int(b[0]) + 2, then: s.gotName}, nil
		}}, nil
	}
	return step{}, misunderstood(spi.WSAECONNABORTED, "its answer has an address of unknown kind %d", b[3])
}

func (s *session5) gotAddress(b []byte) (step, error) {
	addr, _ := netip.AddrFromSlice(b[:len(b)-2])
	s.bound.addr = netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(b[len(b)-2:]))
	return step{}, nil
}

func (s *session5) gotName(b []byte) (step, error) {
	s.bound.name = string(b[:len(b)-2])
	s.bound.addr = netip.AddrPortFrom(netip.Addr{}, binary.BigEndian.Uint16(b[len(b)-2:]))
	return step{}, nil
}

func (s *session5) appendLogin(b []byte) []byte {
	b = append(b, loginVersion, byte(len(s.user)))
	b = append(b, s.user...)
	b = append(b, byte(len(s.password)))
	return append(b, s.password...)
}

func (s *session5) appendRequest(b []byte) []byte {
	return appendAddress5(append(b, version5, s.command, 0), s.to)
}

// appendAddress5 appends ATYP, the address and the port.
func appendAddress5(b []byte, t target) []byte {
	switch addr := t.addr.Addr().Unmap(); {
	case t.name != "":
		b = append(b, kindName, byte(len(t.name)))
		b = append(b, t.name...)
	case addr.Is4():
		raw := addr.As4()
		b = append(append(b, kindIPv4), raw[:]...)
	default:
		raw := addr.As16()
		b = append(append(b, kindIPv6), raw[:]...)
	}
	return binary.BigEndian.AppendUint16(b, t.addr.Port())
}

// parseAddress5 reads what appendAddress5 writes, and returns what is behind it.
func parseAddress5(b []byte) (t target, rest []byte, ok bool) {
	if len(b) < 1 {
		return t, nil, false
	}
	kind, b := b[0], b[1:]
	size := 0
	switch kind {
	case kindIPv4:
		size = 4
	case kindIPv6:
		size = 16
	case kindName:
		if len(b) < 1 {
			return t, nil, false
		}
		size, b = int(b[0]), b[1:]
	default:
		return t, nil, false
	}
	if len(b) < size+2 {
		return t, nil, false
	}
	var addr netip.Addr
	if kind == kindName {
		t.name = string(b[:size])
	} else {
		addr, _ = netip.AddrFromSlice(b[:size])
	}
	t.addr = netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(b[size:]))
	return t, b[size+2:], kind != kindName || size > 0
}

// replyError is what a program gets for an answer other than success.
func replyError(code byte) error {
	switch code {
	case 1:
		return refused(spi.WSAECONNREFUSED, "general failure")
	case 2:
		return refused(spi.WSAEACCES, "its rules do not allow that connection")
	case 3:
		return refused(spi.WSAENETUNREACH, "network unreachable")
	case 4:
		return refused(spi.WSAEHOSTUNREACH, "host unreachable")
	case 5:
		return refused(spi.WSAECONNREFUSED, "connection refused")
	case 6:
		return refused(spi.WSAETIMEDOUT, "time to live expired")
	case 7:
		return refused(spi.WSAEOPNOTSUPP, "it does not do that")
	case 8:
		return refused(spi.WSAEAFNOSUPPORT, "it does not know that kind of address")
	}
	return refused(spi.WSAECONNREFUSED, "unknown failure %d", code)
}
