package main

import (
	"context"
	"fmt"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/launch"
)

type runCommand struct {
	Through        []layerFlag   `placeholder:"LAYER[:KEY=VALUE,...]" sep:"none" predictor:"layer" help:"Put this layer into the chain; the first is the outermost. Without it the catalog decides."`
	Over           string        `placeholder:"BASE" predictor:"base" help:"Base provider under the chain (default: the catalog's first)."`
	Verbose        bool          `short:"v" help:"Say what was not carried (UDP, listeners), and more about failures."`
	ConnectTimeout time.Duration `default:"2m" help:"Give up on a chain that has not connected by then."`
	Command        []string      `arg:"" passthrough:"all" name:"PROGRAM" help:"The program and its arguments."`
}

func (runCommand) Help() string {
	return `The program runs unmodified, dynamic or static, without privileges. Its TCP
connections go through the chain; UDP and listening sockets work as without
upcall. Its exit status is passed on; 125 means that upcall itself failed, 126
that the program could not be executed, 127 that it was not found.

Examples:
  upcall run --through trace -- curl -s http://127.0.0.1:8000/
  upcall run --through trace:format=json,file=calls.json -- git clone http://127.0.0.1:8000/x.git
  upcall run --through trace --through shape:rate=1MB,delay=50ms -- ./program
  upcall run -- ./program            the chain that the catalog has for TCP

Over memory nothing outside the chain can be reached: every connection is
refused, which shows how the program and the layers take that.

Layers and their options:
` + driverHelp(true) + `
Base providers:
` + driverHelp(false)
}

func (r *runCommand) Run(std streams, file *catalog.File) error {
	source, err := r.source(file)
	if err != nil {
		return failure{exitNotRun, err}
	}
	command := r.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if r.ConnectTimeout <= 0 {
		return failure{exitUsage, fmt.Errorf("--connect-timeout %v leaves no time to connect: give more than 0, such as 30s", r.ConnectTimeout)}
	}
	if len(command) == 0 {
		return failure{exitUsage, fmt.Errorf("no program is named: write upcall run -- PROGRAM and its arguments")}
	}
	status, err := launch.Run(context.Background(), launch.Options{
		Catalog:        source,
		Program:        command[0],
		Args:           command[1:],
		Stdin:          std.in,
		Stdout:         std.out,
		Stderr:         std.err,
		Verbose:        r.Verbose,
		ConnectTimeout: r.ConnectTimeout,
		Log:            func(line string) { fmt.Fprintln(std.err, "upcall:", line) },
	})
	if err != nil {
		fmt.Fprintln(std.err, "upcall:", err)
	}
	if status != 0 {
		return exitStatus(status)
	}
	return nil
}

// source is what decides over the program's sockets: the catalog as it is, or
// with the chain of the command line in front.
func (r *runCommand) source(file *catalog.File) (catalog.Source, error) {
	installed, err := file.Load()
	if err != nil {
		return nil, err
	}
	if len(r.Through) == 0 && r.Over == "" {
		return installed, nil
	}
	layers := make([]catalog.Layer, len(r.Through))
	for i, l := range r.Through {
		layers[i] = l.Layer
	}
	return catalog.Compose(installed, r.Over, layers)
}
