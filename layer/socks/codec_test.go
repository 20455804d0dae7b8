package socks

import (
	"bytes"
	"io"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// answered is a transport that reads what a proxy has said, in pieces.
type answered struct {
	b     []byte
	taken int
	piece int
}

func (a *answered) Write(b []byte) (int, error) { return len(b), nil }

func (a *answered) Read(b []byte) (int, error) {
	n, err := a.Peek(b)
	a.taken += n
	return n, err
}

func (a *answered) Peek(b []byte) (int, error) {
	if a.taken == len(a.b) {
		return 0, io.EOF
	}
	return copy(b[:min(len(b), a.piece)], a.b[a.taken:]), nil
}

// Whatever a proxy says, a handshake ends, and one that succeeds has taken its
// answer and nothing more, however the answer arrives.
func FuzzHandshake(f *testing.F) {
	f.Add(byte(0), byte(1), []byte("\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00data"))
	f.Add(byte(0), byte(7), []byte("\x05\x00\x05\x00\x00\x03\x04name\x00\x50data"))
	f.Add(byte(1), byte(3), []byte("\x05\x02\x01\x00\x05\x00\x00\x04................\x00\x50data"))
	f.Add(byte(2), byte(3), []byte("\x00\x5a......data"))
	f.Add(byte(3), byte(1), []byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n\r\ndata"))
	f.Add(byte(3), byte(5), []byte("HTTP/1.0 200 OK\n\ndata"))
	f.Fuzz(func(t *testing.T, kind, piece byte, said []byte) {
		to := target{name: "host.example", addr: netip.AddrPortFrom(netip.Addr{}, 80)}
		run := func(piece int) (taken int, err error) {
			c := &config{user: "anna", password: "secret", login: kind&1 != 0}
			var first step
			switch kind % 5 {
			case 0, 1:
				s := &session5{user: c.user, password: c.password, login: c.login, command: commandConnect, to: to}
				first = s.begin()
			case 2:
				first, err = begin4(c.user, to)
			case 3:
				first = beginConnect(c, to)
			case 4:
				s := &session5{user: c.user, password: c.password, login: true, command: commandConnect, to: to, atOnce: true, method: methodLogin}
				first = s.begin()
			}
			if err != nil {
				t.Fatal(err)
			}
			a := &answered{b: said, piece: piece}
			err = shake(a, first)
			return a.taken, err
		}
		whole, err := run(1 << 20)
		taken, again := run(max(1, int(piece)))
		if (err == nil) != (again == nil) || err == nil && whole != taken {
			t.Fatalf("in one piece %d bytes and %v, in pieces of %d: %d and %v", whole, err, piece, taken, again)
		}
		if code := outcome(err); (code == 0) != (err == nil) {
			t.Fatalf("%v is %v", err, code)
		}
		if err == nil && kind%5 == 3 && !bytes.HasSuffix(said[:whole], []byte("\n\n")) && !bytes.HasSuffix(said[:whole], []byte("\n\r\n")) {
			t.Fatalf("a head that ends in %q", said[:whole])
		}
		if err == nil && kind%5 == 2 && whole != 8 {
			t.Fatalf("SOCKS4a took %d bytes", whole)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x01\x02\x03\x04\x00\x50data"))
	f.Add([]byte("\x00\x00\x00\x03\x01n\x00\x50"))
	f.Add([]byte("\x00\x00\x01\x01\x01\x02\x03\x04\x00\x50a fragment"))
	f.Fuzz(func(t *testing.T, b []byte) {
		from, data, ok := parseHeader(b)
		if !ok {
			return
		}
		again, rest, ok := parseHeader(append(appendHeader(nil, from), data...))
		if !ok || again != from || !bytes.Equal(rest, data) {
			t.Fatalf("%v %q became %v %q", from, data, again, rest)
		}
		if b[2] != 0 {
			t.Fatal("a fragment was taken")
		}
	})
}

// No query makes the answerer fail, and no reply is taken for a query.
func FuzzQuery(f *testing.F) {
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypePTR, dnsmessage.TypeMX, dnsmessage.TypeHTTPS} {
		for _, name := range []string{"host.example.", "1.0.18.198.in-addr.arpa.", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.6.1.6.3.6.0.7.5.7.d.f.ip6.arpa."} {
			m := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
				Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
			}
			b, err := m.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, query []byte) {
		reply, ask := answerQuery(query)
		if reply != nil && ask {
			t.Fatal("answered, and asked for all the same")
		}
		if ask {
			reply = refuseQuery(query, dnsmessage.RCodeServerFailure)
		}
		if reply == nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil {
			t.Fatalf("the reply cannot be read: %v", err)
		}
		if !m.Response || reply[0] != query[0] || reply[1] != query[1] {
			t.Fatal("the reply is not one to this query")
		}
		if again, ask := answerQuery(reply); again != nil || ask {
			t.Fatal("the reply is answered")
		}
		datagramRoom(query)
		_, _ = truncated(reply)
		_ = questionOf(query)
	})
}

func TestPointers(t *testing.T) {
	for name, want := range map[string]string{
		"4.3.2.1.in-addr.arpa.": "1.2.3.4",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.C.6.1.6.3.6.0.7.5.7.D.F.ip6.arpa": "fd75:7063:616c::1",
		"example.com.":           "",
		"3.2.1.in-addr.arpa.":    "",
		"x.3.2.1.in-addr.arpa.":  "",
		"1.0.0.0.0.0.0.ip6.arpa": "",
	} {
		got, ok := parsePointer(name)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s is %v, %v", name, got, ok)
		}
	}
}
