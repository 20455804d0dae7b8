package trace

import "upcall.dev/spi"

// transfer starts the line of a send or a receive.
func (t *tracer) transfer(f function, s spi.Socket, bufs []spi.Buf, flags uint32) *line {
	l := t.on(f, s)
	if l == nil {
		return nil
	}
	l.asked = spi.BufsLen(bufs)
	if flags != 0 {
		l.args = messageFlags(flags)
	}
	return l
}

// moved writes the line of a transfer that is over, or that was started. What an
// overlapped one carries is for completed to show.
func (t *tracer) moved(l *line, bufs []spi.Buf, n *uint32, ov *spi.Overlapped, errno spi.Errno) spi.Errno {
	if errno == 0 && n != nil {
		l.moved = int(*n)
		if t.data && ov == nil {
			l.preview(bufs, l.moved, t.preview)
		}
	}
	return t.started(l, ov, errno)
}

func lengthOf(address []byte) *int32 {
	n := int32(len(address))
	return &n
}

func (t *tracer) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	l := t.transfer(fnSend, s, bufs, flags)
	errno := t.Provider.WSPSend(s, bufs, sent, flags, ov, t.begins(l, ov, routine), thread)
	if l != nil {
		t.moved(l, bufs, sent, ov, errno)
	}
	return errno
}

func (t *tracer) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	l := t.transfer(fnSendTo, s, bufs, flags)
	errno := t.Provider.WSPSendTo(s, bufs, sent, flags, to, ov, t.begins(l, ov, routine), thread)
	if l != nil {
		l.given(to)
		t.moved(l, bufs, sent, ov, errno)
	}
	return errno
}

func (t *tracer) WSPRecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	l := t.transfer(fnRecv, s, bufs, value(flags))
	errno := t.Provider.WSPRecv(s, bufs, received, flags, ov, t.begins(l, ov, routine), thread)
	if l != nil {
		t.moved(l, bufs, received, ov, errno)
	}
	return errno
}

func (t *tracer) WSPRecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	l := t.transfer(fnRecvFrom, s, bufs, value(flags))
	errno := t.Provider.WSPRecvFrom(s, bufs, received, flags, from, fromLen, ov, t.begins(l, ov, routine), thread)
	if l != nil {
		if errno == 0 {
			l.returned(from, fromLen)
		}
		t.moved(l, bufs, received, ov, errno)
	}
	return errno
}

func (t *tracer) WSPSendDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	l := t.on(fnSendDisconnect, s)
	errno := t.Provider.WSPSendDisconnect(s, data)
	if l != nil {
		t.end(l, errno)
	}
	return errno
}

func (t *tracer) WSPRecvDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	l := t.on(fnRecvDisconnect, s)
	errno := t.Provider.WSPRecvDisconnect(s, data)
	if l != nil {
		t.end(l, errno)
	}
	return errno
}

func value(flags *uint32) uint32 {
	if flags == nil {
		return 0
	}
	return *flags
}
