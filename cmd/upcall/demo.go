package main

import (
	"bytes"
	"context"
	"debug/elf"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/launch"
)

type demoCommand struct{}

func (demoCommand) Help() string {
	return `Starts an HTTP server on loopback, runs an unmodified static client through the
layers trace and shape, shows what they saw, then drives every upcall through
the real providers. Needs nothing but this binary, and changes nothing.`
}

func (demoCommand) Run(std streams) error {
	if err := demoProgram(std); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	fmt.Fprintln(std.out)
	if err := demoUpcalls(std.out); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// page is what the demo's server sends: enough that shape has to hold it back.
var page = strings.Repeat("A provider chain under a real program.\n", 400)

const demoRate, demoDelay = "64kB", "20ms"

// demoProgram runs the client under a chain and shows the trace.
func demoProgram(std streams) error {
	scratch, err := os.MkdirTemp("", "upcall-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }),
		ReadHeaderTimeout: 10 * time.Second,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		_ = server.Close()
		<-served
	}()
	url := "http://" + l.Addr().String() + "/"

	client, note, err := staticClient(scratch)
	if err != nil {
		return err
	}
	traceFile := filepath.Join(scratch, "trace")
	through := []catalog.Layer{
		{Name: "trace", Options: map[string]string{"file": traceFile, "data": "on"}},
		{Name: "shape", Options: map[string]string{"rate": demoRate, "delay": demoDelay}},
	}
	chain, err := catalog.Compose(catalog.Default(), "kernel", through)
	if err != nil {
		return err
	}

	fmt.Fprintf(std.out, "An HTTP server is at %s.\n", url)
	fmt.Fprintf(std.out, "The client is %s.\n", note)
	fmt.Fprintf(std.out, "upcall run --through trace:data=on --through shape:rate=%s,delay=%s -- client %s\n\n", demoRate, demoDelay, url)

	var output bytes.Buffer
	start := time.Now()
	status, err := launch.Run(context.Background(), launch.Options{
		Catalog: chain,
		Program: client,
		Env:     append(os.Environ(), fetchVariable+"="+url),
		Stdout:  &output,
		Stderr:  std.err,
		Log:     func(line string) { fmt.Fprintln(std.err, "upcall:", line) },
	})
	took := time.Since(start)
	if err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("the client ended with status %d", status)
	}
	_, body, found := strings.Cut(output.String(), "\r\n\r\n")
	if !found || body != page {
		return fmt.Errorf("the client got %d bytes that are not the page of %d", len(body), len(page))
	}
	seen, err := os.ReadFile(traceFile)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "The client got the whole page, %d bytes, in %v. What trace saw:\n\n", len(body), took.Round(time.Millisecond))
	for line := range strings.Lines(string(seen)) {
		fmt.Fprint(std.out, "  ", line)
	}
	return nil
}

//go:embed fetch.go
var fetchSource []byte

// staticClient returns a static program that fetches fetchVariable's URL: this
// very binary if it is static, or, under "go run", which links dynamically
// where there is a C compiler, the same client built by the Go toolchain.
func staticClient(scratch string) (path, note string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", "", err
	}
	if static, err := isStatic(self); err != nil || static {
		return self, "this binary again, statically linked", err
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		tool = filepath.Join(runtime.GOROOT(), "bin", "go") //nolint:staticcheck // the toolchain that go run uses
	}
	for name, text := range map[string][]byte{
		"fetch.go": fetchSource,
		"main.go":  []byte("package main\n\nfunc main() { fetchMain() }\n"),
		"go.mod":   []byte("module client\n\ngo 1.26\n"),
	} {
		if err := os.WriteFile(filepath.Join(scratch, name), text, 0o600); err != nil {
			return "", "", err
		}
	}
	client := filepath.Join(scratch, "client")
	build := exec.Command(tool, "build", "-o", client, ".")
	build.Dir, build.Env = scratch, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
	if text, err := build.CombinedOutput(); err != nil {
		var notFound *exec.Error
		if errors.As(err, &notFound) || errors.Is(err, os.ErrNotExist) {
			return self, "this binary again, dynamically linked (no Go toolchain to build a static one)", nil
		}
		return "", "", fmt.Errorf("building the static client: %w: %s", err, bytes.TrimSpace(text))
	}
	return client, "a static Go program of 30 lines that knows nothing of Upcall", nil
}

func isStatic(path string) (bool, error) {
	f, err := elf.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false, nil
		}
	}
	return true, nil
}

// printTable prints the rows with their columns aligned.
func printTable(out io.Writer, rows [][]string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}
