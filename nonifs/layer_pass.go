package nonifs

import "upcall.dev/spi"

// The functions of a Layer that only translate the handle.

// WSPBind passes through.
func (l *Layer) WSPBind(s spi.Socket, name []byte) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.next.WSPBind(h.Value.lower, name)
}

// WSPConnect passes through.
func (l *Layer) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.next.WSPConnect(h.Value.lower, name, callerData, calleeData, sqos, gqos)
}

// WSPGetPeerName passes through.
func (l *Layer) WSPGetPeerName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.next.WSPGetPeerName(h.Value.lower, name, nameLen)
}

// WSPGetSockName passes through.
func (l *Layer) WSPGetSockName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.next.WSPGetSockName(h.Value.lower, name, nameLen)
}

// WSPGetQOSByName passes through.
func (l *Layer) WSPGetQOSByName(s spi.Socket, name *spi.Buf, qos *spi.QOS) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.next.WSPGetQOSByName(h.Value.lower, name, qos)
}

// WSPListen passes through.
func (l *Layer) WSPListen(s spi.Socket, backlog int32) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.next.WSPListen(h.Value.lower, backlog)
}

// WSPRecvDisconnect passes through.
func (l *Layer) WSPRecvDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.next.WSPRecvDisconnect(h.Value.lower, data)
}

// WSPSendDisconnect passes through.
func (l *Layer) WSPSendDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.next.WSPSendDisconnect(h.Value.lower, data)
}

// WSPShutdown passes through.
func (l *Layer) WSPShutdown(s spi.Socket, how int32) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.next.WSPShutdown(h.Value.lower, how)
}
