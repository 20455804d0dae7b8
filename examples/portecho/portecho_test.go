package portecho

import (
	"bytes"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
	"upcall.dev/ws2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEcho(t *testing.T) {
	for _, c := range []struct {
		base    string
		through []catalog.Layer
	}{
		{"kernel", nil},
		{"memory", nil},
		{"kernel", []catalog.Layer{{Name: "shape", Options: spi.Options{"delay": "1ms"}}}},
	} {
		source, err := catalog.Compose(catalog.Default(), c.base, c.through)
		if err != nil {
			t.Fatal(err)
		}
		echo(t, ws2.New(ws2.Config{Catalog: source}))
	}
}

func echo(t *testing.T, dll *ws2.DLL) {
	thread := dll.BindThread()
	defer thread.Unbind()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(thread.WSAStartup(spi.Version22, new(ws2.WSAData)))
	defer thread.WSACleanup()
	server, err := New(dll)
	check(err)
	ended := make(chan error)
	go func() {
		worker := dll.BindThread()
		defer worker.Unbind()
		ended <- server.Run(worker)
	}()
	defer func() {
		check(server.Close())
		check(<-ended)
	}()

	listener, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	check(err)
	name := spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:0"))
	check(thread.Bind(listener, name))
	check(thread.Listen(listener, 8))
	length := int32(len(name))
	check(thread.GetSockName(listener, name, &length))
	message := bytes.Repeat([]byte("upcall "), 3000)
	for range 3 {
		client, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
		check(err)
		check(thread.Connect(client, name))
		accepted, err := thread.Accept(listener, nil, nil)
		check(err)
		check(server.Add(thread, accepted))
		_, err = thread.Send(client, message, 0)
		check(err)
		check(thread.Shutdown(client, spi.SD_SEND))
		var answer []byte
		for buf := make([]byte, 8192); ; {
			n, err := thread.Recv(client, buf, 0)
			check(err)
			if n == 0 {
				break
			}
			answer = append(answer, buf[:n]...)
		}
		if !bytes.Equal(answer, message) {
			t.Errorf("%d bytes came back of %d", len(answer), len(message))
		}
		check(thread.CloseSocket(client))
	}
}
