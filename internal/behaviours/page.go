package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// suite is the package whose tests run over the configurations.
const suite = "conformance"

const heading = `# Conformance

The documentation of Windows Sockets 2, and what its implementations are known
to do, comes to 127 numbered behaviours of the provider interface and of the
client API above it. This page is written from a test run by ` + "`make conformance`" + `:
each behaviour with its tests, the configurations that they ran over, and what
came of it. A test that pins behaviour 12 is called TestBehaviour012_ and what it
shows.

Behaviours that a client sees are tested over five configurations, by
[conformance](../conformance): the providers *kernel* and *memory*, and *kernel*
under an IFS layer (ifs), under a non-IFS layer (nonifs), and under two of them.
Where a configuration cannot have a behaviour, the reason stands with it. The
others do not depend on it, and are tested once.

The column *in C* is the same through the C API, by the programs of
[capi/conformance](../capi/conformance). What a client sees runs over seven
chains: the five but for the last, *kernel* under a descriptor layer and under a
non-IFS layer written in C, and *memory* under the latter. What only a provider
sees runs once, with a provider in C.
`

// write writes the page, and returns one line for each behaviour that is not
// shown to hold.
func write(w io.Writer, pins []pin, r results) (failures []string, err error) {
	var b strings.Builder
	b.WriteString(heading)
	total, good := 0, 0
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| number | behaviour | tests | configurations | in C | result |\n|---|---|---|---|---|---|\n", s.title)
		for _, behaviour := range s.behaviours {
			row := rowOf(behaviour, pins, r)
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", behaviour.number, behaviour.text, row.tests, row.over, row.inC, row.result)
			total++
			if row.result == pass {
				good++
			} else {
				failures = append(failures, fmt.Sprintf("behaviour %s: %s", behaviour.number, row.result))
			}
		}
	}
	fmt.Fprintf(&b, "\n%d behaviours, %d shown to hold.\n", total, good)
	_, err = io.WriteString(w, b.String())
	return failures, err
}

const (
	pass = "pass"
	once = "once"
	all  = "all five"
)

// row is what the page says of one behaviour.
type row struct{ tests, over, inC, result string }

func rowOf(b behaviour, pins []pin, r results) row {
	var tests, failed, notes []string
	ran := map[string]bool{}
	pkg := ""
	inSuite := 0
	for _, p := range pins {
		if p.number == b.number && p.pkg == suite {
			inSuite++
		}
	}
	for _, p := range pins {
		if p.number != b.number || p.pkg == suiteInC {
			continue
		}
		name := p.subject
		if p.pkg != pkg {
			name, pkg = fmt.Sprintf("[%s](../%s): %s", p.pkg, p.pkg, name), p.pkg
		}
		tests = append(tests, name)
		switch whole := r.of(p, ""); {
		case p.pkg == suite:
			subject := p.subject + " "
			if inSuite == 1 {
				subject = ""
			}
			broken, without := over(p, r, configurations, ran)
			failed = append(failed, broken...)
			for _, reason := range without {
				notes = append(notes, subject+reason)
			}
		case whole.action == "skip":
			notes = append(notes, fmt.Sprintf("%s skipped: %s", p.pkg, whole.reason))
		case whole.action != pass:
			failed = append(failed, broken(whole)+" in "+p.pkg)
		}
	}
	x := row{tests: strings.Join(tests, ", "), over: once, result: pass}
	if inSuite > 0 {
		x.over = all
		if len(ran) < len(configurations) {
			names := slices.DeleteFunc(slices.Clone(configurations), func(name string) bool { return !ran[name] })
			x.over = strings.Join(names, ", ")
		}
	}
	x.over = strings.Join(append([]string{x.over}, notes...), "; ")
	var brokenInC []string
	x.inC, brokenInC = inC(b, pins, r)
	failed = append(failed, brokenInC...)
	switch {
	case len(tests) == 0:
		x.result = "no test"
	case len(failed) > 0:
		x.result = "**" + strings.Join(failed, ", ") + "**"
	}
	return x
}

// over looks at the runs of one test over configurations. It adds those
// that it ran over to ran, and returns what failed, and where it did not run,
// with the reasons.
func over(p pin, r results, configurations []string, ran map[string]bool) (failed, without []string) {
	var reasons []string
	by := map[string][]string{}
	for _, name := range configurations {
		switch o := r.of(p, name); o.action {
		case pass:
			ran[name] = true
		case "skip":
			if by[o.reason] == nil {
				reasons = append(reasons, o.reason)
			}
			by[o.reason] = append(by[o.reason], name)
		default:
			ran[name] = true
			failed = append(failed, fmt.Sprintf("%s over %s", broken(o), name))
		}
	}
	for _, reason := range reasons {
		without = append(without, fmt.Sprintf("not over %s: %s", strings.Join(by[reason], ", "), reason))
	}
	return failed, without
}

// broken says how a test that did not pass ended.
func broken(o outcome) string {
	if o.action == "" {
		return "not run"
	}
	return o.action
}
