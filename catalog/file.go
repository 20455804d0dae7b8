package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"upcall.dev/internal/trusted"
	"upcall.dev/internal/watch"
	"upcall.dev/spi"
)

const (
	maxFileSize  = 4 << 20 // bytes; room for about ten thousand entries
	newFileMode  = 0o600   // a path's options may hold a password
	newDirMode   = 0o700
	lockPatience = 10 * time.Second // how long a writer waits for the other ones
	wayOut       = `"upcall catalog reset" puts the original back and keeps this file`
)

// File is a catalog in a file. It is read at each Load; a change replaces it as
// a whole, so that a reader, or a machine that loses power, finds the old
// catalog or the new one. A file that does not exist stands for [Default]. Its
// methods may be used from several goroutines and processes at once.
type File struct {
	path     string
	patience time.Duration
	report   func(error) // nil for nobody
}

// OpenFile returns the catalog file at path. It opens nothing yet.
func OpenFile(path string) *File { return &File{path: path, patience: lockPatience} }

// Reporting returns the same file, whose WSC functions also call report with the
// reason, a [*FileError], when they fail because of the file: their codes do not
// tell it.
func (f *File) Reporting(report func(error)) *File {
	reporting := *f
	reporting.report = report
	return &reporting
}

// DefaultPath returns where the catalog is when nobody says otherwise:
// $UPCALL_CATALOG, else upcall/catalog.toml in $XDG_CONFIG_HOME or ~/.config.
// It is empty when the user has no home directory; such a [File] is Default
// and cannot be changed.
func DefaultPath() string {
	if path := os.Getenv("UPCALL_CATALOG"); path != "" {
		return path
	}
	config := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		config = filepath.Join(home, ".config")
	}
	return filepath.Join(config, "upcall", "catalog.toml")
}

// Path returns the path that the file was opened with.
func (f *File) Path() string { return f.path }

// FileError is a catalog file that cannot be used or changed. Its text is one
// line that ends with the way out.
type FileError struct {
	Path    string
	Refused bool      // what is in the file cannot be trusted or read
	Code    spi.Errno // WSATRY_AGAIN (others are changing it) or WSANO_RECOVERY
	Err     error     // what is wrong
}

func (e *FileError) Error() string { return fmt.Sprintf("catalog %s: %v", e.Path, e.Err) }

// Unwrap makes errors.Is match both the code and the cause.
func (e *FileError) Unwrap() []error { return []error{e.Code, e.Err} }

func (f *File) failed(err error) error {
	return &FileError{Path: f.path, Code: spi.WSANO_RECOVERY, Err: err}
}

func (f *File) refused(format string, args ...any) error {
	return &FileError{Path: f.path, Refused: true, Code: spi.WSANO_RECOVERY, Err: fmt.Errorf(format, args...)}
}

// Load reads the file. Its error is a [*FileError].
func (f *File) Load() (*Catalog, error) {
	c, _, err := f.read()
	return c, err
}

// read returns the catalog and what it was read from.
func (f *File) read() (*Catalog, content, error) {
	found, err := f.content()
	if err != nil {
		return nil, found, err
	}
	c, err := f.parse(found)
	return c, found, err
}

// content is what is in the file's place.
type content struct {
	exists bool
	mode   fs.FileMode
	text   []byte
}

// content reads the file, if it can be trusted.
func (f *File) content() (content, error) {
	if f.path == "" {
		return content{}, nil
	}
	text, info, err := trusted.Read(f.path, maxFileSize)
	if errors.Is(err, fs.ErrNotExist) {
		return content{}, nil
	}
	if info == nil {
		return content{}, f.refused("%w; make it readable, or set UPCALL_CATALOG to another file", err)
	}
	found := content{exists: true, mode: info.Mode(), text: text}
	if what := notForReset(info.Mode()); what != "" {
		return found, f.refused("is %s; set UPCALL_CATALOG to a file", what)
	}
	var doubt *trusted.Doubt
	switch {
	case errors.As(err, &doubt):
		return found, f.refused("%s: they could run code as you; %s, or %s", doubt.What, doubt.Remedy, wayOut)
	case err != nil:
		return found, f.refused("%w, or %s", err, wayOut)
	}
	return found, nil
}

func (f *File) parse(found content) (*Catalog, error) {
	if !found.exists {
		return Default(), nil
	}
	c, err := Parse(found.text)
	if err != nil {
		return nil, f.refused("%w; mend it, or %s", err, wayOut)
	}
	return c, nil
}

// Update changes the file: it takes the lock, reads the catalog, lets change
// alter it, and replaces the file, with its serial one higher. An error of
// change is returned as it is and leaves the file alone, like any other error,
// a [*FileError]: WSATRY_AGAIN when other processes kept the file locked for
// too long, WSANO_RECOVERY when it is refused or cannot be written.
func (f *File) Update(change func(*Catalog) error) error {
	target, err := f.target()
	if err != nil {
		return err
	}
	unlock, err := f.lock(target)
	if err != nil {
		return err
	}
	defer unlock()
	c, found, err := f.read()
	if err != nil {
		return err
	}
	serial := c.serial
	if err := change(c); err != nil {
		return err
	}
	c.serial = serial + 1
	mode := fs.FileMode(newFileMode)
	if found.exists {
		mode = found.mode.Perm()
	}
	return f.replace(target, c, mode)
}

// Reset puts [Default] in the file's place, whatever is there but a directory or
// a device, and returns where that is kept: the same path with .bak, or .bak.2
// and so on, or "" if there was nothing. The serial goes on counting if it can be read. Reset does
// not insist on the lock: it must work when nothing else does.
func (f *File) Reset() (backup string, err error) {
	target, err := f.target()
	if err != nil {
		return "", err
	}
	if unlock, err := f.lock(target); err == nil {
		defer unlock()
	}
	c := Default()
	if old, _, err := f.read(); err == nil {
		c.serial = old.serial
	}
	c.serial++
	if info, err := os.Lstat(target); err == nil {
		if what := notForReset(info.Mode()); what != "" {
			return "", f.failed(fmt.Errorf("is %s, which a reset does not move away; set UPCALL_CATALOG to a file", what))
		}
		if backup, err = freeBackup(target); err != nil {
			return "", f.failed(err)
		}
		// A second name rather than a new one: the catalog has its place all the
		// while. Not everything can have two.
		if os.Link(target, backup) != nil {
			if err := os.Rename(target, backup); err != nil {
				return "", f.failed(fmt.Errorf("cannot be moved out of the way (%w); remove it by hand, or set UPCALL_CATALOG to another file", cause(err)))
			}
		}
	}
	err = f.replace(target, c, newFileMode)
	if err != nil && backup != "" && putBack(backup, target) {
		backup = ""
	}
	return backup, err
}

// notForReset names what stands in the catalog's place only because the path is
// wrong, and others need: to move it away would be a disaster.
func notForReset(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return ""
}

// putBack undoes the backup of target, unless a new catalog has taken its place.
func putBack(backup, target string) bool {
	old, err := os.Lstat(backup)
	if err != nil {
		return false
	}
	switch now, err := os.Lstat(target); {
	case errors.Is(err, fs.ErrNotExist):
		return os.Rename(backup, target) == nil
	case err == nil && os.SameFile(now, old):
		return os.Remove(backup) == nil
	}
	return false
}

func freeBackup(target string) (string, error) {
	backup := target + ".bak"
	for n := 2; n < 1000; n++ {
		if _, err := os.Lstat(backup); errors.Is(err, fs.ErrNotExist) {
			return backup, nil
		}
		backup = fmt.Sprintf("%s.bak.%d", target, n)
	}
	return "", fmt.Errorf("has too many old copies; remove %s.bak*", target)
}

// target returns the file that path stands for once symbolic links are
// followed, with its directory made: a link stays a link when the file is
// replaced.
func (f *File) target() (string, error) {
	if f.path == "" {
		return "", f.failed(errors.New("there is no place for it without a home directory; set UPCALL_CATALOG to a file"))
	}
	target := f.path
	for range 40 { // as many links as Linux follows
		link, err := os.Readlink(target)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(target), link)
		}
		target = link
	}
	if err := os.MkdirAll(filepath.Dir(target), newDirMode); err != nil {
		return "", f.failed(fmt.Errorf("its directory cannot be made (%w); set UPCALL_CATALOG to a file elsewhere", err))
	}
	return target, nil
}

// lock takes the lock file beside target, which tells writers apart. The lock
// ends with the process, so that a killed one leaves none behind.
func (f *File) lock(target string) (unlock func(), err error) {
	file, err := openLock(target + ".lock")
	if err != nil {
		return nil, f.failed(fmt.Errorf("cannot be locked (%w); change it as its owner, or set UPCALL_CATALOG to another file", err))
	}
	for deadline := time.Now().Add(f.patience); ; {
		busy, err := tryLock(file)
		switch {
		case err == nil && !busy:
			return func() { _ = file.Close() }, nil // closing unlocks; nothing was written
		case err != nil:
			_ = file.Close()
			return nil, f.failed(fmt.Errorf("cannot be locked (%w); is its directory on a file system without locks?", err))
		case time.Now().After(deadline):
			_ = file.Close()
			return nil, &FileError{Path: f.path, Code: spi.WSATRY_AGAIN, Err: errors.New("other programs keep changing it; try again")}
		}
		time.Sleep(time.Millisecond + rand.N(4*time.Millisecond))
	}
}

// replace writes c beside target and renames it into place. Whatever a killed
// writer left there before is cleared away: the lock is held.
func (f *File) replace(target string, c *Catalog, mode fs.FileMode) error {
	text, err := c.Encode()
	if err != nil {
		return f.failed(err)
	}
	if len(text) > maxFileSize {
		return f.failed(fmt.Errorf("would become larger than %d MiB; remove providers that are not needed", maxFileSize>>20))
	}
	dir, prefix := filepath.Dir(target), "."+filepath.Base(target)+"."
	clearLeftovers(dir, prefix)
	if err := writeAndRename(dir, prefix, target, text, mode); err != nil {
		return f.failed(fmt.Errorf("cannot be written (%w); it is as it was", err))
	}
	if err := syncDir(dir); err != nil {
		return f.failed(fmt.Errorf("is changed, but may fall back if the machine loses power now (%w)", err))
	}
	return nil
}

const temporarySuffix = ".tmp"

func clearLeftovers(dir, prefix string) {
	files, _ := os.ReadDir(dir) // a directory that cannot be listed may still be written
	for _, file := range files {
		if strings.HasPrefix(file.Name(), prefix) && strings.HasSuffix(file.Name(), temporarySuffix) {
			_ = os.Remove(filepath.Join(dir, file.Name()))
		}
	}
}

func writeAndRename(dir, prefix, target string, text []byte, mode fs.FileMode) (err error) {
	file, err := os.CreateTemp(dir, prefix+"*"+temporarySuffix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err != nil {
		return cause(err)
	}
	return cause(os.Rename(file.Name(), target))
}

// Watch calls changed with the catalog, or with what Load says is wrong with
// it, at once and then after each change of the file's contents, whoever made
// it and however, until ctx ends. It returns ctx's error, or the system's when
// it cannot watch. It runs on the calling goroutine and leaves none behind.
// Only the directories that the file, and links to it, lie in are watched: one
// further up that is moved away is noticed with the next change in those.
func (f *File) Watch(ctx context.Context, changed func(*Catalog, error)) error {
	var last string // what was seen at the last call of changed
	first := true
	look := func() {
		found, err := f.content()
		seen := fmt.Sprint(found.exists, err, string(found.text))
		if seen == last && !first {
			return
		}
		first, last = false, seen
		var c *Catalog
		if err == nil {
			c, err = f.parse(found)
		}
		changed(c, err)
	}
	if f.path == "" {
		look()
		<-ctx.Done()
		return ctx.Err()
	}
	if err := watch.Follow(ctx, f.path, look); ctx.Err() == nil {
		return f.failed(cause(err))
	}
	return ctx.Err()
}

// cause strips the operation and path from an error whose message names the
// file already.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
