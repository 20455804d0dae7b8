// Package catalog says which providers are installed, in which order the
// Windows Sockets DLL tries them, and how layers are stacked into chains.
//
// # Where to start
//
//   - [Catalog] is the value: entries in order, with the WSC operations of
//     ws2spi.h as methods that return the documented codes.
//   - [File] keeps a Catalog in one readable TOML file: replaced atomically
//     under a lock, numbered by a serial, watchable, and refused when it cannot
//     be trusted.
//   - [Default] is the catalog of a machine where nobody installed anything,
//     [Compose] the one of a single run with chosen layers.
//   - [Catalog.Check] finds what a provider author or an editor of the file got
//     wrong, and says how to put it right.
//
// # Entries
//
// There are three kinds of [Entry]. A base entry (ChainLen 1) is a provider
// that does the transport itself. A bare layer (ChainLen 0) stands for a
// layered provider; it is never chosen for a socket and exists so that chains
// can name it. A chain (ChainLen 2 to 7) lists the ids of its layers, topmost
// first, and of the base at its end; its provider id and path are those of its
// topmost layer.
//
// Ids count up from 1001 and are never used twice.
//
// Source: https://learn.microsoft.com/windows/win32/winsock/transport-configuration-and-installation-2
package catalog
