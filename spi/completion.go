package spi

// Completion is the outcome of one overlapped operation that has ended. The
// fields of Overlapped are stored already.
type Completion struct {
	Overlapped  *Overlapped
	Status      Errno // 0 is success
	Transferred uint32
}

// CompletionPort is a client's completion port as the base provider of an IFS
// handle sees it: what the operating system is for such a handle on Windows.
// [DLL.CompletionPort] finds it. Values are comparable: two are equal when
// completions go to the same place.
//
// A port watches descriptors itself, inside the call that dequeues, so that the
// thread that takes a completion is the one that did the work. Operations on a
// watched descriptor therefore go on only while a thread dequeues. A provider
// that must go on without one, since the client may wait in another way (an
// event of the operation, WSPGetOverlappedResult with wait), watches by itself
// too.
type CompletionPort interface {
	// Watch makes the port call target.Ready after each change of the
	// descriptor, edge-triggered: the caller looks for itself once after Watch.
	// One descriptor may be watched once in a port. The result is what Unwatch
	// takes. WSAEMFILE, WSAENOBUFS, WSA_INVALID_HANDLE (the port is closed).
	Watch(fd uintptr, target PortTarget) (watch uintptr, errno Errno)

	// Unwatch ends a watch. A call of Ready may still be running when it
	// returns, and must find that it has nothing to do. The descriptor must
	// still be open, for the kernel goes on while a duplicate is.
	Unwatch(fd, watch uintptr)

	// Post queues the packet of an operation that has completed outside Ready.
	// It calls no provider and may be called with any lock held, also when the
	// port is closed.
	Post(c Completion)

	// SkipOnSuccess reports whether the client wants no packet for an operation
	// whose call returned success at once
	// (FILE_SKIP_COMPLETION_PORT_ON_SUCCESS).
	SkipOnSuccess() bool
}

// PortTarget is a watched descriptor.
type PortTarget interface {
	// Ready goes on with the descriptor's operations. events are what epoll(7)
	// tells (EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP, EPOLLERR, EPOLLHUP).
	// Operations that complete, and have a packet coming, are appended to done
	// rather than posted. It runs on a thread that dequeues, one call at a time
	// for one watch, with no lock held, and must not block.
	Ready(events uint32, done []Completion) []Completion

	// Orphaned tells that the port is closed, which ended the watch. The
	// operations that are under way go on, and are still posted when they
	// complete: the client gets no packets any more, but a layer that waits for
	// them by CompleteWith does. It is called once, after the latest Ready, on
	// any thread, with no lock held.
	Orphaned()
}

// Watcher is a client that waits for descriptors, beside its own, on the thread that
// then makes its calls. A base provider whose socket has an event of such a client
// selected ([DLL.EventWatcher]) need not watch the socket on a thread of its own,
// which would have to wake the client's. The client waits as long as the event is
// selected.
type Watcher interface {
	// Watch makes the client call ready after each change of the descriptor,
	// edge-triggered, on its thread, with no lock held and what epoll(7) tells: the
	// caller looks for itself once after Watch. The result is what Unwatch takes. It
	// calls no provider and may be called with any lock held; so may Unwatch. WSAEMFILE,
	// WSAENOBUFS.
	Watch(fd uintptr, ready func(events uint32)) (watch uintptr, errno Errno)

	// Unwatch ends a watch. A call of ready may still be running when it returns. The
	// descriptor must still be open.
	Unwatch(fd, watch uintptr)
}

// CancelRequest is the input of [SIO_CANCEL_IO].
type CancelRequest struct {
	Overlapped uintptr // the address of the operation's OVERLAPPED; 0 means every operation of the handle
	Thread     uintptr // ThreadID.ThreadHandle of the thread that started it; 0 means any
}

// SIO_CANCEL_IO is this host's own ioctl by which CancelIo, CancelIoEx and the
// end of a thread reach a base provider, through every layer above it, as they
// reach a driver on Windows. in is a [CancelRequest] of a socket's handle; the
// operations that it names complete with WSA_OPERATION_ABORTED, with their
// indications. ERROR_NOT_FOUND when there are none. A layer that gives the
// next provider an OVERLAPPED of its own translates the address.
const SIO_CANCEL_IO = 0x98005543

// SIO_DISSOLVE is this host's own ioctl by which a layer gives up the connection
// of an IFS handle that it has not told the client of, as when a proxy refuses:
// the connection is reset, and the same socket, under all its descriptors, can
// be connected again. WSAEOPNOTSUPP where the provider has no such thing.
const SIO_DISSOLVE = 0x98005544
