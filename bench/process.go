package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a child that answers each line on its standard input, if it
// reads any, with one on its standard output, and ends with its input.
type process struct {
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Reader
}

// patience is how long a process may take for one answer, or to end.
const patience = 30 * time.Second

// startProcess starts cmd on the processor with this index among those that
// the bench may use, as far as there are several.
func startProcess(name string, cmd *exec.Cmd, processor int) (*process, error) {
	p := &process{name: name, cmd: cmd}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	p.lines = bufio.NewReader(out)
	cmd.Stderr = os.Stderr
	if err := onProcessor(processor, cmd.Start); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// anyProcessor stands for all of them.
const anyProcessor = -1

// onProcessor calls start, and gives what it starts one processor.
func onProcessor(index int, start func() error) error {
	if index == anyProcessor {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if unix.SchedGetaffinity(0, &all) != nil || all.Count() < 2 {
		return start()
	}
	for cpu := range len(all) * 64 {
		if !all.IsSet(cpu) {
			continue
		}
		if index == 0 {
			one.Set(cpu)
			break
		}
		index--
	}
	if unix.SchedSetaffinity(0, &one) != nil {
		return start()
	}
	defer func() { _ = unix.SchedSetaffinity(0, &all) }()
	return start()
}

// answer returns the next line.
func (p *process) answer() (string, error) {
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	line, err := p.lines.ReadString('\n')
	if !late.Stop() {
		return "", fmt.Errorf("%s has not answered for %v", p.name, patience)
	}
	if err != nil {
		return "", fmt.Errorf("%s has ended: %w", p.name, err)
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// stop ends the process.
func (p *process) stop() {
	_ = p.in.Close()
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	late.Stop()
}
