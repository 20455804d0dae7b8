package dns

import (
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// server is a DNS server on loopback that knows a few names.
type server struct {
	conn net.PacketConn
	done sync.WaitGroup

	mu    sync.Mutex
	asked []string // type and name of each question
	// silent is sent to when a question for a name under "silent." comes, which
	// is not answered.
	silent chan struct{}
}

func serve(t *testing.T) *server {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{conn: conn, silent: make(chan struct{}, 100)}
	s.done.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := s.answer(buf[:n]); answer != nil {
				_, _ = conn.WriteTo(answer, from) // one that is lost is asked for again
			}
		}
	})
	t.Cleanup(func() {
		conn.Close()
		s.done.Wait()
	})
	return s
}

func (s *server) address() string { return s.conn.LocalAddr().String() }

func (s *server) answer(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	name := strings.ToLower(q.Name.String())
	s.mu.Lock()
	s.asked = append(s.asked, q.Type.String()+" "+name)
	s.mu.Unlock()
	m.Response, m.Authoritative, m.RecursionAvailable = true, true, true
	m.Additionals = nil
	add := func(owner string, body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(owner), Class: dnsmessage.ClassINET, TTL: 1},
			Body:   body,
		})
	}
	four := func(owner string) {
		if q.Type == dnsmessage.TypeA {
			add(owner, &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}})
		}
	}
	six := func(owner string) {
		if q.Type == dnsmessage.TypeAAAA {
			add(owner, &dnsmessage.AAAAResource{AAAA: [16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 7}})
		}
	}
	switch name {
	case "both.test.":
		four(name)
		six(name)
	case "four.test.":
		four(name)
	case "alias.test.":
		add(name, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("canonical.test.")})
		four("canonical.test.")
	case "canonical.test.":
		four(name)
	case "empty.test.":
	case "7.2.0.192.in-addr.arpa.":
		add(name, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("both.test.")})
	case "failing.test.":
		m.RCode = dnsmessage.RCodeServerFailure
	case "silent.test.":
		s.silent <- struct{}{}
		return nil
	default:
		m.RCode = dnsmessage.RCodeNameError
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}
