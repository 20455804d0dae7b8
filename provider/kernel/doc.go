// Package kernel is the base provider over the sockets of the Linux kernel: TCP
// and UDP over IPv4 and IPv6, and AF_UNIX streams. Its handles are IFS handles:
// a socket is its file descriptor, whose O_NONBLOCK is the client's blocking
// mode, so read(2), write(2) and poll(2) work on it and bypass every layer.
//
// # Where to start
//
//   - driver.go: the registered driver "kernel", its five catalog entries, and
//     WSPStartup and WSPCleanup.
//   - socket.go: what the provider keeps for each descriptor, and how a
//     descriptor that it did not make is adopted.
//   - wait.go: how a blocking call waits, and what ends the wait.
//   - send.go, recv.go: the data path, one system call each on a nonblocking
//     socket.
//   - events.go: network events; poller.go, attendant.go: the provider's two
//     goroutines, which stand on epoll.go.
//   - overlapped.go: overlapped operations, each an operation (operation.go) in
//     a queue of its socket; overlapped_port.go: the client's completion port.
//   - extension.go: the extension functions; acceptex.go, connectex.go,
//     disconnectex.go, transmit.go and message.go are one each, or two;
//     replace.go puts another kernel socket under a handle.
//   - select.go, poll.go: looking at many sockets, by pollset.go.
//   - duplicate.go, handover.go: duplicates, for other processes too.
//   - notice.go: news of addresses and routes.
//
// # Where Linux and Windows differ
//
// The provider answers as Windows does: options and control codes are
// translated by meaning, and where Linux would go on silently (listen on an
// unbound socket, getsockname on one, receiving after SD_RECEIVE) the
// documented Winsock error is given. What cannot be had is refused by name:
// QOS, connect and disconnect data, multipoint roots and leaves, and
// SO_CONDITIONAL_ACCEPT.
//
// Descriptors are close-on-exec. TCP listeners get SO_REUSEADDR in the kernel
// unless SO_EXCLUSIVEADDRUSE is set, so that connections in TIME_WAIT do not
// keep a port, as on Windows; Winsock's SO_REUSEADDR on TCP, which shares a
// port between listeners, is SO_REUSEPORT here.
package kernel
