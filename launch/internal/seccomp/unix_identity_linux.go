package seccomp

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// identity is what the kernel judges a thread by that names a file, and what it
// makes one with.
type identity struct {
	users, groups [4]uint32 // real, effective, saved, of the file system
	others        []uint32  // supplementary groups
	capabilities  uint64    // effective
	namespace     string    // of users
	umask         int
	foreign       bool // not the host's
}

// identify reads the identity of a thread. EACCES when the host can act for
// nobody of that identity.
func identify(tid int) (*identity, unix.Errno) {
	program, err := readIdentity(fmt.Sprintf("/proc/%d", tid))
	if err != nil {
		return nil, unix.EACCES
	}
	host, err := readIdentity("/proc/thread-self")
	if err != nil {
		return nil, errnoOf(err)
	}
	if program.namespace != host.namespace {
		program.capabilities = 0 // they hold in there alone
	}
	program.foreign = program.users != host.users || program.groups != host.groups ||
		!slices.Equal(program.others, host.others) || program.capabilities != host.capabilities
	if program.foreign && !host.mayBecome(program) {
		return nil, unix.EACCES
	}
	return program, 0
}

// mayBecome reports whether a thread of the host may take the other identity.
func (i *identity) mayBecome(other *identity) bool {
	const both = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	if i.capabilities&both == both {
		return true
	}
	return i.users == other.users && i.groups == other.groups && slices.Equal(i.others, other.others) && other.capabilities&^i.capabilities == 0
}

func readIdentity(process string) (*identity, error) {
	text, err := os.ReadFile(process + "/status")
	if err != nil {
		return nil, err
	}
	i := &identity{umask: -1}
	if i.namespace, err = os.Readlink(process + "/ns/user"); err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		fields := strings.Fields(value)
		switch name {
		case "Uid":
			copy(i.users[:], wholeNumbers(fields))
		case "Gid":
			copy(i.groups[:], wholeNumbers(fields))
		case "Groups":
			i.others = wholeNumbers(fields)
		case "Umask":
			if mask, err := strconv.ParseInt(strings.Join(fields, ""), 8, 32); err == nil {
				i.umask = int(mask)
			}
		case "CapEff":
			i.capabilities, _ = strconv.ParseUint(strings.Join(fields, ""), 16, 64)
		}
	}
	return i, nil
}

func wholeNumbers(fields []string) []uint32 {
	var all []uint32
	for _, f := range fields {
		if n, err := strconv.ParseUint(f, 10, 32); err == nil {
			all = append(all, uint32(n))
		}
	}
	return all
}

// act calls f as the identity, at once if it is the host's own.
func (i *identity) act(f func() unix.Errno) unix.Errno {
	if !i.foreign {
		return f()
	}
	return i.apart(f)
}

// apart calls f on a thread that has the identity, and a umask and a working
// directory of its own. The thread ends with the call, so that nothing of that is
// left.
func (i *identity) apart(f func() unix.Errno) unix.Errno {
	result := make(chan unix.Errno)
	go func() {
		runtime.LockOSThread() // and never unlocked
		errno := i.become()
		if errno == 0 {
			errno = f()
		}
		result <- errno
	}()
	return <-result
}

// become makes this thread, and no other, have the identity. These calls of
// package unix would change the whole process.
func (i *identity) become() unix.Errno {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return errnoOf(err)
	}
	if i.umask >= 0 {
		unix.Umask(i.umask)
	}
	if !i.foreign {
		return 0
	}
	if errno := i.becomeUser(); errno != 0 {
		return unix.EACCES
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return errnoOf(err)
	}
	for n := range sets {
		sets[n].Effective = sets[n].Permitted & uint32(i.capabilities>>(32*n))
	}
	return errnoOfNil(unix.Capset(&header, &sets[0]))
}

func (i *identity) becomeUser() unix.Errno {
	var others unsafe.Pointer
	if len(i.others) > 0 {
		others = unsafe.Pointer(&i.others[0])
	}
	host, err := readIdentity("/proc/thread-self")
	if err != nil {
		return errnoOf(err)
	}
	if !slices.Equal(i.others, host.others) {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(i.others)), uintptr(others), 0); errno != 0 {
			return errno
		}
	}
	if i.groups != host.groups {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(i.groups[0]), uintptr(i.groups[1]), uintptr(i.groups[2])); errno != 0 {
			return errno
		}
	}
	if i.users != host.users {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(i.users[0]), uintptr(i.users[1]), uintptr(i.users[2])); errno != 0 {
			return errno
		}
	}
	return 0
}
