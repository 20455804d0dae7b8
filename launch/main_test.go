package launch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	_ "upcall.dev/layer/shape"
	_ "upcall.dev/layer/trace"
	_ "upcall.dev/provider/kernel"
	"upcall.dev/spi"
)

func TestMain(m *testing.M) {
	StageMain()
	if len(os.Args) > 1 && os.Args[1] == hostArgument {
		os.Exit(hostMain(os.Args[2:]))
	}
	heedSignals()
	var err error
	if buildDir, err = os.MkdirTemp("", "upcall-launch-"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(buildDir)
		os.Exit(code)
	}))
}

// heedSignals makes programs that the tests start heed the signals that this
// process was started to ignore, as by nohup: ignored ones are inherited, caught
// ones are not.
func heedSignals() {
	for _, s := range []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// buildDir holds the programs that the tests compile.
var buildDir string

// hostArgument makes this test binary run a program as the upcall command
// does: in a process of its own, to be signalled, or to have another user id.
const hostArgument = "run-as-host"

// hostVerbose is the environment variable that makes it verbose.
const hostVerbose = "UPCALL_TEST_VERBOSE"

// hostChecks is the one that makes it check the program instead of running it.
const hostChecks = "UPCALL_TEST_CHECKS"

// hostIsolate is the one that makes it isolate the program.
const hostIsolate = "UPCALL_TEST_ISOLATE"

// hostData is the one that makes its trace see the bytes.
const hostData = "UPCALL_TEST_DATA"

func hostMain(args []string) int {
	if os.Getenv(hostChecks) != "" {
		for _, f := range Check(context.Background(), Options{Catalog: catalog.Default(), Program: args[1], Isolate: os.Getenv(hostIsolate) != ""}) {
			fmt.Println(f.State, f.Subject, f.Detail)
		}
		return 0
	}
	options := spi.Options{"file": args[0]}
	if os.Getenv(hostData) != "" {
		options["data"], options["preview"] = "on", "0"
	}
	source, err := compose(catalog.Layer{Name: "trace", Options: options})
	if err == nil {
		var code int
		if code, err = Run(context.Background(), Options{
			Catalog: source, Program: args[1], Args: args[2:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			Verbose: os.Getenv(hostVerbose) != "", Isolate: os.Getenv(hostIsolate) != "", Log: func(line string) { fmt.Fprintln(os.Stderr, "upcall:", line) },
		}); err == nil {
			return code
		}
	}
	fmt.Fprintln(os.Stderr, "upcall:", err)
	return exitCodeOf(err)
}

func compose(through ...catalog.Layer) (catalog.Source, error) {
	return catalog.Compose(catalog.Default(), "kernel", through)
}

// kindsOfChain are those that a program is run with, of both kinds.
var kindsOfChain = []struct {
	name   string
	layers []catalog.Layer // the first gets the option file
}{
	{"ifs", []catalog.Layer{{Name: "trace"}}},
	{"nonifs", []catalog.Layer{{Name: "trace", Options: spi.Options{"data": "on", "preview": "0"}}}},
	{"shape", []catalog.Layer{{Name: "trace"}, {Name: "shape", Options: spi.Options{"delay": "2ms"}}}},
}

// chainOf composes a catalog whose trace goes to the file.
func chainOf(t *testing.T, file string, layers ...catalog.Layer) catalog.Source {
	t.Helper()
	traced := catalog.Layer{Name: layers[0].Name, Options: spi.Options{"file": file}}
	for k, v := range layers[0].Options {
		traced.Options[k] = v
	}
	source, err := compose(append([]catalog.Layer{traced}, layers[1:]...)...)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// eachChain runs a test once for each kind of chain. The test gets a function
// that runs a program and the path of the trace.
func eachChain(t *testing.T, test func(t *testing.T, o Options, trace string)) {
	for _, c := range kindsOfChain {
		t.Run(c.name, func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "trace")
			test(t, Options{Catalog: chainOf(t, trace, c.layers...)}, trace)
		})
	}
}

// result is what a run leaves.
type result struct {
	code int
	out  string // standard output and standard error
	log  string
}

// run runs a program to its end.
func run(t *testing.T, o Options, program string, args ...string) result {
	t.Helper()
	var out, log syncBuffer
	o.Program, o.Args = program, args
	o.Stdout, o.Stderr = &out, &out
	o.Log = func(line string) { fmt.Fprintln(&log, line) }
	code, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return result{code, out.String(), log.String()}
}

// direct runs a program without upcall.
func direct(t *testing.T, program string, args ...string) result {
	t.Helper()
	cmd := exec.Command(program, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{code: exitStatus(cmd.ProcessState), out: string(out)}
}

// like fails unless the program behaved as it did without upcall.
func like(t *testing.T, got, want result) {
	t.Helper()
	if got.code != want.code || got.out != want.out {
		t.Errorf("with upcall, exit code %d:\n%s\nwithout, exit code %d:\n%s\nlog:\n%s", got.code, got.out, want.code, want.out, got.log)
	}
}

// traced fails unless the trace has that many connects to an address.
func traced(t *testing.T, trace, address string, atLeast int) {
	t.Helper()
	text, _ := os.ReadFile(trace)
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "WSPConnect(") && strings.Contains(line, address) {
			n++
		}
	}
	if n < atLeast {
		t.Errorf("%d connects to %s have passed the chain, want %d:\n%s", n, address, atLeast, text)
	}
}

// need returns a program's path, or skips the test.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// serveHTTP starts a server with /hello, and /big of bigSize bytes, on a
// loopback address, and returns its address.
func serveHTTP(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("no address %s here: %v", host, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello\n") })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) {
		block := bytes.Repeat([]byte("0123456789abcdef"), 4096)
		for range bigSize / len(block) {
			w.Write(block)
		}
	})
	mux.HandleFunc("/length", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, n)
	})
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

const bigSize = 16 << 20

// silentAddress returns an address that answers no SYN: a listener's whose
// queue is full.
func silentAddress(t *testing.T) string {
	t.Helper()
	make := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	listener, filler := make(), make()
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(listener, 0); err != nil {
		t.Fatal(err)
	}
	bound, err := unix.Getsockname(listener)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(filler, bound); err != nil && err != unix.EINPROGRESS {
		t.Fatal(err)
	}
	for range 500 { // until the one connection fills the queue
		set := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if n, _ := unix.Poll(set, 10); n == 1 {
			return fmt.Sprintf("127.0.0.1:%d", bound.(*unix.SockaddrInet4).Port)
		}
	}
	t.Fatal("the queue of the silent listener does not fill")
	return ""
}

func splitAddress(t *testing.T, address string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

var builds struct {
	sync.Mutex
	paths map[string]func() (string, error)
}

// build compiles a program of testdata once and returns its path.
func build(t *testing.T, name string, compile func(into string) *exec.Cmd) string {
	t.Helper()
	builds.Lock()
	once, ok := builds.paths[name]
	if !ok {
		once = sync.OnceValues(func() (string, error) {
			path := filepath.Join(buildDir, name)
			if out, err := compile(path).CombinedOutput(); err != nil {
				return "", fmt.Errorf("%w: %s", err, out)
			}
			return path, nil
		})
		if builds.paths == nil {
			builds.paths = map[string]func() (string, error){}
		}
		builds.paths[name] = once
	}
	builds.Unlock()
	path, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func goClient(t *testing.T) string {
	need(t, "go")
	return build(t, "client", func(into string) *exec.Cmd {
		cmd := exec.Command("go", "build", "-o", into, "./testdata/client")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		return cmd
	})
}

func cSockets(t *testing.T) string {
	need(t, "gcc")
	return build(t, "sockets", func(into string) *exec.Cmd {
		return exec.Command("gcc", "-Wall", "-O1", "-pthread", "-o", into, "testdata/sockets/sockets.c")
	})
}

// descriptors returns how many descriptors this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("in vain: " + what)
}
