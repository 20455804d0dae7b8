package machine

import (
	"errors"
	"io/fs"
	"testing"
)

func TestWorks(t *testing.T) {
	missing := func(doors ...Door) (findings []Finding) {
		for _, d := range doors {
			findings = append(findings, Finding{Door: d, State: OK}, Finding{Door: d, State: Missing})
		}
		return findings
	}
	for _, c := range []struct {
		findings     []Finding
		run, isolate bool
	}{
		{nil, true, true},
		{[]Finding{{Door: Run, State: Note}, {Door: Both, State: Note}}, true, true},
		{missing(Run), false, true},
		{missing(Isolate), true, false},
		{missing(Both), false, false},
		{missing(C), true, true},
		{missing(Run, Isolate), false, false},
	} {
		if Works(c.findings, Run) != c.run || Works(c.findings, Isolate) != c.isolate {
			t.Errorf("%v: run works: %v, isolate works: %v", c.findings, !c.run, !c.isolate)
		}
	}
}

func TestFind(t *testing.T) {
	refused := Refused("do this", "it is not there (%w)", fs.ErrNotExist)
	if text := refused.Error(); text != "it is not there (file does not exist): do this" || !errors.Is(refused, fs.ErrNotExist) {
		t.Errorf("%v", refused)
	}
	for want, err := range map[Finding]error{
		{Door: Run, Subject: "it", State: OK}: nil,
		{Door: Run, Subject: "it", State: Missing, Detail: "it is not there (file does not exist)", Remedy: "do this"}: refused,
		{Door: Run, Subject: "it", State: Missing, Detail: "file does not exist"}:                                      fs.ErrNotExist,
	} {
		if got := Find(Run, "it", Missing, err); got != want {
			t.Errorf("%v: %+v, want %+v", err, got, want)
		}
	}
}
