// Package ws2 is the Windows Sockets DLL: the host of service providers. It
// starts them, gives them the upcalls, keeps the table of socket handles, and
// hands every client call to the provider whose socket it is for.
//
// # Where to start
//
//   - The sixteen upcalls, one documented method each: upcalls.go.
//   - What a client calls: the methods of [Thread]. Make a [DLL] with [New],
//     bind the calling goroutine with [DLL.BindThread], call
//     [Thread.WSAStartup], then [Thread.Socket] and so on.
//   - How a call finds its provider: dispatch.go (every call), choose.go
//     (making a socket), adopt.go (a handle the DLL has not seen yet).
//   - Names: resolve.go (the DLL's own lookups), lookup.go (a client's), and
//     namespaces.go (the providers that both ask).
//   - How a provider comes to life and ends: startup.go, load.go, guard.go.
//
// # How the parts hang together
//
// A [DLL] stands for one process's Ws2_32.dll; nothing in this package is
// global. The first WSAStartup reads the catalog into an immutable view
// (type running), with one provider object per provider id. A provider is
// loaded and started by the first call that needs it. Sockets are small objects
// in one of two tables: by file descriptor for IFS handles, by slot for the
// handles that WPUCreateSocketHandle makes. A call looks its handle up there,
// without a lock, and calls the provider.
//
// No lock is held over a call into a provider. A socket object stays valid for
// the calls that have found it, however the table changes meanwhile, so nothing
// counts the calls in flight.
//
// # Threads
//
// Last error, blocking hook, alertable waits and message queues belong to
// threads, so client calls are methods of a [Thread]. [DLL.BindThread] locks
// the goroutine to its operating-system thread. Goroutines that have no use for
// thread state share [DLL.Unbound].
package ws2
