//go:build !unix

package socks

// descriptorMode does not know: such a system does not tell.
func descriptorMode(uintptr) (nonblocking, ok bool) { return false, false }
