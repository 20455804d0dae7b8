package wsnet_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"upcall.dev/wsnet"
)

// serve starts a stock HTTP server on the combo's listener, and returns a
// client over the same stack.
func serve(t *testing.T, c combo, s *wsnet.Stack, handler http.Handler) (*httptest.Server, *http.Client) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Listener.Close()
	server.Listener = c.listen(t, s)
	return server, httpClient(t, c, s, server)
}

func httpClient(t *testing.T, c combo, s *wsnet.Stack, server *httptest.Server) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 1000}
	if c.network == "unix" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return s.DialContext(ctx, "unix", server.Listener.Addr().String())
		}
	} else {
		transport.DialContext = s.DialContext
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (c combo) url(server *httptest.Server) string {
	if c.network == "unix" {
		return "http://unix"
	}
	return server.URL
}

// 1000 requests at once, then more over connections that were kept.
func TestHTTPParallel(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		server, client := serve(t, c, s, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintf(w, "%s %s", r.URL.Path, body)
		}))
		var opened atomic.Int32
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				opened.Add(1)
			}
		}
		server.Start()
		defer server.Close()
		const many = 1000
		requests := 0
		for _, parallel := range []int{many, many / 5} {
			requests += parallel
			var wg sync.WaitGroup
			for i := range parallel {
				wg.Go(func() {
					body := strings.Repeat("b", i)
					resp, err := client.Post(c.url(server)+fmt.Sprint("/", i), "text/plain", strings.NewReader(body))
					if err != nil {
						t.Error(err)
						return
					}
					defer resp.Body.Close()
					got, err := io.ReadAll(resp.Body)
					if want := fmt.Sprintf("/%d %s", i, body); err != nil || string(got) != want {
						t.Errorf("request %d: %d bytes, %v; want %d", i, len(got), err, len(want))
					}
				})
			}
			wg.Wait()
		}
		if n := int(opened.Load()); n >= requests {
			t.Errorf("%d connections for %d requests: none was kept alive", n, requests)
		}
		client.CloseIdleConnections()
	})
}

func TestHTTPLargeBodies(t *testing.T) {
	each(t, []string{"tcp4"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		server, client := serve(t, c, s, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(w, r.Body); err != nil {
				t.Error(err)
			}
		}))
		server.Config.Handler = fullDuplex(server.Config.Handler)
		server.Start()
		defer server.Close()
		body := bytes.Repeat([]byte("0123456789"), 200_000)
		resp, err := client.Post(server.URL, "application/octet-stream", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes came back, %v; want %d", len(got), err, len(body))
		}
		client.CloseIdleConnections()
	})
}

// fullDuplex lets the handler answer while it reads, which HTTP/1.1 clients
// of Go can take.
func fullDuplex(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		h.ServeHTTP(w, r)
	})
}

func TestHTTPHijack(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		server, _ := serve(t, c, s, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if _, ok := conn.(*wsnet.Conn); !ok {
				t.Errorf("hijacked a %T", conn)
			}
			rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
			rw.Flush()
			io.Copy(conn, rw)
		}))
		server.Start()
		defer server.Close()
		conn, err := s.Dial(c.network, server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("response %v, %v", resp, err)
		}
		for _, line := range []string{"one\n", "two\n"} {
			io.WriteString(conn, line)
			if got, err := r.ReadString('\n'); got != line || err != nil {
				t.Fatalf("echo %q, %v; want %q", got, err, line)
			}
		}
	})
}

func TestHTTPOverTLS(t *testing.T) {
	each(t, []string{"tcp4"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		server, client := serve(t, c, s, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Proto)
		}))
		server.EnableHTTP2 = true
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // the client gives up connections that it needs no more
		server.StartTLS()
		defer server.Close()
		pool := x509.NewCertPool()
		pool.AddCert(server.Certificate())
		transport := client.Transport.(*http.Transport)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
		transport.ForceAttemptHTTP2 = true
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				resp, err := client.Get(server.URL)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if got, err := io.ReadAll(resp.Body); string(got) != "HTTP/2.0" || err != nil {
					t.Errorf("answer %q, %v", got, err)
				}
			})
		}
		wg.Wait()
		client.CloseIdleConnections()
	})
}
