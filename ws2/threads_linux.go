package ws2

import "syscall"

// osThreadID returns the id of the calling operating-system thread. The call
// does not block.
func osThreadID() int { return syscall.Gettid() }
