// Package docs_test tries what the documentation shows: it runs the commands,
// compares their output, compiles the Go code, and looks for the messages in
// the program's source.
//
// In a fenced block of type console, lines after "$ " are commands and the
// others their output, with "..." for any number of lines; what differs from
// run to run or from machine to machine is compared by its form. Commands in a
// block of type sh, and indented ones that begin with a name in programs, must
// succeed. All of one document run one after the other, in a directory and a home
// of their own.
package docs_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const root = ".."

// documents are those with commands and code of a user's.
func documents(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*.md", "docs/*.md", "layer/*/README.md", "namespace/*/README.md", "provider/*/README.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, files...)
	}
	if len(found) < 10 {
		t.Fatalf("only %q", found)
	}
	return found
}

// fence is one fenced block, or an indented one with an empty kind.
type fence struct {
	kind, text string
	line       int
}

func fences(t *testing.T, file string) (blocks []fence) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fenced, indented := false, false
	for i, line := range strings.Split(string(text), "\n") {
		kind, isFence := strings.CutPrefix(line, "```")
		code, isIndented := strings.CutPrefix(line, "    ")
		switch {
		case isFence && !fenced:
			blocks = append(blocks, fence{kind: kind, line: i + 1})
		case fenced && !isFence:
			blocks[len(blocks)-1].text += line + "\n"
		case isIndented && !fenced:
			if !indented {
				blocks = append(blocks, fence{line: i + 1})
			}
			blocks[len(blocks)-1].text += code + "\n"
		}
		fenced = fenced != isFence
		indented = isIndented && !fenced
	}
	if fenced {
		t.Fatalf("%s ends within a block", file)
	}
	return blocks
}

// programs are what commands begin with, and the package that each is built of.
var programs = map[string]string{
	"upcall":                     "./cmd/upcall",
	"go run ./cmd/upcall":        "./cmd/upcall",
	"go run ./examples/launcher": "./examples/launcher",
}

// command is one to run, and what it is to print; output is nil when it only
// has to succeed.
type command struct {
	text   string
	output []string
	line   int
}

var gap = regexp.MustCompile(`\s{2,}.*`) // an explanation beside a command

func commands(blocks []fence) (all []command) {
	for _, b := range blocks {
		for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
			shown, prompted := strings.CutPrefix(line, "$ ")
			switch {
			case b.kind == "console" && prompted:
				all = append(all, command{text: shown, output: []string{}, line: b.line + i + 1})
			case b.kind == "console":
				last := &all[len(all)-1]
				last.output = append(last.output, line)
			case b.kind == "sh", b.kind == "" && startsProgram(shown):
				all = append(all, command{text: gap.ReplaceAllString(shown, ""), line: b.line + i})
			}
		}
	}
	return all
}

func startsProgram(line string) bool {
	for name := range programs {
		if strings.HasPrefix(line, name+" ") {
			return true
		}
	}
	return false
}

// bench is where a document's commands run.
type bench struct {
	bin, work, home, server string
}

func newBench(t *testing.T, bin string) bench {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("hello\n"))
	}))
	t.Cleanup(server.Close)
	b := bench{bin: bin, work: t.TempDir(), home: t.TempDir(), server: strings.TrimPrefix(server.URL, "http://")}
	// What the examples run, and a repository to push from.
	out, err := b.run(`
		mkdir "$HOME/tmp"
		printf '#!/bin/sh\nexec curl -s http://127.0.0.1:8000/\n' >program && chmod +x program
		if command -v git >/dev/null; then
			git init -q --bare "$HOME/there" && git init -q . && git commit -q --allow-empty -m start &&
			git remote add origin "$HOME/there" && git config push.default current
		fi`)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return b
}

var (
	address = regexp.MustCompile(`127\.0\.0\.1:80[08]0\b`)
	scratch = regexp.MustCompile(`/tmp/`)
)

// run runs a command as it is shown, but with the test's server and files, and
// without compiling again.
func (b bench) run(text string) (string, error) {
	text = address.ReplaceAllString(text, b.server)
	text = scratch.ReplaceAllString(text, b.tmp())
	for name, pkg := range programs {
		if name != "upcall" {
			text = strings.ReplaceAll(text, name, filepath.Base(pkg))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", text)
	cmd.WaitDelay = time.Second
	cmd.Dir = b.work
	cmd.Env = []string{
		"PATH=" + b.bin + ":" + os.Getenv("PATH"), "HOME=" + b.home,
		"PKG_CONFIG_PATH=" + b.home + "/.local/lib/pkgconfig", "LD_LIBRARY_PATH=" + b.home + "/.local/lib",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@localhost", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@localhost",
	}
	out, err := cmd.CombinedOutput()
	return strings.NewReplacer(b.server, "127.0.0.1:8000",
		b.tmp(), "/tmp/", url.QueryEscape(b.tmp()), "%2Ftmp%2F", b.home, "/home/you").Replace(string(out)), err
}

// tmp stands for /tmp/ in what the documents show.
func (b bench) tmp() string { return b.home + "/tmp/" }

// forms are what differs from run to run, or from machine to machine.
var forms = []struct {
	pattern *regexp.Regexp
	form    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "GUID"},
	{regexp.MustCompile(`\d\d:\d\d:\d\d\.\d{6}`), "TIME"},
	{regexp.MustCompile(`<[\d.]+(ns|µs|ms|s)>`), "<TIME>"},
	{regexp.MustCompile(`(WSP\w+)\((0x)?[0-9a-f]+`), "$1(SOCKET"},
	{regexp.MustCompile(`process \d+`), "process N"},
	{regexp.MustCompile(`(architecture +|64-bit )(amd64|arm64)\b`), "${1}ARCH"},
	{regexp.MustCompile(`^(upcall run works here), .*`), "$1"},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(`\s+$`), ""},
}

func normalized(lines []string) []string {
	normal := make([]string, len(lines))
	for i, line := range lines {
		for _, f := range forms {
			line = f.pattern.ReplaceAllString(line, f.form)
		}
		normal[i] = line
	}
	return normal
}

// matches reports whether the output is the one that is shown.
func matches(shown, output []string) bool {
	if len(shown) == 0 {
		return len(output) == 0
	}
	if shown[0] == "..." {
		return slices.ContainsFunc(append([]string{""}, output...), func(string) bool {
			if matches(shown[1:], output) {
				return true
			}
			if len(output) > 0 {
				output = output[1:]
			}
			return false
		})
	}
	return len(output) > 0 && shown[0] == output[0] && matches(shown[1:], output[1:])
}

func TestCommands(t *testing.T) {
	bin := t.TempDir()
	packages := map[string]bool{}
	for _, pkg := range programs {
		packages[pkg] = true
	}
	build := exec.Command("go", "build", "-trimpath", "-o", bin)
	for pkg := range packages {
		build.Args = append(build.Args, pkg)
	}
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tried := 0
	for _, file := range documents(t) {
		list := commands(fences(t, file))
		tried += len(list)
		t.Run(file, func(t *testing.T) {
			if len(list) == 0 {
				return
			}
			for _, name := range []string{"curl", "git"} {
				if _, err := exec.LookPath(name); err != nil && strings.Contains(text(list), name) {
					t.Skip(name + " is not installed")
				}
			}
			t.Parallel()
			b := newBench(t, bin)
			b.prepareC(t, fences(t, file), text(list))
			for _, c := range list {
				out, err := b.run(c.text)
				lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
				if out == "" {
					lines = nil
				}
				switch {
				case c.output == nil && err != nil:
					t.Errorf("%s:%d: %s: %v\n%s", file, c.line, c.text, err, out)
				case c.output != nil && !matches(normalized(c.output), normalized(lines)):
					t.Errorf("%s:%d: %s prints\n%s\nand is shown to print\n%s", file, c.line, c.text,
						strings.Join(normalized(lines), "\n"), strings.Join(normalized(c.output), "\n"))
				}
			}
		})
	}
	if tried < 20 {
		t.Errorf("only %d commands were found", tried)
	}
}

func text(list []command) string {
	var all strings.Builder
	for _, c := range list {
		all.WriteString(c.text + "\n")
	}
	return all.String()
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The targets that the documents name are those of the Makefile.
func TestMakeTargets(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)(?:`|^    |^)make ([a-z]+)(?:`|\\s|$)").FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s: the Makefile has no target %s", file, m[1])
			}
		}
	}
}

// Links within the repository lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^):#]+)(#[^)]*)?\)`)
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// A message that a document quotes in the first column of a table is in the
// program's source, with "…" for what is put in.
func TestMessages(t *testing.T) {
	var literals strings.Builder
	for _, dir := range []string{"catalog", "cmd/upcall", "launch", "launch/internal/chains", "launch/internal/isolate", "launch/internal/seccomp", "layer", "profile", "internal/trusted", "spi", "ws2"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			collect(t, file, &literals)
		}
	}
	all, seen := literals.String(), 0
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		table := false
		for line := range strings.Lines(string(text)) {
			table = strings.HasPrefix(line, "| message |") || table && strings.HasPrefix(line, "|")
			m := regexp.MustCompile("^\\| `(.*?)` \\|").FindStringSubmatch(line)
			if !table || m == nil {
				continue
			}
			seen++
			for _, part := range strings.Split(m[1], "…") {
				if part = strings.Trim(part, ` ;`); len(part) > 1 && !strings.Contains(all, part) {
					t.Errorf("%s: no message has %q", file, part)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d messages were found", seen)
	}
}

// collect appends the string constants of a file, one a line, those that are
// added up as one.
func collect(t *testing.T, file string, to *strings.Builder) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if value, err := strconv.Unquote(literal.Value); err == nil {
				to.WriteString(value + "\n")
			}
		}
		return true
	})
}
