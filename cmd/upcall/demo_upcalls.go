package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// demoUpcalls uses sockets in the ways that make real providers call each
// upcall, and prints how often they did.
func demoUpcalls(out io.Writer) error {
	fmt.Fprintln(out, "Sockets of kernel, of memory and of layers over both, used in every way that calls the host back:")
	fmt.Fprintln(out)
	stats := map[string]*ws2.UpcallStat{}
	var order []string
	for _, scene := range []struct {
		name    string
		version uint16
		base    string
		layers  []catalog.Layer
		play    func(*stage) error
	}{
		{"an IFS layer over kernel: connect, echo, close", spi.Version22, "kernel", []catalog.Layer{quietTrace("off")}, (*stage).echo},
		{"memory: overlapped receive to a completion port", spi.Version22, "memory", nil, (*stage).port},
		{"memory: overlapped receive with a completion routine", spi.Version22, "memory", nil, (*stage).routine},
		{"a non-IFS layer over memory: routine, events, window messages, select", spi.Version22, "memory", []catalog.Layer{quietTrace("on")}, (*stage).layered},
		{"memory: a Winsock 1.1 blocking hook cancels a receive", 0x0101, "memory", nil, (*stage).hook},
		{"a layer to the bare contract over kernel: an APC from its worker, select", spi.Version22, "kernel", nil, (*stage).announced},
	} {
		if err := perform(scene.version, scene.base, scene.layers, scene.play, func(s ws2.UpcallStat) {
			if stats[s.Name] == nil {
				order = append(order, s.Name)
				stats[s.Name] = &ws2.UpcallStat{Name: s.Name, Status: s.Status}
			}
			stats[s.Name].Calls += s.Calls
			stats[s.Name].Errors += s.Errors
		}); err != nil {
			return fmt.Errorf("%s: %w", scene.name, err)
		}
		fmt.Fprintf(out, "  done  %s\n", scene.name)
	}
	fmt.Fprintln(out)

	rows := [][]string{{"UPCALL", "STATUS", "CALLS", "ERRORS"}}
	var silent []string
	for _, name := range order {
		s := stats[name]
		rows = append(rows, []string{s.Name, s.Status, strconv.FormatUint(s.Calls, 10), strconv.FormatUint(s.Errors, 10)})
		if s.Calls == 0 {
			silent = append(silent, name)
		}
	}
	if err := printTable(out, rows); err != nil {
		return err
	}
	if len(silent) > 0 {
		return fmt.Errorf("no provider called %v", silent)
	}
	return nil
}

func quietTrace(data string) catalog.Layer {
	return catalog.Layer{Name: "trace", Options: map[string]string{"file": "/dev/null", "data": data}}
}

// stage is a started DLL and a thread to call it from.
type stage struct {
	dll       *ws2.DLL
	th        *ws2.Thread
	announcer *announcer // in front of everything, but only in its own scene
}

func perform(version uint16, base string, layers []catalog.Layer, play func(*stage) error, count func(ws2.UpcallStat)) error {
	c, err := catalog.Compose(catalog.Default(), base, layers)
	if err != nil {
		return err
	}
	a := &announcer{}
	if len(layers) == 0 && base == "kernel" {
		if err := a.install(c); err != nil {
			return err
		}
	}
	dll := ws2.New(ws2.Config{Catalog: c, CountUpcalls: true, LoadLibrary: func(path string) (spi.StartupFunc, error) {
		if path != announcerPath {
			return nil, os.ErrNotExist
		}
		return a.startup, nil
	}})
	th := dll.BindThread()
	defer th.Unbind()
	if err := th.WSAStartup(version, &ws2.WSAData{}); err != nil {
		return err
	}
	playErr := play(&stage{dll, th, a})
	cleanupErr := th.WSACleanup()
	for _, s := range dll.UpcallStats() {
		count(s)
	}
	return errors.Join(playErr, cleanupErr)
}

// pair returns two connected stream sockets.
func (s *stage) pair() (client, server spi.Socket, err error) {
	listener, err := s.th.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	if err != nil {
		return 0, 0, err
	}
	name := spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:0"))
	length := int32(len(name))
	if err := errors.Join(
		s.th.Bind(listener, name),
		s.th.Listen(listener, 1),
		s.th.GetSockName(listener, name, &length),
	); err != nil {
		return 0, 0, err
	}
	if client, err = s.th.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP); err != nil {
		return 0, 0, err
	}
	if err := s.th.Connect(client, name); err != nil {
		return 0, 0, err
	}
	if server, err = s.th.Accept(listener, nil, nil); err != nil {
		return 0, 0, err
	}
	return client, server, s.th.CloseSocket(listener)
}

// withPair plays with two connected sockets and closes them.
func (s *stage) withPair(play func(client, server spi.Socket) error) error {
	client, server, err := s.pair()
	if err != nil {
		return err
	}
	return errors.Join(play(client, server), s.th.CloseSocket(client), s.th.CloseSocket(server))
}

var greeting = []byte("hello, provider")

func (s *stage) greet(from spi.Socket) error {
	n, err := s.th.Send(from, greeting, 0)
	if err == nil && n != len(greeting) {
		return fmt.Errorf("sent %d of %d bytes", n, len(greeting))
	}
	return err
}

func wantGreeting(got []byte) error {
	if string(got) != string(greeting) {
		return fmt.Errorf("received %q instead of %q", got, greeting)
	}
	return nil
}

func (s *stage) receiveGreeting(at spi.Socket) error {
	buf := make([]byte, 64)
	n, err := s.th.Recv(at, buf, 0)
	if err != nil {
		return err
	}
	return wantGreeting(buf[:n])
}

func (s *stage) echo() error {
	return s.withPair(func(client, server spi.Socket) error {
		return errors.Join(s.greet(client), s.receiveGreeting(server), s.greet(server), s.receiveGreeting(client))
	})
}

// overlapped starts a receive at server, sends, lets finish await the
// indication, and checks the outcome.
func (s *stage) overlapped(client, server spi.Socket, ov *spi.Overlapped, routine spi.CompletionRoutine, finish func() error) error {
	buf := make([]byte, 64)
	var n, flags uint32
	err := s.th.WSARecv(server, []spi.Buf{spi.NewBuf(buf)}, &n, &flags, ov, routine)
	if !errors.Is(err, spi.WSA_IO_PENDING) {
		return fmt.Errorf("WSARecv with nothing to receive: %v instead of WSA_IO_PENDING", err)
	}
	if err := errors.Join(s.greet(client), finish()); err != nil {
		return err
	}
	if err := s.th.WSAGetOverlappedResult(server, ov, &n, false, &flags); err != nil {
		return err
	}
	return wantGreeting(buf[:n])
}

// seconds bounds every wait of the demo, in milliseconds.
const seconds = 10_000

func (s *stage) port() error {
	port, err := s.dll.CreateIoCompletionPort(0)
	if err != nil {
		return err
	}
	const key = 7
	return errors.Join(s.withPair(func(client, server spi.Socket) error {
		if err := s.dll.AssociateCompletionPort(server, port, key); err != nil {
			return err
		}
		ov := &spi.Overlapped{}
		return s.overlapped(client, server, ov, nil, func() error {
			packet, err := s.th.GetQueuedCompletionStatus(port, seconds)
			if err == nil && (packet.Key != key || packet.Overlapped != ov) {
				return errors.New("the packet is not that of the receive")
			}
			return err
		})
	}), s.dll.CloseCompletionPort(port))
}

func (s *stage) routine() error {
	return s.withPair(func(client, server spi.Socket) error {
		ran := false
		routine := func(spi.Errno, uint32, *spi.Overlapped, uint32) { ran = true }
		return s.overlapped(client, server, &spi.Overlapped{}, routine, func() error {
			if s.th.SleepEx(seconds, true); !ran {
				return errors.New("the completion routine did not run")
			}
			return nil
		})
	})
}

func (s *stage) layered() error {
	return errors.Join(s.routine(), s.withEvent(), s.networkEvents(), s.messages(), s.sets())
}

// withEvent receives with an event.
func (s *stage) withEvent() error {
	ev, err := s.th.WSACreateEvent()
	if err != nil {
		return err
	}
	return errors.Join(s.withPair(func(client, server spi.Socket) error {
		return s.overlapped(client, server, &spi.Overlapped{HEvent: ev}, nil, func() error { return s.await(ev) })
	}), s.th.WSACloseEvent(ev))
}

func (s *stage) await(ev spi.Event) error {
	switch result, err := s.th.WSAWaitForMultipleEvents([]spi.Event{ev}, false, seconds, false); {
	case err != nil:
		return err
	case result != spi.WSA_WAIT_EVENT_0:
		return fmt.Errorf("the event was not signalled: wait gave %#x", result)
	}
	return nil
}

// networkEvents waits for FD_READ by an event.
func (s *stage) networkEvents() error {
	ev, err := s.th.WSACreateEvent()
	if err != nil {
		return err
	}
	return errors.Join(s.withPair(func(client, server spi.Socket) error {
		if err := errors.Join(s.th.WSAEventSelect(server, ev, spi.FD_READ), s.greet(client), s.await(ev)); err != nil {
			return err
		}
		var events spi.NetworkEvents
		if err := s.th.WSAEnumNetworkEvents(server, ev, &events); err != nil {
			return err
		}
		if events.NetworkEvents != spi.FD_READ {
			return fmt.Errorf("network events %#x instead of FD_READ", events.NetworkEvents)
		}
		return s.receiveGreeting(server)
	}), s.th.WSACloseEvent(ev))
}

// messages waits for FD_READ by a window message.
func (s *stage) messages() error {
	wnd, err := s.th.CreateWindow()
	if err != nil {
		return err
	}
	const message = 0x401
	return errors.Join(s.withPair(func(client, server spi.Socket) error {
		if err := errors.Join(s.th.WSAAsyncSelect(server, wnd, message, spi.FD_READ), s.greet(client)); err != nil {
			return err
		}
		got, err := s.th.GetMessage(wnd, seconds)
		if err != nil {
			return err
		}
		if got.Message != message || got.WParam != uintptr(server) || got.LParam != spi.FD_READ {
			return fmt.Errorf("message %+v is not FD_READ of %#x", got, server)
		}
		return s.receiveGreeting(server)
	}), s.th.DestroyWindow(wnd))
}

// sets waits for a readable socket by select.
func (s *stage) sets() error {
	return s.withPair(func(client, server spi.Socket) error {
		if err := s.greet(client); err != nil {
			return err
		}
		read := spi.NewFDSet(client, server)
		n, err := s.th.Select(read, nil, nil, &spi.Timeval{Sec: seconds / 1000})
		if err != nil {
			return err
		}
		if n != 1 || !read.IsSet(server) {
			return fmt.Errorf("select found %d sockets readable", n)
		}
		return s.receiveGreeting(server)
	})
}

func (s *stage) hook() error {
	if _, err := s.th.WSASetBlockingHook(func() bool {
		_ = s.th.WSACancelBlockingCall()
		return false
	}); err != nil {
		return err
	}
	return errors.Join(s.withPair(func(_, server spi.Socket) error {
		if _, err := s.th.Recv(server, make([]byte, 1), 0); !errors.Is(err, spi.WSAEINTR) {
			return fmt.Errorf("the cancelled receive gave %v instead of WSAEINTR", err)
		}
		// Cancelling leaves the socket in no certain state; reset it.
		linger := binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(nil, 1), 0)
		return s.th.SetSockOpt(server, spi.SOL_SOCKET, spi.SO_LINGER, linger)
	}), s.th.WSAUnhookBlockingHook())
}

func (s *stage) announced() error {
	a := s.announcer
	if err := s.sets(); err != nil {
		return err
	}
	if s.th.SleepEx(seconds, true); a.announced.Load() != 1 || a.selected.Load() != 1 {
		return fmt.Errorf("the layer announced %d connections and saw %d sockets ready, not one each", a.announced.Load(), a.selected.Load())
	}
	return nil
}
