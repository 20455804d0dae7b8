package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/isolate"
	"upcall.dev/launch/internal/seccomp"
	"upcall.dev/launch/internal/tally"
)

// killPatience is the time between SIGTERM and SIGKILL when ctx ends.
const killPatience = 5 * time.Second

// Run runs the program with its outbound TCP connections passing through the
// chain that the catalog has for them, and returns the program's exit status:
// its exit code, or ExitSignalled plus the number of the signal that killed
// it. An error means that the program did not start, or that ctx ended; the
// exit code is then one of the Exit constants, for a command to exit with.
//
// Run returns when the program and every process that it started, and that
// still runs, have ended: they connect through this process. With
// Options.Verbose it says so when it waits for others than the program. It then
// waits while peers still take what was sent. SIGINT, SIGTERM, SIGHUP or
// SIGQUIT ends that waiting: connects of processes that are left then fail with
// ENOSYS.
//
// Until the program ends, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 and
// SIGWINCH that this process receives are passed on to it. Those that a terminal sends
// reach it without that, as it stays in this process's process group. When ctx
// ends, the program gets SIGTERM and five seconds later SIGKILL, and connects
// of processes that outlive it fail with ENOSYS.
func Run(ctx context.Context, o Options) (exitCode int, err error) {
	if !seccomp.Supported {
		return ExitLaunchFailed, fmt.Errorf("programs cannot be run on %s: only on amd64 and arm64", runtime.GOARCH)
	}
	l := newLauncher(o)
	path, err := findProgram(o.Program, o.Dir, l.Env)
	if err != nil {
		return exitCodeOf(err), err
	}
	l.warnSetuid(path)
	application, err := filepath.Abs(inDir(path, o.Dir))
	if err != nil {
		return ExitLaunchFailed, err
	}
	started := new(atomic.Bool)
	through, err := chains.Open(l.chains(started), application)
	if err != nil {
		return ExitLaunchFailed, err
	}
	started.Store(true)
	exitCode, returned, err := l.run(ctx, path, through)
	toClose := closePatience
	if !returned {
		toClose = l.patience
	}
	if closeErr := through.Close(toClose); closeErr != nil {
		l.Log(closeErr.Error())
	}
	return exitCode, err
}

// newLauncher fills in what the options leave to it.
func newLauncher(o Options) *launcher {
	l := &launcher{Options: o}
	if o.Verbose || o.Summary != nil {
		l.tally = tally.New()
	}
	if l.Log == nil {
		l.Log = func(line string) { fmt.Fprintln(os.Stderr, "upcall: "+line) }
	}
	if l.Env == nil {
		l.Env = os.Environ()
	}
	if l.ConnectTimeout == 0 {
		l.ConnectTimeout = DefaultConnectTimeout
	}
	if l.patience == 0 {
		l.patience = 5 * time.Second
	}
	return l
}

// chains returns what the program's chains are made of.
func (l *launcher) chains(started *atomic.Bool) chains.Config {
	c := chains.Config{Source: l.Catalog, NewDLL: l.NewDLL, Log: l.chainLog(started)}
	if l.FailOpen {
		c.Without = func(why error) {
			l.Log(fmt.Sprintf("%v; on-failure is open: sockets go without it, by the kernel's provider alone", why))
		}
	}
	return c
}

// chainLog returns where messages of the chain's providers go. Without Verbose,
// only the first line is shown of one with a stack, and nothing while the chain
// starts, for the error of the start says it.
func (l *launcher) chainLog(started *atomic.Bool) func(string) {
	if l.Verbose {
		return l.Log
	}
	return func(message string) {
		if started.Load() {
			first, _, _ := strings.Cut(message, "\n")
			l.Log(first)
		}
	}
}

func exitCodeOf(err error) int {
	var p *ProgramError
	if errors.As(err, &p) {
		return p.Code
	}
	return ExitLaunchFailed
}

type launcher struct {
	Options
	tally *tally.Tally // nil: nobody wants a summary
}

func (l *launcher) warnSetuid(path string) {
	var info unix.Stat_t
	if unix.Stat(inDir(path, l.Dir), &info) != nil {
		return
	}
	if isSetuid(&info) {
		l.Log(fmt.Sprintf("%s is setuid or setgid: under upcall it runs without that privilege", l.Program))
	}
}

// run runs the program. returned tells that no call into the chain is left.
func (l *launcher) run(ctx context.Context, path string, through *chains.Set) (exitCode int, returned bool, err error) {
	cmd := &exec.Cmd{
		Path: path, Args: append([]string{l.Program}, l.Args...), Env: l.Env, Dir: l.Dir,
		Stdin: l.Stdin, Stdout: l.Stdout, Stderr: l.Stderr,
	}
	s, stage, err := l.start(cmd, through)
	if err != nil {
		return ExitLaunchFailed, true, err
	}
	l.countInherited()
	signals := forwardSignals(cmd.Process)
	defer signals.stop()
	startErr := l.proceed(stage)
	waitErr := l.wait(ctx, cmd, s, signals)
	returned = s.Shutdown(l.patience)
	if startErr != nil {
		return exitCodeOf(startErr), returned, startErr
	}
	l.summarize()
	if ctx.Err() != nil {
		waitErr = context.Cause(ctx)
	}
	return exitStatus(cmd.ProcessState), returned, waitErr
}

// door is a way into the chains that serves a program and what it starts.
type door interface {
	// Gone is closed when nobody is left to serve, or serving was stopped.
	Gone() <-chan struct{}
	// Relayed is the bytes that relays have carried so far.
	Relayed() int64
	// WaitConnections waits until connects and relays have ended. It is called
	// once Gone is closed.
	WaitConnections()
	// Stop ends serving.
	Stop()
	// CancelConnects gives up the connects in progress; relays go on.
	CancelConnects()
	// Shutdown stops serving, waits for the door's goroutines, at most for the
	// given time, and frees what it has. It reports whether all have ended.
	Shutdown(patience time.Duration) bool
}

// stage is a started copy of this program that waits to become the program.
type stage interface {
	// Proceed lets it, and waits until it has. errno is what execve failed with.
	Proceed() (errno unix.Errno, err error)
}

// start starts the stage of the program behind the door that is asked for.
func (l *launcher) start(cmd *exec.Cmd, through *chains.Set) (door, stage, error) {
	var verbose func(string)
	if l.Verbose {
		verbose = l.Log
	}
	if l.Isolate {
		return untyped(isolate.Start(cmd, isolate.Config{Chains: through, Log: l.Log, Verbose: verbose, ConnectTimeout: l.ConnectTimeout, Tally: l.tally}))
	}
	return untyped(seccomp.Start(cmd, seccomp.Config{Chains: through, Log: l.Log, Verbose: verbose, ConnectTimeout: l.ConnectTimeout, Tally: l.tally}))
}

func untyped[D door, S stage](d D, s S, err error) (door, stage, error) { return d, s, err }

// proceed lets the stage become the program. The error is a *ProgramError, or
// that no stage answers.
func (l *launcher) proceed(stage stage) error {
	errno, err := stage.Proceed()
	if errno != 0 {
		return execError(l.Program, errno)
	}
	return err
}

// wait waits for the program, for its descendants, and for what they had sent.
func (l *launcher) wait(ctx context.Context, cmd *exec.Cmd, s door, signals *forwarder) error {
	err := l.waitProgram(ctx, cmd, s)
	signals.ended.Store(true)
	if l.waitDescendants(ctx, s, signals) {
		l.drain(ctx, s, signals)
	}
	return err
}

// waitProgram waits for the program itself, and ends it when ctx ends.
func (l *launcher) waitProgram(ctx context.Context, cmd *exec.Cmd, s door) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		// Its calls are answered meanwhile: without them a server could not tell
		// its workers to end.
		_ = cmd.Process.Signal(unix.SIGTERM)
		timer := time.AfterFunc(killPatience, func() {
			_ = cmd.Process.Kill()
			s.Stop()
		})
		defer timer.Stop()
		select {
		case err = <-ended:
		case <-time.After(2 * killPatience):
			// It has been killed; a descendant keeps its output open.
		}
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil // the exit status says it
	}
	return err
}

// waitDescendants reports whether the last process under the filter has ended.
func (l *launcher) waitDescendants(ctx context.Context, s door, signals *forwarder) bool {
	select {
	case <-s.Gone():
		return true
	case <-time.After(firstLook):
	}
	if l.Verbose {
		l.Log(l.Program + " has ended; waiting for the processes that it started")
	}
	select {
	case <-s.Gone():
		return true
	case <-ctx.Done():
	case <-signals.leave:
	}
	return false
}

// drain waits while peers take what the program had sent.
func (l *launcher) drain(ctx context.Context, s door, signals *forwarder) {
	s.CancelConnects() // nobody is left to take them
	drained := make(chan struct{})
	go func() {
		s.WaitConnections()
		close(drained)
	}()
	for before := s.Relayed(); ; {
		select {
		case <-drained:
			return
		case <-ctx.Done():
			return
		case <-signals.leave:
			return
		case <-time.After(l.patience):
		}
		now := s.Relayed()
		if now == before {
			return
		}
		before = now
	}
}

func exitStatus(state *os.ProcessState) int {
	if state == nil {
		return ExitLaunchFailed
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return ExitSignalled + int(status.Signal())
	}
	return state.ExitCode()
}

// closePatience is longer than a DLL's own with a provider that ends.
const closePatience = 15 * time.Second

// firstLook is how long what the program started may take to end with it before
// anything is said.
const firstLook = 25 * time.Millisecond

// StageMain must be called first thing in main, and in TestMain, by every
// command that uses [Run]. It returns at once, unless this process was started
// by Run as the stage of a program: then it becomes that program and never
// returns.
func StageMain() {
	seccomp.StageMain()
	isolate.StageMain()
}
