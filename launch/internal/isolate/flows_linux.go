package isolate

import (
	"encoding/binary"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// flows is what the guard must know should this process die: the program's
// connections. It is memory that both processes have mapped.
type flows struct {
	memory []byte // maxRecorded slots

	mu   sync.Mutex // guards what follows; a leaf lock
	free []int      // slots that were used
	used int        // slots from here on were not
}

// A slot is the program's address and its peer's, as the program sees it.
const (
	slotState   = 0 // offsets: of nothing, or a version of IP, written last
	slotPort    = 4
	slotPeer    = 6
	slotAddress = 8
	slotRemote  = 24
	slotSize    = 40

	maxRecorded = 1 << 16
)

// newFlows makes the memory. The file is for the guard.
func newFlows() (*flows, *os.File, error) {
	fd, err := unix.MemfdCreate("upcall-connections", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(fd), "connections")
	if err := unix.Ftruncate(fd, slotSize*maxRecorded); err != nil {
		file.Close()
		return nil, nil, err
	}
	f, err := mapFlows(fd)
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return f, file, nil
}

func mapFlows(fd int) (*flows, error) {
	memory, err := unix.Mmap(fd, 0, slotSize*maxRecorded, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &flows{memory: memory}, nil
}

func (f *flows) close() { _ = unix.Munmap(f.memory) }

func (f *flows) slot(i int) []byte { return f.memory[i*slotSize:][:slotSize] }

func state(slot []byte) *uint32 { return (*uint32)(unsafe.Pointer(&slot[slotState])) }

// add records a connection, and returns what remove takes. There are more than
// can be recorded only where descriptors are without limit.
func (f *flows) add(program, peer netip.AddrPort) (slot int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch n := len(f.free); {
	case n > 0:
		slot = f.free[n-1]
		f.free = f.free[:n-1]
	case f.used < maxRecorded:
		slot = f.used
		f.used++
	default:
		return -1
	}
	b := f.slot(slot)
	binary.NativeEndian.PutUint16(b[slotPort:], program.Port())
	binary.NativeEndian.PutUint16(b[slotPeer:], peer.Port())
	copy(b[slotAddress:slotRemote], program.Addr().AsSlice())
	copy(b[slotRemote:], peer.Addr().AsSlice())
	version := uint32(6)
	if program.Addr().Is4() {
		version = 4
	}
	atomic.StoreUint32(state(b), version)
	return slot
}

func (f *flows) remove(slot int) {
	if slot < 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	atomic.StoreUint32(state(f.slot(slot)), 0)
	f.free = append(f.free, slot)
}

// at returns what a slot has. ok is false for one that has nothing, or what is
// being written while its writer is killed.
func (f *flows) at(slot int) (program, peer netip.AddrPort, ok bool) {
	b := f.slot(slot)
	length := 0
	switch atomic.LoadUint32(state(b)) {
	case 4:
		length = 4
	case 6:
		length = 16
	default:
		return program, peer, false
	}
	address, _ := netip.AddrFromSlice(b[slotAddress:][:length])
	remote, _ := netip.AddrFromSlice(b[slotRemote:][:length])
	return netip.AddrPortFrom(address, binary.NativeEndian.Uint16(b[slotPort:])), netip.AddrPortFrom(remote, binary.NativeEndian.Uint16(b[slotPeer:])), true
}
