// Package trace is the layered provider "trace": one line per call, to a file
// or standard error. Its README.md is its manual page.
//
// It passes IFS handles through, so that what it costs is the line; with
// data=on it is a non-IFS layer, which also sees the transfers of programs
// whose reads and writes bypass the layers.
package trace

import (
	"fmt"
	"strconv"
	"time"

	"upcall.dev/layer"
	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

func init() {
	layer.Register(layer.Definition{
		Name:    "trace",
		Summary: "one line per call, to a file or standard error",
		Options: options,
		Check:   check,
		SeesBytes: func(o spi.Options) bool {
			c, err := parse(o)
			return err == nil && c.data
		},
		New: func(next spi.Provider, o spi.Options) (spi.Provider, error) {
			c, err := parse(o)
			if err != nil {
				return nil, err
			}
			out, err := openSink(c.file)
			if err != nil {
				return nil, err
			}
			t := newTracer(next, c, out, time.Now)
			if own, ok := next.(interface{ Observe(func(*nonifs.Transfer)) }); ok {
				t.observes = true
				own.Observe(t.completed)
			}
			return t, nil
		},
	})
}

// tracer is the layer over one next provider.
type tracer struct {
	spi.Provider
	config
	out        *sink
	now        func() time.Time
	observes   bool // completed is told how operations end
	operations operations
	extensions layer.Extensions
}

func newTracer(next spi.Provider, c config, out *sink, now func() time.Time) *tracer {
	return &tracer{Provider: next, config: c, out: out, now: now}
}

// Close ends the trace after the last WSPCleanup. The calls that are in flight
// still write their lines.
func (t *tracer) Close() error {
	t.out.release()
	return nil
}

// function is one of the thirty or an extension function, with its bit in
// config.calls.
type function struct {
	name string
	bit  uint64
}

func of(name string) function { return function{name, bit(name)} }

var (
	fnAccept              = of("WSPAccept")
	fnAddressToString     = of("WSPAddressToString")
	fnAsyncSelect         = of("WSPAsyncSelect")
	fnBind                = of("WSPBind")
	fnCancelBlockingCall  = of("WSPCancelBlockingCall")
	fnCleanup             = of("WSPCleanup")
	fnCloseSocket         = of("WSPCloseSocket")
	fnConnect             = of("WSPConnect")
	fnDuplicateSocket     = of("WSPDuplicateSocket")
	fnEnumNetworkEvents   = of("WSPEnumNetworkEvents")
	fnEventSelect         = of("WSPEventSelect")
	fnGetOverlappedResult = of("WSPGetOverlappedResult")
	fnGetPeerName         = of("WSPGetPeerName")
	fnGetSockName         = of("WSPGetSockName")
	fnGetSockOpt          = of("WSPGetSockOpt")
	fnGetQOSByName        = of("WSPGetQOSByName")
	fnIoctl               = of("WSPIoctl")
	fnJoinLeaf            = of("WSPJoinLeaf")
	fnListen              = of("WSPListen")
	fnRecv                = of("WSPRecv")
	fnRecvDisconnect      = of("WSPRecvDisconnect")
	fnRecvFrom            = of("WSPRecvFrom")
	fnSelect              = of("WSPSelect")
	fnSend                = of("WSPSend")
	fnSendDisconnect      = of("WSPSendDisconnect")
	fnSendTo              = of("WSPSendTo")
	fnSetSockOpt          = of("WSPSetSockOpt")
	fnShutdown            = of("WSPShutdown")
	fnSocket              = of("WSPSocket")
	fnStringToAddress     = of("WSPStringToAddress")
)

// begin starts the line of a call, or returns nil when it is not traced. It
// holds the sink until end.
func (t *tracer) begin(f function) *line {
	if t.calls&f.bit == 0 || !t.out.hold() {
		return nil
	}
	l := lines.Get().(*line)
	l.reset(f, t.now())
	return l
}

// on is begin for a call on a socket.
func (t *tracer) on(f function, s spi.Socket) *line {
	l := t.begin(f)
	if l != nil {
		l.socket, l.hasSock = s, true
	}
	return l
}

// end writes the line of a call and passes the outcome on.
func (t *tracer) end(l *line, errno spi.Errno) spi.Errno {
	l.took = t.now().Sub(l.start)
	return t.write(l, errno)
}

// write is end for a line that knows how long it took.
func (t *tracer) write(l *line, errno spi.Errno) spi.Errno {
	l.errno = errno
	if t.json {
		t.out.write(l.composeJSON())
	} else {
		t.out.write(l.composeText())
	}
	t.out.release()
	lines.Put(l)
	return errno
}

func (t *tracer) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	l := t.begin(fnSocket)
	s, errno := t.Provider.WSPSocket(af, typ, protocol, info, g, flags)
	if l != nil {
		l.args = nameOf(families, af) + ", " + nameOf(types, typ) + ", " + nameOf(protocols, protocol)
		l.made, l.hasMade = s, errno == 0
		t.end(l, errno)
	}
	return s, errno
}

func (t *tracer) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	l := t.on(fnAccept, s)
	if l == nil {
		return t.Provider.WSPAccept(s, addr, addrLen, cond, callbackData)
	}
	if addr == nil && addrLen == nil { // ask for the line's sake
		addr, addrLen = make([]byte, spi.SizeofSockaddrStorage), new(int32)
		*addrLen = int32(len(addr))
	}
	accepted, errno := t.Provider.WSPAccept(s, addr, addrLen, cond, callbackData)
	l.made, l.hasMade = accepted, errno == 0
	if errno == 0 {
		l.returned(addr, addrLen)
	}
	return accepted, t.end(l, errno)
}

// returned notes an address that the call stored.
func (l *line) returned(addr []byte, length *int32) {
	if length != nil && *length > 0 && int(*length) <= len(addr) {
		l.address, l.from = spi.AddressString(addr[:*length]), true
	}
}

func (l *line) given(addr []byte) {
	if len(addr) > 0 {
		l.address = spi.AddressString(addr)
	}
}

func (t *tracer) WSPBind(s spi.Socket, name []byte) spi.Errno {
	l := t.on(fnBind, s)
	errno := t.Provider.WSPBind(s, name)
	if l != nil {
		l.given(name)
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	l := t.on(fnConnect, s)
	errno := t.Provider.WSPConnect(s, name, callerData, calleeData, sqos, gqos)
	if l != nil {
		l.given(name)
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPJoinLeaf(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS, flags uint32) (spi.Socket, spi.Errno) {
	l := t.on(fnJoinLeaf, s)
	leaf, errno := t.Provider.WSPJoinLeaf(s, name, callerData, calleeData, sqos, gqos, flags)
	if l != nil {
		l.given(name)
		l.made, l.hasMade = leaf, errno == 0
		t.end(l, errno)
	}
	return leaf, errno
}

func (t *tracer) WSPListen(s spi.Socket, backlog int32) spi.Errno {
	l := t.on(fnListen, s)
	errno := t.Provider.WSPListen(s, backlog)
	if l != nil {
		l.args = "SOMAXCONN"
		if backlog != spi.SOMAXCONN {
			l.args = strconv.Itoa(int(backlog))
		}
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPShutdown(s spi.Socket, how int32) spi.Errno {
	l := t.on(fnShutdown, s)
	errno := t.Provider.WSPShutdown(s, how)
	if l != nil {
		l.args = nameOf(hows, how)
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPCloseSocket(s spi.Socket) spi.Errno {
	l := t.on(fnCloseSocket, s)
	errno := t.Provider.WSPCloseSocket(s)
	if l != nil {
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPDuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
	l := t.on(fnDuplicateSocket, s)
	errno := t.Provider.WSPDuplicateSocket(s, pid, info)
	if l != nil {
		l.args = "for process " + strconv.FormatUint(uint64(pid), 10)
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPGetPeerName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	l := t.on(fnGetPeerName, s)
	errno := t.Provider.WSPGetPeerName(s, name, nameLen)
	if l != nil {
		if errno == 0 {
			l.returned(name, nameLen)
		}
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPGetSockName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	l := t.on(fnGetSockName, s)
	errno := t.Provider.WSPGetSockName(s, name, nameLen)
	if l != nil {
		if errno == 0 {
			l.returned(name, nameLen)
		}
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) spi.Errno {
	l := t.on(fnGetSockOpt, s)
	errno := t.Provider.WSPGetSockOpt(s, level, name, val, valLen)
	if l != nil {
		l.args = optionName(level, name)
		if errno == 0 && valLen != nil {
			l.value = optionValue(level, name, val[:min(max(0, int(*valLen)), len(val))])
		}
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPSetSockOpt(s spi.Socket, level, name int32, val []byte) spi.Errno {
	l := t.on(fnSetSockOpt, s)
	errno := t.Provider.WSPSetSockOpt(s, level, name, val)
	if l != nil {
		l.args = optionName(level, name) + ", " + optionValue(level, name, val)
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPGetQOSByName(s spi.Socket, name *spi.Buf, qos *spi.QOS) spi.Errno {
	l := t.on(fnGetQOSByName, s)
	errno := t.Provider.WSPGetQOSByName(s, name, qos)
	if l != nil {
		if name != nil {
			l.args = strconv.QuoteToASCII(string(name.Bytes()))
		}
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
	l := t.begin(fnSelect)
	if l == nil {
		return t.Provider.WSPSelect(read, write, except, timeout)
	}
	l.args = selectSets(read, write, except)
	if timeout != nil {
		l.args += ", " + (time.Duration(timeout.Sec)*time.Second + time.Duration(timeout.Usec)*time.Microsecond).String()
	}
	n, errno := t.Provider.WSPSelect(read, write, except, timeout)
	if errno == 0 {
		l.value = strconv.Itoa(int(n))
		if n > 0 {
			l.value += " " + selectSets(read, write, except)
		}
	}
	return n, t.end(l, errno)
}

func (t *tracer) WSPAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, events int32) spi.Errno {
	l := t.on(fnAsyncSelect, s)
	errno := t.Provider.WSPAsyncSelect(s, wnd, msg, events)
	if l != nil {
		l.args = fmt.Sprintf("window %#x, message %#x, %s", uint64(wnd), msg, eventNames(events))
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPEventSelect(s spi.Socket, ev spi.Event, events int32) spi.Errno {
	l := t.on(fnEventSelect, s)
	errno := t.Provider.WSPEventSelect(s, ev, events)
	if l != nil {
		l.args = fmt.Sprintf("event %#x, %s", uint64(ev), eventNames(events))
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) spi.Errno {
	l := t.on(fnEnumNetworkEvents, s)
	errno := t.Provider.WSPEnumNetworkEvents(s, ev, out)
	if l != nil {
		if errno == 0 && out != nil {
			l.value = networkEvents(out)
		}
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	l := t.on(fnIoctl, s)
	id, asks := layer.ExtensionID(in)
	asks = asks && code == spi.SIO_GET_EXTENSION_FUNCTION_POINTER
	if l != nil {
		l.args = controlName(code)
		switch {
		case asks:
			l.args += ", " + extensionName(id)
		case len(in) > 0:
			l.args += ", " + number(in)
		}
	}
	errno := t.Provider.WSPIoctl(s, code, in, out, returned, ov, t.begins(l, ov, routine), thread)
	if errno == 0 && asks {
		errno = t.extension(id, out, returned)
	}
	if l == nil {
		return errno
	}
	if errno == 0 && !asks && returned != nil && *returned > 0 && int(*returned) <= len(out) {
		l.value = number(out[:*returned])
	}
	return t.started(l, ov, errno)
}
func (t *tracer) WSPAddressToString(addr []byte, info *spi.ProtocolInfo, buf []uint16, length *uint32) spi.Errno {
	l := t.begin(fnAddressToString)
	errno := t.Provider.WSPAddressToString(addr, info, buf, length)
	if l != nil {
		l.given(addr)
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPStringToAddress(str []uint16, af int32, info *spi.ProtocolInfo, addr []byte, addrLen *int32) spi.Errno {
	l := t.begin(fnStringToAddress)
	errno := t.Provider.WSPStringToAddress(str, af, info, addr, addrLen)
	if l != nil {
		l.args = strconv.QuoteToASCII(spi.UTF16ToString(str)) + ", " + nameOf(families, af)
		if errno == 0 {
			l.returned(addr, addrLen)
		}
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPCancelBlockingCall() spi.Errno {
	l := t.begin(fnCancelBlockingCall)
	errno := t.Provider.WSPCancelBlockingCall()
	if l != nil {
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPCleanup() spi.Errno {
	l := t.begin(fnCleanup)
	errno := t.Provider.WSPCleanup()
	if l != nil {
		t.end(l, errno)
	}
	return errno
}
