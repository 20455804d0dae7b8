package launch

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/machine"
)

// executable looks at what the kernel would execute for a program.
type executable struct {
	door     machine.Door
	dir      string // the program's working directory
	findings []machine.Finding
}

func (x *executable) fine(subject, format string, args ...any) {
	x.findings = append(x.findings, machine.Finding{Door: x.door, Subject: subject, State: machine.OK, Detail: fmt.Sprintf(format, args...)})
}

func (x *executable) find(subject string, failed machine.State, err error) {
	x.findings = append(x.findings, machine.Find(x.door, subject, failed, err))
}

// maxInterpreters is how many scripts in a row Linux follows, and maxFirstLine how
// much of a file it looks at.
const (
	maxInterpreters = 5
	maxFirstLine    = 256
)

// look looks at a program's file, and at the interpreters that run it.
func (x *executable) look(path string) {
	for range maxInterpreters {
		interpreter, more := x.lookAt(path)
		if !more {
			return
		}
		path = interpreter
	}
	x.find("script", machine.Missing, machine.Refused("name the last interpreter first", "more scripts run one another than Linux follows"))
}

// lookAt looks at one file. more is true for a script, which the interpreter runs.
func (x *executable) lookAt(path string) (interpreter string, more bool) {
	at := inDir(path, x.dir)
	if err := checkProgram(path, at); err != nil {
		x.find("program", machine.Missing, asRefusal(err))
		return "", false
	}
	if err := unix.Faccessat(unix.AT_FDCWD, at, unix.X_OK, unix.AT_EACCESS); err != nil {
		x.find("program", machine.Missing, asRefusal(execError(path, unix.EACCES)))
		return "", false
	}
	x.privileges(path, at)
	file, err := os.Open(at)
	if err != nil {
		x.unreadable(path)
		return "", false
	}
	defer file.Close()
	head := make([]byte, maxFirstLine)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		x.find("program", machine.Missing, machine.Refused("look at the file", "%s cannot be read (%w)", path, errors.Unwrap(err)))
		return "", false
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		return x.script(path, head[2:])
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		x.elf(path, file)
	default:
		x.find("program", machine.Missing, asRefusal(execError(path, unix.ENOEXEC)))
	}
	return "", false
}

func (x *executable) script(path string, line []byte) (interpreter string, more bool) {
	line, _, _ = bytes.Cut(line, []byte("\n"))
	fields := strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' || r == '\t' })
	if len(fields) == 0 {
		x.find("script", machine.Missing, asRefusal(execError(path, unix.ENOEXEC)))
		return "", false
	}
	if !isThere(inDir(fields[0], x.dir)) {
		x.find("script", machine.Missing, machine.Refused("look at the first line of the script", "%s is run by %q, which is missing", path, fields[0]))
		return "", false
	}
	x.fine("script", "run by %s", fields[0])
	return fields[0], true
}

// privileges tells of those that the file would have without upcall.
func (x *executable) privileges(path, at string) {
	remedy := "run the program as root with upcall run, or do without the privilege"
	var info unix.Stat_t
	if unix.Stat(at, &info) == nil && isSetuid(&info) {
		x.find("privileges", machine.Note, machine.Refused(remedy, "%s is setuid or setgid: under upcall it runs without that privilege", path))
	}
	if n, err := unix.Getxattr(at, "security.capability", nil); err == nil && n > 0 {
		x.find("privileges", machine.Note, machine.Refused(remedy, "%s has file capabilities: under upcall it runs without them", path))
	}
}

// isSetuid reports whether a file would give a program another user or group.
func isSetuid(info *unix.Stat_t) bool {
	return info.Mode&unix.S_ISUID != 0 && info.Uid != uint32(os.Geteuid()) ||
		info.Mode&unix.S_ISGID != 0 && info.Mode&unix.S_IXGRP != 0 && info.Gid != uint32(os.Getegid())
}

// unreadable is a file that may be executed and not read: the kernel lets nobody
// look into its processes.
func (x *executable) unreadable(path string) {
	state := machine.Missing
	if x.door == machine.Isolate {
		state = machine.Note
	}
	x.find("program", state, machine.Refused("chmod +r it, or use --isolate",
		"%s may be executed but not read: what it is cannot be seen, and the kernel forbids access to its sockets", path))
}

func (x *executable) elf(path string, file io.ReaderAt) {
	f, err := elf.NewFile(file)
	if err != nil {
		x.find("program", machine.Missing, machine.Refused("look at the file", "%s is no whole ELF file (%w)", path, err))
		return
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		x.find("program", machine.Missing, machine.Refused("link it first", "%s is an ELF file but no program (%v)", path, f.Type))
		return
	}
	linked, loader := "static", ""
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < unix.PathMax {
			text := make([]byte, p.Filesz)
			if _, err := p.ReadAt(text, 0); err == nil {
				loader = strings.TrimRight(string(text), "\x00")
				linked = "dynamic, loaded by " + loader
			}
		}
	}
	if loader != "" && !isThere(inDir(loader, x.dir)) {
		x.find("program", machine.Missing, machine.Refused("install the C library that it is made for", "%s is dynamic, and its loader %s is missing", path, loader))
		return
	}
	x.machine(path, f, linked)
}

// machine compares the file's architecture with this machine's.
func (x *executable) machine(path string, f *elf.File, linked string) {
	native, narrow := elf.EM_X86_64, elf.EM_386
	if runtime.GOARCH == "arm64" {
		native, narrow = elf.EM_AARCH64, elf.EM_ARM
	}
	switch {
	case f.Machine == native && f.Class == elf.ELFCLASS64:
		x.fine("program", "%s: 64-bit %s, %s", path, runtime.GOARCH, linked)
	case f.Machine == narrow, f.Machine == native:
		if x.door == machine.Isolate {
			x.fine("program", "%s: 32-bit, %s", path, linked)
			return
		}
		x.find("program", machine.Missing, machine.Refused("use a 64-bit build, or --isolate",
			"%s is a 32-bit or x32 program, %s: its system calls cannot be carried", path, linked))
	default:
		x.find("program", machine.Missing, machine.Refused("use a build for this machine",
			"%s is for another architecture (%v), and this is %s", path, f.Machine, runtime.GOARCH))
	}
}

// asRefusal splits a program's error into what is wrong and the way out.
func asRefusal(err error) error {
	var p *ProgramError
	if !errors.As(err, &p) {
		return err
	}
	what, remedy, found := strings.Cut(p.Advice, ": ")
	if !found {
		return err
	}
	return machine.Refused(remedy, "%s: %s", p.Program, what)
}
