// Command launcher runs a program as upcall run does, with a layer of one's own
// in the chain: launcher PROGRAM ARGS... writes what PROGRAM sends and receives
// to files in the directory recorded.
package main

import (
	"context"
	"fmt"
	"os"

	"upcall.dev/catalog"
	_ "upcall.dev/examples/record"
	"upcall.dev/launch"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
)

func main() {
	launch.StageMain() // the program starts as a second copy of this one
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "launcher:", err)
	}
	os.Exit(status)
}

func run(command []string) (int, error) {
	if len(command) == 0 {
		return launch.ExitLaunchFailed, fmt.Errorf("no program: write launcher PROGRAM ARGS")
	}
	chain, err := catalog.Compose(catalog.Default(), "kernel", []catalog.Layer{
		{Name: "record", Options: spi.Options{"dir": "recorded"}},
	})
	if err != nil {
		return launch.ExitLaunchFailed, err
	}
	return launch.Run(context.Background(), launch.Options{
		Catalog: chain,
		Program: command[0], Args: command[1:],
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	})
}
