//go:build !linux && !windows

package nonifs

import (
	"bytes"
	"runtime"
	"strconv"
)

// currentThread identifies the calling thread by the goroutine bound to it,
// where the system has no portable thread id. Only calls under a blocking hook
// ask.
func currentThread() uint64 {
	var buf [64]byte
	fields := bytes.Fields(buf[:runtime.Stack(buf[:], false)])
	id, _ := strconv.ParseUint(string(fields[1]), 10, 64) // "goroutine 17 [running]:"
	return id
}
