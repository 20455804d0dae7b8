package launch

import (
	"testing"

	"upcall.dev/launch/machine"
)

// What is found out about this machine is what running a program shows.
func TestExamineAgreesWithRun(t *testing.T) {
	source, err := compose()
	if err != nil {
		t.Fatal(err)
	}
	findings := Examine(t.Context())
	for _, f := range findings {
		t.Logf("%-7s %-7s %s %s", f.State, f.Door, f.Subject, f.Detail)
		if f.State != machine.OK && (f.Detail == "" || f.Remedy == "") {
			t.Errorf("%+v does not say what was seen and what to do", f)
		}
	}
	for _, door := range []machine.Door{machine.Run, machine.Isolate} {
		code, err := Run(t.Context(), Options{Catalog: source, Program: "true", Isolate: door == machine.Isolate, Log: func(line string) { t.Log(line) }})
		if works := err == nil && code == 0; works != machine.Works(findings, door) {
			t.Errorf("%s works: %v (%d, %v), and was found to: %v", door, works, code, err, !works)
		}
	}
}
