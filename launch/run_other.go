//go:build !linux

package launch

import (
	"context"
	"fmt"
	"runtime"
)

// Run fails: programs can be run on Linux only.
func Run(context.Context, Options) (exitCode int, err error) {
	return ExitLaunchFailed, fmt.Errorf("programs cannot be run on %s: only on Linux, on amd64 and arm64", runtime.GOOS)
}

// StageMain returns at once.
func StageMain() {}
