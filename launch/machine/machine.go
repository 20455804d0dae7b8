// Package machine says what the doors of the launcher have found out about the
// machine: what it allows, and what to do about what it does not. The doors try
// what they need, in a child process; package launch collects it.
package machine

import (
	"errors"
	"fmt"
	"slices"
)

// Door is a way in which programs are run.
type Door string

// The doors.
const (
	Run     Door = "run"     // upcall run
	Isolate Door = "isolate" // upcall run --isolate
	Both    Door = "both"    // upcall run, with --isolate and without
	C       Door = "C"       // providers and programs in C
)

// State is what was found out.
type State string

// The states. With a Note a door works, but not for everything, or less well.
const (
	OK      State = "ok"
	Note    State = "note"
	Missing State = "missing"
)

// Finding is the outcome of one check.
type Finding struct {
	Door    Door   `json:"door"`             // what it is needed for
	Subject string `json:"subject"`          // what was tried, such as "pidfd_getfd"
	State   State  `json:"state"`            // how that went
	Detail  string `json:"detail,omitempty"` // what was seen: a value, or why it failed
	Remedy  string `json:"remedy,omitempty"` // what to do, where there is something to be done
}

// Works reports whether nothing that a door needs is missing.
func Works(findings []Finding, door Door) bool {
	return !slices.ContainsFunc(findings, func(f Finding) bool {
		return f.State == Missing && (f.Door == door || f.Door == Both && (door == Run || door == Isolate))
	})
}

// Refusal is an error with the way out of it.
type Refusal struct {
	Err    error
	Remedy string
}

// Refused returns a Refusal; format and args are those of [fmt.Errorf].
func Refused(remedy, format string, args ...any) error {
	return &Refusal{Err: fmt.Errorf(format, args...), Remedy: remedy}
}

// Error is what was refused, then what to do.
func (r *Refusal) Error() string { return r.Err.Error() + ": " + r.Remedy }

// Unwrap returns what was refused.
func (r *Refusal) Unwrap() error { return r.Err }

// Find returns the finding of a check that has ended with err: [OK] without one,
// else failed, which is [Note] or [Missing]. The remedy is that of a [Refusal].
func Find(door Door, subject string, failed State, err error) Finding {
	f := Finding{Door: door, Subject: subject, State: OK}
	if err == nil {
		return f
	}
	f.State, f.Detail = failed, err.Error()
	var r *Refusal
	if errors.As(err, &r) {
		f.Detail, f.Remedy = r.Err.Error(), r.Remedy
	}
	return f
}
