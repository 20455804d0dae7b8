// Package c_test runs the examples in C against each other, each compiled as it
// is, over every kind of chain.
package c_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upcall.dev/capi/ctest"
)

const patience = time.Minute

// program is an example, with what it is to be called with.
type program struct {
	source    string
	arguments []string
	output    string // what it has to print
}

var servers = []program{
	{source: "portecho/portecho.c", arguments: []string{"2"}, output: "served all\n"},
	{source: "select/select.c", output: "served all\n"},
}

// Each client makes a connection, poll twenty.
var clients = []program{
	{source: "routine/routine.c", arguments: []string{"25"}, output: lines("message", 25)},
	{source: "asyncselect/asyncselect.c", arguments: []string{"25"}, output: lines("message", 25)},
	{source: "poll/poll.c", arguments: []string{"20"}},
}

func lines(what string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s %d\n", what, i+1)
	}
	return b.String()
}

func (p program) connections() int {
	if p.source == "poll/poll.c" {
		return 20
	}
	return 1
}

func (p program) name() string {
	return strings.TrimSuffix(filepath.Base(p.source), ".c")
}

func TestServersAndClients(t *testing.T) {
	programs := map[string]string{}
	for _, list := range [][]program{servers, clients} {
		for _, p := range list {
			programs[p.source] = ctest.Compile(t, nil, p.source)
		}
	}
	for _, chain := range ctest.Chains() {
		catalog := chain.Write(t)
		for _, server := range servers {
			for _, client := range clients {
				t.Run(chain.Name+"/"+server.name()+"/"+client.name(), func(t *testing.T) {
					t.Parallel()
					if chain.Kernel {
						twoProcesses(t, programs, server, client, catalog)
					} else {
						oneProcess(t, server, client, catalog)
					}
				})
			}
		}
	}
}

// twoProcesses runs server and client.
func twoProcesses(t *testing.T, programs map[string]string, server, client program, catalog string) {
	t.Helper()
	arguments := append([]string{"0"}, server.arguments...)
	s := start(t, catalog, programs[server.source], append(arguments, fmt.Sprint(client.connections()))...)
	r := ctest.Run(t, programs[client.source], append([]string{"127.0.0.1", s.port(t)}, client.arguments...), catalog, patience)
	r.OK(t)
	check(t, client, r.Stdout)
	check(t, server, s.end(t))
}

// check compares what a program has printed. The connections of poll are
// answered in any order.
func check(t *testing.T, p program, printed string) {
	t.Helper()
	if p.output != "" && !strings.HasSuffix(printed, p.output) {
		t.Errorf("%s printed %q, not %q", p.name(), printed, p.output)
	}
	if p.source != "poll/poll.c" {
		return
	}
	for i := range p.connections() {
		if line := fmt.Sprintf("message of connection %d\n", i+1); strings.Count(printed, line) != 1 {
			t.Errorf("poll printed %q, without %q", printed, line)
		}
	}
}

// oneProcess runs both in one process.
func oneProcess(t *testing.T, server, client program, catalog string) {
	t.Helper()
	both := together(t, server.source, client.source)
	arguments := append([]string{"7101"}, server.arguments...)
	arguments = append(arguments, fmt.Sprint(client.connections()+1), "--", "127.0.0.1", "7101")
	r := ctest.Run(t, both, append(arguments, client.arguments...), catalog, patience)
	r.OK(t)
	if client.output != "" && !strings.Contains(r.Stdout, client.output) {
		t.Errorf("printed %q, without %q", r.Stdout, client.output)
	}
}

// together links a server and a client with testdata/oneprocess.c.
func together(t *testing.T, server, client string) string {
	t.Helper()
	return ctest.Compile(t, nil, "testdata/oneprocess.c", object(t, server, "server_main"), object(t, client, "client_main"))
}

// object compiles a program whose main gets another name.
func object(t *testing.T, source, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".o")
	cmd := exec.Command("gcc", "-std=gnu11", "-c", "-O1", "-Wall", "-Wextra", "-Werror", "-Dmain="+name, "-I"+ctest.Include(), "-o", path, source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return path
}

// running is a program that goes on while the test does something.
type running struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	err strings.Builder
}

// start starts a program, which is killed when it is still there at the end.
func start(t *testing.T, catalog, path string, arguments ...string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r := &running{cmd: exec.CommandContext(ctx, path, arguments...)}
	r.cmd.Env = append(os.Environ(), "UPCALL_CATALOG="+catalog)
	r.cmd.Stderr = &r.err
	r.cmd.WaitDelay = 5 * time.Second
	var err error
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.out = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if r.cmd.ProcessState == nil {
			_ = r.cmd.Wait()
		}
	})
	return r
}

// line returns the next line that the program prints.
func (r *running) line(t *testing.T) string {
	t.Helper()
	line, err := r.out.ReadString('\n')
	if err != nil {
		_ = r.cmd.Wait()
		t.Fatalf("%v after %q: %v: %s", r.cmd.Args, line, r.cmd.ProcessState, &r.err)
	}
	return line
}

// port returns the port that a server prints.
func (r *running) port(t *testing.T) (port string) {
	t.Helper()
	if line := r.line(t); len(line) > 0 {
		if _, err := fmt.Sscanf(line, "listening at port %s", &port); err != nil {
			t.Fatalf("the server says %q", line)
		}
	}
	return port
}

// end waits for the program's end and returns what else it printed.
func (r *running) end(t *testing.T) string {
	t.Helper()
	rest, err := io.ReadAll(r.out)
	if waitErr := r.cmd.Wait(); err == nil {
		err = waitErr
	}
	if err != nil {
		t.Fatalf("%v: %v: %s", r.cmd.Args, err, &r.err)
	}
	return string(rest)
}

func TestChat(t *testing.T) {
	server, client := ctest.Compile(t, nil, "chat/chatserver.c"), ctest.Compile(t, nil, "chat/chatclient.c")
	for _, chain := range ctest.Chains() {
		t.Run(chain.Name, func(t *testing.T) {
			t.Parallel()
			if chain.Kernel {
				chatOfTwo(t, server, client, chain.Write(t))
			} else {
				chatOfOne(t, chain.Write(t))
			}
		})
	}
}

func chatOfTwo(t *testing.T, server, client, catalog string) {
	t.Helper()
	s := start(t, catalog, server, "0", "2")
	port := s.port(t)
	first := start(t, catalog, client, "127.0.0.1", port)
	want := func(r *running, line string) {
		t.Helper()
		if got := r.line(t); got != line+"\n" {
			t.Fatalf("a client prints %q, not %q", got, line)
		}
	}
	say := func(r *running, line string) {
		t.Helper()
		if _, err := fmt.Fprintln(r.in, line); err != nil {
			t.Fatal(err)
		}
	}
	want(first, "#1 is here")
	second := start(t, catalog, client, "127.0.0.1", port)
	want(first, "#2 is here")
	want(second, "#2 is here")
	for i := range 20 {
		from, number := first, 1
		if i%2 == 1 {
			from, number = second, 2
		}
		text := fmt.Sprintf("line %d", i)
		say(from, text)
		want(first, fmt.Sprintf("#%d %s", number, text))
		want(second, fmt.Sprintf("#%d %s", number, text))
	}
	say(second, "the last line")
	_ = second.in.Close()
	want(first, "#2 the last line")
	want(first, "#2 has left")
	_ = first.in.Close()
	if rest := first.end(t); rest != "" {
		t.Errorf("the first client prints %q at its end", rest)
	}
	if rest := second.end(t); rest != "#2 the last line\n" {
		t.Errorf("the second client prints %q at its end", rest)
	}
	if rest := s.end(t); rest != "all have left\n" {
		t.Errorf("the server prints %q", rest)
	}
}

// chatOfOne has the client talk with itself: server and client share the
// process, and the line of oneprocess.c is the first that comes and goes.
func chatOfOne(t *testing.T, catalog string) {
	t.Helper()
	r := start(t, catalog, together(t, "chat/chatserver.c", "chat/chatclient.c"), "7102", "2", "--", "127.0.0.1", "7102")
	const said = "one\ntwo\nthree\n"
	if _, err := io.WriteString(r.in, said); err != nil {
		t.Fatal(err)
	}
	_ = r.in.Close()
	// The server's last line may come between the client's, and the end of the first
	// connection may be told after the client has come.
	printed := r.end(t)
	for _, line := range []string{"all have left\n", "#1 has left\n"} {
		printed = strings.Replace(printed, line, "", 1)
	}
	printed, left := strings.CutPrefix(printed, "listening at port 7102\n")
	if want := "#2 is here\n#2 one\n#2 two\n#2 three\n"; !left || !strings.HasSuffix(printed, want) {
		t.Errorf("printed %q, without %q", printed, want)
	}
}
