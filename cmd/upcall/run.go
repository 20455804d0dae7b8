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
	OnFailure      string         `placeholder:"closed|open" help:"Without its chain it does not run (closed, the default), or runs as without upcall (open)."`
	Check          bool           `help:"Do not run it: say what would happen, and whether it would work."`
	Verbose        bool           `short:"v" help:"Say what was not carried, sum up at the end what became of the sockets, and more about failures."`
	ConnectTimeout *time.Duration `placeholder:"2m" help:"Give up on a chain that has not connected by then."`
	Command        []string       `arg:"" passthrough:"all" name:"PROGRAM" help:"The program and its arguments."`
}

func (runCommand) Help() string {
	return `The program runs unmodified, dynamic or static, without privileges. Its TCP
and UDP sockets, connecting and listening, go through the chain, and so does what
it starts. Its exit status is passed on; 125 means that upcall itself failed, 126
that the program could not be executed, 127 that it was not found.

With -v standard error ends with a summary: which sockets were carried, passed by
and refused, for each address. --check says beforehand what would happen.

Examples:
  upcall run --through trace -- curl -s http://127.0.0.1:8000/
  upcall run --through trace:format=json,file=calls.json -- git clone http://127.0.0.1:8000/x.git
  upcall run --through trace --through shape:rate=1MB,delay=50ms -- ./program
  upcall run --isolate --through socks:proxy=127.0.0.1:1080 -- ./program
  upcall run --profile work -- firefox
  upcall run --check --profile work -- firefox
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
	if r.OnFailure != "" && r.OnFailure != "closed" && r.OnFailure != "open" {
		return failure{exitUsage, fmt.Errorf("--on-failure %q is neither closed nor open: closed does not run the program without its chain, open runs it as without upcall", r.OnFailure)}
	}
	if len(command) == 0 {
		return failure{exitUsage, fmt.Errorf("no program is named: write upcall run -- PROGRAM and its arguments")}
	}
	source := r.source(file, command[0])
	profiles, err := profile.Load(source.Profiles)
	if err != nil {
		return failure{exitNotRun, err}
	}
	p, why, err := r.choose(profiles, command[0])
	if err != nil {
		return failure{exitNotRun, err}
	}
	if err := handOver(source); err != nil {
		return failure{exitNotRun, err}
	}
	options := launch.Options{
		Catalog:        source,
		NewDLL:         newDLL,
		Program:        command[0],
		Args:           command[1:],
		Stdin:          std.in,
		Stdout:         std.out,
		Stderr:         std.err,
		Isolate:        p.Isolate,
		Verbose:        p.Verbose,
		FailOpen:       p.OnFailure == "open",
		ConnectTimeout: p.ConnectTimeout,
		Log:            func(line string) { fmt.Fprintln(std.err, "upcall:", line) },
	}
	if r.Check {
		return checkRun(std.out, options, or(p.Name, "none")+", as "+why)
	}
	status, err := launch.Run(context.Background(), options)
	if err != nil {
		fmt.Fprintln(std.err, "upcall:", err)
	}
	if status != 0 {
		return exitStatus(status)
	}
	return nil
}

// source is what decides over the program's sockets: what the profile makes of the
// catalog's file. Changes of the files count for new sockets.
func (r *runCommand) source(file *catalog.File, program string) *profile.Source {
	s := &profile.Source{Installed: file, Choose: func(f *profile.File) (*profile.Profile, error) {
		p, _, err := r.choose(f, program)
		return p, err
	}}
	if !r.ownChain() || r.Profile != "" {
		s.Profiles = profile.PathBeside(file.Path())
	}
	return s
}

// ownChain reports whether the command line has a chain, so that no profile is
// looked for.
func (r *runCommand) ownChain() bool { return len(r.Through) > 0 || r.Over != "" }

// defaultConnectTimeout is longer than most servers take, and shorter than the
// kernel's own patience.
const defaultConnectTimeout = 2 * time.Minute

// choose returns how the program is run, as the profile says that is named or that
// the profiles have for the program, but for what the command line says; and why.
func (r *runCommand) choose(f *profile.File, program string) (p *profile.Profile, why string, err error) {
	p = &profile.Profile{}
	why = "no profile is for it"
	switch {
	case r.Profile != "":
		if p, err = f.Lookup(r.Profile); err != nil {
			return nil, "", err
		}
		why = "--profile names it"
	case r.ownChain():
		why = "the command line has a chain"
	default:
		if chosen := f.Choose(profile.Find(program)); chosen != nil {
			p, why = chosen, "a rule in "+f.Path+" is for the program"
		}
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
	if r.OnFailure != "" {
		p.OnFailure = r.OnFailure
	}
	p.Isolate = p.Isolate || r.Isolate
	p.Verbose = p.Verbose || r.Verbose
	switch {
	case r.ConnectTimeout != nil:
		p.ConnectTimeout = *r.ConnectTimeout
	case p.ConnectTimeout == 0:
		p.ConnectTimeout = defaultConnectTimeout
	}
	return p, why, nil
}
