package launch

import (
	"os"
	"os/signal"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// forwarder passes this process's signals on to the program.
type forwarder struct {
	signals chan os.Signal
	work    sync.WaitGroup
	ended   atomic.Bool   // the program has ended: signals mean this process
	leave   chan struct{} // closed by the first such signal that asks to end
}

// forwardedSignals are passed on; terminalSignals among them only when no
// terminal has sent them to the program itself. Stopping and continuing are
// left to the process group.
var (
	forwardedSignals = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH}
	endingSignals    = map[os.Signal]bool{unix.SIGINT: true, unix.SIGTERM: true, unix.SIGHUP: true, unix.SIGQUIT: true}
	terminalSignals  = map[os.Signal]bool{unix.SIGINT: true, unix.SIGQUIT: true, unix.SIGHUP: true, unix.SIGWINCH: true}
)

// forwardSignals must be called once the stage has started, so that the program
// starts with the signals ignored that this process was started to ignore; those
// stay ignored here too.
func forwardSignals(to *os.Process) *forwarder {
	f := &forwarder{signals: make(chan os.Signal, 16), leave: make(chan struct{})}
	for _, s := range forwardedSignals {
		if !signal.Ignored(s) {
			signal.Notify(f.signals, s)
		}
	}
	f.work.Add(1)
	go func() {
		defer f.work.Done()
		left := false
		for s := range f.signals {
			switch {
			case f.ended.Load():
				if endingSignals[s] && !left {
					left = true
					close(f.leave)
				}
			case !terminalSignals[s] || !inForeground():
				_ = to.Signal(s)
			}
		}
	}()
	return f
}

func (f *forwarder) stop() {
	signal.Stop(f.signals)
	close(f.signals)
	f.work.Wait()
}

// inForeground reports whether this process's group is the one that its
// terminal sends signals to.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
