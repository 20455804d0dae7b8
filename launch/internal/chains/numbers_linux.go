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

// firstDup is the lowest number of a dup. The chains' sockets have the lowest
// numbers that are free, and are closed at any time: a dup with the number of one
// that the DLL or a layer is just forgetting would pass for it.
var firstDup = sync.OnceValue(func() int {
	const enough = 1 << 17
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Cur/2, enough))
})

// FreshNumber returns a dup in the place of fd, with a number that no socket of a
// chain has, or has just had. Where the descriptors below that range are used up,
// one of a chain may have it later.
func FreshNumber(fd int) (int, error) {
	for fd < firstDup() || isReleasing(fd) {
		other, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, max(fd+1, firstDup()))
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
