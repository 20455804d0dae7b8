// Command behaviours writes docs/behaviours.md: which documented behaviour of
// Windows Sockets 2 is pinned by which tests. A test that pins behaviour 12 is
// called TestBehaviour012_ and what it shows.
//
//	go run ./internal/behaviours > docs/behaviours.md
package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

func main() {
	tests, err := find(".")
	if err == nil {
		err = write(os.Stdout, tests)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "behaviours:", err)
		os.Exit(1)
	}
}

// pin is one test function.
type pin struct {
	number  string // 012, 057a
	subject string // what the name says, in words
	pkg     string // directory of the test
	name    string
}

var declaration = regexp.MustCompile(`(?m)^func (TestBehaviour(\d{3}a?)_(\w+))\(`)

// find returns the tests below root, by number.
func find(root string) (pins []pin, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, m := range declaration.FindAllStringSubmatch(string(text), -1) {
			pins = append(pins, pin{number: m[2], subject: words(m[3]), pkg: filepath.ToSlash(rel), name: m[1]})
		}
		return nil
	})
	slices.SortFunc(pins, func(a, b pin) int {
		return strings.Compare(a.number+a.pkg+a.name, b.number+b.pkg+b.name)
	})
	return pins, err
}

// words turns a name in camel case into words, leaving abbreviations alone.
func words(name string) string {
	var b strings.Builder
	runes := []rune(strings.ReplaceAll(name, "_", " "))
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && runes[i-1] != ' ' {
			abbreviated := unicode.IsUpper(runes[i-1])
			ends := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if !abbreviated || ends {
				b.WriteByte(' ')
			}
			if ends {
				r = unicode.ToLower(r)
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

func write(w io.Writer, pins []pin) error {
	fmt.Fprint(w, `# Behaviours and their tests

The documentation of Windows Sockets 2, and what its implementations are known
to do, comes to 127 numbered behaviours of the provider interface and the client
API above it. These are pinned by tests; a number that is missing here has none yet.
The file is written by `+"`go run ./internal/behaviours`"+`.

| number | what the test shows | where |
|---|---|---|
`)
	for _, p := range pins {
		if _, err := fmt.Fprintf(w, "| %s | %s | [%s](../%s) |\n", strings.TrimLeft(p.number, "0"), p.subject, p.pkg, p.pkg); err != nil {
			return err
		}
	}
	return nil
}
