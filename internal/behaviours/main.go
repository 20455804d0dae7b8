// Command behaviours writes docs/conformance.md from a run of the tests: which
// documented behaviour of Windows Sockets 2 is pinned by which tests, over which
// configurations, with what result.
//
//	go test -json -run '^TestBehaviour' $(go run ./internal/behaviours packages) |
//		go run ./internal/behaviours write docs/conformance.md
//
// It fails when a behaviour is not shown to hold, after writing the page.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "behaviours:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	pins, err := find(".")
	if err != nil {
		return err
	}
	switch {
	case len(args) == 1 && args[0] == "packages":
		_, err = fmt.Fprintln(out, strings.Join(packages(pins), " "))
		return err
	case len(args) == 2 && args[0] == "write":
		return writePage(args[1], pins, in)
	}
	return errors.New("say packages, or write FILE with the output of go test -json on standard input")
}

func writePage(file string, pins []pin, in io.Reader) error {
	r, err := parse(in)
	if err != nil {
		return err
	}
	var page strings.Builder
	failures, err := write(&page, pins, r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(page.String()), 0o644); err != nil {
		return err
	}
	if len(failures) > 0 {
		return errors.New(strings.Join(failures, "\n"))
	}
	return nil
}
