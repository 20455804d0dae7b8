package seccomp

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Signals, as the Go runtime itself sends them to its threads, do not end the
// waiting for a subject's call. What comes in the end is not a notification.
func TestReceiveWithinUnderSignals(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	thread, ended := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		thread <- unix.Gettid()
		ended <- receiveWithin(time.Minute, pipe[0], new(notification))
	}()
	waiter := <-thread
	for range 50 {
		if err := unix.Tgkill(os.Getpid(), waiter, unix.SIGURG); err != nil {
			break // it has ended
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := unix.Write(pipe[1], []byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, unix.ENOTTY) {
		t.Errorf("it ended with %v", err)
	}
}
