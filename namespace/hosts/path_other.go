//go:build !windows

package hosts

// systemFile is the system's own file.
const systemFile = "/etc/hosts"
