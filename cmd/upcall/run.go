package main

import (
	"context"
	"fmt"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/launch"
	"upcall.dev/profile"
)

type runCommand struct {
	Profile        string         `placeholder:"NAME" predictor:"profile" help:"Run it as this profile says (upcall profile --help); other options go before it."`
	Through        []layerFlag    `placeholder:"LAYER[:KEY=VALUE,...]" sep:"none" predictor:"layer" help:"Put this layer into the chain; the first is the outermost. Without it the catalog decides."`
	Over           string         `placeholder:"BASE" predictor:"base" help:"Base provider under the chain (default: the catalog's first)."`
	Isolate        bool           `help:"Run it in namespaces of its own, where nothing but the chain leads out."`
	Verbose        bool           `short:"v" help:"Say what was not carried (UDP, listeners), and more about failures."`
	ConnectTimeout *time.Duration `placeholder:"2m" help:"Give up on a chain that has not connected by then."`
	Command        []string       `arg:"" passthrough:"all" name:"PROGRAM" help:"The program and its arguments."`
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
  upcall run --isolate --through socks:proxy=127.0.0.1:1080 -- ./program
  upcall run --profile work -- firefox
  upcall run -- ./program            what the profiles or else the catalog have for it

Over memory nothing outside the chain can be reached: every connection is
refused, which shows how the program and the layers take that.

Layers and their options:
` + driverHelp(true) + `
Base providers:
` + driverHelp(false)
}

func (r *runCommand) Run(std streams, file *catalog.File) error {
	command := r.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if r.ConnectTimeout != nil && *r.ConnectTimeout <= 0 {
		return failure{exitUsage, fmt.Errorf("--connect-timeout %v leaves no time to connect: give more than 0, such as 30s", *r.ConnectTimeout)}
	}
	if len(command) == 0 {
		return failure{exitUsage, fmt.Errorf("no program is named: write upcall run -- PROGRAM and its arguments")}
	}
	p, err := r.profile(file, command[0])
	if err != nil {
		return failure{exitNotRun, err}
	}
	source, err := sourceOf(p, file)
	if err != nil {
		return failure{exitNotRun, err}
	}
	if err := handOver(source); err != nil {
		return failure{exitNotRun, err}
	}
	status, err := launch.Run(context.Background(), launch.Options{
		Catalog:        source,
		NewDLL:         newDLL,
		Program:        command[0],
		Args:           command[1:],
		Stdin:          std.in,
		Stdout:         std.out,
		Stderr:         std.err,
		Isolate:        p.Isolate,
		Verbose:        p.Verbose,
		ConnectTimeout: p.ConnectTimeout,
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

// sourceOf is what decides over the program's sockets: the catalog's file, whose
// changes count for new sockets, or what a profile makes of it.
func sourceOf(p *profile.Profile, file *catalog.File) (catalog.Source, error) {
	installed, err := file.Load()
	if err != nil {
		return nil, err
	}
	if p.Plain() {
		return file, nil
	}
	return p.Catalog(installed)
}

// defaultConnectTimeout is longer than most servers take, and shorter than the
// kernel's own patience.
const defaultConnectTimeout = 2 * time.Minute

// profile is how the program is run: as the profile says that is named, or that
// the profiles have for the program, but for what the command line says.
func (r *runCommand) profile(file *catalog.File, program string) (*profile.Profile, error) {
	p := &profile.Profile{}
	if ownChain := len(r.Through) > 0 || r.Over != ""; r.Profile != "" || !ownChain {
		f, err := loadProfiles(file)
		if err != nil {
			return nil, err
		}
		switch chosen := f.Choose(profile.Find(program)); {
		case r.Profile != "":
			if p, err = f.Lookup(r.Profile); err != nil {
				return nil, err
			}
		case chosen != nil:
			p = chosen
		}
	}
	if err := supported(p); err != nil {
		return nil, fmt.Errorf("profile %q: %w", p.Name, err)
	}
	if len(r.Through) > 0 {
		p.Through = make([]profile.Layer, len(r.Through))
		for i, l := range r.Through {
			p.Through[i] = l.Layer
		}
	}
	if r.Over != "" {
		p.Over = r.Over
	}
	p.Isolate = p.Isolate || r.Isolate
	p.Verbose = p.Verbose || r.Verbose
	switch {
	case r.ConnectTimeout != nil:
		p.ConnectTimeout = *r.ConnectTimeout
	case p.ConnectTimeout == 0:
		p.ConnectTimeout = defaultConnectTimeout
	}
	return p, nil
}
