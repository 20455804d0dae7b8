//go:build unix

package trusted

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if _, _, err := Read(path, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, info, err := Read(path, 10); err != nil || string(text) != "0123456789" || info.Size() != 10 {
		t.Errorf("%q, %v, %v", text, info, err)
	}
	var doubt *Doubt
	refused := func(what, path string, largest int64, want string) {
		t.Helper()
		if _, _, err := Read(path, largest); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	refused("too large", path, 9, "is larger than 0 KiB")
	for _, mode := range []os.FileMode{0o620, 0o602, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		refused(mode.String(), path, 10, "can be written by others")
		if _, _, err := Read(path, 10); !errors.As(err, &doubt) {
			t.Errorf("%v is not a doubt", err)
		}
	}
	if _, info, err := Read(dir, 10); info == nil || !info.IsDir() || errors.As(err, &doubt) {
		t.Errorf("a directory: %v, %v", info, err)
	}
	refused("a directory", dir, 10, "is not a regular file")
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("a FIFO that nobody writes to", fifo, 10, "is not a regular file")
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chmod(path, 0o600), os.Chown(path, 12345, -1)); err != nil {
			t.Fatal(err)
		}
		refused("somebody else's", path, 10, "belongs to user 12345, not to you (user 0) or root")
	}
}
