package seccomp

import (
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// view is the file system as a program sees it: its root and its working
// directory.
type view struct {
	tid       int
	root, cwd int  // O_PATH
	same      bool // the root is the host's
}

func viewOf(tid int) (*view, unix.Errno) {
	v := &view{tid: tid, root: -1, cwd: -1}
	var err error
	if v.root, err = openPath(unix.AT_FDCWD, fmt.Sprintf("/proc/%d/root", tid)); err == nil {
		v.cwd, err = openPath(unix.AT_FDCWD, fmt.Sprintf("/proc/%d/cwd", tid))
	}
	if err != nil {
		v.close()
		return nil, unix.EACCES
	}
	host, err := openPath(unix.AT_FDCWD, "/")
	if err != nil {
		v.close()
		return nil, errnoOf(err)
	}
	v.same = sameMount(host, v.root)
	_ = unix.Close(host)
	return v, 0
}

func (v *view) close() {
	if v == nil {
		return
	}
	for _, fd := range []int{v.root, v.cwd} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

func openPath(dir int, name string) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// sameFile reports whether two descriptors are of one file.
func sameFile(a, b int) bool {
	var x, y unix.Stat_t
	return unix.Fstat(a, &x) == nil && unix.Fstat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}

// sameMount reports whether two descriptors are of one file in one mount.
func sameMount(a, b int) bool {
	var x, y unix.Statx_t
	const what = unix.STATX_MNT_ID
	if unix.Statx(a, "", unix.AT_EMPTY_PATH, what, &x) != nil || unix.Statx(b, "", unix.AT_EMPTY_PATH, what, &y) != nil {
		return false
	}
	return x.Mnt_id == y.Mnt_id && sameFile(a, b)
}

// place is where a path leads.
type place struct {
	fd   int    // O_PATH of the file, or of its directory; below zero when there is none
	path string // absolute, without symbolic links, as the program would write it
}

func (p *place) close() {
	if p.path != "" && p.fd >= 0 {
		_ = unix.Close(p.fd)
	}
}

// open opens what a path means to the program.
func (v *view) open(name string) (int, unix.Errno) {
	if v.same {
		fd, err := openPath(v.cwd, v.own(name))
		if err != nil {
			return -1, errnoOf(err)
		}
		return fd, 0
	}
	fd, err := unix.Openat2(v.root, v.fromRoot(name), &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return -1, errnoOf(err)
	}
	return fd, 0
}

// own makes a path that goes by the process that walks it go by the program.
func (v *view) own(name string) string {
	process := fmt.Sprintf("/proc/%d", threadGroup(v.tid))
	for _, p := range []struct{ prefix, stands string }{
		{"/proc/self/", process + "/"}, {"/dev/fd/", process + "/fd/"},
		{"/proc/thread-self/", fmt.Sprintf("%s/task/%d/", process, v.tid)},
	} {
		if rest, found := strings.CutPrefix(name, p.prefix); found {
			return p.stands + rest
		}
	}
	return name
}

// fromRoot makes a path one from the program's root.
func (v *view) fromRoot(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return v.pathOf(v.cwd) + "/" + name
}

// pathOf returns the path of an open file as the program would write it.
func (v *view) pathOf(fd int) string {
	name := linkText(fd)
	if v.same {
		return name
	}
	if root := linkText(v.root); root != "/" {
		name = "/" + strings.TrimPrefix(strings.TrimPrefix(name, root), "/")
	}
	return name
}

func linkText(fd int) string {
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return "/"
	}
	return name
}

// file finds the file of a path, whose symbolic links are followed. A path whose
// file is missing is told as far as there are directories.
func (v *view) file(name string) (place, unix.Errno) {
	fd, errno := v.open(name)
	if errno == 0 {
		return place{fd, v.pathOf(fd)}, 0
	}
	parent, missing := v.directory(name)
	if missing == 0 {
		_ = unix.Close(parent.fd)
	}
	return place{-1, parent.path}, errno
}

// directory finds the directory in which a path would have its file: fd is of the
// directory, and path that of the file.
func (v *view) directory(name string) (place, unix.Errno) {
	dir, base := path.Split(name)
	if dir == "" {
		dir = "."
	}
	fd, errno := v.open(dir)
	if errno != 0 {
		absolute := name
		if !path.IsAbs(name) {
			absolute = v.pathOf(v.cwd) + "/" + name
		}
		return place{-1, path.Clean(absolute)}, errno
	}
	return place{fd, path.Join(v.pathOf(fd), base)}, 0
}

// ownFile is the address of a Unix socket whose file the host has open.
func ownFile(fd int) sockaddr {
	name := make(sockaddr, 2, 32)
	name[0] = unix.AF_UNIX
	return append(append(name, fmt.Sprintf("/proc/self/fd/%d", fd)...), 0)
}
