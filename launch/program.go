package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Exit codes that [Run] gives when there is none of the program's own, as
// shells, env and nohup do.
const (
	ExitLaunchFailed  = 125 // the program was not started, for a reason that is not its own
	ExitNotExecutable = 126 // the program is there but cannot be executed
	ExitNotFound      = 127 // there is no such program
	ExitSignalled     = 128 // plus the number of the signal that killed the program
)

// ProgramError is the error of [Run] when the program itself cannot be started.
type ProgramError struct {
	Program string
	Code    int    // ExitNotExecutable or ExitNotFound
	Advice  string // what is wrong and the way out
	Err     error
}

func (e *ProgramError) Error() string { return e.Program + ": " + e.Advice }

// Unwrap returns the system's error.
func (e *ProgramError) Unwrap() error { return e.Err }

// findProgram resolves a program as shells do: a name without a slash is looked
// up in the PATH of env, past directories that cannot be searched; anything else
// is relative to dir.
func findProgram(program, dir string, env []string) (string, error) {
	if program == "" {
		return "", &ProgramError{Program: "program", Code: ExitNotFound, Advice: "no program is named: write it after --", Err: fs.ErrNotExist}
	}
	if strings.ContainsRune(program, filepath.Separator) {
		return program, checkProgram(program, inDir(program, dir))
	}
	var found error
	for _, directory := range filepath.SplitList(lookupEnv(env, "PATH")) {
		if directory == "" {
			directory = "."
		}
		path := directory + string(filepath.Separator) + program // Join would drop a leading ./
		switch err := checkProgram(program, inDir(path, dir)); {
		case err == nil:
			return path, nil
		case found == nil && isThere(inDir(path, dir)):
			found = err
		}
	}
	if found != nil {
		return "", found
	}
	return "", &ProgramError{Program: program, Code: ExitNotFound, Advice: "no such program in PATH: install it, or give its path", Err: fs.ErrNotExist}
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func inDir(path, dir string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func lookupEnv(env []string, name string) (value string) {
	for _, entry := range env {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

func checkProgram(program, path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &ProgramError{Program: program, Code: ExitNotFound, Advice: "no such file: check the path", Err: err}
	case err != nil:
		return &ProgramError{Program: program, Code: ExitNotExecutable, Advice: fmt.Sprintf("cannot be looked at (%v): check the permissions of its directories", errors.Unwrap(err)), Err: err}
	case info.IsDir():
		return &ProgramError{Program: program, Code: ExitNotExecutable, Advice: "is a directory: name the program in it", Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		return &ProgramError{Program: program, Code: ExitNotExecutable, Advice: "is not a regular file: name the file of a program", Err: fs.ErrPermission}
	case info.Mode().Perm()&0o111 == 0:
		return &ProgramError{Program: program, Code: ExitNotExecutable, Advice: "is not executable: chmod +x it, or name its interpreter first", Err: fs.ErrPermission}
	}
	return nil
}

// execError explains why execve refused a program that was found.
func execError(program string, errno syscall.Errno) error {
	e := &ProgramError{Program: program, Code: ExitNotExecutable, Err: errno}
	switch errno {
	case syscall.ENOENT:
		e.Code = ExitNotFound
		e.Advice = "its interpreter is missing: look at the first line of the script, or at the program's dynamic loader"
	case syscall.ENOEXEC:
		e.Advice = "is neither a program for this machine nor a script with a #! line: name its interpreter first"
	case syscall.EACCES:
		e.Advice = "may not be executed (permission denied): check its mode and that its file system is not mounted noexec"
	case syscall.E2BIG:
		e.Advice = "its arguments and environment are too long"
	default:
		e.Advice = fmt.Sprintf("cannot be executed: %v", errno)
	}
	return e
}
