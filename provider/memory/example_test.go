package memory_test

import (
	"fmt"
	"io"
	"log"
	"net/http"

	"upcall.dev/catalog"
	"upcall.dev/wsnet"
)

// An HTTP server and client on a network inside the process.
func Example() {
	// Only this package is imported, so the default catalog has memory alone.
	stack, err := wsnet.Open(wsnet.Config{Catalog: catalog.Default()})
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	listener, err := stack.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "you asked for ", r.URL.Path)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	transport := &http.Transport{DialContext: stack.Dialer().DialContext}
	client := http.Client{Transport: transport}
	answer, err := client.Get("http://127.0.0.1/hello")
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	fmt.Println(answer.Status, string(body), err)

	transport.CloseIdleConnections()
	server.Close()
	<-served
	// Output: 200 OK you asked for /hello <nil>
}
