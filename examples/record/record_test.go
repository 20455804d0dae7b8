package record

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
	"upcall.dev/wsnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBothDirectionsAreWritten(t *testing.T) {
	for _, base := range []string{"kernel", "memory"} {
		dir := filepath.Join(t.TempDir(), "calls")
		chain, err := catalog.Compose(catalog.Default(), base, []catalog.Layer{{Name: "record", Options: spi.Options{"dir": dir}}})
		if err != nil {
			t.Fatal(err)
		}
		stack, err := wsnet.Open(wsnet.Config{Catalog: chain})
		if err != nil {
			t.Fatal(err)
		}
		request := strings.Repeat("all that the client says. ", 4000)
		answer := "heard"
		talk(t, stack, request, answer)
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
		// Both ends are sockets of this layer.
		for direction, want := range map[string][]string{"sent": {request, answer}, "received": {request, answer}} {
			if got := recorded(t, dir, direction); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("over %s %s are %d files, not the request and the answer", base, direction, len(got))
			}
		}
	}
}

func talk(t *testing.T, stack *wsnet.Stack, request, answer string) {
	t.Helper()
	listener, err := stack.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = io.ReadFull(conn, make([]byte, len(request)))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
		served <- err
	}()
	conn, err := stack.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask(conn, request)
	if err != nil || got != answer {
		t.Errorf("answer %q, %v", got, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func ask(conn net.Conn, request string) (string, error) {
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

func recorded(t *testing.T, dir, direction string) (texts []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*."+direction))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	slices.Sort(texts)
	return texts
}

func TestDirectoryMustBeNamed(t *testing.T) {
	_, err := catalog.Compose(catalog.Default(), "kernel", []catalog.Layer{{Name: "record"}})
	if err == nil || !strings.Contains(err.Error(), "dir=PATH") {
		t.Errorf("error %v", err)
	}
}
