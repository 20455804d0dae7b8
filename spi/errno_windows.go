package spi

import "syscall"

// FromErrno returns the code for a system error number, which on Windows is the
// code itself.
func FromErrno(errno syscall.Errno) Errno { return Errno(errno) }

// Errno returns the system error number, which on Windows is the code itself.
func (e Errno) Errno() syscall.Errno { return syscall.Errno(e) }

// means reports whether errno stands for the same error.
func (e Errno) means(errno syscall.Errno) bool { return errno == syscall.Errno(e) }
