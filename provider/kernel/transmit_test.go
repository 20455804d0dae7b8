//go:build linux

package kernel_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// fileOf returns an open file with that content.
func fileOf(t testing.TB, content []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	ok(t, os.WriteFile(name, content, 0o600))
	f, err := os.Open(name)
	ok(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// pattern returns n bytes that differ from their neighbours.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*31 + i>>10)
	}
	return b
}

// everything starts to receive a stream to its end.
func everything(th *ws2.Thread, s spi.Socket) <-chan []byte {
	got := make(chan []byte, 1)
	go func() {
		var all []byte
		b := make([]byte, 64<<10)
		for {
			n, err := th.Recv(s, b, 0)
			if n == 0 || err != nil {
				got <- all
				return
			}
			all = append(all, b[:n]...)
		}
	}()
	return got
}

func TestTransmitFile(t *testing.T) {
	content := pattern(3 << 20)
	file := fileOf(t, content)
	head, tail := []byte("the head"), []byte("the tail")
	buffers := &spi.TransmitFileBuffers{Head: &head[0], HeadLength: uint32(len(head)), Tail: &tail[0], TailLength: uint32(len(tail))}
	rows := []struct {
		name     string
		offset   uint32
		toWrite  uint32
		perSend  uint32
		buffers  *spi.TransmitFileBuffers
		noFile   bool
		expected []byte
	}{
		{name: "all", expected: content},
		{name: "part", offset: 1000, toWrite: 70_000, expected: content[1000:71_000]},
		{name: "rest", offset: 2 << 20, perSend: 4096, expected: content[2<<20:]},
		{name: "buffers", toWrite: 5, buffers: buffers, expected: []byte("the head" + string(content[:5]) + "the tail")},
		{name: "no file", noFile: true, buffers: buffers, expected: []byte("the headthe tail")},
	}
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		for _, row := range rows {
			for _, mode := range []uint32{0, 1} {
				c, a := pair(t, th, f)
				nonblocking(t, th, c, mode)
				got := everything(th, a)
				ov := by.begin(t, th, c)
				ov.Offset = row.offset
				handle := file.Fd()
				if row.noFile {
					handle = 0
				}
				pending(t, th.TransmitFile(c, handle, row.toWrite, row.perSend, ov, row.buffers, spi.TF_DISCONNECT))
				if n, err := by.end(t, th, c, ov); int(n) != len(row.expected) || err != nil {
					t.Errorf("%s: %d, %v", row.name, n, err)
				}
				if b := <-got; !bytes.Equal(b, row.expected) {
					t.Errorf("%s: %d bytes arrive, which differ", row.name, len(b))
				}
				if mode == 0 { // the socket is as it was
					_, err := th.Recv(a, nil, 0)
					ok(t, err)
				}
				ok(t, th.CloseSocket(c))
				ok(t, th.CloseSocket(a))
			}
		}
	})
}

// Without an OVERLAPPED the call waits, and the file's position moves.
func TestTransmitFileWaits(t *testing.T) {
	content := pattern(2 << 20)
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		file := fileOf(t, content)
		c, a := pair(t, th, f)
		got := everything(th, a)
		_, err := file.Seek(10, io.SeekStart)
		ok(t, err)
		ok(t, th.TransmitFile(c, file.Fd(), 1<<20, 0, nil, nil, 0))
		if at, _ := file.Seek(0, io.SeekCurrent); at != 10+1<<20 {
			t.Errorf("the file is at %d", at)
		}
		ok(t, th.TransmitFile(c, file.Fd(), 0, 0, nil, nil, spi.TF_DISCONNECT|spi.TF_REUSE_SOCKET))
		if b := <-got; !bytes.Equal(b, content[10:]) {
			t.Errorf("%d bytes arrive, which differ", len(b))
		}
		_, err = th.Send(c, []byte("x"), 0)
		want(t, err, spi.WSAENOTCONN) // it is fresh
	})
}

func TestTransmitFileFails(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		file := fileOf(t, []byte("short"))
		c, a := pair(t, th, f)
		ov := by.begin(t, th, c)
		want(t, th.TransmitFile(stream(t, th, f), file.Fd(), 0, 0, ov, nil, 0), spi.WSAENOTCONN)
		want(t, th.TransmitFile(c, file.Fd(), 0, 0, ov, nil, spi.TF_REUSE_SOCKET), spi.WSAEINVAL)
		want(t, th.TransmitFile(c, file.Fd(), 0, 0, ov, nil, 0x1000), spi.WSAEINVAL)
		want(t, th.TransmitFile(c, 1<<20, 0, 0, ov, nil, 0), spi.WSAEBADF)
		want(t, th.TransmitFile(c, uintptr(a), 0, 0, ov, nil, 0), spi.WSAEBADF)
		want(t, th.TransmitFile(c, file.Fd(), 10, 0, ov, nil, 0), spi.ERROR_HANDLE_EOF)
		if by.told(t, th, ov) {
			t.Error("an error was indicated")
		}
		*ov = spi.Overlapped{HEvent: ov.HEvent}
		pending(t, th.TransmitFile(c, fileOf(t, pattern(8<<20)).Fd(), 0, 0, ov, nil, 0)) // more than there is room for
		ok(t, th.CloseSocket(c))
		if !by.told(t, th, ov) || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
			t.Errorf("%+v", ov)
		}
	})
}

func TestTransmitPackets(t *testing.T) {
	content := pattern(200_000)
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		file := fileOf(t, content)
		c, a := pair(t, th, f)
		got := everything(th, a)
		memory := pattern(5000)
		elements := []spi.TransmitPacketsElement{
			spi.MemoryElement(memory, 0),
			spi.FileElement(file.Fd(), 100, 50_000, 0),
			spi.MemoryElement(nil, 0),
			spi.FileElement(file.Fd(), -1, 10, 0),
			spi.FileElement(file.Fd(), -1, 0, spi.TP_ELEMENT_EOP),
		}
		expected := bytes.Join([][]byte{memory, content[100:50_100], content}, nil)
		ov := by.begin(t, th, c)
		err := th.TransmitPackets(c, elements, 0, ov, 0)
		clear(elements) // captured, like any array
		pending(t, err)
		if n, err := by.end(t, th, c, ov); int(n) != len(expected) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		ok(t, th.TransmitPackets(c, nil, 0, nil, spi.TF_DISCONNECT))
		if b := <-got; !bytes.Equal(b, expected) {
			t.Errorf("%d bytes arrive, which differ", len(b))
		}
		want(t, th.TransmitPackets(c, []spi.TransmitPacketsElement{{ElFlags: 8}}, 0, ov, 0), spi.WSAEINVAL)
	})
}

func TestTransmitPacketsDatagrams(t *testing.T) {
	eachIndicated(t, datagrams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		file := fileOf(t, []byte("0123456789"))
		r, name := udp(t, th, f)
		s, _ := udp(t, th, f)
		elements := []spi.TransmitPacketsElement{
			spi.MemoryElement([]byte("one"), spi.TP_ELEMENT_EOP),
			spi.MemoryElement([]byte("two "), 0),
			spi.FileElement(file.Fd(), 3, 2, spi.TP_ELEMENT_EOP),
			spi.FileElement(file.Fd(), -1, 4, spi.TP_ELEMENT_EOP),
			spi.FileElement(file.Fd(), -1, 0, 0),
		}
		ov := by.begin(t, th, s)
		want(t, th.TransmitPackets(s, elements, 0, ov, 0), spi.WSAENOTCONN)
		ok(t, th.Connect(s, name))
		pending(t, th.TransmitPackets(s, elements, 0, ov, 0))
		if n, err := by.end(t, th, s, ov); n != 3+6+4+6 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		for _, expected := range []string{"one", "two 34", "0123", "456789"} {
			b := make([]byte, 100)
			n, err := th.Recv(r, b, 0)
			ok(t, err)
			if string(b[:n]) != expected {
				t.Errorf("datagram %q, want %q", b[:n], expected)
			}
		}
	})
}
