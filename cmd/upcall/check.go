package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"upcall.dev/launch"
	"upcall.dev/launch/machine"
)

// checkRun prints what would happen to a program that is run with the options,
// whose profile is described. The error is a failure with what is in the way.
func checkRun(out io.Writer, o launch.Options, profile string) error {
	door := machine.Run
	if o.Isolate {
		door = machine.Isolate
	}
	ctx, cancel := context.WithTimeout(context.Background(), doctorPatience)
	defer cancel()
	findings := launch.Check(ctx, o)
	chosen := machine.Finding{Door: door, Subject: "profile", State: machine.OK, Detail: profile}
	printChecked(out, append([]machine.Finding{chosen}, findings...))
	missing := slices.IndexFunc(findings, func(f machine.Finding) bool { return f.State == machine.Missing })
	if missing < 0 {
		_, err := fmt.Fprintf(out, "\n%s would be run\n", printable(o.Program))
		return err
	}
	f := findings[missing]
	return failure{exitNotRun, fmt.Errorf("%s would not be run: %s: %s; %s", o.Program, f.Subject, f.Detail, f.Remedy)}
}

// printChecked prints a line for each finding.
func printChecked(out io.Writer, findings []machine.Finding) {
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Subject))
	}
	for _, f := range findings {
		line := fmt.Sprintf("%-7s  %-*s  %s", f.State, width, f.Subject, printable(f.Detail))
		if f.Remedy != "" {
			line += "; " + printable(f.Remedy)
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
}
