package socks

import (
	"encoding/base64"
	"net"
	"strconv"
	"strings"

	"upcall.dev/spi"
)

// beginConnect is the handshake of HTTP's CONNECT, one request and one answer.
func beginConnect(c *config, to target) step {
	host := to.name
	if host == "" {
		host = to.addr.Addr().Unmap().WithZone("").String()
	}
	host = net.JoinHostPort(host, strconv.Itoa(int(to.addr.Port())))
	var b strings.Builder
	b.WriteString("CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n")
	if c.login {
		b.WriteString("Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.password)) + "\r\n")
	}
	b.WriteString("\r\n")
	return step{send: []byte(b.String()), read: head, then: gotHead}
}

func gotHead(b []byte) (step, error) {
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	version, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if !strings.HasPrefix(version, "HTTP/1.") || err != nil || len(code) != 3 || status < 100 {
		return step{}, misunderstood(spi.WSAECONNABORTED, "it does not speak HTTP: its answer is %.40q; type= says what it speaks", line)
	}
	switch {
	case status/100 == 1: // something else comes first
		return step{read: head, then: gotHead}, nil
	case status/100 == 2:
		return step{}, nil
	case status == 407:
		return step{}, misunderstood(spi.WSAEACCES, "it wants a login, or another one (%s)", rest)
	case status == 401, status == 403:
		return step{}, refused(spi.WSAEACCES, "%s", rest)
	case status == 405, status == 501:
		return step{}, misunderstood(spi.WSAEOPNOTSUPP, "it has no CONNECT (%s)", rest)
	case status == 404, status == 502:
		return step{}, refused(spi.WSAEHOSTUNREACH, "%s", rest)
	case status == 408, status == 504:
		return step{}, refused(spi.WSAETIMEDOUT, "%s", rest)
	}
	return step{}, refused(spi.WSAECONNREFUSED, "%s", rest)
}
