package wsnet_test

import (
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"upcall.dev/catalog"
)

// The benchmarks compare package net over TCP loopback with wsnet over a chain,
// in turns, so that a busy machine slows both. ns/op is wsnet's, B/op both's; ratio is
// net's time over wsnet's: above 1 wsnet is faster. All are medians of the
// turns.

// benchChains are the chains by the name of their sub-benchmark.
func benchChains(b *testing.B) map[string]combo {
	trace := traceTo(b, nil)
	return map[string]combo{
		"kernel":            {"kernel", "tcp4", nil},
		"kernel_trace":      {"kernel", "tcp4", []catalog.Layer{trace}},
		"kernel_trace_data": {"kernel", "tcp4", []catalog.Layer{traceTo(b, map[string]string{"data": "on"})}},
		"kernel_shape":      {"kernel", "tcp4", []catalog.Layer{shape}},
		"memory":            {"memory", "tcp4", nil},
	}
}

var benchOrder = []string{"kernel", "kernel_trace", "kernel_trace_data", "kernel_shape", "memory"}

const (
	// turn is how many operations one side does before it is the other's.
	turn = 50
	// connections is how many connections each side has, which take turns too: how
	// fast one is depends on the window that TCP happened to settle on.
	connections = 8
)

func BenchmarkRoundTrip(b *testing.B) {
	benchmarkPairs(b, 0, func(client net.Conn, buf []byte) error {
		for range turn {
			if _, err := client.Write(buf[:64]); err != nil {
				return err
			}
			if _, err := io.ReadFull(client, buf[:64]); err != nil {
				return err
			}
		}
		return nil
	}, func(server net.Conn) {
		io.Copy(struct{ io.Writer }{server}, struct{ io.Reader }{server})
	})
}

// chunk is the size of a write and of the read buffer, in bytes.
const chunk = 128 << 10

// BenchmarkThroughput sends; the server's answer ends a turn when everything
// has arrived.
func BenchmarkThroughput(b *testing.B) {
	benchmarkPairs(b, chunk, func(client net.Conn, buf []byte) error {
		for range turn {
			if _, err := client.Write(buf); err != nil {
				return err
			}
		}
		_, err := io.ReadFull(client, buf[:1])
		return err
	}, func(server net.Conn) {
		buf := make([]byte, chunk)
		for arrived := 0; ; {
			n, err := server.Read(buf)
			if arrived += n; arrived == turn*chunk {
				arrived = 0
				_, err = server.Write(buf[:1])
			}
			if err != nil {
				return
			}
		}
	})
}

func benchmarkPairs(b *testing.B, bytes float64, operate func(client net.Conn, buf []byte) error, serve func(server net.Conn)) {
	chains := benchChains(b)
	for _, name := range benchOrder {
		b.Run(name, func(b *testing.B) {
			c := chains[name]
			stack := c.open(b)
			var chain, plain [connections]net.Conn
			for i := range connections {
				chainClient, chainServer := c.pipe(b, stack)
				plainClient, plainServer := netPipe(b)
				chain[i], plain[i] = chainClient, plainClient
				for _, end := range []net.Conn{chainServer, plainServer} {
					done := make(chan struct{})
					go func() {
						defer close(done)
						serve(end)
					}()
					b.Cleanup(func() {
						end.Close()
						<-done
					})
				}
			}
			b.ReportAllocs()
			buf := make([]byte, chunk)
			perOperation := func(conn net.Conn) float64 {
				start := time.Now()
				if err := operate(conn, buf); err != nil {
					b.Fatal(err)
				}
				return float64(time.Since(start)) / turn
			}
			for i := range connections {
				perOperation(plain[i])
				perOperation(chain[i])
			}
			var ratios, times []float64
			b.ResetTimer()
			for i := 0; i*turn < b.N; i++ {
				netTime, chainTime := perOperation(plain[i%connections]), perOperation(chain[i%connections])
				ratios = append(ratios, netTime/chainTime)
				times = append(times, chainTime)
			}
			b.StopTimer()
			b.ReportMetric(median(times), "ns/op")
			b.ReportMetric(median(ratios), "ratio")
			if bytes > 0 {
				b.ReportMetric(bytes*1e3/median(times), "MB/s")
			}
		})
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func netPipe(b *testing.B) (client, server net.Conn) {
	b.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial("tcp4", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	return client, server
}
