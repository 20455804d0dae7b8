package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// numbers are those of all behaviours.
func numbers() (all []string) {
	for n := 1; n <= 126; n++ {
		all = append(all, fmt.Sprint(n))
		if n == 57 {
			all = append(all, "57a")
		}
	}
	return all
}

func TestListIsComplete(t *testing.T) {
	var listed []string
	for _, s := range sections {
		for _, b := range s.behaviours {
			if b.text == "" || strings.ContainsAny(b.text, "|\n") {
				t.Errorf("behaviour %s reads %q", b.number, b.text)
			}
			listed = append(listed, b.number)
		}
	}
	if want := numbers(); !slices.Equal(listed, want) {
		t.Errorf("listed %v, want %v", listed, want)
	}
}

// The page has a row for every behaviour: with tests that exist, all those that
// run over the configurations among them, and for these a result or a reason for
// each configuration.
func TestPageIsCurrent(t *testing.T) {
	pins, err := find("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if cells := strings.Split(line, " | "); len(cells) == 6 {
			rows[strings.TrimPrefix(cells[0], "| ")] = cells
		}
	}
	for _, p := range pins {
		if p.pkg == suiteInC && notInC[p.number] != "" {
			t.Errorf("%s is a test in C of what none can bring about: take %s out of notInC", p.name, p.number)
		}
	}
	for _, number := range numbers() {
		cells := rows[number]
		if cells == nil {
			t.Errorf("behaviour %s is not on the page", number)
			continue
		}
		page := map[string]bool{}
		for _, name := range strings.Split(cells[2], ", ") {
			_, subject, linked := strings.Cut(name, ": ")
			if !linked {
				subject = name
			}
			page[subject] = true
		}
		tests, inSuite := map[string]bool{}, false
		for _, p := range pins {
			if p.number != number {
				continue
			}
			if p.pkg == suiteInC {
				if !strings.Contains(cells[4], p.subject+": ") {
					t.Errorf("behaviour %s has a new test in C, %s: run make conformance", number, p.subject)
				}
				continue
			}
			tests[p.subject] = true
			if p.pkg == suite {
				inSuite = true
				if !page[p.subject] {
					t.Errorf("behaviour %s has a new test %s: run make conformance", number, p.subject)
				}
			}
		}
		for subject := range page {
			if !tests[subject] {
				t.Errorf("behaviour %s has no test %s any more: run make conformance", number, subject)
			}
		}
		if inSuite {
			for _, name := range configurations {
				if !covered(cells[3], name) {
					t.Errorf("behaviour %s has neither a result nor a reason for %s: %s", number, name, cells[3])
				}
			}
		}
		if cells[4] == "" {
			t.Errorf("behaviour %s has neither a test in C nor a reason", number)
		}
		if result := strings.TrimSuffix(cells[5], " |"); result != pass {
			t.Errorf("behaviour %s: %s", number, result)
		}
	}
}

// covered reports whether the configurations' cell names one.
func covered(cell, name string) bool {
	for i, part := range strings.Split(cell, "; ") {
		list := part
		if i > 0 {
			_, after, _ := strings.Cut(part, "not over ")
			list, _, _ = strings.Cut(after, ": ")
		}
		if list == all || slices.Contains(strings.Split(list, ", "), name) {
			return true
		}
	}
	return false
}

func TestWrite(t *testing.T) {
	const run = `not JSON
{"Action":"output","Package":"upcall.dev/conformance","Test":"TestBehaviour018_Routes/kernel","Output":"    harness_test.go:71: has descriptors\n"}
{"Action":"skip","Package":"upcall.dev/conformance","Test":"TestBehaviour018_Routes/kernel"}
{"Action":"output","Package":"upcall.dev/conformance","Test":"TestBehaviour018_Routes/kernel+ifs","Output":"    harness_test.go:71: has descriptors\n"}
{"Action":"skip","Package":"upcall.dev/conformance","Test":"TestBehaviour018_Routes/kernel+ifs"}
{"Action":"pass","Package":"upcall.dev/conformance","Test":"TestBehaviour018_Routes/memory"}
{"Action":"pass","Package":"upcall.dev/conformance","Test":"TestBehaviour018_Routes/kernel+nonifs"}
{"Action":"fail","Package":"upcall.dev/conformance","Test":"TestBehaviour018_Routes/kernel+nonifs+nonifs"}
{"Action":"fail","Package":"upcall.dev/conformance","Test":"TestBehaviour018_Routes"}
{"Action":"pass","Package":"upcall.dev/ws2","Test":"TestBehaviour018_Fake"}
{"Action":"pass","Package":"upcall.dev/ws2","Test":"TestBehaviour057a_Unspecified"}
{"Action":"pass","Package":"upcall.dev/capi/conformance","Test":"TestBehaviour018_CreatedHandleRoutes"}
{"Action":"output","Package":"upcall.dev/capi/conformance","Test":"TestBehaviour018_Both/kernel","Output":"    conformance_test.go:71: has descriptors\n"}
{"Action":"skip","Package":"upcall.dev/capi/conformance","Test":"TestBehaviour018_Both/kernel"}
{"Action":"pass","Package":"upcall.dev/capi/conformance","Test":"TestBehaviour018_Both/memory"}
{"Action":"pass","Package":"upcall.dev/capi/conformance","Test":"TestBehaviour018_Both"}
`
	r, err := parse(strings.NewReader(run))
	if err != nil {
		t.Fatal(err)
	}
	pins := []pin{
		{"18", suite, "TestBehaviour018_Routes", "Routes"},
		{"18", "ws2", "TestBehaviour018_Fake", "Fake"},
		{"19", "ws2", "TestBehaviour019_Gone", "Gone"},
		{"57a", "ws2", "TestBehaviour057a_Unspecified", "Unspecified"},
		{"18", suiteInC, "TestBehaviour018_CreatedHandleRoutes", "CreatedHandleRoutes"},
		{"18", suiteInC, "TestBehaviour018_Both", "Both"},
	}
	var page strings.Builder
	failures, err := write(&page, pins, r)
	if err != nil || len(failures) != 126 {
		t.Errorf("%d failures, %v", len(failures), err)
	}
	for _, line := range []string{
		"| 18 | Calls on a created handle reach the provider whose id was given | [conformance](../conformance): Routes, [ws2](../ws2): Fake |" +
			" memory, kernel+nonifs, kernel+nonifs+nonifs; not over kernel, kernel+ifs: has descriptors | CreatedHandleRoutes: once; Both: memory (not over kernel: has descriptors) | **fail over kernel+nonifs+nonifs** |\n",
		"| [ws2](../ws2): Gone | once |  | **not run in ws2** |\n",
		"| [ws2](../ws2): Unspecified | once |  | pass |\n",
		"|  | once |  | no test |\n",
		"| 8 | No memory for an event: WSA_NOT_ENOUGH_MEMORY |  | once | a process has room for a thousand million events, which its memory has not | no test |\n",
		"\n127 behaviours, 1 shown to hold.\n",
	} {
		if !strings.Contains(page.String(), line) {
			t.Errorf("the page lacks %q", line)
		}
	}
}
