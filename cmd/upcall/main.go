// Command upcall runs programs through chains of Windows Sockets 2 service
// providers, and keeps the catalog of what is installed.
//
// Start with "upcall demo" and "upcall doctor"; "upcall run --help" and
// "upcall catalog --help" have examples.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"

	"upcall.dev/catalog"
	"upcall.dev/launch"
	_ "upcall.dev/standard"
)

// Exit statuses, as env(1) and nohup(1) have them: the program's own status is
// passed on where there is one.
const (
	exitFailure = 1   // the command could not do its work
	exitUsage   = 2   // the command line is wrong
	exitNotRun  = 125 // upcall run failed before the program ran
)

type cli struct {
	Catalog string `placeholder:"FILE" help:"Use this catalog file instead of ${catalog}."`

	Run        runCommand                `cmd:"" help:"Run a program with its sockets going through a chain of providers."`
	CatalogCmd catalogCommand            `cmd:"" name:"catalog" help:"Show and change what is installed."`
	Profile    profileCommand            `cmd:"" help:"Show and check the named ways to run programs."`
	Doctor     doctorCommand             `cmd:"" help:"Say what this machine allows, and what to do about it."`
	Demo       demoCommand               `cmd:"" help:"See it all work: a program under a chain, then every upcall."`
	Version    versionCommand            `cmd:"" help:"Print the version."`
	Completion kongcompletion.Completion `cmd:"" help:"Print how to turn on tab completion in bash, zsh or fish."`
}

// streams are where a command reads and writes, so that tests can look.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	launch.StageMain()
	fetchMain()
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// exitStatus is an error that stands for nothing but a status.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// failure is an error with a status other than exitFailure.
type failure struct {
	status int
	error
}

func (f failure) Unwrap() error { return f.error }

func run(args []string, io streams) (status int) {
	var c cli
	exited := false
	parser, err := kong.New(&c,
		kong.Name("upcall"),
		kong.Description("Windows Sockets 2 service providers for Linux programs."),
		kong.Writers(io.out, io.err),
		kong.Exit(func(code int) { exited, status = true, code; panic(exitStatus(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Vars{"catalog": "$UPCALL_CATALOG or ~/.config/upcall/catalog.toml"},
	)
	if err != nil {
		fmt.Fprintln(io.err, "upcall:", err)
		return exitFailure
	}
	// kong ends help and version output by calling Exit.
	defer func() {
		if exited {
			if _, ours := recover().(exitStatus); !ours {
				status = exitFailure
			}
		}
	}()
	kongcompletion.Register(parser, kongcompletion.WithPredictors(predictors()))
	context, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(io.err, "upcall: %v; try upcall --help\n", err)
		return exitUsage
	}
	path := c.Catalog
	if path == "" {
		path = catalog.DefaultPath()
	}
	context.Bind(io, catalog.OpenFile(path))
	return statusOf(context.Run(), io.err)
}

func statusOf(err error, stderr io.Writer) int {
	var exit exitStatus
	var f failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &f):
		fmt.Fprintln(stderr, "upcall:", f.error)
		return f.status
	}
	fmt.Fprintln(stderr, "upcall:", err)
	return exitFailure
}
