package socks

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"upcall.dev/spi"
)

// resolverTime is how long the resolver has for one query; programs do not wait
// longer.
const resolverTime = 10 * time.Second

// resolve asks the resolver, by TCP through the proxy, and returns its reply as
// one that fits a datagram.
func (m *module) resolve(query []byte, cancel <-chan struct{}) ([]byte, error) {
	stream, err := m.dial(cancel, min(resolverTime, m.config.timeout))
	if err != nil {
		return nil, err
	}
	defer stream.close()
	r := m.config.resolver
	if err := m.shake(stream, target{name: r.name, addr: netip.AddrPortFrom(r.addr, r.port)}); err != nil {
		return nil, err
	}
	if _, err := stream.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(stream, length[:]); err != nil {
		return nil, err
	}
	reply := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(stream, reply); err != nil {
		return nil, err
	}
	if len(reply) < 2 || len(query) < 2 || reply[0] != query[0] || reply[1] != query[1] {
		return nil, refused(spi.WSANO_RECOVERY, "the resolver answers another query")
	}
	if len(reply) > datagramRoom(query) {
		return truncated(reply)
	}
	return reply, nil
}

// datagramRoom is how long a reply may be that the program takes by UDP.
func datagramRoom(query []byte) int {
	const plain = 512
	var p dnsmessage.Parser
	if _, err := p.Start(query); err != nil {
		return plain
	}
	if p.SkipAllQuestions() != nil || p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return plain
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return plain
		}
		if h.Type == dnsmessage.TypeOPT {
			return max(plain, int(h.Class)) // where EDNS has it
		}
		if p.SkipAdditional() != nil {
			return plain
		}
	}
}

// truncated is a reply without its records, which tells the program to ask by
// TCP.
func truncated(reply []byte) ([]byte, error) {
	var p dnsmessage.Parser
	header, err := p.Start(reply)
	if err != nil {
		return nil, err
	}
	questions, err := p.AllQuestions()
	if err != nil {
		return nil, err
	}
	header.Truncated = true
	m := dnsmessage.Message{Header: header, Questions: questions}
	return m.Pack()
}
