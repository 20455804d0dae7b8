package main

import (
	"fmt"
	"slices"
	"strings"
)

// suiteInC is the package whose tests are programs in C.
const suiteInC = "capi/conformance"

// chainsInC are the names of the chains that it runs them over.
var chainsInC = []string{"kernel", "memory", "kernel+ifs", "kernel+nonifs", "kernel+c-ifs", "kernel+c-nonifs", "memory+c-nonifs"}

const allInC = "all seven"

// notInC are the behaviours that a program in C cannot bring about, and why; the
// tests of package ws2 lower the limits of the tables.
var notInC = map[string]string{
	"8":  "a process has room for a thousand million events, which its memory has not",
	"16": "a process has room for a thousand million socket handles, which its memory has not",
}

// inC returns what the page says of a behaviour through the C API, and what has
// failed there.
func inC(b behaviour, pins []pin, r results) (cell string, failed []string) {
	var parts []string
	for _, p := range pins {
		if p.number != b.number || p.pkg != suiteInC {
			continue
		}
		if whole := r.of(p, ""); whole.action != pass {
			failed = append(failed, broken(whole)+" in "+p.pkg)
		}
		parts = append(parts, p.subject+": "+chainsOf(p, r))
	}
	if reason := notInC[b.number]; reason != "" && len(parts) == 0 {
		return reason, nil
	}
	return strings.Join(parts, "; "), failed
}

// chainsOf returns the chains that a test in C ran over, with the reasons for
// those that it left out.
func chainsOf(p pin, r results) string {
	ran := map[string]bool{}
	_, without := over(p, r, chainsInC, ran)
	ranOver := slices.DeleteFunc(slices.Clone(chainsInC), func(name string) bool { return r.of(p, name).action == "" || !ran[name] })
	switch {
	case len(ranOver) == len(chainsInC):
		return allInC
	case len(ranOver) == 0, slices.Equal(ranOver, chainsInC[:1]):
		return once
	}
	return fmt.Sprintf("%s (%s)", strings.Join(ranOver, ", "), strings.Join(without, "; "))
}
