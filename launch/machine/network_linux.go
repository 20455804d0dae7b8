package machine

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Examine tries what every door needs of the machine: loopback connections and
// descriptors.
func Examine(ctx context.Context) []Finding {
	return []Finding{
		loopback(ctx, "127.0.0.1", Missing),
		loopback(ctx, "::1", Note),
		descriptors(),
	}
}

// loopback connects to a listener at the address and back.
func loopback(ctx context.Context, address string, failed State) Finding {
	return Find(Both, "TCP at "+address, failed, connectLoopback(ctx, address))
}

func connectLoopback(ctx context.Context, address string) error {
	remedy := "ip link set lo up"
	if address == "::1" {
		remedy = "where programs use IPv6: sysctl -w net.ipv6.conf.lo.disable_ipv6=0, or a container with IPv6"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return Refused(remedy, "%w", cause(err))
	}
	defer listener.Close()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		return Refused(remedy, "%w", cause(err))
	}
	return conn.Close()
}

// cause is the error without the addresses, of which one is another each time.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// Numbers of descriptors: what upcall run needs for itself, and what busy
// programs should have.
const (
	fewestDescriptors  = 20
	enoughDescriptors  = 4096
	relayedDescriptors = 2 // that a connection of a non-IFS chain takes in the host
)

// descriptors looks at the limit that the host has, which is the hard one: a Go
// program raises its own to that.
func descriptors() Finding {
	f := Finding{Door: Both, Subject: "descriptors", State: OK}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return Find(Both, f.Subject, Note, fmt.Errorf("their limit cannot be read: %w", err))
	}
	f.Detail = fmt.Sprintf("%d, so at most %d connections of non-IFS chains at once", limit.Max, limit.Max/relayedDescriptors)
	f.Remedy = "ulimit -Hn 65536 before upcall run, or LimitNOFILE= of its systemd unit, or docker run --ulimit nofile=65536"
	switch {
	case limit.Max < fewestDescriptors:
		f.State = Missing
	case limit.Max < enoughDescriptors:
		f.State = Note
	default:
		f.Remedy = ""
	}
	return f
}
