package matrix

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"upcall.dev/internal/freeport"
)

var digRow = row{
	name:  "dig",
	work:  "addresses by UDP and TCP, an answer that is too long for UDP",
	needs: []string{"dig"},
	outside: func(t testing.TB, o *outside) {
		o.names(t)
	},
	do: func(c *cell) string {
		said := c.script(`
at="+tries=2 +time=20 @$1 -p $2"
dig $at +noall +comments +answer +nostats www.example A | sed 's/id: [0-9]*/id/'
dig $at +short www.example AAAA
dig $at +short +tcp www.example A
dig $at +noall +answer big.example TXT
`, c.host, c.out.dns)
		c.connected(c.out.dns)
		return said
	},
}

var iperfTCPRow = row{
	name:    "iperf3, TCP",
	work:    "32 MiB there, 32 MiB back, four streams at once",
	needs:   []string{"iperf3"},
	outside: iperfOutside,
	do: func(c *cell) string {
		said := iperfTCPWork(c, c.out.iperf)
		c.connected(c.out.server)
		return said
	},
}

var iperfUDPRow = row{
	name:    "iperf3, UDP",
	work:    "64 datagrams there, 64 back",
	needs:   []string{"iperf3"},
	outside: iperfOutside,
	do: func(c *cell) string {
		said := iperfUDPWork(c, c.out.iperf)
		c.connected(c.out.server)
		return said
	},
}

var iperfServerRow = row{
	name:    "iperf3 -s, TCP",
	server:  true,
	work:    "serves the work of *iperf3, TCP*",
	needs:   []string{"iperf3"},
	outside: ownPort,
	do: func(c *cell) string {
		said := iperfTCPWork(c.besides(), iperfServe(c))
		c.accepted(c.out.server)
		return said
	},
}

var iperfUDPServerRow = row{
	name:    "iperf3 -s, UDP",
	server:  true,
	work:    "serves the work of *iperf3, UDP*",
	needs:   []string{"iperf3"},
	outside: ownPort,
	impossible: func(c column) string {
		if c.socks {
			return "a SOCKS proxy gives datagrams to nobody who has not sent before"
		}
		return ""
	},
	do: func(c *cell) string {
		said := iperfUDPWork(c.besides(), iperfServe(c))
		c.accepted(c.out.server)
		return said
	},
}

// iperfServer is a server that serves one test after another, each time listening
// anew.
type iperfServer struct {
	process *process
	tests   int // that it has been asked for
}

func iperfCommand(port int) command {
	return command{args: []string{"iperf3", "-s", "--forceflush", "-B", "127.0.0.1", "-p", fmt.Sprint(port)}}
}

// ready waits until the server listens for the next test. It must not be tried
// out: it takes any connection for a test.
func (s *iperfServer) ready(c *cell) {
	c.Helper()
	s.tests++
	eventually(c, "iperf3 listens", func() bool { return strings.Count(s.process.out.String(), "Server listening") >= s.tests })
}

func iperfOutside(t testing.TB, o *outside) {
	o.server = freeport.Take(t)
	cmd := iperfCommand(o.server)
	cmd.args[0], cmd.dir = need(t, cmd.args[0]), o.dir
	o.iperf = &iperfServer{process: start(t, cmd)}
	t.Cleanup(func() { o.iperf.process.stop(t) })
}

// iperfServe runs the server in the column.
func iperfServe(c *cell) *iperfServer {
	c.Helper()
	s := &iperfServer{process: c.launch(iperfCommand(c.out.server))}
	c.Cleanup(func() { s.process.stop(c.T) })
	return s
}

func iperfTCPWork(c *cell, s *iperfServer) string {
	return iperf(c, s, "-n", "32M") + iperf(c, s, "-n", "32M", "-R") + iperf(c, s, "-n", "32M", "-P", "4")
}

// iperfUDPWork sends as many datagrams as a socket's buffer holds at the least, so
// that none is lost when the receiver is late.
func iperfUDPWork(c *cell, s *iperfServer) string {
	return iperf(c, s, "-u", "-b", "3M", "-l", "1000", "-k", "64") + iperf(c, s, "-u", "-b", "3M", "-l", "1000", "-k", "64", "-R")
}

// iperf runs the client and returns what came over. How much of it has been
// counted varies: the rest is on the way when the measuring ends.
func iperf(c *cell, s *iperfServer, args ...string) string {
	c.Helper()
	s.ready(c)
	status, out := c.launch(command{args: append([]string{"iperf3", "-J", "-c", c.host, "-p", fmt.Sprint(c.out.server)}, args...)}).finish(c.T)
	var report struct {
		Error string
		End   struct {
			Streams  []json.RawMessage
			Sent     struct{ Bytes float64 } `json:"sum_sent"`
			Received struct{ Bytes float64 } `json:"sum_received"`
			Sum      struct {
				Packets float64
				Lost    float64 `json:"lost_packets"`
			}
		}
	}
	if i := strings.Index(out, "{"); i < 0 || json.Unmarshal([]byte(out[i:]), &report) != nil {
		c.Fatalf("iperf3 says %s", out)
	}
	if report.Error != "" {
		return fmt.Sprintf("status %d, %s\n", status, report.Error)
	}
	if args[0] == "-u" {
		return fmt.Sprintf("status %d, 64 datagrams or more: %v, lost: %v\n", status, report.End.Sum.Packets >= 64, report.End.Sum.Lost)
	}
	return fmt.Sprintf("status %d, %d streams, 32 MiB or more sent: %v, arrived: %v\n", status, len(report.End.Streams), report.End.Sent.Bytes >= 32<<20, report.End.Received.Bytes > 0)
}
