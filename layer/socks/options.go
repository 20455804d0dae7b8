package socks

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"upcall.dev/layer"
	"upcall.dev/layer/names"
	"upcall.dev/spi"
)

var options = []spi.Option{
	{Name: "proxy", Help: "the proxy, as HOST:PORT, such as 127.0.0.1:1080 or proxy.example:1080"},
	{Name: "type", Default: "socks5", Help: "what the proxy speaks: socks5, socks4a or http (CONNECT)"},
	{Name: "user", Help: "the name to log in with, such as anna"},
	{Name: "password", Help: "the password to log in with; others can read it in the catalog and the list of processes"},
	{Name: "password-file", Help: "a file whose first line is the password, such as /home/anna/.proxy", Path: true},
	{Name: "dns", Default: "remote", Help: "who looks names up: remote (the proxy) or local (the program, as without the layer)"},
	{Name: "udp", Default: "on", Help: "carry datagrams by UDP ASSOCIATE: on or off; only socks5 can"},
	{Name: "resolver", Help: "the DNS server, reached through the proxy, for what the proxy cannot look up, such as 9.9.9.9:53"},
	{Name: "timeout", Default: "1m", Help: "the longest that a connect may take, such as 30s"},
	{Name: "pipeline", Default: "auto", Help: "say everything at once: auto (when the proxy is known to cope), on or off"},
}

// proxyType is what the proxy speaks.
type proxyType string

const (
	socks5  proxyType = "socks5"
	socks4a proxyType = "socks4a"
	connect proxyType = "http"
)

// endpoint is HOST:PORT: an address, or a name that has to be looked up.
type endpoint struct {
	name string     // empty when it is an address
	addr netip.Addr // invalid when it is a name
	port uint16
}

func (e endpoint) String() string {
	host := e.name
	if host == "" {
		host = e.addr.String()
		if e.addr.Is6() {
			host = "[" + host + "]"
		}
	}
	return host + ":" + strconv.Itoa(int(e.port))
}

// config is the options, read.
type config struct {
	proxy          endpoint
	kind           proxyType
	login          bool
	user, password string
	remoteNames    bool
	udp            bool
	resolver       endpoint // its port is 0 when there is none
	timeout        time.Duration
	pipeline       string
}

// longestTimeout keeps deadlines within what clocks can hold.
const longestTimeout = 24 * time.Hour

// parse reads the options. Its error names the option and says what is allowed.
func parse(o spi.Options) (c config, err error) {
	if o["proxy"] == "" {
		return c, errors.New("say where the proxy is: proxy=HOST:PORT, such as proxy=127.0.0.1:1080")
	}
	if c.proxy, err = parseEndpoint("proxy", o["proxy"], 0); err != nil {
		return c, err
	}
	kind, err := layer.Choice(o, "type", string(socks5), string(socks4a), string(connect))
	if err != nil {
		return c, err
	}
	c.kind = proxyType(kind)
	if err := c.parseLogin(o); err != nil {
		return c, err
	}
	dns, err := layer.Choice(o, "dns", "remote", "local")
	if err != nil {
		return c, err
	}
	c.remoteNames = dns == "remote"
	udp, err := layer.Choice(o, "udp", "on", "off")
	if err != nil {
		return c, err
	}
	if _, asked := o["udp"]; asked && udp == "on" && c.kind != socks5 {
		return c, fmt.Errorf("udp=on does not go with type=%s: only a socks5 proxy carries datagrams", c.kind)
	}
	c.udp = udp == "on" && c.kind == socks5
	if server, ok := o["resolver"]; ok {
		if c.resolver, err = parseEndpoint("resolver", server, 53); err != nil {
			return c, err
		}
		if !c.remoteNames {
			return c, errors.New("resolver does not go with dns=local, which leaves looking names up to the program")
		}
	}
	if c.timeout, err = layer.Duration(o, "timeout", time.Minute); err != nil {
		return c, err
	}
	if c.timeout <= 0 || c.timeout > longestTimeout {
		return c, fmt.Errorf("timeout=%q is out of range: choose a duration above 0, up to 24h", o["timeout"])
	}
	c.pipeline, err = layer.Choice(o, "pipeline", "auto", "on", "off")
	return c, err
}

func (c *config) parseLogin(o spi.Options) error {
	user, hasUser := o["user"]
	password, hasPassword := o["password"]
	if file, ok := o["password-file"]; ok {
		if hasPassword {
			return errors.New("password and password-file exclude each other: leave one out")
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("password-file: %w", err)
		}
		line, _, _ := strings.Cut(string(b), "\n")
		password, hasPassword = strings.TrimSuffix(line, "\r"), true
	}
	switch {
	case hasPassword && !hasUser:
		return errors.New("a password needs a user: say user=NAME as well")
	case hasPassword && c.kind == socks4a:
		return errors.New("socks4a has no passwords: leave it out, or choose type=socks5")
	case hasUser && (user == "" || len(user) > 255) || hasPassword && len(password) > 255:
		return errors.New("a user has 1 to 255 bytes, and a password at most 255")
	case strings.ContainsAny(user, "\x00\r\n") || strings.ContainsAny(password, "\x00\r\n"):
		return errors.New("a user and a password have neither line ends nor zero bytes")
	case c.kind == connect && strings.Contains(user, ":"):
		return errors.New("with type=http a user has no colon: it would end there")
	case c.kind == socks5 && hasUser && password == "":
		return errors.New("a socks5 proxy wants a password with the user: say password-file=PATH or password=WORD")
	}
	c.login, c.user, c.password = hasUser, user, password
	return nil
}

// parseEndpoint reads HOST:PORT, or HOST alone when port is not 0.
func parseEndpoint(option, value string, port uint16) (e endpoint, err error) {
	bad := func() (endpoint, error) {
		return endpoint{}, fmt.Errorf("%s=%q is no HOST:PORT: write an address or a name, and a port from 1 to 65535, such as 127.0.0.1:1080 or [::1]:1080", option, value)
	}
	host := value
	if addr, err := netip.ParseAddr(value); err == nil && port != 0 {
		return endpoint{addr: addr, port: port}, nil
	}
	if i := strings.LastIndexByte(value, ':'); i >= 0 {
		n, err := strconv.ParseUint(value[i+1:], 10, 16)
		if err != nil || n == 0 {
			return bad()
		}
		host, port = value[:i], uint16(n)
	}
	if port == 0 {
		return bad()
	}
	e.port = port
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !closed || err != nil || !addr.Is6() {
			return bad()
		}
		e.addr = addr
		return e, nil
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is4() {
		e.addr = addr
		return e, nil
	}
	var ok bool
	if e.name, ok = names.Canonical(host); !ok {
		return bad()
	}
	return e, nil
}
