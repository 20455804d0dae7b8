package isolate

import (
	"errors"
	"fmt"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The two ends of the link. The outer one is alone in a network namespace of its
// own, which nobody enters but the packet socket: it goes when the program's
// namespace goes, and so the host learns that the last process has ended.
var (
	innerEnd = device{name: "upcall0", hardware: [6]byte{2, 'u', 'p', 'c', 'a', 1}, mtu: linkMTU}
	outerEnd = device{name: "host0", hardware: [6]byte{2, 'u', 'p', 'c', 'a', 2}, mtu: linkMTU}
)

// linkMTU is the largest that Linux takes: a segment or datagram is one packet.
const linkMTU = 65535

// largestJoined is what a packet may have in bytes that many segments of TCP were
// joined to: the most that Linux takes from version 6.3 on (GSO_MAX_SIZE).
const largestJoined = 8 * 65535

// linkEnd is what the host has of the outer end of the link.
type linkEnd struct {
	sockets [3]int // packet sockets
	largest uint32 // the largest packet of joined segments, in bytes; 0: none is taken
}

// What each socket is for.
const (
	receiving = iota
	sending   // receives nothing: Go's poller is not told each time that there is room in it
	guarding  // the guard's; receives nothing yet
)

// close closes some of the sockets.
func (p linkEnd) close(which ...int) {
	for _, i := range which {
		_ = unix.Close(p.sockets[i])
	}
}

// isolateNetwork moves the calling thread from the outer namespace, a new one, to
// one of the program, and returns the outer end of the link between them. step says
// what failed.
func isolateNetwork() (p linkEnd, step string, err error) {
	outside, err := openRouteSocket()
	if err != nil {
		return p, "open a netlink socket", err
	}
	defer outside.close()
	for i := range p.sockets {
		p.sockets[i], err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return p, "open a packet socket", err
		}
	}
	outer, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return p, "open /proc/thread-self/ns/net", err
	}
	defer unix.Close(outer)
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return p, "make a network namespace", err
	}
	inside, err := openRouteSocket()
	if err != nil {
		return p, "open a netlink socket", err
	}
	defer inside.close()
	if err := inside.addPair(innerEnd, outerEnd, outer); err != nil {
		return p, "make a pair of veth devices", err
	}
	index, err := indexOf(p.sockets[receiving], outerEnd.name)
	if err != nil {
		return p, "find the link's outer end", err
	}
	if err := outside.quiet(index); err != nil {
		return p, "keep the link's outer end quiet", err
	}
	if p.largest, err = outside.allowJoined(index, largestJoined); err != nil {
		return p, "let the link's outer end send large packets", err
	}
	if err := outside.setUp(index); err != nil {
		return p, "bring the link's outer end up", err
	}
	if step, err := configure(inside); err != nil {
		return p, step, err
	}
	for i, protocol := range [len(p.sockets)]uint16{receiving: networkOrder(unix.ETH_P_ALL)} {
		if err := unix.Bind(p.sockets[i], &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: index}); err != nil {
			return p, "bind a packet socket", err
		}
	}
	return p, "", nil
}

// configure gives the namespace of r its loopback, addresses and routes.
func configure(r *routeSocket) (step string, err error) {
	loopback, err := net.InterfaceByName("lo")
	if err != nil {
		return "find the loopback device", err
	}
	if err := r.setUp(loopback.Index); err != nil {
		return "bring the loopback device up", err
	}
	link, err := net.InterfaceByName(innerEnd.name)
	if err != nil {
		return "find the link's inner end", err
	}
	if err := r.quiet(link.Index); err != nil {
		return "keep the link quiet", err
	}
	if err := r.setUp(link.Index); err != nil {
		return "bring the link up", err
	}
	if err := r.addAddress(link.Index, programIPv4); err != nil {
		return "give the link an IPv4 address", err
	}
	if err := r.addDefaultRoute(link.Index, programIPv4); err != nil {
		return "add an IPv4 route", err
	}
	if _, err := os.Stat("/proc/net/if_inet6"); errors.Is(err, os.ErrNotExist) {
		return "", nil // a kernel without IPv6
	}
	if err := r.addAddress(link.Index, programIPv6); err != nil {
		return "give the link an IPv6 address", err
	}
	if err := r.addDefaultRoute(link.Index, programIPv6); err != nil {
		return "add an IPv6 route", err
	}
	return "", nil
}

// indexOf asks for a device's index in the namespace of a socket.
func indexOf(socket int, name string) (int, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(socket, unix.SIOCGIFINDEX, request); err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return int(request.Uint32()), nil
}

func networkOrder(v uint16) uint16 {
	b := [2]byte{byte(v >> 8), byte(v)}
	return *(*uint16)(unsafe.Pointer(&b))
}
