package memory_test

import (
	"testing"

	"upcall.dev/spi"
)

// FuzzBadArguments calls the functions that read a client's memory with
// whatever comes: they answer with a code, and never panic.
func FuzzBadArguments(f *testing.F) {
	f.Add(int32(spi.SOL_SOCKET), int32(spi.SO_RCVBUF), uint32(spi.FIONBIO), []byte{1, 0, 0, 0}, uint8(4))
	f.Add(int32(spi.SOL_SOCKET), int32(spi.SO_LINGER), uint32(spi.FIONREAD), []byte{2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, uint8(0))
	f.Add(int32(spi.IPPROTO_IPV6), int32(spi.IPV6_V6ONLY), uint32(spi.SIO_UDP_CONNRESET), []byte{23, 0}, uint8(28))
	th := newThread(f)
	f.Fuzz(func(t *testing.T, level, name int32, code uint32, data []byte, size uint8) {
		for _, typ := range []int32{spi.SOCK_STREAM, spi.SOCK_DGRAM} {
			for _, family := range []int32{spi.AF_INET, spi.AF_INET6} {
				s, err := th.Socket(family, typ, 0)
				ok(t, err)
				on := uint32(1)
				ok(t, th.IoctlSocket(s, spi.FIONBIO, &on))
				_ = th.SetSockOpt(s, level, name, data)
				out, n := make([]byte, size), int32(size)
				if th.GetSockOpt(s, level, name, out, &n) == nil && int(n) > len(out) {
					t.Errorf("option %d of level %d answers %d bytes in %d", name, level, n, len(out))
				}
				var returned uint32
				if th.WSAIoctl(s, code, data, out, &returned, nil, nil) == nil && int(returned) > len(out) {
					t.Errorf("code %#x answers %d bytes in %d", code, returned, len(out))
				}
				_ = th.Bind(s, data)
				_ = th.Connect(s, data)
				_, _ = th.SendTo(s, out, level, data)
				_, _ = th.RecvFrom(s, out, name, data, &n)
				_ = th.GetSockName(s, out, &n)
				_ = th.Listen(s, name)
				_ = th.Shutdown(s, level)
				_ = th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_LINGER, []byte{0, 0, 0, 0})
				ok(t, th.CloseSocket(s))
			}
		}
	})
}
