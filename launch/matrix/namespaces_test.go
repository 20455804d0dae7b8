package matrix

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// world is a user namespace with two network namespaces:
//
//	program side                        proxy side (this process)
//	lo, up                              lo: the servers, at 127.0.0.1
//	link 10.77.0.2, fd77::2 ─────────── link 10.77.0.1, fd77::1: the proxy
//	default route over the link         forwards nothing
//	resolv.conf: 203.0.113.53           hosts: serverName is 127.0.0.1
//	captured, all devices
type world struct {
	t       *testing.T
	work    chan func() // done by the thread of the program side
	packets *capture
}

const (
	serverName = "server.upcall.example"
	nameServer = "203.0.113.53"
)

const worldMarker = "UPCALL_MATRIX_WORLD"

var (
	proxySide   = []netip.Addr{netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("fd77::1")}
	programSide = []netip.Addr{netip.MustParseAddr("10.77.0.2"), netip.MustParseAddr("fd77::2")}
)

// inWorld runs the calling test again, in new namespaces, where worldMarker is
// set, and takes over what comes of it.
func inWorld(t *testing.T) {
	t.Helper()
	need(t, "ip")
	uid, gid, ids := os.Geteuid(), os.Getegid(), 1
	if uid == 0 {
		ids = unprivileged + 1 // programs that refuse to be run by root are run by another
	}
	attr := &syscall.SysProcAttr{
		Cloneflags:                 syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings:                []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: ids}},
		GidMappings:                []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: ids}},
		GidMappingsEnableSetgroups: uid == 0,
		AmbientCaps:                []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_SYS_ADMIN, unix.CAP_NET_BIND_SERVICE},
		Pdeathsig:                  syscall.SIGKILL,
		Setpgid:                    true,
	}
	probe := exec.Command("/bin/true")
	probe.SysProcAttr = attr
	if err := probe.Run(); err != nil {
		t.Skipf("no user namespaces here: %v", err)
	}
	which := flag.Lookup("test.run").Value.String() // the same subtests
	if !strings.HasPrefix(which, "^"+t.Name()) && !strings.HasPrefix(which, t.Name()) {
		which = "^" + t.Name() + "$"
	}
	cmd := exec.Command("/proc/self/exe", "-test.run="+which, "-test.v", "-test.timeout=25m")
	cmd.Env = append(os.Environ(), worldMarker+"=1")
	cmd.Env = append(cmd.Env, programs()...)
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// openWorld lays the link and begins to capture.
func openWorld(t *testing.T, handle func(packet)) *world {
	t.Helper()
	w := &world{t: t, work: make(chan func())}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	over(t, "/etc/hosts", "127.0.0.1 localhost "+serverName+"\n")
	over(t, "/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		for do := range w.work {
			do()
		}
	}()
	t.Cleanup(func() {
		close(w.work)
		<-ended
	})
	ip(t, "link set lo up")
	var thread int
	err := w.do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
			return err
		}
		over(t, "/etc/hosts", "127.0.0.1 localhost\n")
		over(t, "/etc/resolv.conf", "nameserver "+nameServer+"\noptions ndots:0 timeout:5 attempts:1\n")
		ip(t, "link set lo up")
		thread = unix.Gettid()
		w.packets = openCapture(t, handle)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ip(t, fmt.Sprintf("link add link0 type veth peer name link0 netns %d", thread))
	address := func(at []netip.Addr) {
		ip(t, fmt.Sprintf("address add %v/24 dev link0", at[0]))
		ip(t, fmt.Sprintf("address add %v/64 dev link0 nodad", at[1]))
		ip(t, "link set link0 addrgenmode none")
		ip(t, "link set link0 up")
	}
	address(proxySide)
	_ = w.do(func() error {
		address(programSide)
		ip(t, fmt.Sprintf("route add default via %v", proxySide[0]))
		ip(t, fmt.Sprintf("-6 route add default via %v", proxySide[1]))
		return nil
	})
	return w
}

// do runs something in the thread of the program side: what it starts runs
// there, and its sockets are there.
func (w *world) do(what func() error) error {
	result := make(chan error)
	w.work <- func() { result <- what() }
	return <-result
}

// settle waits until all that the programs have sent is captured.
func (w *world) settle() {
	w.packets.settle(w.t, func() {
		err := w.do(func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Sendto(fd, []byte("marker"), 0, &unix.SockaddrInet4{Port: 9, Addr: marker.As4()})
		})
		if err != nil {
			w.t.Error(err)
		}
	})
}

// over puts a file of that text over one of the system's, for the thread's
// mount namespace.
func over(t *testing.T, path, text string) {
	t.Helper()
	ours := filepath.Join(openDir(t), "file")
	err := os.WriteFile(ours, []byte(text), 0o644)
	if err == nil {
		err = unix.Mount(ours, path, "", unix.MS_BIND, "")
	}
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command(lookUp("ip"), strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Errorf("ip %s: %v: %s", args, err, out)
	}
}
