// Package watch tells of changes of a file: of its contents, owner or mode, and
// of another file in its place.
package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// watchMask is what may change the contents, the owner or the mode of a file
// in a directory, or the directory itself.
const watchMask = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_CREATE |
	unix.IN_DELETE | unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF

// Follow calls look at once and again after everything that may have changed
// the file at path, until ctx ends, and returns its error, or the system's when
// it cannot watch. It watches directories, not the file, for a replaced file is
// another one. It runs on the calling goroutine and leaves none behind.
func Follow(ctx context.Context, path string, look func()) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("cannot be watched (%w); raise fs.inotify.max_user_instances", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	stop := context.AfterFunc(ctx, func() { _ = events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	var watches []int
	buf := make([]byte, 64<<10)
	for {
		// The watches come first: what happens after them is seen, by look or by
		// the next read.
		fresh, err := watchDirectories(fd, path)
		if err != nil {
			return err
		}
		for _, wd := range watches {
			if !slices.Contains(fresh, wd) {
				_, _ = unix.InotifyRmWatch(fd, uint32(wd)) // gone already if its directory is
			}
		}
		watches = fresh
		look()
		if _, err := events.Read(buf); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return ctx.Err()
			}
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// watchDirectories watches the directories that the path and each symbolic
// link on its way lie in, or the nearest parents that exist.
func watchDirectories(fd int, at string) ([]int, error) {
	var watches []int
	for range 40 {
		wd, err := watchNearest(fd, filepath.Dir(at))
		if err != nil {
			return nil, fmt.Errorf("cannot be watched (%w); raise fs.inotify.max_user_watches", err)
		}
		watches = append(watches, wd)
		link, err := os.Readlink(at)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(at), link)
		}
		at = link
	}
	return watches, nil
}

func watchNearest(fd int, dir string) (int, error) {
	for {
		wd, err := unix.InotifyAddWatch(fd, dir, watchMask)
		missing := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EACCES)
		parent := filepath.Dir(dir)
		if err == nil || !missing || parent == dir {
			return wd, err
		}
		dir = parent
	}
}
