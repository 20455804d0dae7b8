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

// suspect says why somebody else may have written the file.
func suspect(info fs.FileInfo) error {
	owner, me := info.Sys().(*syscall.Stat_t).Uid, uint32(os.Geteuid())
	switch {
	case owner != me && owner != 0:
		return fmt.Errorf("belongs to user %d, not to you (user %d) or root: take it over with chown", owner, me)
	case info.Mode()&foreignWrite != 0:
		return fmt.Errorf("can be written by others (mode %04o): read it, then chmod go-w it", info.Mode().Perm())
	}
	return nil
}
