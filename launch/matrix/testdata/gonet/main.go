// Command gonet is a static program for the tests: an HTTP client with many
// goroutines that also exchanges datagrams, and an HTTP server.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

func main() {
	serve := flag.String("serve", "", "the address to serve HTTP at")
	flag.Parse()
	var err error
	if *serve != "" {
		err = server(*serve)
	} else {
		err = client(flag.Arg(0), flag.Arg(1), flag.Arg(2))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func server(at string) error {
	http.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "hello %s at %s\n", host, r.Context().Value(http.LocalAddrContextKey))
	})
	http.HandleFunc("/hash", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		fmt.Fprintf(w, "%d bytes, sha256 %x, %v\n", n, h.Sum(nil), err)
	})
	return http.ListenAndServe(at, nil)
}

// client asks a web server 50 times at once, each on a connection of its own,
// then 50 times on one; sends it 4 MiB; and datagrams to one that sends them back;
// and asks where nobody listens.
func client(web, echo, refused string) error {
	var wg sync.WaitGroup
	said := make([]string, 50)
	for i := range said {
		wg.Go(func() {
			alone := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			said[i] = get(alone, web+"/hello")
		})
	}
	wg.Wait()
	same := &http.Client{Transport: &http.Transport{}}
	for range 50 {
		said = append(said, get(same, web+"/hello"))
	}
	counts := map[string]int{}
	for _, s := range said {
		counts[s]++
	}
	fmt.Println(counts)

	r, err := same.Post(web+"/hash", "text/plain", bytes.NewReader(bytes.Repeat([]byte("go"), 2<<20)))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if _, err := io.Copy(os.Stdout, r.Body); err != nil {
		return err
	}
	_, err = net.Dial("tcp", refused)
	fmt.Println("refused", errors.Is(err, syscall.ECONNREFUSED))
	return datagrams(echo)
}

func get(client *http.Client, url string) string {
	r, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return fmt.Sprintf("%d %q %v", r.StatusCode, body, err)
}

func datagrams(echo string) error {
	c, err := net.Dial("udp", echo)
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, 2000)
	for _, size := range []int{1, 512, 1400} {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write(bytes.Repeat([]byte{'d'}, size)); err != nil {
			return err
		}
		n, err := c.Read(b)
		fmt.Println("datagram of", n, "bytes", err)
	}
	to, err := net.ResolveUDPAddr("udp", echo)
	if err != nil {
		return err
	}
	u, err := net.ListenPacket("udp", ":0")
	if err != nil {
		return err
	}
	defer u.Close()
	_ = u.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := u.WriteTo([]byte("unconnected"), to); err != nil {
		return err
	}
	n, from, err := u.ReadFrom(b)
	fmt.Printf("%s %v %v\n", b[:n], from.String() == to.String(), err)
	return nil
}
