package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/launch"
	"upcall.dev/launch/machine"
)

type doctorCommand struct {
	Isolate bool `help:"Ask about upcall run --isolate: the exit status is then for that."`
	JSON    bool `help:"As JSON."`
}

func (doctorCommand) Help() string {
	return `Tries what upcall run needs of this machine, in child processes, and says what
is missing and what to do about it. Nothing is changed.

  ok       is there
  note     is not there or not right; it works without, for less
  missing  is not there, and what it is for does not work

Exits with 0 when upcall run works, or with --isolate upcall run --isolate, and
with 1 when it does not.

Examples:
  upcall doctor
  upcall doctor --isolate --json`
}

// doctorPatience is how long the examination may take.
const doctorPatience = time.Minute

func (d *doctorCommand) Run(std streams, file *catalog.File) error {
	if c, err := file.Load(); err == nil {
		if err := handOver(c); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), doctorPatience)
	defer cancel()
	findings := append(launch.Examine(ctx), installed(ctx, file)...)
	run, isolate := machine.Works(findings, machine.Run), machine.Works(findings, machine.Isolate)
	if !d.Isolate && run {
		relieve(findings)
	}
	if d.JSON {
		if err := printJSON(std.out, doctorView{run, isolate, findings}); err != nil {
			return err
		}
	} else {
		printFindings(std.out, findings)
		fmt.Fprintf(std.out, "\n%s\n", verdict(run, isolate))
	}
	if d.Isolate && !isolate || !d.Isolate && !run {
		return exitStatus(exitFailure)
	}
	return nil
}

// doctorView is what the doctor prints as JSON.
type doctorView struct {
	Run      bool              `json:"run"`     // upcall run works
	Isolate  bool              `json:"isolate"` // upcall run --isolate works
	Findings []machine.Finding `json:"findings"`
}

// relieve makes notes of what only --isolate lacks, for who has not asked for it.
func relieve(findings []machine.Finding) {
	for i := range findings {
		if f := &findings[i]; f.Door == machine.Isolate && f.State == machine.Missing {
			f.State = machine.Note
		}
	}
}

// installed looks at what is configured and installed beside this command.
func installed(ctx context.Context, file *catalog.File) []machine.Finding {
	found := examineCatalog(file)
	_, err := loadProfiles(file)
	if err != nil {
		err = machine.Refused("upcall profile check; until it is mended --through and --over do without it", "%w", err)
	}
	found = append(found, machine.Find(machine.Both, "profiles", machine.Missing, err))
	host := machine.Finding{Door: machine.C, Subject: "upcall-host", State: machine.OK, Detail: "built in"}
	if newHostDLL == nil {
		path, err := hostPath()
		if err != nil {
			err = machine.Refused("make install, or set "+hostVariable+" to where scripts/build-host has made it", "not found, so that layers in C cannot be loaded")
		}
		host = machine.Find(machine.C, "upcall-host", machine.Note, err)
		if err == nil {
			host.Detail = path
		}
	}
	return append(found, host, examineLibrary(ctx))
}

// examineCatalog reads the catalog, and starts the chains that it has for any
// program.
func examineCatalog(file *catalog.File) []machine.Finding {
	c, err := file.Load()
	if err != nil {
		return []machine.Finding{machine.Find(machine.Both, "catalog", machine.Missing, machine.Refused("upcall catalog check, then mend it, or upcall catalog reset", "%w", err))}
	}
	read := machine.Finding{Door: machine.Both, Subject: "catalog", State: machine.OK, Detail: fmt.Sprintf("%d entries", len(c.Entries()))}
	if problems := c.Check(); len(problems) > 0 {
		read.State, read.Remedy = machine.Note, "upcall catalog check has all of them"
		read.Detail = fmt.Sprintf("%d problems, the first: %s", len(problems), problems[0])
	}
	if err = launch.ExamineChains(file, newDLL, nil); err != nil {
		err = machine.Refused("upcall catalog check, then remove that provider, or upcall catalog reset", "%w", err)
	}
	return []machine.Finding{read, machine.Find(machine.Both, "its chains", machine.Missing, err)}
}

// examineLibrary asks pkg-config for the library that C programs are linked with.
func examineLibrary(ctx context.Context) machine.Finding {
	out, err := exec.CommandContext(ctx, "pkg-config", "--modversion", "upcall").Output()
	if err != nil {
		return machine.Find(machine.C, "libws2_32", machine.Note, machine.Refused("make install, and PKG_CONFIG_PATH to its lib/pkgconfig",
			"programs in C cannot be built with pkg-config upcall (%w)", err))
	}
	return machine.Finding{Door: machine.C, Subject: "libws2_32", State: machine.OK, Detail: strings.TrimSpace(string(out))}
}

func printFindings(w io.Writer, findings []machine.Finding) {
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Subject))
	}
	for _, f := range findings {
		line := fmt.Sprintf("%-7s  %-7s  %-*s  %s", f.State, f.Door, width, f.Subject, printable(f.Detail))
		fmt.Fprintln(w, strings.TrimRight(line, " "))
		if f.Remedy != "" {
			fmt.Fprintf(w, "         → %s\n", printable(f.Remedy))
		}
	}
}

func verdict(run, isolate bool) string {
	switch {
	case run && isolate:
		return "upcall run works here, with --isolate too"
	case run:
		return "upcall run works here, but not with --isolate"
	case isolate:
		return "upcall run works here with --isolate alone"
	}
	return "upcall run does not work here"
}
