//go:build linux

package kernel_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// crowd is how many sockets the tests with many have.
const crowd = 1500

// many returns count bound datagram sockets and the address of each.
func many(t testing.TB, th *ws2.Thread, f family, count int) ([]spi.Socket, [][]byte) {
	t.Helper()
	var most unix.Rlimit
	ok(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &most))
	if most.Cur < uint64(count)+200 {
		t.Skipf("only %d descriptors are allowed", most.Cur)
	}
	all, names := make([]spi.Socket, count), make([][]byte, count)
	for i := range all {
		all[i], names[i] = udp(t, th, f)
	}
	return all, names
}

// limitDescriptors allows no more than count descriptors until the test ends.
func limitDescriptors(t testing.TB, count uint64) {
	t.Helper()
	var old unix.Rlimit
	ok(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	ok(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: count, Max: old.Max}))
	t.Cleanup(func() { ok(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &old)) })
}

// All sockets are in all three sets, which together are longer than the list
// that poll(2) takes from this process.
func TestBehaviour098_SelectManySockets(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		all, names := many(t, th, f, crowd)
		limitDescriptors(t, crowd+200)
		var sent []spi.Socket
		for i := range all {
			if i%100 == 99 {
				_, err := th.SendTo(all[0], []byte("x"), 0, names[i])
				ok(t, err)
				sent = append(sent, all[i])
			}
		}
		read, write, except := spi.NewFDSet(all...), spi.NewFDSet(all...), spi.NewFDSet(all...)
		rand.Shuffle(crowd, func(i, j int) {
			w := write.Sockets()
			w[i], w[j] = w[j], w[i]
		})
		n, err := th.Select(read, write, except, nil)
		ok(t, err)
		if n != crowd+len(sent) {
			t.Errorf("select counts %d, want %d", n, crowd+len(sent))
		}
		expect(t, "read", read, sent...)
		expect(t, "write", write, all...)
		expect(t, "except", except)

		for i, s := range sent { // a set may name a socket twice
			if i > 0 {
				_, err = th.Recv(s, make([]byte, 1), 0)
				ok(t, err)
			}
		}
		read = spi.NewFDSet(append(append([]spi.Socket(nil), all...), all...)...)
		n, err = th.Select(read, nil, nil, &spi.Timeval{})
		ok(t, err)
		if n != 2 || read.Count != 2 {
			t.Errorf("select counts %d, the set has %v", n, read.Sockets())
		}
	})
}

// A waiting select over many sockets sees the one that changes, a close of any
// of them, and one that is no socket.
func TestBehaviour096_SelectWaitsForManySockets(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		all, names := many(t, th, f, crowd)
		n, err := th.Select(spi.NewFDSet(all...), nil, spi.NewFDSet(all...), &spi.Timeval{Usec: 1000})
		if n != 0 || err != nil {
			t.Errorf("after the timeout: %d, %v", n, err)
		}
		set := spi.NewFDSet(all...)
		selecting := waiting(t, func() error { _, err := th.Select(set, nil, nil, nil); return err })
		_, err = th.SendTo(all[0], []byte("x"), 0, names[crowd-1])
		ok(t, err)
		ok(t, <-selecting)
		expect(t, "read", set, all[crowd-1])

		set = spi.NewFDSet(all[:crowd-1]...)
		selecting = waiting(t, func() error { _, err := th.Select(set, nil, nil, nil); return err })
		ok(t, th.CloseSocket(all[crowd/2]))
		want(t, <-selecting, spi.WSAENOTSOCK)
		_, err = th.Select(set, nil, nil, &spi.Timeval{})
		want(t, err, spi.WSAENOTSOCK)
	})
}

// One that is no socket among very many: nothing is changed.
func TestBehaviour095_NoSocketAmongMany(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		all, _ := many(t, th, f, crowd)
		read, write := spi.NewFDSet(all...), spi.NewFDSet(append(all[:crowd:crowd], 1<<30)...)
		_, err := th.Select(read, write, nil, nil)
		want(t, err, spi.WSAENOTSOCK)
		if read.Count != crowd || write.Count != crowd+1 {
			t.Errorf("a select that fails leaves %d and %d sockets", read.Count, write.Count)
		}
		_, err = th.Select(read, nil, nil, &spi.Timeval{Usec: -1})
		want(t, err, spi.WSAEINVAL)
	})
}

// Attempts to connect, half of which fail, among many sockets.
func TestBehaviour099_ConnectAmongMany(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		all, _ := many(t, th, f, crowd)
		_, name := listen(t, th, f)
		_, nobody := silent(t, th, f)
		var succeed, fail []spi.Socket
		for i := range 12 {
			c := stream(t, th, f)
			nonblocking(t, th, c, 1)
			to := name
			if i%2 == 0 {
				to = nobody
				fail = append(fail, c)
			} else {
				succeed = append(succeed, c)
			}
			want(t, th.Connect(c, to), spi.WSAEWOULDBLOCK)
			all = append(all, c)
		}
		for range 1000 {
			read, write, except := spi.NewFDSet(all...), spi.NewFDSet(all[crowd:]...), spi.NewFDSet(all...)
			n, err := th.Select(read, write, except, nil)
			ok(t, err)
			if n < len(succeed)+len(fail) {
				continue // some are still on their way
			}
			expect(t, "read", read)
			expect(t, "write", write, succeed...)
			expect(t, "except", except, fail...)
			return
		}
		t.Error("the attempts do not end")
	})
}

func TestBehaviour100_PollingManyCallsNoHook(t *testing.T) {
	calls := 0
	th := hooked(t, func(*ws2.Thread) bool { calls++; return false })
	all, _ := many(t, th, ipv4, crowd)
	set := spi.NewFDSet(all...)
	if n, err := th.Select(set, nil, nil, &spi.Timeval{}); n != 0 || err != nil || calls != 0 || set.Count != 0 {
		t.Errorf("select gives %d, %v after %d runs of the hook", n, err, calls)
	}
	set = spi.NewFDSet(all...)
	if n, err := th.Select(set, nil, nil, &spi.Timeval{Usec: 30_000}); n != 0 || err != nil || calls == 0 {
		t.Errorf("select gives %d, %v after %d runs of the hook", n, err, calls)
	}
}

func TestPollManySockets(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		all, names := many(t, th, f, crowd)
		limitDescriptors(t, crowd+200)
		fds := make([]spi.PollFD, 0, 3*crowd)
		for range 3 {
			for _, s := range all {
				fds = append(fds, spi.PollFD{FD: s, Events: spi.POLLIN})
			}
		}
		polling := waiting(t, func() error {
			n, err := th.WSAPoll(fds, -1)
			if n != 3 {
				return fmt.Errorf("WSAPoll counts %d: %w", n, err)
			}
			return err
		})
		_, err := th.SendTo(all[0], []byte("x"), 0, names[7])
		ok(t, err)
		ok(t, <-polling)
		for i, fd := range fds {
			bits := int16(0)
			if i%crowd == 7 {
				bits = spi.POLLRDNORM
			}
			wantBits(t, fmt.Sprint("element ", i), fd.Revents, bits)
		}
		_, err = th.Recv(all[7], make([]byte, 1), 0)
		ok(t, err)
		polling = waiting(t, func() error {
			n, err := th.WSAPoll(fds[crowd+8:], -1)
			if n != 2 {
				return fmt.Errorf("WSAPoll counts %d: %w", n, err)
			}
			return err
		})
		ok(t, th.CloseSocket(all[9]))
		ok(t, <-polling)
		wantBits(t, "a closed socket", fds[2*crowd+9].Revents, spi.POLLNVAL)
	})
}

// What one socket more costs does not depend on how many there are.
func BenchmarkSelectMany(b *testing.B) {
	benchmarkMany(b, func(b *testing.B, th *ws2.Thread, all []spi.Socket) {
		read, write := spi.NewFDSet(all...), spi.NewFDSet(all...)
		for b.Loop() {
			read.Count, write.Count = uint32(len(all)), uint32(len(all))
			copy(read.Sockets(), all)
			copy(write.Sockets(), all)
			if _, err := th.Select(read, nil, write, &spi.Timeval{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPollMany(b *testing.B) {
	benchmarkMany(b, func(b *testing.B, th *ws2.Thread, all []spi.Socket) {
		fds := make([]spi.PollFD, len(all))
		for i, s := range all {
			fds[i] = spi.PollFD{FD: s, Events: spi.POLLIN}
		}
		for b.Loop() {
			if _, err := th.WSAPoll(fds, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The kernel's own poll(2), for comparison.
func BenchmarkPlainPollMany(b *testing.B) {
	benchmarkMany(b, func(b *testing.B, _ *ws2.Thread, all []spi.Socket) {
		fds := make([]unix.PollFd, len(all))
		for i, s := range all {
			fds[i] = unix.PollFd{Fd: int32(s), Events: unix.POLLIN}
		}
		for b.Loop() {
			if _, err := unix.Poll(fds, 0); err != nil && err != unix.EINTR {
				b.Fatal(err)
			}
		}
	})
}

func benchmarkMany(b *testing.B, f func(b *testing.B, th *ws2.Thread, all []spi.Socket)) {
	for _, count := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			th := start(b)
			all, _ := many(b, th, ipv4, count)
			f(b, th, all)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(count), "ns/socket")
		})
	}
}
