package main

import (
	"bytes"
	"fmt"
	"net"
	"sync"
)

// trafficServer serves c/traffic.c: the first byte of a connection says what for.
type trafficServer struct {
	net.Listener
	port int

	mu   sync.Mutex // guards open
	open map[net.Conn]struct{}
}

func serveTraffic() (*trafficServer, error) {
	descriptorLimit()
	l, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		return nil, err
	}
	s := &trafficServer{Listener: l, port: l.Addr().(*net.TCPAddr).Port, open: map[net.Conn]struct{}{}}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open[conn] = struct{}{}
			s.mu.Unlock()
			go func() {
				s.serve(conn)
				_ = conn.Close()
				s.mu.Lock()
				delete(s.open, conn)
				s.mu.Unlock()
			}()
		}
	}()
	return s, nil
}

func (s *trafficServer) close() {
	_ = s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Close()
	}
}

func (s *trafficServer) serve(conn net.Conn) {
	small := make([]byte, 1024)
	n, err := conn.Read(small)
	if err != nil {
		return
	}
	switch small[0] {
	case 'd':
		block := make([]byte, 256<<10)
		for err == nil {
			_, err = conn.Write(block)
		}
	case 'u':
		block := make([]byte, 256<<10)
		for n = 1; err == nil && (n == 0 || block[n-1] != 1); { // ends with a 1
			n, err = conn.Read(block)
		}
		_, _ = conn.Write([]byte{1})
	default:
		answerRequests(conn, small, n)
	}
}

// response is of the size of a small page.
var response = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: 612\r\nContent-Type: text/html\r\n\r\n%s", bytes.Repeat([]byte("x"), 612))

// answerRequests answers HTTP requests that have no bodies.
func answerRequests(conn net.Conn, buf []byte, have int) {
	for {
		for end := bytes.Index(buf[:have], []byte("\r\n\r\n")); end >= 0; end = bytes.Index(buf[:have], []byte("\r\n\r\n")) {
			if _, err := conn.Write(response); err != nil {
				return
			}
			have = copy(buf, buf[end+4:have])
		}
		n, err := conn.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
	}
}
