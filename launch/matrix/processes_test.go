package matrix

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is the longest that any one program may take.
const patience = 90 * time.Second

// unprivileged is the user who runs, when root runs the tests, what refuses to
// be run by root.
const unprivileged = 65534

// searched are the directories of programs: Debian's before those of PATH, where
// wrappers may want a home that the tests do not have.
func searched() []string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	dirs = append(dirs, "/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/lib/git-core")
	return append(dirs, filepath.SplitList(os.Getenv("PATH"))...)
}

// lookUp returns a program's path, empty when it is not installed.
func lookUp(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	for _, dir := range searched() {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// need returns a program's path, or skips the test.
func need(t testing.TB, name string) string {
	t.Helper()
	path := lookUp(name)
	if path == "" {
		t.Skipf("%s is not installed: run scripts/setup", name)
	}
	return path
}

// openDir makes a directory for a test that every user can write to.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(buildDir, "")
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// process is a program that runs.
type process struct {
	cmd   *exec.Cmd
	out   buffer
	ended chan struct{} // closed when it has been waited for
}

// buffer is written by a process and read meanwhile.
type buffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// command is how a program is to be started.
type command struct {
	args  []string // with the program's path
	stdin string
	env   []string
	dir   string // where it starts
	home  string // the same, unless given
	uid   int    // 0: the user who runs the tests
	attr  syscall.SysProcAttr
	begin func(func() error) error // runs what starts the process; nil: as it is
}

// start starts a program, in a process group of its own.
func start(t testing.TB, c command) *process {
	t.Helper()
	p := &process{cmd: exec.Command(c.args[0], c.args[1:]...), ended: make(chan struct{})}
	p.cmd.Stdin = strings.NewReader(c.stdin)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.Dir = c.dir
	if c.home == "" {
		c.home = c.dir
	}
	p.cmd.Env = append([]string{
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + c.home, "TMPDIR=" + c.home, "LC_ALL=C.UTF-8",
		"UPCALL_CATALOG=" + filepath.Join(c.home, "catalog.toml"), "XDG_CONFIG_HOME=" + c.home, "XDG_CACHE_HOME=" + c.home,
	}, c.env...)
	p.cmd.WaitDelay = 5 * time.Second // for what keeps its output open
	attr := c.attr
	attr.Setpgid = true
	if c.uid != 0 {
		attr.Credential = &syscall.Credential{Uid: uint32(c.uid), Gid: uint32(c.uid)}
	}
	p.cmd.SysProcAttr = &attr
	begin := p.cmd.Start
	var err error
	if c.begin != nil {
		err = c.begin(begin)
	} else {
		err = begin()
	}
	if err != nil {
		t.Fatalf("%s: %v", c.args[0], err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	return p
}

// stop ends a process: it is asked to, then, with its group, made to.
func (p *process) stop(t testing.TB) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if !p.endsWithin(10 * time.Second) {
		t.Errorf("%v does not end when it is told to: %.2000s", p.cmd.Args, p.out.String())
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	if !p.endsWithin(10 * time.Second) {
		t.Errorf("%v is still there after SIGKILL", p.cmd.Args)
	}
}

func (p *process) endsWithin(d time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	select {
	case <-p.ended:
		return true
	case <-ctx.Done():
		return false
	}
}

// finish waits for a process and returns its status, 128 + N after signal N, and
// its output.
func (p *process) finish(t testing.TB) (status int, out string) {
	t.Helper()
	if !p.endsWithin(patience) {
		p.stop(t)
		t.Fatalf("%v takes longer than %v: %.4000s", p.cmd.Args, patience, p.out.String())
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // what it has left behind
	state := p.cmd.ProcessState
	status = state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		status = 128 + int(ws.Signal())
	}
	return status, p.out.String()
}

// run runs a program in the column to its end and returns what came of it.
func (c *cell) run(args ...string) string {
	c.Helper()
	return c.runWith(command{args: args})
}

// script runs a shell script in the column, with $1, $2 and so on.
func (c *cell) script(text string, args ...any) string {
	c.Helper()
	line := []string{"sh", "-c", text, "sh"}
	for _, a := range args {
		line = append(line, fmt.Sprint(a))
	}
	return c.run(line...)
}

func (c *cell) runWith(cmd command) string {
	c.Helper()
	status, out := c.launch(cmd).finish(c.T)
	return c.text(status, out)
}

// launch starts a program in the column.
func (c *cell) launch(cmd command) *process {
	c.Helper()
	cmd.args = append([]string{need(c.T, cmd.args[0])}, cmd.args[1:]...)
	cmd.args = append(c.launcher(), cmd.args...)
	if cmd.dir == "" {
		cmd.dir = c.dir
	}
	cmd.begin = c.within
	return start(c.T, cmd)
}

// serve starts a server in the column, until the cell ends, and returns when it
// listens at the port.
func (c *cell) serve(port int, cmd command) *process {
	c.Helper()
	p := c.launch(cmd)
	c.Cleanup(func() { p.stop(c.T) })
	p.listens(c.T, port)
	return p
}

// text normalises what a program said: addresses that differ from column to
// column by design have one name, and a long output is its hash.
func (c *cell) text(status int, out string) string {
	for _, r := range []struct{ old, new string }{{c.host, "SERVER"}, {"127.0.0.1", "SERVER"}, {c.dir, "DIR"}} {
		out = strings.ReplaceAll(out, r.old, r.new)
	}
	out = standIn.ReplaceAllString(out, "SERVER")
	if status == 0 && len(out) > 4000 {
		out = fmt.Sprintf("%d bytes, sha256 %x\n", len(out), sha256.Sum256([]byte(out)))
	}
	return fmt.Sprintf("status %d\n%s", status, out)
}

// standIn is an address that stands for a name which the proxy looks up.
var standIn = regexp.MustCompile(`\b198\.1[89]\.\d+\.\d+\b|\bfd75:7063:616c::[0-9a-f]+\b`)

// listens waits until the process accepts connections at a port of 127.0.0.1.
func (p *process) listens(t testing.TB, port int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%v listens at %d", p.cmd.Args, port), func() bool {
		select {
		case <-p.ended:
			t.Fatalf("%v has ended: %.4000s", p.cmd.Args, p.out.String())
		default:
		}
		c, err := net.Dial("tcp4", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("in vain: " + what)
}
