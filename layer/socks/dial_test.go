package socks_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/internal/freeport"
	"upcall.dev/layer/names"
	"upcall.dev/spi"
	"upcall.dev/ws2"
	"upcall.dev/wsnet"
)

// open returns a stack with the layers over a base.
func open(t testing.TB, over string, through ...catalog.Layer) *wsnet.Stack {
	t.Helper()
	c, err := catalog.Compose(catalog.Default(), over, through)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := wsnet.Open(ws2.Config{Catalog: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	return stack
}

func dial(t testing.TB, stack *wsnet.Stack, address string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := stack.Dialer().DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// proxies are the real ones, with the options to use each.
var proxies = []struct {
	name  string
	start func(t testing.TB) []string
}{
	{"microsocks", func(t testing.TB) []string { return []string{"proxy=" + microsocks(t)} }},
	{"microsocks with login", func(t testing.TB) []string {
		return []string{"proxy=" + microsocks(t, "-u", "anna", "-P", "secret"), "user=anna", "password=secret"}
	}},
	{"dante", func(t testing.TB) []string { return []string{"proxy=" + dante(t)} }},
	{"dante at once", func(t testing.TB) []string { return []string{"proxy=" + dante(t), "pipeline=on"} }},
	{"dante, login not asked for", func(t testing.TB) []string {
		return []string{"proxy=" + dante(t), "user=anna", "password=secret"}
	}},
	{"tinyproxy", func(t testing.TB) []string { return []string{"proxy=" + tinyproxy(t, ""), "type=http"} }},
	{"tinyproxy with login", func(t testing.TB) []string {
		return []string{"proxy=" + tinyproxy(t, "BasicAuth anna secret"), "type=http", "user=anna", "password=secret"}
	}},
}

// A Go client connects through each proxy, by address and by name, and is
// refused as by the target itself.
func TestRealProxies(t *testing.T) {
	target := echo(t)
	for _, proxy := range proxies {
		t.Run(proxy.name, func(t *testing.T) {
			stack := open(t, "kernel", socks(proxy.start(t)...))
			for range 5 {
				c := dial(t, stack, target.String())
				if got := c.RemoteAddr().String(); got != target.String() {
					t.Errorf("the peer is %s", got)
				}
				talk(t, c)
			}
			assigned, err := names.Default.Assign("localhost")
			if err != nil {
				t.Fatal(err)
			}
			c := dial(t, stack, netip.AddrPortFrom(assigned, target.Port()).String())
			talk(t, c)
			_, err = stack.Dialer().Dial("tcp", freeport.Refused(t, "127.0.0.1").String())
			if !errors.Is(err, spi.WSAECONNREFUSED) {
				t.Errorf("where nobody listens: %v", err)
			}
		})
	}
}

// Many goroutines at once, over an IFS and a non-IFS layer above.
func TestManyAtOnce(t *testing.T) {
	target := echo(t)
	address := dante(t)
	for _, above := range [][]catalog.Layer{nil, {{Name: "shape", Options: spi.Options{"delay": "1ms"}}}, {{Name: "trace", Options: spi.Options{"file": "/dev/null"}}}} {
		stack := open(t, "kernel", append(above, socks("proxy="+address))...)
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for range 4 {
					ctx, cancel := context.WithTimeout(context.Background(), patience)
					c, err := stack.Dialer().DialContext(ctx, "tcp", target.String())
					cancel()
					if err != nil {
						t.Error(err)
						return
					}
					talk(t, c)
					c.Close()
				}
			})
		}
		all.Wait()
	}
}

// Two proxies in a row: the second one is reached through the first.
func TestChain(t *testing.T) {
	target := echo(t)
	first, second := microsocks(t), tinyproxy(t, "")
	stack := open(t, "kernel", socks("proxy="+second, "type=http"), socks("proxy="+first))
	talk(t, dial(t, stack, target.String()))
	stack = open(t, "kernel", socks("proxy="+first), socks("proxy="+second, "type=http"))
	talk(t, dial(t, stack, target.String()))
	_, port, _ := net.SplitHostPort(second)
	stack = open(t, "kernel", socks("proxy=localhost:"+port, "type=http"), socks("proxy="+first))
	talk(t, dial(t, stack, target.String()))
}

func TestWrongLogin(t *testing.T) {
	target := echo(t)
	for _, o := range [][]string{
		{"proxy=" + microsocks(t, "-u", "anna", "-P", "secret"), "user=anna", "password=wrong"},
		{"proxy=" + microsocks(t, "-u", "anna", "-P", "secret")},
		{"proxy=" + tinyproxy(t, "BasicAuth anna secret"), "type=http", "user=anna", "password=wrong"},
		{"proxy=" + tinyproxy(t, "BasicAuth anna secret"), "type=http"},
	} {
		stack := open(t, "kernel", socks(o...))
		for range 2 {
			if _, err := stack.Dialer().Dial("tcp", target.String()); !errors.Is(err, spi.WSAEACCES) {
				t.Errorf("%v: %v", o, err)
			}
		}
	}
}
