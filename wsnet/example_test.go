package wsnet_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/wsnet"
)

// exampleStack is a network inside the process under a layer that delays every
// byte, so that the examples need nothing from the machine.
func exampleStack() *wsnet.Stack {
	cat, err := catalog.Compose(catalog.Default(), "memory", []catalog.Layer{
		{Name: "shape", Options: map[string]string{"delay": "2ms"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	stack, err := wsnet.Open(wsnet.Config{Catalog: cat})
	if err != nil {
		log.Fatal(err)
	}
	return stack
}

func ExampleStack_Dial() {
	stack := exampleStack()
	defer stack.Close()
	listener, err := stack.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "hello through the chain")
	}()

	conn, err := stack.Dial("tcp", "127.0.0.1:8080")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	greeting, err := io.ReadAll(conn)
	fmt.Println(conn.RemoteAddr(), string(greeting), err)
	// Output: 127.0.0.1:8080 hello through the chain <nil>
}

// A stock HTTP client whose connections go through the chain.
func ExampleDialer() {
	stack := exampleStack()
	defer stack.Close()
	listener, err := stack.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "you asked for %s", r.URL.Path)
	})}
	go server.Serve(listener)
	defer server.Close()

	dialer := &wsnet.Dialer{Stack: stack, Timeout: 10 * time.Second}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://127.0.0.1/page")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(body), err)
	// Output: 200 OK you asked for /page <nil>
}

func ExampleStack_Listen() {
	stack := exampleStack()
	listener, err := stack.Listen("tcp", "127.0.0.1:7")
	if err != nil {
		log.Fatal(err)
	}
	echoed := make(chan struct{})
	go func() {
		defer close(echoed)
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		defer conn.Close()
		io.Copy(conn, conn) // until the client closes its side
	}()

	conn, err := stack.DialContext(context.Background(), "tcp", listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	io.WriteString(conn, "echo")
	conn.(*wsnet.Conn).CloseWrite()
	answer, err := io.ReadAll(conn)
	<-echoed
	fmt.Println(string(answer), err)

	// Close closes what is left and waits for it.
	fmt.Println(stack.Close())
	_, err = listener.Accept()
	fmt.Println(err.(*net.OpError).Err)
	// Output:
	// echo <nil>
	// <nil>
	// use of closed network connection
}
