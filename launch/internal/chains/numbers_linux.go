package chains

import (
	"sync"

	"golang.org/x/sys/unix"
)

// releasing counts, by number, the dups that [Chains.ReleaseOwn] is closing. The
// kernel gives a number away before every provider has forgotten it; a new dup of
// the same socket would then pass for the one that is being closed.
var releasing struct {
	sync.Mutex
	numbers map[int]int
}

// FreshNumber returns fd, or, when a chain is just letting go of a dup that had
// its number, another in its place.
func FreshNumber(fd int) (int, error) {
	for isReleasing(fd) {
		other, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, fd+1)
		_ = unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd = other
	}
	return fd, nil
}

func isReleasing(fd int) bool {
	releasing.Lock()
	defer releasing.Unlock()
	return releasing.numbers[fd] > 0
}

// release marks a number until the function that it returns is called.
func release(fd int) (done func()) {
	releasing.Lock()
	if releasing.numbers == nil {
		releasing.numbers = map[int]int{}
	}
	releasing.numbers[fd]++
	releasing.Unlock()
	return func() {
		releasing.Lock()
		defer releasing.Unlock()
		if releasing.numbers[fd]--; releasing.numbers[fd] == 0 {
			delete(releasing.numbers, fd)
		}
	}
}
