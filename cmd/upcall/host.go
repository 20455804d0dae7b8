package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// A provider written in C is loaded by the C library's dlopen, which this
// command, a static program, does not have. upcall-host is the same command
// within the shared library of the C door: run hands itself over to it when a
// chain needs it.

// newHostDLL makes the DLL that can load shared objects; nil in a build that
// cannot.
var newHostDLL func(ws2.Config) *ws2.DLL

// newDLL makes the DLL for programs that run.
func newDLL(c ws2.Config) *ws2.DLL {
	if newHostDLL != nil {
		return newHostDLL(c)
	}
	c.LoadLibrary = func(path string) (spi.StartupFunc, error) {
		_, err := hostPath()
		return nil, fmt.Errorf("%s is a shared object, and this build of upcall can load only providers written in Go: %w", path, err)
	}
	return ws2.New(c)
}

// hostVariable names upcall-host where it is not installed beside this command.
const hostVariable = "UPCALL_HOST"

// hostPath finds upcall-host.
func hostPath() (string, error) {
	if path := os.Getenv(hostVariable); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("%s does not name upcall-host: %w", hostVariable, err)
		}
		return path, nil
	}
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "..", "libexec", "upcall", "upcall-host")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("upcall-host, which can load them, is not at %s: make install puts it there, or set %s to where scripts/build-host has made it", filepath.Clean(path), hostVariable)
	}
	return path, nil
}

// handOver continues this command as upcall-host if this build cannot load a
// provider that sockets of the catalog may go through. It returns if there is
// none, or no upcall-host, and the error if that cannot be run.
func handOver(source catalog.Source) error {
	if newHostDLL != nil {
		return nil
	}
	c, err := source.Load()
	if err != nil || !c.SharedObjects() {
		return err
	}
	path, err := hostPath()
	if err != nil {
		return nil //nolint:nilerr // a chain that needs it says so when it starts
	}
	return fmt.Errorf("%s cannot be run: %w", path, errors.Join(syscall.Exec(path, os.Args, os.Environ())))
}
