package docs_test

import (
	"errors"
	"net/netip"
	"os"
	"regexp"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
	"upcall.dev/ws2"
)

// What winsock.md says is refused is, over both base providers, by that code.
func TestRefused(t *testing.T) {
	text, err := os.ReadFile("winsock.md")
	if err != nil {
		t.Fatal(err)
	}
	says := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| (.+) \| (WSA\w+) \|$`).FindAllStringSubmatch(string(text), -1) {
		says[m[1]] = m[2]
	}
	for _, base := range []string{"kernel", "memory"} {
		c, err := catalog.Compose(catalog.Default(), base, nil)
		if err != nil {
			t.Fatal(err)
		}
		th := ws2.New(ws2.Config{Catalog: c}).Unbound()
		if err := th.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = th.WSACleanup() }()
		s, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
		if err != nil {
			t.Fatal(err)
		}
		to, data := spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:1")), spi.NewBuf([]byte("data"))
		attempts := map[string]func() error{
			"quality of service, in WSAConnect":      func() error { return th.WSAConnect(s, to, nil, nil, new(spi.QOS), nil) },
			"quality of service, by WSAGetQOSByName": func() error { return th.WSAGetQOSByName(s, &data, new(spi.QOS)) },
			"connect data":                           func() error { return th.WSAConnect(s, to, &data, nil, nil, nil) },
			"disconnect data":                        func() error { return th.WSASendDisconnect(s, &data) },
			nonIFSDuplicate:                          func() error { return th.WSADuplicateSocket(s, uint32(os.Getppid()), new(spi.ProtocolInfo)) },
			"SO_CONDITIONAL_ACCEPT over `kernel`":    func() error { return th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_CONDITIONAL_ACCEPT, []byte{1, 0, 0, 0}) },
			"multipoint flags of WSASocket":          func() error { return socket(th, 0, spi.WSA_FLAG_MULTIPOINT_C_ROOT) },
			"socket groups":                          func() error { return socket(th, 1, 0) },
			"WSAJoinLeaf (join groups by IP_ADD_MEMBERSHIP)": func() error {
				_, err := th.WSAJoinLeaf(s, to, nil, nil, nil, nil, 0)
				return err
			},
		}
		for what, code := range says {
			attempt, known := attempts[what]
			if !known {
				t.Errorf("nobody tries %q", what)
				continue
			}
			if base == "memory" && what == "SO_CONDITIONAL_ACCEPT over `kernel`" || base == "kernel" && what == nonIFSDuplicate {
				continue
			}
			var got spi.Errno
			if err := attempt(); !errors.As(err, &got) || got.Name() != code {
				t.Errorf("%s over %s gives %v, not %s", what, base, err, code)
			}
		}
		if len(says) != len(attempts) {
			t.Errorf("winsock.md lists %d of %d", len(says), len(attempts))
		}
	}
}

// nonIFSDuplicate is refused where the sockets are the provider's own.
const nonIFSDuplicate = "WSADuplicateSocket for another process, over `memory` or under `shape`"

func socket(th *ws2.Thread, g spi.Group, flags uint32) error {
	_, err := th.WSASocket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, nil, g, flags)
	return err
}
