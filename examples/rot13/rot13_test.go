package rot13

import (
	"errors"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
	"upcall.dev/ws2"
)

func start(t *testing.T, base string, layers int) *ws2.Thread {
	t.Helper()
	through := make([]catalog.Layer, layers)
	for i := range through {
		through[i].Name = "rot13"
	}
	chain, err := catalog.Compose(catalog.Default(), base, through)
	ok(t, err)
	th := ws2.New(ws2.Config{Catalog: chain, Log: func(m string) { t.Error(m) }}).Unbound()
	ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
	t.Cleanup(func() { ok(t, th.WSACleanup()) })
	return th
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pair returns a client with the layer in its chain, and its server without: a
// socket that was made of the base provider's own entry.
func pair(t *testing.T, th *ws2.Thread, base *spi.ProtocolInfo) (client, server spi.Socket) {
	t.Helper()
	l, err := th.WSASocket(0, 0, 0, base, 0, spi.WSA_FLAG_OVERLAPPED)
	ok(t, err)
	ok(t, th.Bind(l, []byte{spi.AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}))
	ok(t, th.Listen(l, 1))
	name, n := make([]byte, 16), int32(16)
	ok(t, th.GetSockName(l, name, &n))
	client, err = th.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	ok(t, err)
	ok(t, th.Connect(client, name))
	server, err = th.Accept(l, nil, nil)
	ok(t, err)
	ok(t, th.CloseSocket(l))
	return client, server
}

func baseEntry(t *testing.T, th *ws2.Thread) *spi.ProtocolInfo {
	t.Helper()
	for _, info := range th.DLL().Exports().WSCEnumProtocols() {
		if info.ProtocolChain.ChainLen == spi.BaseProtocol && info.AddressFamily == spi.AF_INET && info.SocketType == spi.SOCK_STREAM {
			return &info
		}
	}
	t.Fatal("no base entry")
	return nil
}

func exchange(t *testing.T, th *ws2.Thread, from, to spi.Socket, text, want string) {
	t.Helper()
	_, err := th.Send(from, []byte(text), 0)
	ok(t, err)
	buf := make([]byte, 100)
	n, err := th.Recv(to, buf, 0)
	ok(t, err)
	if got := string(buf[:n]); got != want {
		t.Errorf("%q arrived as %q, want %q", text, got, want)
	}
}

func TestLettersAreTurned(t *testing.T) {
	for _, base := range []string{"kernel", "memory"} {
		for layers, want := range []string{"Hello, 13!", "Uryyb, 13!", "Hello, 13!"} {
			th := start(t, base, layers)
			client, server := pair(t, th, baseEntry(t, th))
			exchange(t, th, client, server, "Hello, 13!", want)
			exchange(t, th, server, client, "Hello, 13!", want)
		}
	}
}

func TestOverlappedReceiveIsTurned(t *testing.T) {
	for _, base := range []string{"kernel", "memory"} {
		th := start(t, base, 1)
		client, server := pair(t, th, baseEntry(t, th))
		ev, err := th.WSACreateEvent()
		ok(t, err)
		ov := &spi.Overlapped{HEvent: ev}
		buf := make([]byte, 100)
		var n, flags uint32
		if err := th.WSARecv(client, []spi.Buf{spi.NewBuf(buf[:2]), spi.NewBuf(buf[2:])}, &n, &flags, ov, nil); !errors.Is(err, spi.WSA_IO_PENDING) {
			t.Fatal(err)
		}
		_, err = th.Send(server, []byte("Hello"), 0)
		ok(t, err)
		ok(t, th.WSAGetOverlappedResult(client, ov, &n, true, &flags))
		if got := string(buf[:n]); got != "Uryyb" {
			t.Errorf("over %s %q arrived", base, got)
		}
		ok(t, th.WSACloseEvent(ev))
	}
}
