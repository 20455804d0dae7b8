package announce

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"upcall.dev/catalog"
	_ "upcall.dev/standard"
	"upcall.dev/wsnet"
)

func TestEveryConnectionIsLogged(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}))
	defer server.Close()

	for _, base := range []string{"kernel", "memory"} {
		var logged bytes.Buffer
		log.SetOutput(&logged)
		defer log.SetOutput(os.Stderr)

		chain, err := catalog.Compose(catalog.Default(), base, []catalog.Layer{{Name: "announce"}})
		if err != nil {
			t.Fatal(err)
		}
		stack, err := wsnet.Open(wsnet.Config{Catalog: chain})
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{DialContext: stack.DialContext}
		response, err := (&http.Client{Transport: transport}).Get(server.URL)
		if reached := err == nil; reached != (base == "kernel") {
			t.Errorf("over %s: %v", base, err) // memory has no such server
		}
		if err == nil {
			_ = response.Body.Close()
		}
		transport.CloseIdleConnections()
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
		if want := "connect to " + strings.TrimPrefix(server.URL, "http://"); !strings.Contains(logged.String(), want) {
			t.Errorf("over %s the log is %q, without %q", base, logged.String(), want)
		}
	}
}

// The README shows this layer as it is.
func TestReadmeShowsTheLayer(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("announce.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(source), "costs nothing per byte.\n")
	if !strings.Contains(string(readme), "```go\n"+code+"```") {
		t.Error("README.md shows another layer than announce.go")
	}
}
