// Package spi is the contract between the Windows Sockets DLL (package ws2)
// and its service providers: the thirty WSP functions, WSPStartup, the upcall
// table, and the structures, flags and error codes that pass between them.
//
// # Where to start
//
//   - To write a provider, read [Provider] (the thirty functions) and
//     [StartupFunc] (how it is started), then register it with [Register].
//   - To write a layer, embed the next [Provider] in a struct and override the
//     functions that change something; package upcall.dev/layer finds and starts the next
//     provider, package upcall.dev/nonifs holds what non-IFS layers need.
//   - To write a namespace provider, read [NSP]; package upcall.dev/namespace
//     makes one of two functions.
//   - To call the host, see [UpcallTable] and [DLL].
//   - To understand a result, see [Errno].
//
// # Conventions
//
// Structures have the exact layout of 64-bit Windows, so that the C door can
// pass pointers through without translation. Where Winsock passes a pointer
// and a length for input, Go passes a slice. Where it passes a buffer and an
// in/out length, Go passes a slice whose length is the buffer's size and a
// pointer that receives the length. The trailing lpErrno argument is the
// [Errno] result: zero is success, and a BOOL function's FALSE is a non-zero
// Errno.
//
// Names are those of ws2spi.h, so that Microsoft's reference pages answer for
// everything here. Each comment names its page under
// https://learn.microsoft.com/windows/win32/api/ws2spi/.
package spi
