package ws2

import "golang.org/x/sys/windows"

// osThreadID returns the id of the calling operating-system thread.
func osThreadID() int { return int(windows.GetCurrentThreadId()) }
