package launch

import (
	"bytes"
	"net"
	"os"
	"sync"
	"testing"
)

// A server that answers before it has read everything, and closes, resets the
// connection: its answer comes all the same, as that of HTTP to a body that is too
// large.
func TestAnsweredEarly(t *testing.T) {
	python := need(t, "python3")
	const script = "testdata/answered_early.py"
	server := answerEarly(t)
	host, port := splitAddress(t, server)
	want := direct(t, python, script, host, port)
	if want.code != 0 {
		t.Fatal(want.out)
	}
	eachChain(t, func(t *testing.T, o Options, _ string) {
		like(t, run(t, o, python, script, host, port), want)
	})
	t.Run("isolate", func(t *testing.T) {
		needNamespaces(t)
		host, port := splitAddress(t, insideOf(t, server))
		o := Options{Catalog: chainOf(t, os.DevNull, kindsOfChain[0].layers...), Isolate: true}
		like(t, run(t, o, python, script, host, port), want)
	})
}

// answerEarly serves on a loopback address: the first byte is answered.
func answerEarly(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answer := bytes.Repeat([]byte("too large "), 3000)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := c.Read(make([]byte, 1)); err == nil {
				_, _ = c.Write(answer)
			}
			_ = c.Close()
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return l.Addr().String()
}
