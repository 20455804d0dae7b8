// Command gohost is a program in Go that hosts providers in C: its catalog's
// sockets go through them. It makes two connected sockets on a bound thread,
// receives with a completion routine, and then asks a second DLL for a socket,
// which providers in C refuse.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"upcall.dev/capi/process"
	_ "upcall.dev/capi/provider"
	_ "upcall.dev/capi/windows"
	_ "upcall.dev/capi/winsock"
	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
	"upcall.dev/ws2"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("done")
}

func run() error {
	source := catalog.OpenFile(os.Getenv("UPCALL_CATALOG"))
	d := process.New(ws2.Config{Catalog: source})
	if !process.Use(d) {
		return errors.New("the process has a DLL already")
	}
	t := d.BindThread()
	defer t.Unbind()
	var data ws2.WSAData
	if err := t.WSAStartup(spi.Version22, &data); err != nil {
		return err
	}
	if err := routines(t); err != nil {
		return err
	}
	if err := secondDLL(source); err != nil {
		return err
	}
	return t.WSACleanup()
}

// pair makes two connected sockets.
func pair(t *ws2.Thread) (one, other spi.Socket, err error) {
	l, err := t.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	if err != nil {
		return 0, 0, err
	}
	name := make([]byte, spi.SizeofSockaddrStorage)
	name[0], name[4], name[7] = spi.AF_INET, 127, 1
	length := int32(len(name))
	one, e1 := t.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	err = errors.Join(e1, t.Bind(l, name[:16]), t.Listen(l, 1), t.GetSockName(l, name, &length))
	if err != nil {
		return 0, 0, err
	}
	if err := t.Connect(one, name[:length]); err != nil {
		return 0, 0, err
	}
	other, err = t.Accept(l, nil, nil)
	return one, other, errors.Join(err, t.CloseSocket(l))
}

// routines receives by completion routines, each of which starts the next: they
// run on this thread, in its alertable waits.
func routines(t *ws2.Thread) error {
	one, other, err := pair(t)
	if err != nil {
		return err
	}
	const rounds = 100
	self := unix.Gettid()
	var failed error
	ran := 0
	buf := make([]byte, 8)
	var receive func() error
	receive = func() error {
		var flags uint32
		ov := new(spi.Overlapped)
		routine := func(e spi.Errno, n uint32, done *spi.Overlapped, _ uint32) {
			ran++
			if e != 0 || n != 8 || done != ov || unix.Gettid() != self || string(buf) != fmt.Sprintf("%08d", ran) {
				failed = fmt.Errorf("routine %d: error %v, %d bytes, %q, thread %d, not %d", ran, e, n, buf, unix.Gettid(), self)
			}
			if ran < rounds && failed == nil {
				failed = receive()
			}
		}
		err := t.WSARecv(other, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, ov, routine)
		if err != nil && !errors.Is(err, spi.WSA_IO_PENDING) {
			return err
		}
		return nil
	}
	if err := receive(); err != nil {
		return err
	}
	for i := 1; i <= rounds; i++ {
		if _, err := t.Send(one, fmt.Appendf(nil, "%08d", i), 0); err != nil {
			return err
		}
		for ran < i && failed == nil {
			if t.SleepEx(30000, true) != spi.WSA_WAIT_IO_COMPLETION {
				return fmt.Errorf("routine %d did not run", i)
			}
		}
		if failed != nil {
			return failed
		}
	}
	return errors.Join(t.CloseSocket(one), t.CloseSocket(other))
}

func secondDLL(source catalog.Source) error {
	d := process.New(ws2.Config{Catalog: source})
	t := d.Unbound()
	var data ws2.WSAData
	if err := t.WSAStartup(spi.Version22, &data); err != nil {
		return err
	}
	_, err := t.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	if !errors.Is(err, spi.WSAEPROVIDERFAILEDINIT) || !strings.Contains(err.Error(), "process.Use") {
		return fmt.Errorf("a second DLL's socket: %w", err)
	}
	return t.WSACleanup()
}
