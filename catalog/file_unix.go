//go:build unix

package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	openNonblock = unix.O_NONBLOCK
	foreignWrite = 0o022 // the mode bits that let others write
)

// untrusted says why a catalog may come from somebody else than this user or
// root, and what to do; "" when it cannot.
func untrusted(info fs.FileInfo) string {
	owner := info.Sys().(*syscall.Stat_t).Uid
	me := uint32(os.Geteuid())
	switch {
	case owner != me && owner != 0:
		return fmt.Sprintf("belongs to user %d, not to you (user %d) or root: whoever owns it could run code as you; take it over with chown, set UPCALL_CATALOG to your own, or %s", owner, me, wayOut)
	case info.Mode()&foreignWrite != 0:
		return fmt.Sprintf("can be written by others (mode %04o): they could run code as you; read it, then chmod go-w it, or %s", info.Mode().Perm(), wayOut)
	}
	return ""
}

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, newFileMode)
}

func tryLock(file *os.File) (busy bool, err error) {
	switch err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case err == nil:
		return false, nil
	case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, unix.EINTR):
		return true, nil
	default:
		return false, err
	}
}

// syncDir makes a rename in dir survive a loss of power. A file system that
// cannot is not an error: the rename has happened.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil // a directory that may be written but not read
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return cause(err)
	}
	return nil
}
