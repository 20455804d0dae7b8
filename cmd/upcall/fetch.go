package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
)

// fetchVariable holds the URL that makes this program the demo's HTTP client.
const fetchVariable = "UPCALL_DEMO_FETCH"

// fetchMain is the demo's client: a program that knows nothing of Upcall. It
// prints what an HTTP server answers and exits; without its variable it returns.
// The demo builds this file alone into a static program where the command
// itself is not one.
func fetchMain() {
	target := os.Getenv(fetchVariable)
	if target == "" {
		return
	}
	if err := fetch(target, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func fetch(target string, out io.Writer) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", u.RequestURI(), u.Host); err != nil {
		return err
	}
	_, err = io.Copy(out, conn)
	return err
}
