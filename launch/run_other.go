//go:build !linux

package launch

import (
	"context"
	"fmt"
	"runtime"

	"upcall.dev/launch/machine"
)

// Run fails: programs can be run on Linux only.
func Run(context.Context, Options) (exitCode int, err error) {
	return ExitLaunchFailed, fmt.Errorf("programs cannot be run on %s: only on Linux, on amd64 and arm64", runtime.GOOS)
}

// StageMain returns at once.
func StageMain() {}

// Examine tells that programs can be run on Linux only.
func Examine(context.Context) []machine.Finding {
	return []machine.Finding{machine.Find(machine.Both, "operating system", machine.Missing,
		machine.Refused("use Linux on amd64 or arm64", "programs cannot be run on %s", runtime.GOOS))}
}
