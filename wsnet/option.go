package wsnet

import (
	"encoding/binary"
	"time"

	"upcall.dev/spi"
)

// defaultKeepAlive is package net's idle time and interval.
const defaultKeepAlive = 15 * time.Second

// setDefaults gives a new tcp connection package net's options. A chain that
// does not know one of them is not asked twice.
func (c *Conn) setDefaults(keepAlive time.Duration) {
	if c.network == "unix" {
		return
	}
	c.SetNoDelay(true)
	if keepAlive == 0 {
		keepAlive = defaultKeepAlive
	}
	if keepAlive > 0 && c.SetKeepAlive(true) == nil {
		c.SetKeepAlivePeriod(keepAlive)
	}
}

// SetNoDelay controls TCP_NODELAY: true, the default, sends small writes at
// once.
func (c *Conn) SetNoDelay(on bool) error {
	return c.opError("set", c.socket.setInt(spi.IPPROTO_TCP, spi.TCP_NODELAY, boolInt(on)))
}

// SetKeepAlive controls SO_KEEPALIVE.
func (c *Conn) SetKeepAlive(on bool) error {
	return c.opError("set", c.socket.setInt(spi.SOL_SOCKET, spi.SO_KEEPALIVE, boolInt(on)))
}

// SetKeepAlivePeriod sets the idle time before the first probe and the time
// between probes, TCP_KEEPALIVE and TCP_KEEPINTVL, rounded up to seconds.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	seconds := int32(min((d+time.Second-1)/time.Second, 1<<15))
	if err := c.socket.setInt(spi.IPPROTO_TCP, spi.TCP_KEEPALIVE, seconds); err != nil {
		return c.opError("set", err)
	}
	return c.opError("set", c.socket.setInt(spi.IPPROTO_TCP, spi.TCP_KEEPINTVL, seconds))
}

// SetLinger sets what Close does with data that is not sent yet: below zero,
// the default, it is sent in the background; zero discards it and resets the
// connection; above, Close waits up to sec seconds.
func (c *Conn) SetLinger(sec int) error {
	var l spi.Linger
	if sec >= 0 {
		l = spi.Linger{OnOff: 1, Linger: uint16(min(sec, 1<<16-1))}
	}
	val := binary.NativeEndian.AppendUint16(nil, l.OnOff)
	val = binary.NativeEndian.AppendUint16(val, l.Linger)
	err := c.socket.use(func() error {
		err := c.socket.stack.thread.SetSockOpt(c.socket.handle, spi.SOL_SOCKET, spi.SO_LINGER, val)
		if err == nil {
			c.socket.lingers.Store(sec > 0)
		}
		return err
	})
	return c.opError("set", callError("setsockopt", err))
}

// SetReadBuffer sets SO_RCVBUF, in bytes.
func (e *endpoint) SetReadBuffer(bytes int) error {
	return e.opError("set", e.socket.setInt(spi.SOL_SOCKET, spi.SO_RCVBUF, int32(bytes)))
}

// SetWriteBuffer sets SO_SNDBUF, in bytes.
func (e *endpoint) SetWriteBuffer(bytes int) error {
	return e.opError("set", e.socket.setInt(spi.SOL_SOCKET, spi.SO_SNDBUF, int32(bytes)))
}

func boolInt(on bool) int32 {
	if on {
		return 1
	}
	return 0
}
