package launch

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Go's own tests of net and net/http, in static binaries, end as they do bare.
// They run with -short: the tests left out ask servers in the internet.
func TestGoNet(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of other programs' tests")
	}
	g := newGoTests(t)
	t.Run("net", func(t *testing.T) {
		bare := g.run(t, "net", nil, "")
		for _, c := range []struct {
			name    string
			options Options
			differ  []string
		}{
			{name: "ifs", options: Options{Catalog: chainOf(t, os.DevNull, kindsOfChain[0].layers...)}},
			{name: "isolate", options: Options{Catalog: chainOf(t, os.DevNull, kindsOfChain[0].layers...), Isolate: true}},
			{
				name: "nonifs", options: Options{Catalog: chainOf(t, os.DevNull, kindsOfChain[1].layers...)},
				differ: []string{"TestMultiPathTCP"}, // the host's end of the program's connection is TCP
			},
		} {
			t.Run(c.name, func(t *testing.T) { g.compare(t, "net", c.options, bare, c.differ) })
		}
	})
	t.Run("http", func(t *testing.T) {
		o := Options{Catalog: chainOf(t, os.DevNull, kindsOfChain[0].layers...)}
		g.compare(t, "net/http", o, g.run(t, "net/http", nil, ""), nil)
	})
}

// goTests are test binaries of the standard library, with a copy of its sources,
// which their tests read, and write beside.
type goTests struct{ dir string }

// goOutcomes are PASS, FAIL or SKIP by a test's name.
type goOutcomes map[string]string

func newGoTests(t *testing.T) goTests {
	goTool := need(t, "go")
	root, err := exec.Command(goTool, "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	g := goTests{t.TempDir()}
	for _, sources := range []string{"src/net", "src/testdata"} {
		from := filepath.Join(strings.TrimSpace(string(root)), sources)
		if err := os.CopyFS(filepath.Join(g.dir, sources), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	for _, pkg := range []string{"net", "net/http"} {
		build := exec.Command(goTool, "test", "-c", "-o", g.binary(pkg), pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return g
}

func (g goTests) binary(pkg string) string {
	return filepath.Join(g.dir, strings.ReplaceAll(pkg, "/", "-")+".test")
}

// goTestTimeout is many times what the slower package takes.
const goTestTimeout = 10 * time.Minute

// goTestEnd is how a test's end looks with -test.v=test2json.
var goTestEnd = regexp.MustCompile(`\x16--- (PASS|FAIL|SKIP): (\S+)`)

// run runs a package's tests, all of them or the one that is named, under upcall
// unless o is nil.
func (g goTests) run(t *testing.T, pkg string, o *Options, only string) goOutcomes {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), goTestTimeout)
	defer cancel()
	dir := filepath.Join(g.dir, "src", pkg)
	// The test that is left out runs go vet over the sources.
	args := []string{"-test.v=test2json", "-test.short", "-test.skip=^TestOmitHTTP2Vet$"}
	if only != "" {
		args = append(args, "-test.run=^"+only+"$")
	}
	var out bytes.Buffer
	if o == nil {
		cmd := exec.CommandContext(ctx, g.binary(pkg), args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
		_ = cmd.Run() // the outcomes tell
	} else {
		under := *o
		under.Program, under.Args, under.Dir, under.Stdout, under.Stderr = g.binary(pkg), args, dir, &out, &out
		under.Log = func(line string) { t.Log("upcall:", line) }
		if _, err := Run(ctx, under); err != nil {
			t.Error(err)
		}
	}
	found := goOutcomes{}
	for _, m := range goTestEnd.FindAllSubmatch(out.Bytes(), -1) {
		found[string(m[2])] = string(m[1])
	}
	if len(found) == 0 {
		t.Fatalf("no test has ended:\n%s", tail(out.Bytes()))
	}
	return found
}

// tail returns the last lines of an output.
func tail(out []byte) []byte {
	const most = 4 << 10
	return out[max(0, len(out)-most):]
}

// goTestTries is how often a test that ends differently is run again alone, both
// ways.
const goTestTries = 4

// compare runs a package's tests under upcall and fails for each that ends
// otherwise than bare, unless it is one of those that may. A test counts only
// if it does so every time, while it always ends in the same way bare.
func (g goTests) compare(t *testing.T, pkg string, o Options, bare goOutcomes, differ []string) {
	got := g.run(t, pkg, &o, "")
	t.Logf("%s: %d tests", pkg, len(got))
	names := map[string]bool{}
	for name := range got {
		names[name] = true
	}
	for name := range bare {
		names[name] = true
	}
	for name := range names {
		top, _, _ := strings.Cut(name, "/")
		if got[name] == bare[name] || slices.Contains(differ, top) {
			continue
		}
		if want, now, always := g.again(t, pkg, o, name, top); always {
			t.Errorf("%s is %q under upcall, %q bare", name, now, want)
		} else {
			t.Logf("%s was %q under upcall and %q bare, and is the same when it runs alone, or flaky", name, got[name], bare[name])
		}
	}
}

// again runs one test alone several times both ways.
func (g goTests) again(t *testing.T, pkg string, o Options, name, top string) (want, got string, always bool) {
	for i := range goTestTries {
		bare := g.run(t, pkg, nil, top)[name]
		got = g.run(t, pkg, &o, top)[name]
		if got == bare || i > 0 && bare != want {
			return want, got, false
		}
		want = bare
	}
	return want, got, true
}
