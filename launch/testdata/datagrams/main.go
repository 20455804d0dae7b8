// Command datagrams talks with a UDP echo server, connected and not.
package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

func main() {
	at := netip.MustParseAddrPort(os.Args[1])
	connected, err := net.Dial("udp", at.String())
	check(err)
	check(connected.SetDeadline(time.Now().Add(10 * time.Second)))
	_, err = connected.Write([]byte("connected"))
	check(err)
	b := make([]byte, 100)
	n, err := connected.Read(b)
	check(err)
	fmt.Println(string(b[:n]), connected.RemoteAddr())

	for _, network := range []string{"udp", "udp4"} {
		c, err := net.ListenUDP(network, nil)
		check(err)
		check(c.SetDeadline(time.Now().Add(10 * time.Second)))
		for i := range 3 {
			_, err := c.WriteToUDPAddrPort(fmt.Append(nil, network, " ", i), at)
			check(err)
			n, _, flags, from, err := c.ReadMsgUDPAddrPort(b, nil)
			check(err)
			fmt.Println(string(b[:n]), flags, from)
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
