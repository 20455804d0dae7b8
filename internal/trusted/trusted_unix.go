//go:build unix

package trusted

import (
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

// doubt says why somebody else may have written the file; nil means nobody.
func doubt(info fs.FileInfo) *Doubt {
	owner, me := info.Sys().(*syscall.Stat_t).Uid, uint32(os.Geteuid())
	switch {
	case owner != me && owner != 0:
		return &Doubt{fmt.Sprintf("belongs to user %d, not to you (user %d) or root", owner, me), "take it over with chown"}
	case info.Mode()&foreignWrite != 0:
		return &Doubt{fmt.Sprintf("can be written by others (mode %04o)", info.Mode().Perm()), "read it, then chmod go-w it"}
	}
	return nil
}
