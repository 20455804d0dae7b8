package isolate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// guard is a process that outlives this one: should this one be killed, the
// programs of the namespace get errors from it, where otherwise what they wait
// for would never come.
//
// It waits for the end of a pipe, and then for packets on a socket of its own on
// the link's outer end. Each connection that this process has recorded is sent a
// SYN, which has no place in it: the program's kernel answers with the numbers that a
// reset must have. Whatever else comes is answered with a reset, or with "port
// unreachable". The guard ends with the link.
type guard struct {
	cmd  *exec.Cmd
	life *os.File // the pipe's writing end, which nobody writes to
}

// guardName is the argv[0] by which a copy of the command knows that it is the
// guard.
const guardName = "upcall: guard"

// The guard's descriptors.
const (
	guardLife = 3 + iota
	guardPackets
	guardFlows
)

// startGuard takes over the two files.
func startGuard(packets, connections *os.File) (*guard, error) {
	defer packets.Close()
	defer connections.Close()
	waits, life, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer waits.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{guardName}, Env: []string{}, Dir: "/",
		ExtraFiles: []*os.File{waits, packets, connections},
		// What ends a terminal's processes is not for it.
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		life.Close()
		return nil, fmt.Errorf("a guard for the namespace does not start: %w", err)
	}
	return &guard{cmd: cmd, life: life}, nil
}

// end ends the guard when nobody is left in the namespace; else it goes on.
func (g *guard) end(left bool) {
	if left {
		g.life.Close()
		_ = g.cmd.Process.Release()
		return
	}
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
	g.life.Close()
}

// guardMain is the guard.
func guardMain() {
	var nothing [1]byte
	for {
		if _, err := unix.Read(guardLife, nothing[:]); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	connections, err := mapFlows(guardFlows)
	if err != nil {
		os.Exit(1)
	}
	own, err := unix.Getsockname(guardPackets)
	name, ok := own.(*unix.SockaddrLinklayer)
	if err != nil || !ok {
		os.Exit(1)
	}
	name.Protocol = networkOrder(unix.ETH_P_ALL)
	if unix.Bind(guardPackets, name) != nil {
		os.Exit(0) // the link has gone
	}
	m := mourner{fd: guardPackets}
	for slot := 0; slot < maxRecorded && !m.gone; slot++ {
		if program, peer, ok := connections.at(slot); ok {
			m.send(segment{
				from: tcpip.AddrFromSlice(peer.Addr().AsSlice()), to: tcpip.AddrFromSlice(program.Addr().AsSlice()),
				fromPort: peer.Port(), toPort: program.Port(), flags: header.TCPFlagSyn,
			}.packet())
		}
		m.answer(0)
	}
	for !m.gone {
		m.answer(-1)
	}
	os.Exit(0)
}

// mourner answers packets for one who is dead.
type mourner struct {
	fd     int
	gone   bool      // the link; the error that says so comes once
	buffer [256]byte // headers are all that is looked at
}

// answer answers what has come, and before that waits for the time that poll(2)
// takes.
func (m *mourner) answer(milliseconds int) {
	set := []unix.PollFd{{Fd: int32(m.fd), Events: unix.POLLIN}}
	if n, _ := unix.Poll(set, milliseconds); n <= 0 {
		return
	}
	for !m.gone {
		n, _, err := unix.Recvfrom(m.fd, m.buffer[:], unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil:
			m.gone = !errors.Is(err, unix.EINTR)
		case n > header.EthernetMinimumSize:
			if reply := replyTo(m.buffer[header.EthernetMinimumSize:n]); reply != nil {
				m.send(reply)
			}
		}
	}
}

// send sends a packet to the program's namespace. One that finds no room is lost,
// and is asked for again.
func (m *mourner) send(packet []byte) {
	framed := make([]byte, header.EthernetMinimumSize, header.EthernetMinimumSize+len(packet))
	copy(framed, innerEnd.hardware[:])
	copy(framed[6:], outerEnd.hardware[:])
	protocol := header.IPv4ProtocolNumber
	if header.IPVersion(packet) == header.IPv6Version {
		protocol = header.IPv6ProtocolNumber
	}
	binary.BigEndian.PutUint16(framed[12:], uint16(protocol))
	_, err := unix.Write(m.fd, append(framed, packet...))
	m.gone = m.gone || errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENXIO)
}

// replyTo returns the packet that ends what a packet of the program belongs to, nil
// if nothing does.
func replyTo(packet []byte) []byte {
	var protocol tcpip.TransportProtocolNumber
	var from, to tcpip.Address
	var start, length int
	switch header.IPVersion(packet) {
	case header.IPv4Version:
		if len(packet) < header.IPv4MinimumSize {
			return nil
		}
		ip := header.IPv4(packet)
		protocol, from, to = ip.TransportProtocol(), ip.SourceAddress(), ip.DestinationAddress()
		start, length = int(ip.HeaderLength()), int(ip.TotalLength())
	case header.IPv6Version:
		if len(packet) < header.IPv6MinimumSize {
			return nil
		}
		ip := header.IPv6(packet)
		protocol, from, to = tcpip.TransportProtocolNumber(ip.NextHeader()), ip.SourceAddress(), ip.DestinationAddress()
		start, length = header.IPv6MinimumSize, header.IPv6MinimumSize+int(ip.PayloadLength())
	default:
		return nil
	}
	switch {
	case protocol == header.UDPProtocolNumber && len(packet) >= start+quoted:
		return unreachableMessage(packet[:start+quoted], header.ICMPv4PortUnreachable, header.ICMPv6PortUnreachable)
	case protocol != header.TCPProtocolNumber || len(packet) < start+header.TCPMinimumSize:
		return nil
	}
	tcp := header.TCP(packet[start:])
	reset := segment{from: to, to: from, fromPort: tcp.DestinationPort(), toPort: tcp.SourcePort(), flags: header.TCPFlagRst}
	switch flags := tcp.Flags(); {
	case flags.Contains(header.TCPFlagRst):
		return nil
	case flags.Contains(header.TCPFlagAck):
		reset.sequence = tcp.AckNumber()
	default: // as RFC 9293, 3.10.7.1, has it
		reset.flags |= header.TCPFlagAck
		reset.ack = tcp.SequenceNumber() + uint32(max(0, length-start-int(tcp.DataOffset())))
		if flags.Contains(header.TCPFlagSyn) {
			reset.ack++
		}
	}
	return reset.packet()
}

// segment is a TCP segment without data.
type segment struct {
	from, to         tcpip.Address
	fromPort, toPort uint16
	sequence, ack    uint32
	flags            header.TCPFlags
}

func (s segment) packet() []byte {
	tcp := header.TCP(make([]byte, header.TCPMinimumSize))
	tcp.Encode(&header.TCPFields{
		SrcPort: s.fromPort, DstPort: s.toPort, SeqNum: s.sequence, AckNum: s.ack,
		DataOffset: header.TCPMinimumSize, Flags: s.flags, WindowSize: 1 << 15,
	})
	tcp.SetChecksum(^checksum.Checksum(tcp, header.PseudoHeaderChecksum(header.TCPProtocolNumber, s.from, s.to, uint16(len(tcp)))))
	return append(networkHeader(header.TCPProtocolNumber, s.from, s.to, len(tcp)), tcp...)
}
