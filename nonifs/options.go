package nonifs

import (
	"encoding/binary"
	"time"
	"unsafe"

	"upcall.dev/spi"
)

// options are the values of the SOL_SOCKET options that every Endpoint keeps.
// An endpoint whose options were never set has none of its own.
type options struct {
	flags     uint32 // SO_DEBUG and the like, by bit
	linger    spi.Linger
	lingerSet bool // SO_LINGER is on
	sendEnded bool // a datagram socket was shut down for sending
	exclusive bool
	condition bool // SO_CONDITIONAL_ACCEPT
	rcvBuf    int32
	sndBuf    int32
	rcvTimeo  int32 // milliseconds
	sndTimeo  int32
	priority  int32
}

var defaultOptions = options{rcvBuf: DefaultBuffer, sndBuf: DefaultBuffer}

func (o options) rcvTimeout() time.Duration { return time.Duration(o.rcvTimeo) * time.Millisecond }
func (o options) sndTimeout() time.Duration { return time.Duration(o.sndTimeo) * time.Millisecond }

// currentOptions returns a copy of the options.
func (e *Endpoint) currentOptions() options {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.options == nil {
		return defaultOptions
	}
	return *e.options
}

// changeOptions changes the options under the endpoint's lock.
func (e *Endpoint) changeOptions(change func(*options)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.options == nil {
		o := defaultOptions
		e.options = &o
	}
	change(e.options)
}

// inheritOptions gives an accepted endpoint the options of the listening one.
func (e *Endpoint) inheritOptions(from *Endpoint) {
	from.mu.Lock()
	theirs := from.options
	from.mu.Unlock()
	if theirs == nil {
		return
	}
	copied := from.currentOptions()
	e.changeOptions(func(mine *options) { *mine = copied })
	if q := e.rx.Load(); q != nil {
		q.setLimit(uint32(max(0, copied.rcvBuf)))
	}
}

// ConditionalAccept reports SO_CONDITIONAL_ACCEPT: a listening endpoint wants
// connections to stay undecided until WSPAccept has asked its condition
// function.
func (e *Endpoint) ConditionalAccept() bool { return e.currentOptions().condition }

// flagOptions are the options that are a plain BOOL, each its own bit.
const flagOptions = spi.SO_DEBUG | spi.SO_REUSEADDR | spi.SO_KEEPALIVE | spi.SO_DONTROUTE |
	spi.SO_BROADCAST | spi.SO_USELOOPBACK | spi.SO_OOBINLINE

// Option reports whether one of the plain BOOL options, such as SO_REUSEADDR or
// SO_BROADCAST, or SO_EXCLUSIVEADDRUSE, is set.
func (e *Endpoint) Option(name int32) bool {
	o := e.currentOptions()
	if name == spi.SO_EXCLUSIVEADDRUSE {
		return o.exclusive
	}
	return o.flags&uint32(name)&flagOptions != 0
}

// storeInt answers a 4-byte option. A BOOL option may be asked for with one
// byte.
func storeInt(v int32, val []byte, valLen *int32) spi.Errno {
	switch {
	case len(val) >= 4:
		binary.NativeEndian.PutUint32(val, uint32(v))
		*valLen = 4
	case len(val) >= 1 && (v == 0 || v == 1):
		val[0] = byte(v)
		*valLen = 1
	default:
		return spi.WSAEFAULT
	}
	return 0
}

func storeBool(v bool, val []byte, valLen *int32) spi.Errno {
	if v {
		return storeInt(1, val, valLen)
	}
	return storeInt(0, val, valLen)
}

// loadInt reads a 4-byte option value, or a BOOL of one byte.
func loadInt(val []byte) (int32, bool) {
	switch {
	case len(val) >= 4:
		return int32(binary.NativeEndian.Uint32(val)), true
	case len(val) >= 1:
		return int32(val[0]), true
	}
	return 0, false
}

// WSPGetSockOpt answers an option.
func (b *Base) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	if valLen == nil || len(val) == 0 {
		return spi.WSAEFAULT
	}
	e := h.Value
	if level != spi.SOL_SOCKET {
		return e.lower.GetOption(level, name, val, valLen)
	}
	o := e.currentOptions()
	switch name {
	case spi.SO_PROTOCOL_INFOW:
		if len(val) < int(unsafe.Sizeof(spi.ProtocolInfo{})) {
			return spi.WSAEFAULT
		}
		info := *e.info
		*valLen = int32(copy(val, unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info))))
		return 0
	case spi.SO_ERROR:
		if len(val) < 4 {
			return spi.WSAEFAULT
		}
		return storeInt(int32(e.takeError()), val, valLen)
	case spi.SO_TYPE:
		return storeInt(e.socketType(), val, valLen)
	case spi.SO_ACCEPTCONN:
		e.mu.Lock()
		listening := e.state == stateListening
		e.mu.Unlock()
		return storeBool(listening, val, valLen)
	case spi.SO_CONNECT_TIME:
		return storeInt(e.connectTime(), val, valLen)
	case spi.SO_LINGER:
		if len(val) < 4 {
			return spi.WSAEFAULT
		}
		binary.NativeEndian.PutUint16(val, o.linger.OnOff)
		binary.NativeEndian.PutUint16(val[2:], o.linger.Linger)
		*valLen = 4
		return 0
	case spi.SO_DONTLINGER:
		return storeBool(!o.lingerSet, val, valLen)
	case spi.SO_EXCLUSIVEADDRUSE:
		return storeBool(o.exclusive, val, valLen)
	case spi.SO_CONDITIONAL_ACCEPT:
		return storeBool(o.condition, val, valLen)
	case spi.SO_RCVBUF:
		return storeInt(o.rcvBuf, val, valLen)
	case spi.SO_SNDBUF:
		return storeInt(o.sndBuf, val, valLen)
	case spi.SO_RCVTIMEO:
		return storeInt(o.rcvTimeo, val, valLen)
	case spi.SO_SNDTIMEO:
		return storeInt(o.sndTimeo, val, valLen)
	case spi.SO_GROUP_ID:
		return storeInt(0, val, valLen)
	case spi.SO_GROUP_PRIORITY:
		return storeInt(o.priority, val, valLen)
	case spi.SO_MAX_MSG_SIZE:
		return storeInt(int32(e.info.MessageSize), val, valLen)
	case spi.SO_DEBUG, spi.SO_REUSEADDR, spi.SO_KEEPALIVE, spi.SO_DONTROUTE, spi.SO_BROADCAST, spi.SO_USELOOPBACK, spi.SO_OOBINLINE:
		return storeBool(o.flags&uint32(name) != 0, val, valLen)
	}
	return e.lower.GetOption(level, name, val, valLen)
}

func (e *Endpoint) takeError() spi.Errno {
	e.mu.Lock()
	defer e.mu.Unlock()
	errno := e.soError
	e.soError = 0
	return errno
}

func (e *Endpoint) socketType() int32 {
	if e.datagram {
		return spi.SOCK_DGRAM
	}
	return spi.SOCK_STREAM
}

// connectTime is how many seconds the connection has been there, -1 without
// one.
func (e *Endpoint) connectTime() int32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != stateConnected || e.opened == 0 {
		return -1
	}
	return int32(time.Now().Unix() - e.opened)
}

// WSPSetSockOpt sets an option.
func (b *Base) WSPSetSockOpt(s spi.Socket, level, name int32, val []byte) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	e := h.Value
	if level != spi.SOL_SOCKET {
		return e.lower.SetOption(level, name, val)
	}
	switch name {
	case spi.SO_UPDATE_ACCEPT_CONTEXT:
		return b.updateAccept(h, val)
	case spi.SO_UPDATE_CONNECT_CTX: // a connected endpoint has its context from the start
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.state != stateConnected {
			return spi.WSAENOTCONN
		}
		return 0
	case spi.SO_LINGER:
		if len(val) < 4 {
			return spi.WSAEFAULT
		}
		linger := spi.Linger{OnOff: binary.NativeEndian.Uint16(val), Linger: binary.NativeEndian.Uint16(val[2:])}
		e.changeOptions(func(o *options) { o.linger, o.lingerSet = linger, linger.OnOff != 0 })
		return 0
	}
	v, ok := loadInt(val)
	if !ok {
		return spi.WSAEFAULT
	}
	on := v != 0
	switch name {
	case spi.SO_DONTLINGER:
		e.changeOptions(func(o *options) {
			o.lingerSet = !on
			o.linger.OnOff = 0
			if !on {
				o.linger.OnOff = 1
			}
		})
	case spi.SO_EXCLUSIVEADDRUSE:
		if e.Option(spi.SO_REUSEADDR) && on {
			return spi.WSAEINVAL
		}
		if errno := e.flagSet(name, on); errno != 0 {
			return errno
		}
		e.changeOptions(func(o *options) { o.exclusive = on })
	case spi.SO_CONDITIONAL_ACCEPT:
		if e.datagram {
			return spi.WSAENOPROTOOPT
		}
		e.changeOptions(func(o *options) { o.condition = on })
	case spi.SO_RCVBUF, spi.SO_SNDBUF, spi.SO_RCVTIMEO, spi.SO_SNDTIMEO, spi.SO_GROUP_PRIORITY:
		return e.setNumber(name, v)
	case spi.SO_DEBUG, spi.SO_REUSEADDR, spi.SO_KEEPALIVE, spi.SO_DONTROUTE, spi.SO_BROADCAST, spi.SO_USELOOPBACK, spi.SO_OOBINLINE:
		if name == spi.SO_REUSEADDR && on && e.Option(spi.SO_EXCLUSIVEADDRUSE) {
			return spi.WSAEINVAL
		}
		if errno := e.flagSet(name, on); errno != 0 {
			return errno
		}
		e.changeOptions(func(o *options) {
			o.flags &^= uint32(name)
			if on {
				o.flags |= uint32(name)
			}
		})
	case spi.SO_ACCEPTCONN, spi.SO_ERROR, spi.SO_TYPE, spi.SO_PROTOCOL_INFOW, spi.SO_MAX_MSG_SIZE, spi.SO_GROUP_ID, spi.SO_CONNECT_TIME:
		return spi.WSAENOPROTOOPT
	default:
		return e.lower.SetOption(level, name, val)
	}
	return 0
}

// updateAccept is SO_UPDATE_ACCEPT_CONTEXT: h, which an AcceptEx has given its
// connection, gets the options, the mode and the selection of the listening
// socket, whose handle val is. A
// client of Windows must set it before WSPShutdown and WSPGetPeerName work; an
// Endpoint does not insist. WSAEFAULT, WSAENOTSOCK, WSAEINVAL (not listening),
// WSAENOTCONN.
func (b *Base) updateAccept(h *Handle[Endpoint], val []byte) spi.Errno {
	e := h.Value
	var listening spi.Socket
	if len(val) < int(unsafe.Sizeof(listening)) {
		return spi.WSAEFAULT
	}
	copy((*[unsafe.Sizeof(listening)]byte)(unsafe.Pointer(&listening))[:], val)
	l, errno := b.handles.Lookup(listening)
	if errno != 0 {
		return errno
	}
	l.Value.mu.Lock()
	listens := l.Value.state == stateListening
	l.Value.mu.Unlock()
	if !listens {
		return spi.WSAEINVAL
	}
	e.mu.Lock()
	connected := e.state == stateConnected && e.accepted
	e.mu.Unlock()
	if !connected {
		return spi.WSAENOTCONN
	}
	e.inheritOptions(l.Value)
	if l.Value.nonblocking.Load() {
		e.inherit(l.Value, h.Socket())
	}
	return 0
}

// FlagSetter is what a [Lower] implements to hear of the plain BOOL options, and
// of SO_EXCLUSIVEADDRUSE, when they are set; its error is WSPSetSockOpt's, and
// the option then stays as it was. See [Endpoint.Option].
type FlagSetter interface {
	FlagSet(name int32, on bool) spi.Errno
}

func (e *Endpoint) flagSet(name int32, on bool) spi.Errno {
	if lower, ok := e.lower.(FlagSetter); ok {
		return lower.FlagSet(name, on)
	}
	return 0
}

// Smaller buffers become as large as these: what Linux has on 64-bit machines.
const (
	leastReceiveBuffer = 1152
	leastSendBuffer    = 2304
)

func (e *Endpoint) setNumber(name, v int32) spi.Errno {
	if v < 0 {
		return spi.WSAEINVAL
	}
	switch name {
	case spi.SO_RCVBUF:
		v = max(v, leastReceiveBuffer)
	case spi.SO_SNDBUF:
		v = max(v, leastSendBuffer)
	}
	e.changeOptions(func(o *options) {
		switch name {
		case spi.SO_RCVBUF:
			o.rcvBuf = v
		case spi.SO_SNDBUF:
			o.sndBuf = v
		case spi.SO_RCVTIMEO:
			o.rcvTimeo = v
		case spi.SO_SNDTIMEO:
			o.sndTimeo = v
		case spi.SO_GROUP_PRIORITY:
			o.priority = v
		}
	})
	if q := e.rx.Load(); q != nil && name == spi.SO_RCVBUF {
		q.setLimit(uint32(v))
	}
	return 0
}
