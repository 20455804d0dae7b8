// Package trusted reads files that decide what runs or where connections go:
// only those that nobody but this user or root can have written.
package trusted

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Doubt is the error of a file that others may have written.
type Doubt struct {
	What   string // is the matter with the file
	Remedy string // what to do about it
}

// Error is what is the matter, then what to do.
func (d *Doubt) Error() string { return d.What + ": " + d.Remedy }

// Read returns what the file at path says, and what it looked like when it was
// opened. A file that is not regular, that belongs to another user than this
// one or root, that others can write to, or that is larger than largest bytes
// is refused, the second and the third with a [*Doubt]; the error says what to do,
// but does not name the file. That of a missing file matches [fs.ErrNotExist]. info
// is nil when the file could not be opened.
func Read(path string, largest int64) (text []byte, info fs.FileInfo, err error) {
	// A FIFO in the file's place must not block.
	file, err := os.OpenFile(path, os.O_RDONLY|openNonblock, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return nil, nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, info, errors.New("is not a regular file: name one")
	}
	if d := doubt(info); d != nil {
		return nil, info, d
	}
	text, err = io.ReadAll(io.LimitReader(file, largest+1))
	if err != nil {
		return nil, info, fmt.Errorf("cannot be read: %w", cause(err))
	}
	if int64(len(text)) > largest {
		return nil, info, fmt.Errorf("is larger than %s: shorten it", size(largest))
	}
	return text, info, nil
}

func size(bytes int64) string {
	if mebi := bytes >> 20; mebi > 0 {
		return fmt.Sprintf("%d MiB", mebi)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

// cause is an error without the operation and the path.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
