package isolate

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// resolvConf is where C libraries look for name servers.
const resolvConf = "/etc/resolv.conf"

// resolverSockets lead to services of the host that look names up in its own
// network.
var resolverSockets = []string{
	"/run/nscd/socket", "/var/run/nscd/socket",
	"/run/systemd/resolve/io.systemd.Resolve", "/run/systemd/resolve/io.systemd.Resolve.Monitor",
	"/run/avahi-daemon/socket", "/var/run/avahi-daemon/socket",
}

// nameFiles is what of the host's files the program sees otherwise, so that
// names are looked up through the chain.
type nameFiles struct {
	Resolvers string // path of the file for /etc/resolv.conf, "" where the host's will do
	behind    []netip.Addr
}

// hostNames reads the host's /etc/resolv.conf. Where it names servers of the
// host's loopback it is written anew, with addresses of the namespace.
func hostNames() (*nameFiles, error) {
	text, err := os.ReadFile(resolvConf)
	if errors.Is(err, fs.ErrNotExist) {
		return &nameFiles{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", resolvConf, err)
	}
	written, behind := rewriteResolvers(string(text))
	if len(behind) == 0 {
		return &nameFiles{}, nil
	}
	f, err := os.CreateTemp("", "upcall-resolv-*.conf")
	if err != nil {
		return nil, fmt.Errorf("no file for the program's %s: %w", resolvConf, err)
	}
	_, err = f.WriteString(written)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		os.Remove(f.Name())
		return nil, fmt.Errorf("no file for the program's %s: %w", resolvConf, err)
	}
	return &nameFiles{Resolvers: f.Name(), behind: behind}, nil
}

// remove removes the files; what is mounted stays.
func (n *nameFiles) remove() {
	if n.Resolvers != "" {
		os.Remove(n.Resolvers)
	}
}

// rewriteResolvers replaces the name servers on a loopback by addresses of the
// namespace and returns what is behind these. No server at all means 127.0.0.1.
func rewriteResolvers(text string) (written string, behind []netip.Addr) {
	var out strings.Builder
	servers := 0
	add := func(server netip.Addr) {
		fmt.Fprintf(&out, "nameserver %v\n", resolverAddresses[len(behind)])
		behind = append(behind, server)
	}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "nameserver" {
			servers++
			server, err := netip.ParseAddr(fields[1])
			if err == nil && (server.Unmap().IsLoopback() || server.IsUnspecified()) {
				if len(behind) < maxNameservers {
					add(server.Unmap().WithZone(""))
				}
				continue
			}
		}
		out.WriteString(lines.Text())
		out.WriteByte('\n')
	}
	if servers == 0 {
		add(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	return out.String(), behind
}

// mount puts the files in their places, in this thread's mount namespace. step
// says what failed.
func (n *nameFiles) mount() (step string, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return "keep mounts to the namespace", err
	}
	if n.Resolvers != "" {
		if err := unix.Mount(n.Resolvers, resolvConf, "", unix.MS_BIND, ""); err != nil {
			return "mount " + resolvConf, err
		}
	}
	for _, socket := range resolverSockets {
		// Connecting to what is no socket is refused, and the C library asks the
		// name servers itself.
		err := unix.Mount("/dev/null", socket, "", unix.MS_BIND, "")
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			return "hide " + socket, err
		}
	}
	return "", nil
}
