package launch

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/isolate"
	"upcall.dev/launch/internal/seccomp"
	"upcall.dev/launch/machine"
)

// Check says what [Run] would do with these options, without running the program:
// which file it is and what kind of program, through which chains its sockets
// would go, and what the machine lacks. The chains are started and ended again.
// Run would start the program if [machine.Works] says so of the findings, for
// machine.Isolate with Options.Isolate, else for machine.Run. As with Run, main
// must call [StageMain] first thing; ctx ends it early.
func Check(ctx context.Context, o Options) []machine.Finding {
	l := newLauncher(o)
	x := &executable{door: machine.Run, dir: l.Dir}
	if l.Isolate {
		x.door = machine.Isolate
	}
	if !seccomp.Supported {
		x.find("architecture", machine.Missing, machine.Refused("use amd64 or arm64", "programs cannot be run on %s", runtime.GOARCH))
		return x.findings
	}
	path, err := findProgram(l.Program, l.Dir, l.Env)
	if err != nil {
		x.find("program", machine.Missing, asRefusal(err))
	} else {
		x.look(path)
		application, err := filepath.Abs(inDir(path, l.Dir))
		if err == nil {
			err = l.checkChains(x, application)
		}
		if err != nil {
			x.find("chains", machine.Missing, machine.Refused("mend that, or use another chain", "%w", err))
		}
	}
	return append(x.findings, l.checkMachine(ctx, x.door)...)
}

// checkChains starts the program's chains, says what goes through which, and ends
// them.
func (l *launcher) checkChains(x *executable, application string) error {
	c := l.chains(new(atomic.Bool))
	if l.FailOpen {
		c.Without = func(why error) {
			x.find("chains", machine.Note, machine.Refused("on-failure is open: the program runs as without them", "%w", why))
		}
	}
	set, err := chains.Open(c, application)
	if err != nil {
		return err
	}
	through, err := set.For(func() string { return application })
	if err == nil {
		for _, kind := range []struct {
			name           string
			domain, socket int
		}{
			{"TCP over IPv4", unix.AF_INET, unix.SOCK_STREAM}, {"TCP over IPv6", unix.AF_INET6, unix.SOCK_STREAM},
			{"UDP over IPv4", unix.AF_INET, unix.SOCK_DGRAM}, {"UDP over IPv6", unix.AF_INET6, unix.SOCK_DGRAM},
		} {
			x.fine(kind.name, "%s", l.describeWay(through.Way(kind.domain, kind.socket)))
		}
		x.fine("Unix sockets", "%s", l.describeUnix(through))
		through.Release()
	}
	if closeErr := set.Close(closePatience); err == nil {
		err = closeErr
	}
	return err
}

func (l *launcher) describeUnix(through *chains.Chains) string {
	text := "as without upcall"
	if l.Isolate {
		return text + ", but for abstract ones and those of name services"
	}
	if through.JudgesUnix() {
		text += ", where the chain's rules let them"
	}
	if through.AnswersNames() {
		text += ", but for those of name services, as the chain answers names"
	}
	return text
}

func (l *launcher) describeWay(w chains.Way) string {
	switch {
	case l.Isolate && w.Carriage == chains.Untouched:
		return "leads out of the namespace by " + w.Name
	case l.Isolate:
		return fmt.Sprintf("leads out of the namespace through the chain %q alone", w.Name)
	}
	switch w.Carriage {
	case chains.Own:
		return fmt.Sprintf("through the IFS chain %q: the chain works on the program's own socket", w.Name)
	case chains.Joined:
		return fmt.Sprintf("through the non-IFS chain %q: the program's socket is joined to one of the chain", w.Name)
	}
	return "as without upcall: " + w.Name
}

// checkMachine examines what the door needs: what is wrong, or that nothing is.
func (l *launcher) checkMachine(ctx context.Context, door machine.Door) (wrong []machine.Finding) {
	examine := seccomp.Examine
	if door == machine.Isolate {
		examine = isolate.Examine
	}
	for _, f := range append(examine(ctx), machine.Examine(ctx)...) {
		if f.State != machine.OK && (f.Door == door || f.Door == machine.Both) {
			wrong = append(wrong, f)
		}
	}
	if len(wrong) == 0 {
		wrong = []machine.Finding{{Door: door, Subject: "machine", State: machine.OK, Detail: "has all that is needed"}}
	}
	return wrong
}
