package launch

import (
	"errors"
	"io/fs"
	"testing"
)

// A directory of PATH that cannot be searched, here because it is a file, does
// not hide what comes after it.
func TestPathIsSearchedPastOddDirectories(t *testing.T) {
	env := []string{"PATH=/etc/passwd::/usr/bin:/bin"}
	if path, err := findProgram("true", "", env); err != nil || path == "" {
		t.Errorf("true: %q, %v", path, err)
	}
	_, err := findProgram("no-such-program-here", "", env)
	var program *ProgramError
	if !errors.As(err, &program) || program.Code != ExitNotFound || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a program that is nowhere: %v", err)
	}
}
