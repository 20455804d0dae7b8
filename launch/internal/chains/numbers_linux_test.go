package chains

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A dup has no number that a chain's own socket could have, nor one that is just
// being let go of.
func TestFreshNumber(t *testing.T) {
	var same [2]uint64
	for i := range same {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		before, _ := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		dup, err := FreshNumber(fd)
		if err != nil {
			t.Fatal(err)
		}
		if dup < firstDup() || isReleasing(dup) {
			t.Errorf("the dup has number %d, where the range begins at %d", dup, firstDup())
		}
		if after, _ := unix.GetsockoptUint64(dup, unix.SOL_SOCKET, unix.SO_COOKIE); after != before {
			t.Errorf("it is socket %d, not %d", after, before)
		}
		if flags, err := unix.FcntlInt(uintptr(dup), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("its flags are %d: %v", flags, err)
		}
		same[i] = uint64(dup)
		_ = unix.Close(dup)
		defer release(dup)()
	}
	if same[0] == same[1] {
		t.Errorf("number %d is given away while it is let go of", same[0])
	}
}
