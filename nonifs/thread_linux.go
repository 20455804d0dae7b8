package nonifs

import "golang.org/x/sys/unix"

// currentThread identifies the calling thread. A thread with a blocking hook is
// bound to its goroutine, so this stays the same from a call to its hook.
func currentThread() uint64 { return uint64(unix.Gettid()) }
