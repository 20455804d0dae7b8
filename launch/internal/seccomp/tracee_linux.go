package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func threadGroup(tid int) int {
	s, err := readThreadStatus(tid)
	if err != nil {
		return tid
	}
	return s.group
}

// threadStatus is what /proc/TID/status says about a thread's signals.
type threadStatus struct {
	group         int
	pending       uint64 // of the thread
	sharedPending uint64 // of its process
	blocked       uint64
}

func readThreadStatus(tid int) (s threadStatus, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "Tgid":
			s.group, _ = strconv.Atoi(value)
		case "SigPnd":
			s.pending, _ = strconv.ParseUint(value, 16, 64)
		case "ShdPnd":
			s.sharedPending, _ = strconv.ParseUint(value, 16, 64)
		case "SigBlk":
			s.blocked, _ = strconv.ParseUint(value, 16, 64)
		}
	}
	return s, nil
}

// hasSignal reports whether a signal certainly waits for this very thread. One
// that is pending for the whole process wakes its main thread, if any.
func hasSignal(tid int) bool {
	s, err := readThreadStatus(tid)
	if err != nil {
		return false
	}
	waiting := s.pending
	if s.group == tid {
		waiting |= s.sharedPending
	}
	return waiting&^s.blocked != 0
}

// programOf returns the path of the program that a thread runs, "" if it is not
// to be had.
func programOf(tid int) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", tid))
	if err != nil {
		return ""
	}
	return path
}

// processName says which process a thread belongs to, for messages.
func processName(tid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", tid))
	if err != nil {
		return "process " + strconv.Itoa(tid)
	}
	return fmt.Sprintf("%s (process %d)", strings.TrimSpace(string(name)), threadGroup(tid))
}

func readMemory(tid int, address uint64, into []byte) error {
	if len(into) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &into[0]}}
	local[0].SetLen(len(into))
	n, err := unix.ProcessVMReadv(tid, local, []unix.RemoteIovec{{Base: uintptr(address), Len: len(into)}}, 0)
	return wholeCopy(n, len(into), err)
}

func writeMemory(tid int, address uint64, from []byte) error {
	if len(from) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &from[0]}}
	local[0].SetLen(len(from))
	n, err := unix.ProcessVMWritev(tid, local, []unix.RemoteIovec{{Base: uintptr(address), Len: len(from)}}, 0)
	return wholeCopy(n, len(from), err)
}

func wholeCopy(n, want int, err error) error {
	if err == nil && n != want {
		return unix.EFAULT
	}
	return err
}

// sockaddr is an address as Linux lays it out.
type sockaddr []byte

func (s sockaddr) family() int {
	if len(s) < 2 {
		return -1
	}
	return int(binary.NativeEndian.Uint16(s))
}

const (
	sizeofSockaddrIn  = unix.SizeofSockaddrInet4
	sizeofSockaddrIn6 = unix.SizeofSockaddrInet6
	minSockaddrIn6    = 24 // SIN6_LEN_RFC2133: without the scope
)

// addrPort checks the address for a socket of the given domain as connect(2)
// does.
func (s sockaddr) addrPort(domain int) (netip.AddrPort, unix.Errno) {
	switch domain {
	case unix.AF_INET:
		if len(s) < sizeofSockaddrIn {
			return netip.AddrPort{}, unix.EINVAL
		}
		if s.family() != unix.AF_INET {
			return netip.AddrPort{}, unix.EAFNOSUPPORT
		}
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s[4:8])), binary.BigEndian.Uint16(s[2:])), 0
	case unix.AF_INET6:
		if len(s) < minSockaddrIn6 {
			return netip.AddrPort{}, unix.EINVAL
		}
		if s.family() != unix.AF_INET6 {
			return netip.AddrPort{}, unix.EAFNOSUPPORT
		}
		ip := netip.AddrFrom16([16]byte(s[8:24]))
		if len(s) >= sizeofSockaddrIn6 {
			if scope := binary.NativeEndian.Uint32(s[24:]); scope != 0 && !ip.Is4In6() {
				ip = ip.WithZone(strconv.FormatUint(uint64(scope), 10))
			}
		}
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(s[2:])), 0
	}
	return netip.AddrPort{}, unix.EAFNOSUPPORT
}

// sockaddrFor lays out an address for a socket of the given domain, mapped when
// need be.
func sockaddrFor(domain int, a netip.AddrPort) sockaddr {
	if domain == unix.AF_INET {
		s := make(sockaddr, sizeofSockaddrIn)
		binary.NativeEndian.PutUint16(s, unix.AF_INET)
		binary.BigEndian.PutUint16(s[2:], a.Port())
		ip := a.Addr().Unmap().As4()
		copy(s[4:], ip[:])
		return s
	}
	s := make(sockaddr, sizeofSockaddrIn6)
	binary.NativeEndian.PutUint16(s, unix.AF_INET6)
	binary.BigEndian.PutUint16(s[2:], a.Port())
	ip := a.Addr().As16()
	copy(s[8:], ip[:])
	if scope, err := strconv.ParseUint(a.Addr().Zone(), 10, 32); err == nil {
		binary.NativeEndian.PutUint32(s[24:], uint32(scope))
	}
	return s
}

func connectSocket(fd int, to sockaddr) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(to))), uintptr(len(to)))
	return errno
}

// disconnectSocket makes a TCP socket forget its connect and its peer.
func disconnectSocket(fd int) unix.Errno {
	return connectSocket(fd, make(sockaddr, sizeofSockaddrIn)) // AF_UNSPEC
}

// bindSocket is bind(2).
func bindSocket(fd int, to sockaddr) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(to))), uintptr(len(to)))
	return errno
}

// socketName is getsockname or getpeername.
func socketName(call uintptr, fd, domain int) (netip.AddrPort, unix.Errno) {
	name, errno := rawSocketName(call, fd)
	if errno != 0 {
		return netip.AddrPort{}, errno
	}
	return name.addrPort(domain)
}

func rawSocketName(call uintptr, fd int) (sockaddr, unix.Errno) {
	name := make(sockaddr, unix.SizeofSockaddrAny)
	length := uint32(len(name))
	_, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&length)))
	if errno != 0 {
		return nil, errno
	}
	return name[:min(int(length), len(name))], 0
}

func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}
