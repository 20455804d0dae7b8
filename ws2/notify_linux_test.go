package ws2_test

import (
	"net/netip"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

const (
	notifyLevel   = spi.SOCK_NOTIFY_TRIGGER_LEVEL
	notifyOneshot = spi.SOCK_NOTIFY_TRIGGER_LEVEL | spi.SOCK_NOTIFY_TRIGGER_ONESHOT
	notifyIn      = spi.SOCK_NOTIFY_REGISTER_EVENT_IN
	notifyHangup  = spi.SOCK_NOTIFY_REGISTER_EVENT_HANGUP
)

// notifying is a thread with a completion port.
type notifying struct {
	*ws2.Thread
	t    *testing.T
	port ws2.Port
}

func newNotifying(t *testing.T) *notifying {
	t.Helper()
	thread := started(t, catalog.Default())
	port, err := thread.DLL().CreateIoCompletionPort(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = thread.DLL().CloseCompletionPort(port) })
	return &notifying{thread, t, port}
}

// pair returns the two ends of a connection, and the socket that took it.
func (n *notifying) pair() (client, server, listener spi.Socket) {
	n.t.Helper()
	listener = n.socket()
	n.must(n.Bind(listener, spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:0"))))
	n.must(n.Listen(listener, 5))
	name, length := make([]byte, 28), int32(28)
	n.must(n.GetSockName(listener, name, &length))
	client = n.socket()
	n.must(n.Connect(client, name[:length]))
	server, err := n.Accept(listener, nil, nil)
	n.must(err)
	n.t.Cleanup(func() { _ = n.CloseSocket(server) })
	return client, server, listener
}

func (n *notifying) socket() spi.Socket {
	n.t.Helper()
	s, err := n.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	n.must(err)
	n.t.Cleanup(func() { _ = n.CloseSocket(s) })
	return s
}

func (n *notifying) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// register carries out one registration and returns its result.
func (n *notifying) register(s spi.Socket, key uintptr, filter uint16, operation, triggers uint8) spi.Errno {
	n.t.Helper()
	all := []spi.SockNotifyRegistration{{Socket: s, CompletionKey: key, EventFilter: filter, Operation: operation, TriggerFlags: triggers, RegistrationResult: 4711}}
	if got, err := n.ProcessSocketNotifications(n.port, all, 0, nil); got != 0 || err != nil {
		n.t.Fatal(got, err)
	}
	return all[0].RegistrationResult
}

func (n *notifying) want(key uintptr, events uint32) {
	n.t.Helper()
	entries := make([]ws2.Packet, 4)
	got, err := n.ProcessSocketNotifications(n.port, nil, spi.WSA_INFINITE, entries)
	if err != nil || got != 1 || entries[0] != (ws2.Packet{Transferred: events, Key: key}) {
		n.t.Fatalf("%v, %+v; want key %d with %#x", err, entries[:got], key, events)
	}
}

func (n *notifying) wantNone() {
	n.t.Helper()
	entries := make([]ws2.Packet, 4)
	if got, err := n.ProcessSocketNotifications(n.port, nil, 0, entries); got != 0 || code(err) != spi.WAIT_TIMEOUT {
		n.t.Fatalf("%v, %+v", err, entries[:got])
	}
}

func TestProcessSocketNotifications(t *testing.T) {
	n := newNotifying(t)
	client, server, listener := n.pair()
	for s, key := range map[spi.Socket]uintptr{server: 1, listener: 2} {
		if e := n.register(s, key, notifyIn|notifyHangup, spi.SOCK_NOTIFY_OP_ENABLE, notifyLevel); e != 0 {
			t.Fatal(e)
		}
	}
	n.wantNone()
	if _, err := n.Send(client, []byte("xy"), 0); err != nil {
		t.Fatal(err)
	}
	n.want(1, notifyIn)

	// The same by the usual function.
	packet, err := n.GetQueuedCompletionStatus(n.port, spi.WSA_INFINITE)
	if err != nil || packet != (ws2.Packet{Transferred: notifyIn, Key: 1}) {
		t.Fatalf("%+v, %v", packet, err)
	}
	if got, err := n.Recv(server, make([]byte, 10), 0); got != 2 || err != nil {
		t.Fatal(got, err)
	}
	n.wantNone()

	// A connection is something to read.
	name, length := make([]byte, 28), int32(28)
	n.must(n.GetSockName(listener, name, &length))
	n.must(n.Connect(n.socket(), name[:length]))
	n.want(2, notifyIn)
	accepted, err := n.Accept(listener, nil, nil)
	n.must(err)
	n.must(n.CloseSocket(accepted))

	// Registrations and packets in one call: the key is that of the first
	// registration, and a removal ends it.
	if e := n.register(server, 99, notifyHangup, spi.SOCK_NOTIFY_OP_ENABLE, notifyOneshot); e != 0 {
		t.Fatal(e)
	}
	n.must(n.Shutdown(client, spi.SD_SEND))
	n.want(1, notifyHangup)
	n.wantNone()
	if e := n.register(server, 0, 0, spi.SOCK_NOTIFY_OP_REMOVE, 0); e != 0 {
		t.Fatal(e)
	}
	n.want(1, spi.SOCK_NOTIFY_EVENT_REMOVE)
	if e := n.register(server, 3, notifyIn, spi.SOCK_NOTIFY_OP_ENABLE, notifyLevel); e != 0 {
		t.Fatal(e)
	}
	n.want(3, notifyIn)
	if e := n.register(server, 0, 0, spi.SOCK_NOTIFY_OP_DISABLE, 0); e != 0 {
		t.Fatal(e)
	}
	n.wantNone()

	// closesocket ends the registration without a word.
	if e := n.register(server, 3, notifyIn, spi.SOCK_NOTIFY_OP_ENABLE, notifyLevel); e != 0 {
		t.Fatal(e)
	}
	n.must(n.CloseSocket(server))
	n.wantNone()
	_, again, _ := n.pair()
	n.wantNone()
	if e := n.register(again, 0, 0, spi.SOCK_NOTIFY_OP_REMOVE, 0); e != spi.ERROR_NOT_FOUND {
		t.Errorf("a new socket, perhaps of the same number, has a registration: %v", e)
	}
}

func TestProcessSocketNotificationsCodes(t *testing.T) {
	n := newNotifying(t)
	_, s, _ := n.pair()
	const enable = spi.SOCK_NOTIFY_OP_ENABLE
	for what, c := range map[string]struct {
		s                   spi.Socket
		filter              uint16
		operation, triggers uint8
		want                spi.Errno
	}{
		"no operation":           {1 << 40, 0, spi.SOCK_NOTIFY_OP_NONE, 0, 0},
		"no socket":              {1 << 40, notifyIn, enable, notifyLevel, spi.WSAENOTSOCK},
		"unknown operation":      {s, notifyIn, 8, notifyLevel, spi.WSA_INVALID_PARAMETER},
		"two operations":         {s, notifyIn, enable | spi.SOCK_NOTIFY_OP_REMOVE, notifyLevel, spi.WSA_INVALID_PARAMETER},
		"unknown event":          {s, 8, enable, notifyLevel, spi.WSA_INVALID_PARAMETER},
		"no trigger":             {s, notifyIn, enable, spi.SOCK_NOTIFY_TRIGGER_PERSISTENT, spi.WSA_INVALID_PARAMETER},
		"both triggers":          {s, notifyIn, enable, notifyLevel | spi.SOCK_NOTIFY_TRIGGER_EDGE, spi.WSA_INVALID_PARAMETER},
		"oneshot and persistent": {s, notifyIn, enable, spi.SOCK_NOTIFY_TRIGGER_PERSISTENT | notifyOneshot, spi.WSA_INVALID_PARAMETER},
		"unknown trigger":        {s, notifyIn, enable, notifyLevel | 16, spi.WSA_INVALID_PARAMETER},
		"disable before":         {s, 0, spi.SOCK_NOTIFY_OP_DISABLE, 0, spi.ERROR_NOT_FOUND},
		"remove before":          {s, 0, spi.SOCK_NOTIFY_OP_REMOVE, 0, spi.ERROR_NOT_FOUND},
	} {
		if e := n.register(c.s, 1, c.filter, c.operation, c.triggers); e != c.want {
			t.Errorf("%s: %v, want %v", what, e, c.want)
		}
	}
	if e := n.register(s, 1, notifyIn, enable, notifyLevel|spi.SOCK_NOTIFY_TRIGGER_PERSISTENT); e != 0 {
		t.Error(e)
	}

	// One port at a time, as long as that is open.
	first := n.port
	second, err := n.DLL().CreateIoCompletionPort(0)
	n.must(err)
	defer func() { _ = n.DLL().CloseCompletionPort(second) }()
	n.port = second
	if e := n.register(s, 1, notifyIn, enable, notifyLevel); e != spi.WSA_INVALID_PARAMETER {
		t.Errorf("a second port: %v", e)
	}
	n.must(n.DLL().CloseCompletionPort(first))
	if e := n.register(s, 1, notifyIn, enable, notifyLevel); e != 0 {
		t.Errorf("after the first port is closed: %v", e)
	}

	n.WSASetLastError(4711)
	if _, err := n.ProcessSocketNotifications(first, nil, 0, nil); code(err) != spi.WSA_INVALID_HANDLE {
		t.Errorf("a closed port: %v", err)
	}
	if _, err := n.ProcessSocketNotifications(second, nil, 1, nil); code(err) != spi.WSAEINVAL {
		t.Errorf("a time to wait without room: %v", err)
	}
	if _, err := n.ProcessSocketNotifications(second, nil, 0, nil); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
	if e := n.WSAGetLastError(); e != 4711 {
		t.Errorf("the last error is %v", e)
	}
}

// Only the system's own sockets can be watched over.
func TestProcessSocketNotificationsOfNonIFSHandles(t *testing.T) {
	n := newNotifying(t)
	var info *spi.ProtocolInfo
	for _, e := range catalog.Default().Entries() {
		if e.Base() && !e.IFS() && e.SocketType == spi.SOCK_STREAM {
			info = &e.ProtocolInfo
			break
		}
	}
	s, err := n.WSASocket(spi.FROM_PROTOCOL_INFO, spi.FROM_PROTOCOL_INFO, spi.FROM_PROTOCOL_INFO, info, 0, spi.WSA_FLAG_OVERLAPPED)
	n.must(err)
	defer func() { n.must(n.CloseSocket(s)) }()
	if e := n.register(s, 1, notifyIn, spi.SOCK_NOTIFY_OP_ENABLE, notifyLevel); e != spi.WSAEOPNOTSUPP {
		t.Error(e)
	}
}

// Notifications and operations come through one port.
func TestNotificationsBesideOperations(t *testing.T) {
	n := newNotifying(t)
	client, server, _ := n.pair()
	n.must(n.DLL().AssociateCompletionPort(server, n.port, 5))
	if e := n.register(client, 6, notifyIn, spi.SOCK_NOTIFY_OP_ENABLE, notifyOneshot); e != 0 {
		t.Fatal(e)
	}
	var ov spi.Overlapped
	var flags uint32
	buf := make([]byte, 10)
	if err := n.WSARecv(server, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, &ov, nil); code(err) != spi.WSA_IO_PENDING {
		t.Fatal(err)
	}
	if e := n.register(server, 7, notifyHangup, spi.SOCK_NOTIFY_OP_ENABLE, notifyOneshot); e != 0 {
		t.Fatal(e)
	}
	_, err := n.Send(client, []byte("abc"), 0)
	n.must(err)
	packet, err := n.GetQueuedCompletionStatus(n.port, spi.WSA_INFINITE)
	if err != nil || packet.Overlapped != &ov || packet.Key != 5 || packet.Transferred != 3 {
		t.Fatalf("%+v, %v", packet, err)
	}
	_, err = n.Send(server, []byte("abc"), 0)
	n.must(err)
	n.want(6, notifyIn)
	n.must(n.Shutdown(client, spi.SD_SEND))
	n.want(7, notifyHangup)
}
