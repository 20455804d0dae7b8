package chains

import (
	"context"

	"golang.org/x/sys/unix"

	"upcall.dev/wsnet"
)

// ListenPacket opens a datagram socket of the chain for a domain of Linux, bound
// to any address and a port of the provider's choice.
func (c *Chains) ListenPacket(ctx context.Context, domain int) (*wsnet.PacketConn, error) {
	network, address := "udp4", "0.0.0.0:0"
	if domain == unix.AF_INET6 {
		network, address = "udp6", "[::]:0"
	}
	lc := wsnet.ListenConfig{Stack: c.stack}
	conn, err := lc.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return conn.(*wsnet.PacketConn), nil
}
