package model

import (
	"bytes"

	"pgregory.net/rapid"

	"upcall.dev/spi"
)

func (m *machine) send(r *rapid.T) {
	e := m.pick(r, func(e *endpoint) bool { return e.peer == nil || len(e.peer.queue) < maxQueued })
	data := m.bytes(r)
	n, err := m.Send(e.s, data, 0)
	m.sent(r, e, data, n, err)
}

// bytes draws data in which every byte tells its place.
func (m *machine) bytes(r *rapid.T) []byte {
	data := make([]byte, rapid.IntRange(1, 300).Draw(r, "bytes"))
	for i := range data {
		m.nextKey++
		data[i] = byte(m.nextKey)
	}
	return data
}

// sent enters what a send did.
func (m *machine) sent(r *rapid.T, e *endpoint, data []byte, n int, err error) {
	r.Helper()
	switch {
	case e.broken:
		return // anything but a hang
	case !e.connected:
		is(r, "send without a connection", err, spi.WSAENOTCONN)
		return
	case e.sendShut:
		is(r, "send after SD_SEND", err, spi.WSAESHUTDOWN)
		return
	case e.peerGone || e.peer != nil && e.peer.recvShut:
		is(r, "send to a peer that is gone", err, 0, spi.WSAECONNRESET, spi.WSAECONNABORTED)
		m.breakOff(e)
		m.breakOff(e.peer)
		return
	}
	must(r, "send", err)
	if n != len(data) {
		r.Fatalf("%d of %d bytes sent", n, len(data))
	}
	if e.peer == nil {
		e.early = append(e.early, data...)
		return
	}
	e.peer.queue = append(e.peer.queue, data...)
	m.incoming(e.peer)
}

func (m *machine) recv(r *rapid.T) {
	e := m.pick(r, open)
	buf := make([]byte, rapid.IntRange(1, 400).Draw(r, "room"))
	if !e.broken && e.connected && len(e.reads) == 0 && !e.recvShut && (len(e.queue) > 0 || e.ended) {
		m.ready(r, e, false)
	}
	flags := int32(0)
	if rapid.Bool().Draw(r, "peek") {
		flags = spi.MSG_PEEK
	}
	n, err := m.Recv(e.s, buf, flags)
	switch {
	case e.broken:
		return
	case e.listening || !e.connected:
		is(r, "recv without a connection", err, spi.WSAENOTCONN)
		return
	case e.recvShut:
		is(r, "recv after SD_RECEIVE", err, spi.WSAESHUTDOWN)
		return
	case len(e.reads) > 0:
		is(r, "recv behind overlapped ones", err, spi.WSAEWOULDBLOCK)
	case len(e.queue) > 0:
		must(r, "recv", err)
		m.took(r, e, buf[:n], flags == spi.MSG_PEEK)
	case e.ended:
		must(r, "recv at the end", err)
		if n != 0 {
			r.Fatalf("%d bytes after the end", n)
		}
	default:
		is(r, "recv of nothing", err, spi.WSAEWOULDBLOCK)
	}
	e.enabled |= spi.FD_READ & e.mask
	m.incoming(e)
}

// took checks received bytes against the queue.
func (m *machine) took(r *rapid.T, e *endpoint, got []byte, peek bool) {
	r.Helper()
	if len(got) == 0 || !bytes.HasPrefix(e.queue, got) {
		r.Fatalf("received %d bytes that are not the next of %v", len(got), e)
	}
	if !peek {
		e.queue = e.queue[len(got):]
	}
}
