package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	"upcall.dev/internal/freeport"
	"upcall.dev/spi"
)

func TestExitStatus(t *testing.T) {
	eachChain(t, func(t *testing.T, o Options, _ string) {
		for _, c := range []struct {
			script string
			code   int
		}{
			{"exit 0", 0}, {"exit 3", 3}, {"exit 255", 255},
			{"kill -TERM $$", ExitSignalled + 15}, {"kill -KILL $$", ExitSignalled + 9},
		} {
			if got := run(t, o, "sh", "-c", c.script); got.code != c.code || got.out != "" || got.log != "" {
				t.Errorf("%s: exit code %d, want %d; output %q, log %q", c.script, got.code, c.code, got.out, got.log)
			}
		}
	})
}

func TestProgramIsStartedAsAsked(t *testing.T) {
	dir := t.TempDir()
	source, err := compose()
	if err != nil {
		t.Fatal(err)
	}
	shell := need(t, "sh")
	args := []string{"-c", `echo "$0 $1"; pwd; env | sort; cat; echo error >&2; ls /proc/self/fd`, "zero", "one"}
	env := []string{"PATH=" + os.Getenv("PATH"), "PWD=" + dir, "A=b"}
	var got, want strings.Builder
	code, err := Run(t.Context(), Options{
		Catalog: source, Program: shell, Args: args, Env: env, Dir: dir,
		Stdin: strings.NewReader("from standard input\n"), Stdout: &got, Stderr: &got,
	})
	cmd := exec.Command(shell, args...)
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, dir, strings.NewReader("from standard input\n"), &want, &want
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if code != 0 || err != nil || got.String() != want.String() {
		t.Errorf("exit code %d, error %v, output\n%s\nwithout upcall\n%s", code, err, got.String(), want.String())
	}
}

// The program starts with the signals ignored, the resource limits and the
// umask that this process was started with.
func TestProgramInheritsWithoutTheHostsTraces(t *testing.T) {
	source, err := compose()
	if err != nil {
		t.Fatal(err)
	}
	script := `grep -E '^(SigBlk|SigIgn|SigCgt)' /proc/self/status; ulimit -n; umask`
	got := run(t, Options{Catalog: source}, "sh", "-c", script)
	like(t, got, direct(t, "sh", "-c", script))
}

func TestErrorsNameTheThingAndTheWayOut(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fine, err := compose()
	if err != nil {
		t.Fatal(err)
	}
	broken := catalog.OpenFile(write("catalog.toml", "this is no catalog", 0o600))
	for _, c := range []struct {
		name, program string
		source        catalog.Source
		code          int
		says          []string
	}{
		{"missing program", "no-such-program-here", fine, ExitNotFound, []string{"no-such-program-here", "PATH"}},
		{"missing path", filepath.Join(dir, "nothing"), fine, ExitNotFound, []string{"nothing", "check the path"}},
		{"empty", "", fine, ExitNotFound, []string{"no program is named"}},
		{"directory", dir, fine, ExitNotExecutable, []string{dir, "is a directory"}},
		{"pipe", makePipe(t, filepath.Join(dir, "pipe")), fine, ExitNotExecutable, []string{"pipe", "is not a regular file"}},
		{"not executable", write("plain", "#!/bin/sh\n", 0o644), fine, ExitNotExecutable, []string{"plain", "chmod +x"}},
		{"no interpreter", write("orphan", "#!/no/such/interpreter\n", 0o755), fine, ExitNotFound, []string{"orphan", "interpreter is missing"}},
		{"not a program", write("noise", "\x00\x01\x02", 0o755), fine, ExitNotExecutable, []string{"noise", "#! line"}},
		{"unreadable catalog", "true", broken, ExitLaunchFailed, []string{"catalog.toml"}},
		{"empty catalog", "true", catalog.New(), ExitLaunchFailed, []string{"no provider for TCP", "reset"}},
		{"provider does not start", "true", slowly(false, spi.Options{"mood": "broken"}), ExitLaunchFailed, []string{"slow", "WSAEPROVIDERFAILEDINIT"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, err := Run(t.Context(), Options{Catalog: c.source, Program: c.program, Log: func(string) {}})
			if err == nil || code != c.code {
				t.Fatalf("exit code %d, want %d; error %v", code, c.code, err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
	releaseHangs()
	if _, err := Run(t.Context(), Options{Catalog: fine, Program: "no-such-program-here"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

// host starts this test binary as upcall, running a program.
func host(t *testing.T, trace string, args ...string) (cmd *exec.Cmd, out *syncBuffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out = new(syncBuffer)
	cmd = exec.Command(self, append([]string{hostArgument, trace}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

func TestSignalsPassThrough(t *testing.T) {
	for _, c := range []struct {
		signal unix.Signal
		code   int
	}{{unix.SIGINT, 42}, {unix.SIGTERM, 42}, {unix.SIGHUP, 42}, {unix.SIGUSR1, 42}, {unix.SIGQUIT, 42}} {
		cmd, out := host(t, filepath.Join(t.TempDir(), "trace"), "sh", "-c",
			"trap 'echo caught; exit 42' INT TERM HUP USR1 QUIT; echo ready; while :; do sleep 0.05; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal that sends the signal itself
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the program is ready", func() bool { return strings.Contains(out.String(), "ready") })
		cmd.Process.Signal(c.signal)
		cmd.Wait()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(out.String(), "caught") {
			t.Errorf("%v: exit code %d, want %d: %s", c.signal, cmd.ProcessState.ExitCode(), c.code, out)
		}
	}
}

// The same where signals are ignored, as under nohup, when the tests start.
func TestSignalsPassThroughWhereIgnored(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c", "trap '' INT TERM HUP USR1 QUIT; exec \"$0\" -test.run '^TestSignalsPassThrough$' -test.timeout 50s", self).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v: %s", err, out)
	}
}

// A terminal sends SIGINT to the program and to upcall: the program must get
// it once, and upcall must leave the end to it.
func TestTerminalInterrupts(t *testing.T) {
	script := need(t, "script")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nn=0\ntrap 'n=$((n+1))' INT\necho ready\ni=0; while [ $n = 0 ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done\nfor i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done\necho interrupted $n\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	// A shell that stays between would have its own way with the signal.
	cmd := exec.Command(script, "-qec", fmt.Sprintf("exec %s %s /dev/null %s", self, hostArgument, program), "/dev/null")
	var out syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the program is ready", func() bool { return strings.Contains(out.String(), "ready") })
	io.WriteString(stdin, "\x03")
	cmd.Wait()
	stdin.Close()
	if got := cmd.ProcessState.ExitCode(); got != 7 || !strings.Contains(out.String(), "interrupted 1\r\n") {
		t.Errorf("exit code %d: %q", got, out.String())
	}
}

// Without privilege: the host and the program as another user.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("every other test has run without privilege already")
	}
	client := goClient(t)
	server := serveHTTP(t, "127.0.0.1")
	dir, err := os.MkdirTemp("", "upcall-launch-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	copyFile(t, client, filepath.Join(dir, "client"))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, self, filepath.Join(dir, "host"))
	const nobody = 65534
	os.Chown(dir, nobody, nobody)
	trace := filepath.Join(dir, "trace")
	cmd := exec.Command(filepath.Join(dir, "host"), hostArgument, trace, filepath.Join(dir, "client"), "-n", "5", "http://"+server+"/hello")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != strings.Repeat("hello\n", 5) {
		t.Fatalf("%v: %s", err, out)
	}
	traced(t, trace, server, 5)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestNestedRunIsRefused(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, out := host(t, "/dev/null", self, hostArgument, "/dev/null", "true")
	cmd.Run()
	if cmd.ProcessState.ExitCode() != ExitLaunchFailed || !strings.Contains(out.String(), "give one of the two --isolate") {
		t.Errorf("exit code %d: %s", cmd.ProcessState.ExitCode(), out)
	}
}

// Processes that outlive the program are still served, and waited for.
func TestDescendantsAreServed(t *testing.T) {
	need(t, "curl")
	server := serveHTTP(t, "127.0.0.1")
	eachChain(t, func(t *testing.T, o Options, trace string) {
		into := filepath.Join(t.TempDir(), "answer")
		o.Verbose = true
		script := fmt.Sprintf("(setsid sh -c 'sleep 2; curl -sS http://%s/hello -o %s' >/dev/null 2>&1 &)", server, into)
		got := run(t, o, "sh", "-c", script)
		answer, _ := os.ReadFile(into)
		if got.code != 0 || string(answer) != "hello\n" || !strings.Contains(got.log, "waiting for the processes") {
			t.Errorf("exit code %d, answer %q, log %q", got.code, answer, got.log)
		}
		traced(t, trace, server, 1)
	})
}

// A signal ends the waiting for processes that the program left behind, with
// the program's exit status.
func TestSignalEndsTheWaitForDescendants(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	cmd, out := host(t, "/dev/null", "sh", "-c", "setsid sleep 100 >/dev/null 2>&1 & echo $! >"+pidFile+"; exit 5")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(os.Environ(), hostVerbose+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "upcall waits", func() bool { return strings.Contains(out.String(), "waiting for the processes") })
	cmd.Process.Signal(unix.SIGTERM)
	cmd.Wait()
	text, _ := os.ReadFile(pidFile)
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err == nil {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	if code := cmd.ProcessState.ExitCode(); code != 5 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// What the kernel's provider alone would do is not carried, and verbose says so.
func TestVerboseSaysWhatIsNotCarried(t *testing.T) {
	python := need(t, "python3")
	const script = `
import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other.connect(udp.getsockname())
other.send(b"datagram")
print(udp.recv(100))
l = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(l.getsockname())
s, peer = l.accept()
c.send(b"stream")
print(s.recv(100))
`
	source, err := compose()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Catalog: source}
	want := direct(t, python, "-c", script)
	quiet := run(t, o, python, "-c", script)
	like(t, quiet, want)
	if quiet.log != "" {
		t.Errorf("not asked to be verbose: %s", quiet.log)
	}
	o.Verbose = true
	talking := run(t, o, python, "-c", script)
	like(t, talking, want)
	for _, says := range []string{"listens on 127.0.0.1:", "uses UDP"} {
		if strings.Count(talking.log, says) != 1 {
			t.Errorf("verbose must say %q once:\n%s", says, talking.log)
		}
	}
}

func TestContextEndsTheProgram(t *testing.T) {
	eachChain(t, func(t *testing.T, o Options, _ string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		o.Program, o.Args, o.Stdout = "sh", []string{"-c", "echo ready; sleep 100"}, writer
		go func() {
			reader.Read(make([]byte, 5))
			cancel(errStop)
		}()
		code, err := Run(ctx, o)
		writer.Close()
		if code != ExitSignalled+int(unix.SIGTERM) || !errors.Is(err, errStop) {
			t.Errorf("exit code %d, error %v", code, err)
		}
	})
}

var errStop = errors.New("stop")

// Many runs with many connections, some of them failing, leave no descriptor.
func TestDescriptorsAreGivenBack(t *testing.T) {
	client := goClient(t)
	server, refused := serveHTTP(t, "127.0.0.1"), freeport.Refused(t, "127.0.0.1").String()
	eachChain(t, func(t *testing.T, o Options, _ string) {
		once := func() {
			run(t, o, client, "-n", "20", "http://"+server+"/hello")
			run(t, o, client, "http://"+refused+"/")
		}
		once() // makes what stays, such as the poller
		before := descriptors(t)
		for range 5 {
			once()
		}
		eventually(t, "the descriptors are given back", func() bool { return descriptors(t) <= before+2 })
	})
}

// A program that is killed while it waits for a peer that does not answer
// leaves nothing to wait for, nor does one that gives up.
func TestKilledWhileConnecting(t *testing.T) {
	python := need(t, "python3")
	host, port := splitAddress(t, silentAddress(t))
	for _, connect := range []string{
		"s.connect((%q, %s))",
		"s.settimeout(0.2); s.connect((%q, %s))",
	} {
		eachChain(t, func(t *testing.T, o Options, _ string) {
			script := fmt.Sprintf(`
import os, signal, socket, threading
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
s = socket.socket()
try:
    `+connect+`
except OSError as e:
    print(e)
`, host, port)
			got := run(t, o, python, "-c", script)
			like(t, got, direct(t, python, "-c", script))
			if got.log != "" {
				t.Error(got.log)
			}
		})
	}
}

// What a program sends just before it ends arrives.
func TestLastBytesArrive(t *testing.T) {
	python := need(t, "python3")
	const size = 8 << 20
	eachChain(t, func(t *testing.T, o Options, _ string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		got := make(chan int64, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				got <- -1
				return
			}
			defer c.Close()
			time.Sleep(300 * time.Millisecond) // so that most of it is still on its way when the program ends
			n, _ := io.Copy(io.Discard, c)
			got <- n
		}()
		host, port := splitAddress(t, l.Addr().String())
		run(t, o, python, "-c", fmt.Sprintf("import socket; s = socket.create_connection((%q, %s)); s.sendall(b'x' * %d)", host, port, size))
		if n := <-got; n != size {
			t.Errorf("%d of %d bytes arrived", n, size)
		}
	})
}
