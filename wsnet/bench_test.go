package wsnet_test

import (
	"io"
	"net"
	"testing"
	"time"

	"upcall.dev/catalog"
)

// The benchmarks compare package net over TCP loopback with wsnet over a chain,
// in turns, so that a busy machine slows both. ns/op is wsnet's, B/op both's; ratio is
// net's time over wsnet's: above 1 wsnet is faster.

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

func BenchmarkRoundTrip(b *testing.B) {
	benchmarkPairs(b, 0, func(client net.Conn, buf []byte) error {
		if _, err := client.Write(buf[:64]); err != nil {
			return err
		}
		_, err := io.ReadFull(client, buf[:64])
		return err
	}, func(server net.Conn) {
		io.Copy(struct{ io.Writer }{server}, struct{ io.Reader }{server})
	})
}

func BenchmarkThroughput(b *testing.B) {
	benchmarkPairs(b, chunk, func(client net.Conn, buf []byte) error {
		_, err := client.Write(buf)
		return err
	}, func(server net.Conn) {
		io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{server}, make([]byte, chunk))
	})
}

// chunk is the size of a write and of the read buffer, in bytes.
const chunk = 128 << 10

func benchmarkPairs(b *testing.B, bytes int64, operate func(client net.Conn, buf []byte) error, serve func(server net.Conn)) {
	chains := benchChains(b)
	for _, name := range benchOrder {
		b.Run(name, func(b *testing.B) {
			c := chains[name]
			client, server := c.pipe(b, c.open(b))
			plain, plainServer := netPipe(b)
			for _, end := range []net.Conn{server, plainServer} {
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
			b.ReportAllocs()
			buf := make([]byte, chunk)
			run := func(conn net.Conn, n int) time.Duration {
				start := time.Now()
				for range n {
					if err := operate(conn, buf); err != nil {
						b.Fatal(err)
					}
				}
				return time.Since(start)
			}
			run(plain, 1)
			run(client, 1)
			const turn = 100 // operations
			var netTime, chainTime time.Duration
			b.ResetTimer()
			for left := b.N; left > 0; left -= turn {
				n := min(left, turn)
				netTime += run(plain, n)
				chainTime += run(client, n)
			}
			b.StopTimer()
			b.ReportMetric(float64(chainTime)/float64(b.N), "ns/op")
			b.ReportMetric(float64(netTime)/float64(chainTime), "ratio")
			if bytes > 0 {
				b.ReportMetric(float64(bytes)*float64(b.N)/1e6/chainTime.Seconds(), "MB/s")
			}
		})
	}
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
