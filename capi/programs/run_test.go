package programs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// runTime is the longest that a program runs, and that a test waits for it.
const runTime = time.Minute

// A process is a program that runs.
type process struct {
	name  string
	cmd   *exec.Cmd
	input io.WriteCloser // its standard input
	out   output         // its standard output
	notes output         // its standard error
	ended chan error
}

// output is what a process has written so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs a program over a chain, or with no catalog of its own. It is killed
// when the test ends or its time is up; what it wrote is shown if the test fails.
func start(t *testing.T, chain, path string, args ...string) *process {
	t.Helper()
	p := &process{name: fmt.Sprintf("%s %s", path, strings.Join(args, " ")), ended: make(chan error, 1)}
	p.cmd = limited(t, runTime, path, args...)
	p.cmd.Env = append(os.Environ(), "UPCALL_CATALOG="+chain, "LC_ALL=C.UTF-8")
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.notes
	var err error
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		p.ended <- p.cmd.Wait()
		close(over)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-over
		if t.Failed() {
			t.Logf("%s: %v\n%.4000q\n%.4000s", p.name, p.cmd.ProcessState, p.out.String(), p.notes.String())
		}
	})
	return p
}

// wait waits until the process has exited with 0 and returns what it wrote to its
// standard output.
func (p *process) wait(t *testing.T) string {
	t.Helper()
	select {
	case err := <-p.ended:
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
	case <-time.After(runTime + 10*time.Second):
		t.Fatalf("%s: has not ended in %v", p.name, runTime)
	}
	return p.out.String()
}

// stop ends the process.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		t.Errorf("%s: is not to be killed", p.name)
	}
}

// until waits until the process has written a text to its standard output.
func (p *process) until(t *testing.T, text string) {
	t.Helper()
	p.poll(t, func() error {
		if !strings.Contains(p.out.String(), text) {
			return fmt.Errorf("has not written %q", text)
		}
		return nil
	})
}

// listens waits until the process takes connections at a port of loopback.
func (p *process) listens(t *testing.T, port string) {
	t.Helper()
	p.poll(t, func() error {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err == nil {
			err = c.Close()
		}
		return err
	})
}

func (p *process) poll(t *testing.T, done func() error) {
	t.Helper()
	deadline := time.Now().Add(runTime / 2)
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case end := <-p.ended:
			p.ended <- end
			t.Fatalf("%s: has ended: %v", p.name, end)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v in %v", p.name, err, runTime/2)
		}
	}
}
