package socks

import (
	"fmt"
	"io"
	"net/netip"
	"strconv"

	"upcall.dev/spi"
)

// A handshake is a row of steps. Each says what goes out, and how many bytes are
// read then, exactly: what comes behind them is the program's.

// step is one move of a handshake.
type step struct {
	send []byte
	// read is how many bytes are read before then is called with them; 0 means
	// that the handshake is over, and head that they are a head of HTTP.
	read int
	then func(b []byte) (step, error)
}

// head stands for as many bytes as there are up to and with an empty line.
const head = -1

// longestHead bounds the head of an answer of HTTP.
const longestHead = 16 << 10

// target is where the proxy is to connect to: a name, or else an address.
type target struct {
	name string
	addr netip.AddrPort // of a name only the port counts
}

func (t target) String() string {
	if t.name != "" {
		return t.name + ":" + strconv.Itoa(int(t.addr.Port()))
	}
	return t.addr.String()
}

// refusal is a handshake that came to nothing.
type refusal struct {
	code spi.Errno
	why  string
	// misunderstood means that the proxy does not speak what the options say, or
	// does not let the user in, so that somebody has to look at them.
	misunderstood bool
}

func (r *refusal) Error() string { return r.why }

func refused(code spi.Errno, format string, args ...any) error {
	return &refusal{code: code, why: fmt.Sprintf(format, args...)}
}

func misunderstood(code spi.Errno, format string, args ...any) error {
	return &refusal{code: code, why: fmt.Sprintf(format, args...), misunderstood: true}
}

// transport is a stream to the proxy. Its methods wait.
type transport interface {
	// Write sends all of b.
	Write(b []byte) (int, error)
	// Read takes bytes; io.EOF at the end.
	Read(b []byte) (int, error)
	// Peek is Read that leaves the bytes where they are.
	Peek(b []byte) (int, error)
}

// shake carries a handshake out. It reads no byte that is not the handshake's.
func shake(t transport, s step) error {
	room := make([]byte, 32)
	for {
		if len(s.send) > 0 {
			if _, err := t.Write(s.send); err != nil {
				return err
			}
		}
		if s.read == 0 {
			return nil
		}
		var b []byte
		var err error
		if s.read == head {
			b, err = readHead(t)
		} else {
			if s.read > len(room) {
				room = make([]byte, s.read)
			}
			b = room[:s.read]
			_, err = io.ReadFull(t, b)
		}
		if err != nil {
			return err
		}
		if s, err = s.then(b); err != nil {
			return err
		}
	}
}

// readHead takes a head of HTTP and nothing behind it: it looks at bytes before
// it takes them.
func readHead(t transport) ([]byte, error) {
	var all []byte
	var room [1024]byte
	for len(all) < longestHead {
		n, err := t.Peek(room[:])
		if err != nil {
			return nil, err
		}
		before := len(all)
		all = append(all, room[:n]...)
		end := headEnd(all, before)
		if end >= 0 {
			n = end - before
		}
		if _, err := io.ReadFull(t, room[:n]); err != nil || end >= 0 {
			return all[:before+n], err
		}
	}
	return nil, misunderstood(spi.WSAECONNABORTED, "it answers with a head of more than %d bytes", longestHead)
}

// headEnd returns where a head ends, behind its empty line, which does not end
// within the first seen bytes; -1 when it goes on. Lines may end without a CR.
func headEnd(b []byte, seen int) int {
	for i := seen; i < len(b); i++ {
		if b[i] != '\n' {
			continue
		}
		line := i
		if line > 0 && b[line-1] == '\r' {
			line--
		}
		if line > 0 && b[line-1] == '\n' {
			return i + 1
		}
	}
	return -1
}
