package launch

import (
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// nonIFSHabits are the lines of habits.py that a non-IFS chain changes, as
// docs/launcher.md says.
var nonIFSHabits = regexp.MustCompile(`(?m)^(out_of_band|self_connected) .*\n`)

// shapeHabits are those that a line with a delay changes, as its README.md says: what
// is on its way is lost when the end that sent it resets the connection.
var shapeHabits = regexp.MustCompile(`(?m)^answer_before_a_reset .*\n`)

// What programs do with sockets beside connecting and sending.
func TestHabits(t *testing.T) {
	python := need(t, "python3")
	want := direct(t, python, "testdata/habits.py")
	if want.code != 0 {
		t.Fatal(want.out)
	}
	eachChain(t, func(t *testing.T, o Options, trace string) {
		want, got := want, run(t, o, python, "testdata/habits.py")
		if !strings.HasSuffix(t.Name(), "/ifs") {
			want.out, got.out = nonIFSHabits.ReplaceAllString(want.out, ""), nonIFSHabits.ReplaceAllString(got.out, "")
		}
		if strings.HasSuffix(t.Name(), "/shape") {
			want.out, got.out = shapeHabits.ReplaceAllString(want.out, ""), shapeHabits.ReplaceAllString(got.out, "")
		}
		if got.code != want.code || got.log != "" {
			t.Errorf("exit code %d: %s", got.code, got.log)
		}
		sameLines(t, got.out, want.out)
		traced(t, trace, "127.0.0.1:", 40)
	})
	t.Run("isolate", func(t *testing.T) {
		needNamespaces(t)
		sameLines(t, run(t, Options{Catalog: chainOf(t, os.DevNull, kindsOfChain[0].layers...), Isolate: true}, python, "testdata/habits.py").out, want.out)
	})
}

// sameLines fails for each line that differs.
func sameLines(t *testing.T, got, want string) {
	t.Helper()
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		var g, w string
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Errorf("with upcall %q, without %q", g, w)
		}
	}
}

// Many processes share one host, which keeps nothing of the sockets that they
// have closed while they run on.
func TestManyProcesses(t *testing.T) {
	python := need(t, "python3")
	eachChain(t, func(t *testing.T, o Options, _ string) {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		var out syncBuffer
		o.Program, o.Args, o.Stdin, o.Stdout, o.Stderr = python, []string{"testdata/crowd.py", "60"}, reader, &out, &out
		before, beforeRunning := descriptors(t), runtime.NumGoroutine()
		done := make(chan error, 1)
		go func() {
			_, err := Run(t.Context(), o)
			done <- err
		}()
		eventually(t, "the processes have closed their sockets", func() bool { return strings.Contains(out.String(), "\n") })
		// What a host with no socket to look after has: its own descriptors and
		// receivers, the private listeners, and the pidfds of threads that live on,
		// at most 64.
		const own, pidfds = 40, 64
		eventually(t, "what belongs to closed sockets is given back", func() bool {
			return descriptors(t) <= before+own+pidfds && runtime.NumGoroutine() <= beforeRunning+own
		})
		t.Logf("%d descriptors and %d goroutines more than before the run", descriptors(t)-before, runtime.NumGoroutine()-beforeRunning)
		writer.Close()
		if err := <-done; err != nil || out.String() != "closed\n" {
			t.Errorf("%v: %s", err, out.String())
		}
	})
}
