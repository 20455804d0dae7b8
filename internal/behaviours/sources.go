package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// pin is one test of a behaviour.
type pin struct {
	number  string // of the behaviour: 12, 57a
	pkg     string // directory below the module's root
	name    string // TestBehaviour012_QueryOnForeignHandle
	subject string // QueryOnForeignHandle
}

var declaration = regexp.MustCompile(`(?m)^func (TestBehaviour(\d{3}a?)_(\w+))\(`)

// find returns the tests of behaviours below root: those of package conformance
// first, the others by package.
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
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, m := range declaration.FindAllStringSubmatch(string(text), -1) {
			pins = append(pins, pin{number: strings.TrimLeft(m[2], "0"), pkg: filepath.ToSlash(dir), name: m[1], subject: m[3]})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for tests: %w", err)
	}
	slices.SortFunc(pins, func(a, b pin) int {
		if suiteA, suiteB := a.pkg == suite, b.pkg == suite; suiteA != suiteB {
			if suiteA {
				return -1
			}
			return 1
		}
		return strings.Compare(a.pkg+" "+a.name, b.pkg+" "+b.name)
	})
	return pins, nil
}

// packages returns the directories of the tests, as go test takes them.
func packages(pins []pin) (dirs []string) {
	for _, p := range pins {
		dirs = append(dirs, "./"+p.pkg)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}
