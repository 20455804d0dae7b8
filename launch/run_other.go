//go:build !linux

package launch

import (
	"context"
	"fmt"
	"runtime"

	"upcall.dev/catalog"
	"upcall.dev/launch/machine"
	"upcall.dev/ws2"
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

// ExamineChains fails, as Run does.
func ExamineChains(catalog.Source, func(ws2.Config) *ws2.DLL, func(line string)) error {
	_, err := Run(context.Background(), Options{})
	return err
}

// Check tells that programs can be run on Linux only.
func Check(ctx context.Context, _ Options) []machine.Finding { return Examine(ctx) }
