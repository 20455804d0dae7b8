package matrix

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// column is a way to run a program.
type column struct {
	name     string
	bare     bool
	isolated bool
	socks    bool
	data     bool // the trace sees every transfer, so that the chain is a non-IFS one
}

var bare = column{name: "bare", bare: true}

var columns = []column{
	{name: "IFS chain"},
	{name: "non-IFS chain", data: true},
	{name: "SOCKS chain", socks: true},
	{name: "--isolate", isolated: true},
}

// Inside the namespace of an isolated program this stands for the host's
// 127.0.0.1.
const isolatedLoopback = "192.0.0.1"

// cell is one program in one column.
type cell struct {
	*testing.T
	column column
	out    *outside                 // what it talks to
	host   string                   // where the program finds servers of 127.0.0.1
	proxy  string                   // of a SOCKS chain
	dir    string                   // its home, which every user can write to
	within func(func() error) error // starts a process where the program is to run; nil: here
}

func newCell(t *testing.T, c column, o *outside, proxy string) *cell {
	t.Helper()
	host := "127.0.0.1"
	if c.isolated {
		host = isolatedLoopback
	}
	return &cell{T: t, column: c, out: o, host: host, proxy: proxy, dir: openDir(t)}
}

// traceFile has what the program asked of the chain.
func (c *cell) traceFile() string { return filepath.Join(c.dir, "trace") }

// belowFile has what a SOCKS chain asked of the kernel.
func (c *cell) belowFile() string { return filepath.Join(c.dir, "below") }

// launcher returns the command line that runs a program in the column.
func (c *cell) launcher() []string {
	if c.column.bare {
		return nil
	}
	args := []string{upcall(c.T), "run"}
	if c.column.isolated {
		args = append(args, "--isolate")
	}
	trace := "trace:file=" + c.traceFile()
	if c.column.data {
		trace += ",data=on,preview=0"
	}
	args = append(args, "--through", trace)
	if c.column.socks {
		args = append(args, "--through", "socks:proxy="+c.proxy, "--through", "trace:file="+c.belowFile())
	}
	return append(args, "--")
}

// url is that of a path at the web server outside.
func (c *cell) url(path string) string {
	return fmt.Sprintf("http://%s:%d%s", c.host, c.out.http, path)
}

// besides is where a client of a server in the column runs: bare, beside it.
func (c *cell) besides() *cell {
	b := *c
	b.column, b.host, b.within = bare, "127.0.0.1", nil
	return &b
}

// connected fails unless the program's ways to these ports have passed the chain;
// a SOCKS chain may have connected to its proxy alone.
func (c *cell) connected(ports ...int) {
	c.Helper()
	if c.column.bare {
		return
	}
	for _, port := range ports {
		c.traced(fmt.Sprintf(`WSP(Connect|SendTo)\(.*:%d\b`, port))
	}
	text, _ := os.ReadFile(c.belowFile())
	for line := range strings.Lines(string(text)) {
		to := connectTo.FindStringSubmatch(line)
		if to == nil {
			continue
		}
		if at, err := netip.ParseAddrPort(to[1]); err != nil || netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String() != c.proxy && !relayPort(at.Port()) {
			c.Errorf("the SOCKS chain has connected to %s, which is not the proxy: %s", to[1], line)
		}
	}
}

var connectTo = regexp.MustCompile(`WSPConnect\(\d+, (\S+:\d+)\)`)

// accepted fails unless the server at the port, and what it has accepted, are the
// chain's.
func (c *cell) accepted(port int) {
	c.Helper()
	if !c.column.bare {
		c.traced(fmt.Sprintf(`WSPBind\(.*:%d\b`, port))
		c.traced(`WSPAccept\(`)
	}
}

// traced fails unless the trace has a line like that.
func (c *cell) traced(like string) {
	c.Helper()
	text, _ := os.ReadFile(c.traceFile())
	if !regexp.MustCompile(like).Match(text) {
		c.Errorf("nothing like %s has passed the chain:\n%.4000s", like, text)
	}
}
