package spi

import (
	"encoding/binary"
	"unsafe"

	"upcall.dev/internal/pack"
)

// Hostent is hostent: a host with its names and addresses, all of one family.
// What it points to is in the same memory.
// Source: winsock/ns-winsock-hostent.
type Hostent struct {
	Name     *byte
	Aliases  **byte
	AddrType int16
	Length   int16 // bytes of one address
	_        uint32
	AddrList **byte
}

// Servent is servent in its 64-bit layout: a service with its port.
// Source: winsock/ns-winsock-servent.
type Servent struct {
	Name    *byte
	Aliases **byte
	Proto   *byte
	Port    int16 // in network byte order
	_       [3]int16
}

// Protoent is protoent: a protocol with its number.
// Source: winsock/ns-winsock-protoent.
type Protoent struct {
	Name    *byte
	Aliases **byte
	Proto   int16
	_       [3]int16
}

// Host is what a [Hostent] says, in Go.
type Host struct {
	Name      string
	Aliases   []string
	Family    int32
	Addresses [][]byte // 4 or 16 bytes each
}

// Pack stores a hostent at the beginning of memory, as [QuerySet.Pack] stores a
// query set, and returns the bytes needed. WSAEFAULT.
func (h *Host) Pack(memory []byte) (needed int, e Errno) {
	return packEnt(memory, func(b *pack.Buffer) {
		ent := pack.One[Hostent](b)
		ent.AddrType = int16(h.Family)
		if len(h.Addresses) > 0 {
			ent.Length = int16(len(h.Addresses[0]))
		}
		list := pack.Alloc[*byte](b, len(h.Addresses)+1)
		for i, a := range h.Addresses {
			list[i] = pack.Copy(b, a)
		}
		ent.AddrList = unsafe.SliceData(list)
		ent.Aliases = b.Texts(h.Aliases)
		ent.Name = b.Text(h.Name)
	})
}

func packEnt(memory []byte, build func(*pack.Buffer)) (int, Errno) {
	needed, ok := pack.Into(memory, build)
	if !ok {
		return needed, WSAEFAULT
	}
	return needed, 0
}

// Hostent returns the hostent of h, in memory of its own.
func (h *Host) Hostent() *Hostent {
	needed, _ := h.Pack(nil)
	memory := make([]byte, needed)
	h.Pack(memory)
	return (*Hostent)(unsafe.Pointer(unsafe.SliceData(memory)))
}

// Blob returns the hostent of h with offsets from its beginning in place of
// pointers, as LUP_RETURN_BLOB has it.
func (h *Host) Blob() []byte {
	needed, _ := h.Pack(nil)
	memory := make([]byte, needed)
	h.Pack(memory)
	ent := (*Hostent)(unsafe.Pointer(unsafe.SliceData(memory)))
	base := uint64(uintptr(unsafe.Pointer(ent)))
	relative := func(at uint64) uint64 {
		offset := binary.NativeEndian.Uint64(memory[at:]) - base
		binary.NativeEndian.PutUint64(memory[at:], offset)
		return offset
	}
	relative(uint64(unsafe.Offsetof(ent.Name)))
	aliases := relative(uint64(unsafe.Offsetof(ent.Aliases)))
	for i := range h.Aliases {
		relative(aliases + uint64(i)*8)
	}
	addresses := relative(uint64(unsafe.Offsetof(ent.AddrList)))
	for i := range h.Addresses {
		relative(addresses + uint64(i)*8)
	}
	return memory
}

// Host returns what ent says.
func (ent *Hostent) Host() Host {
	h := Host{Name: textAt(ent.Name), Family: int32(ent.AddrType)}
	for _, p := range listAt(ent.Aliases) {
		h.Aliases = append(h.Aliases, textAt(p))
	}
	for _, p := range listAt(ent.AddrList) {
		h.Addresses = append(h.Addresses, unsafe.Slice(p, ent.Length))
	}
	return h
}

// Service is what a [Servent] says, in Go.
type Service struct {
	Name     string
	Aliases  []string
	Protocol string // "tcp", "udp"
	Port     uint16
}

// Pack stores a servent as [Host.Pack] stores a hostent. WSAEFAULT.
func (s *Service) Pack(memory []byte) (needed int, e Errno) {
	return packEnt(memory, func(b *pack.Buffer) {
		ent := pack.One[Servent](b)
		var port [2]byte
		binary.BigEndian.PutUint16(port[:], s.Port)
		ent.Port = int16(binary.NativeEndian.Uint16(port[:]))
		ent.Aliases = b.Texts(s.Aliases)
		ent.Name, ent.Proto = b.Text(s.Name), b.Text(s.Protocol)
	})
}

// Servent returns the servent of s, in memory of its own.
func (s *Service) Servent() *Servent {
	needed, _ := s.Pack(nil)
	memory := make([]byte, needed)
	s.Pack(memory)
	return (*Servent)(unsafe.Pointer(unsafe.SliceData(memory)))
}

// Service returns what ent says.
func (ent *Servent) Service() Service {
	var port [2]byte
	binary.NativeEndian.PutUint16(port[:], uint16(ent.Port))
	s := Service{Name: textAt(ent.Name), Protocol: textAt(ent.Proto), Port: binary.BigEndian.Uint16(port[:])}
	for _, p := range listAt(ent.Aliases) {
		s.Aliases = append(s.Aliases, textAt(p))
	}
	return s
}

// Protocol is what a [Protoent] says, in Go.
type Protocol struct {
	Name    string
	Aliases []string
	Number  int32
}

// Pack stores a protoent as [Host.Pack] stores a hostent. WSAEFAULT.
func (p *Protocol) Pack(memory []byte) (needed int, e Errno) {
	return packEnt(memory, func(b *pack.Buffer) {
		ent := pack.One[Protoent](b)
		ent.Proto = int16(p.Number)
		ent.Aliases = b.Texts(p.Aliases)
		ent.Name = b.Text(p.Name)
	})
}

// Protoent returns the protoent of p, in memory of its own.
func (p *Protocol) Protoent() *Protoent {
	needed, _ := p.Pack(nil)
	memory := make([]byte, needed)
	p.Pack(memory)
	return (*Protoent)(unsafe.Pointer(unsafe.SliceData(memory)))
}

// Protocol returns what ent says.
func (ent *Protoent) Protocol() Protocol {
	p := Protocol{Name: textAt(ent.Name), Number: int32(ent.Proto)}
	for _, alias := range listAt(ent.Aliases) {
		p.Aliases = append(p.Aliases, textAt(alias))
	}
	return p
}

// longestList bounds the search for the nil at the end of a list.
const longestList = 1 << 16

// listAt returns the pointers before the nil.
func listAt(p **byte) []*byte {
	if p == nil {
		return nil
	}
	n := 0
	for n < longestList && *(**byte)(unsafe.Add(unsafe.Pointer(p), 8*n)) != nil {
		n++
	}
	return unsafe.Slice(p, n)
}

func textAt(p *byte) string {
	if p == nil {
		return ""
	}
	n := 0
	for n < longestString && *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}
