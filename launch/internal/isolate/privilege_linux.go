package isolate

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/machine"
)

// namespaces returns how the stage is started: in a user namespace where every
// user and group that this process may map is itself, with the capabilities that
// the stage needs there.
func namespaces() (*syscall.SysProcAttr, error) {
	a := &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS,
		AmbientCaps: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_SYS_ADMIN},
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}},
	}
	if os.Geteuid() != 0 {
		return a, nil
	}
	// root's programs change their user: all users are there.
	users, err := identity("/proc/self/uid_map")
	if err != nil {
		return nil, err
	}
	groups, err := identity("/proc/self/gid_map")
	if err != nil {
		return nil, err
	}
	a.UidMappings, a.GidMappings, a.GidMappingsEnableSetgroups = users, groups, true
	return a, nil
}

// dropCapabilities leaves none that the program would inherit: it gets those that
// its user has, root's in the user namespace, and nobody else's.
func dropCapabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&head, &sets[0]); err != nil {
		return err
	}
	sets[0].Inheritable, sets[1].Inheritable = 0, 0
	return unix.Capset(&head, &sets[0])
}

// identity reads which ids this process's user namespace has and maps them to
// themselves.
func identity(path string) ([]syscall.SysProcIDMap, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []syscall.SysProcIDMap
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var inside, outside, size int
		if _, err := fmt.Sscan(lines.Text(), &inside, &outside, &size); err != nil {
			return nil, fmt.Errorf("%s: %q is not a mapping", path, lines.Text())
		}
		all = append(all, syscall.SysProcIDMap{ContainerID: inside, HostID: inside, Size: size})
	}
	return all, nil
}

// forbidding are the settings that forbid user namespaces to people, with the
// value that does and the one that does not.
var forbidding = []struct{ name, forbids, allows string }{
	{"user.max_user_namespaces", "0", "10000"},
	{"user.max_net_namespaces", "0", "10000"},
	{"user.max_mnt_namespaces", "0", "10000"},
	{"kernel.unprivileged_userns_clone", "0", "1"},
	{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
}

// forbidden returns the way out for who may not make namespaces, with the setting
// that forbids them.
func forbidden() string {
	for _, f := range forbidding {
		value, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(f.name, ".", "/"))
		if err == nil && strings.TrimSpace(string(value)) == f.forbids {
			return fmt.Sprintf("%s is %s: set it to %s (sysctl -w %s=%s)", f.name, f.forbids, f.allows, f.name, f.allows)
		}
	}
	return "in a container its seccomp profile must allow unshare(2) and mount(2); elsewhere a security module forbids them; without --isolate none is needed"
}

// startError explains why the stage does not start.
func startError(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		switch errno {
		case unix.EPERM, unix.EACCES, unix.ENOSPC, unix.EUSERS, unix.EINVAL:
			return machine.Refused(forbidden(), "the kernel forbids user namespaces, which --isolate needs (%w)", errno)
		}
	}
	return fmt.Errorf("a second copy of this program does not start: %w", err)
}

// stageError explains why the stage has not made its namespaces.
func stageError(r stageReply) error {
	switch r.Errno {
	case unix.EPERM, unix.EACCES, unix.ENOSPC, unix.EUSERS:
		return machine.Refused(forbidden(), "the kernel forbids what --isolate needs, to %s in a user namespace (%w)", r.Step, r.Errno)
	case unix.EOPNOTSUPP:
		return machine.Refused("load its module, such as by modprobe veth", "the kernel cannot %s (%w)", r.Step, r.Errno)
	}
	return fmt.Errorf("cannot %s in a namespace: %w", r.Step, r.Errno)
}
