package programs

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"upcall.dev/internal/freeport"
)

// microhttpd builds libmicrohttpd's smallest example: a web server with threads
// of Windows, WSAPoll, and critical sections.
func microhttpd(t *testing.T) string {
	flags := []string{"-U__linux__", "-D_GNU_SOURCE", "-Iw32/common", "-Isrc/include", "-Isrc/microhttpd"}
	return program{name: "minimal_example", source: fetch(t, "libmicrohttpd"), units: []unit{
		{files: []string{
			"src/microhttpd/[bdip]*.c", "src/microhttpd/sha*.c", "src/microhttpd/connection.c", "src/microhttpd/reason_phrase.c", "src/microhttpd/response.c",
			"src/microhttpd/m[de]*.c", "src/microhttpd/mhd_*.c", "src/microhttpd/tsearch.c", "src/examples/minimal_example.c",
		}, flags: shimmed(flags...)},
		{files: []string{"src/microhttpd/sysfdsetsize.c"}, flags: windows(flags...)},
		shim(),
	}}.build(t)
}

func TestMicrohttpd(t *testing.T) {
	server := microhttpd(t)
	over(t, []string{"WSPListen", "WSPAccept", "WSPRecv", "WSPSend"}, func(t *testing.T, chain string) {
		port := strconv.Itoa(freeport.Take(t))
		p := start(t, chain, server, port)
		p.listens(t, port)
		client := http.Client{Timeout: runTime / 2}
		defer client.CloseIdleConnections()
		const page = "<html><head><title>libmicrohttpd demo</title></head><body>libmicrohttpd demo</body></html>"
		errs := make(chan error)
		const clients = 20
		for i := range clients {
			go func() { errs <- fetchWhole(&client, fmt.Sprintf("http://127.0.0.1:%s/%d", port, i), []byte(page)) }()
		}
		for range clients {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		client.CloseIdleConnections()
		if err := p.input.Close(); err != nil { // it ends at the end of its input
			t.Error(err)
		}
		p.wait(t)
	})
}
