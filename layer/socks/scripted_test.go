package socks_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"time"

	"upcall.dev/spi"
)

// greet plays a SOCKS5 proxy up to where it has the request.
func greet(c net.Conn) error {
	b := make([]byte, 300)
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, b[2:2+b[1]]); err != nil {
		return err
	}
	if _, err := c.Write([]byte{5, 0}); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b[:10])
	return err
}

var granted = []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}

// scripted is a proxy that answers each handshake by its kind in an unusual way,
// and then, if it grants the connection, sends back what it gets.
var scripted = []struct {
	name    string
	options []string
	handle  func(c net.Conn)
	early   string    // what the program must receive first
	want    spi.Errno // zero: it is connected
}{
	{name: "byte by byte", handle: func(c net.Conn) {
		if greet(c) == nil {
			for _, b := range granted {
				time.Sleep(time.Millisecond)
				_, _ = c.Write([]byte{b})
			}
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "early data", early: "220 ready\r\n", handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write(append(bytes.Clone(granted), "220 ready\r\n"...))
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "an answer with a name", early: "x", handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write([]byte{5, 0, 0, 3, 1, 'n', 0, 80, 'x'})
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "an answer with an IPv6 address", early: "y", handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write(append(append([]byte{5, 0, 0, 4}, make([]byte, 18)...), 'y'))
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "closed at once", want: spi.WSAECONNRESET, handle: func(net.Conn) {}},
	{name: "closed after the greeting", want: spi.WSAECONNRESET, handle: func(c net.Conn) {
		b := make([]byte, 3)
		_, _ = io.ReadFull(c, b)
		_, _ = c.Write([]byte{5, 0})
	}},
	{name: "closed in the answer", want: spi.WSAECONNRESET, handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write(granted[:6])
		}
	}},
	{name: "silent", options: []string{"timeout=150ms"}, want: spi.WSAETIMEDOUT, handle: func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c)
	}},
	{name: "silent after the greeting", options: []string{"timeout=150ms"}, want: spi.WSAETIMEDOUT, handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	}},
	{name: "of another kind", want: spi.WSAECONNABORTED, handle: func(c net.Conn) {
		_, _ = io.WriteString(c, "SSH-2.0-sshd\r\n")
		_, _ = io.Copy(io.Discard, c)
	}},
	{name: "that wants a login", want: spi.WSAEACCES, handle: func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 3))
		_, _ = c.Write([]byte{5, 0xff})
		_, _ = io.Copy(io.Discard, c)
	}},
	{name: "that refuses, in a short answer", want: spi.WSAEHOSTUNREACH, handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write([]byte{5, 4, 0, 1})
		}
	}},
	{name: "socks4a with early data", options: []string{"type=socks4a", "user=anna"}, early: "z", handle: func(c net.Conn) {
		b := make([]byte, 13)
		if _, err := io.ReadFull(c, b); err == nil && string(b[8:]) == "anna\x00" {
			_, _ = c.Write([]byte{0, 90, 0, 0, 0, 0, 0, 0, 'z'})
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "socks4a that refuses", options: []string{"type=socks4a"}, want: spi.WSAECONNREFUSED, handle: func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 9))
		_, _ = c.Write([]byte{0, 91, 0, 0, 0, 0, 0, 0})
	}},
	{name: "http, byte by byte with early data", options: []string{"type=http"}, early: "\r\nfirst", handle: func(c net.Conn) {
		if readRequest(c) == nil {
			for _, b := range []byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nVia: x\r\n\r\n\r\nfirst") {
				time.Sleep(time.Millisecond)
				_, _ = c.Write([]byte{b})
			}
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "http, all in one", options: []string{"type=http"}, early: "\n\nfirst", handle: func(c net.Conn) {
		if readRequest(c) == nil {
			_, _ = io.WriteString(c, "HTTP/1.0 200 fine\n\n\n\nfirst")
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "http without an end", options: []string{"type=http"}, want: spi.WSAECONNABORTED, handle: func(c net.Conn) {
		if readRequest(c) == nil {
			_, _ = io.WriteString(c, "HTTP/1.0 200 fine\r\nX: "+strings.Repeat("x", 100_000))
			_, _ = io.Copy(io.Discard, c)
		}
	}},
	{name: "http 502", options: []string{"type=http"}, want: spi.WSAEHOSTUNREACH, handle: answer("502 Bad Gateway")},
	{name: "http 504", options: []string{"type=http"}, want: spi.WSAETIMEDOUT, handle: answer("504 Gateway Timeout")},
	{name: "http 403", options: []string{"type=http"}, want: spi.WSAEACCES, handle: answer("403 Forbidden")},
	{name: "http 503", options: []string{"type=http"}, want: spi.WSAECONNREFUSED, handle: answer("503 Service Unavailable")},
}

func readRequest(c net.Conn) error {
	var all []byte
	b := make([]byte, 1)
	for !bytes.HasSuffix(all, []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(c, b); err != nil {
			return err
		}
		all = append(all, b[0])
	}
	return nil
}

func answer(status string) func(net.Conn) {
	return func(c net.Conn) {
		if readRequest(c) == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 "+status+"\r\nContent-Length: 4\r\n\r\nsad\n")
		}
	}
}
