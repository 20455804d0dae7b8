package launch

import (
	"context"

	"upcall.dev/launch/internal/isolate"
	"upcall.dev/launch/internal/seccomp"
	"upcall.dev/launch/machine"
)

// Examine tries what [Run] needs of the machine and returns what it has found out,
// in the order in which a program needs it. It takes a tenth of a second; ctx
// ends it early. As with Run, main must call [StageMain] first thing.
func Examine(ctx context.Context) []machine.Finding {
	findings := seccomp.Examine(ctx)
	findings = append(findings, isolate.Examine(ctx)...)
	return append(findings, machine.Examine(ctx)...)
}
