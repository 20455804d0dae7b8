//go:build linux

package port

import (
	"fmt"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// counter is an eventfd whose operation reads it.
type counter struct {
	fd  int
	val uint64
	ov  spi.Overlapped
}

func newCounter(b *testing.B) *counter {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Close(fd) })
	return &counter{fd: fd}
}

func (c *counter) set() {
	one := uint64(1)
	syscall.RawSyscall(unix.SYS_WRITE, uintptr(c.fd), uintptr(unsafe.Pointer(&one)), 8)
}

func (c *counter) read() {
	syscall.RawSyscall(unix.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&c.val)), 8)
}

func (c *counter) Ready(_ uint32, done []spi.Completion) []spi.Completion {
	c.read()
	return append(done, spi.Completion{Overlapped: &c.ov})
}

func (c *counter) Orphaned() {}

// BenchmarkReady makes n descriptors ready and dequeues what completes, against
// the same system calls alone.
func BenchmarkReady(b *testing.B) {
	for _, n := range []int{1, 64} {
		name := fmt.Sprint(n)
		counters := make([]*counter, n)
		b.Run("system calls/"+name, func(b *testing.B) {
			epoll, _ := unix.EpollCreate1(0)
			defer unix.Close(epoll)
			for i := range counters {
				counters[i] = newCounter(b)
				unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, counters[i].fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLET})
			}
			var events [256]unix.EpollEvent
			for b.Loop() {
				for _, c := range counters {
					c.set()
				}
				for left := n; left > 0; {
					ready, _, _ := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events)), 256, 0, 0, 0)
					left -= int(ready)
				}
				for _, c := range counters {
					c.read()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/packet")
		})
		for _, batch := range []int{1, 64} {
			b.Run(fmt.Sprintf("port, room for %d/%s", batch, name), func(b *testing.B) {
				p := New(1, nil)
				defer p.Close()
				for i := range counters {
					counters[i] = newCounter(b)
					p.Watch(uintptr(counters[i].fd), counters[i], 1, nil)
				}
				w := NewWorker()
				room := make([]Packet, batch)
				b.ReportAllocs()
				for b.Loop() {
					for _, c := range counters {
						c.set()
					}
					for left := n; left > 0; {
						got, result := p.GetMany(w, room, Infinite)
						if result != OK {
							b.Fatal(result)
						}
						left -= got
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/packet")
			})
		}
	}
}
