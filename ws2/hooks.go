package ws2

import (
	"upcall.dev/spi"
)

// WSASetBlockingHook installs the thread's blocking hook, which blocking calls
// of the thread run while they wait: again and again until it returns false,
// then the provider looks whether the call can end. It returns the hook before,
// nil for the default, which does nothing. WSAEOPNOTSUPP (the process has
// negotiated version 2, or the thread is unbound), WSAEFAULT (nil).
// Source: winsock2/nf-winsock2-wsasetblockinghook.
func (t *Thread) WSASetBlockingHook(hook func() bool) (previous func() bool, err error) {
	if e := t.enterVersion1(); e != 0 {
		return nil, t.fail(e)
	}
	if !t.bound {
		return nil, t.fail(spi.WSAEOPNOTSUPP)
	}
	if hook == nil {
		return nil, t.fail(spi.WSAEFAULT)
	}
	return t.setHook(hook), nil
}

// WSAUnhookBlockingHook restores the default hook. WSAEOPNOTSUPP (version 2).
// Source: winsock2/nf-winsock2-wsaunhookblockinghook.
func (t *Thread) WSAUnhookBlockingHook() error {
	if e := t.enterVersion1(); e != 0 {
		return t.fail(e)
	}
	if t.bound {
		t.setHook(nil)
	}
	return nil
}

func (t *Thread) setHook(hook func() bool) (previous func() bool) {
	previous, t.hook = t.hook, hook
	switch {
	case previous == nil && hook != nil:
		t.dll.threads.hooked.Add(1)
	case previous != nil && hook == nil:
		t.dll.threads.hooked.Add(-1)
	}
	return previous
}

// WSAIsBlocking reports whether the thread is inside the hook of a blocking
// call. With version 2 it never is, and the last error is WSAEOPNOTSUPP.
// Source: winsock2/nf-winsock2-wsaisblocking.
func (t *Thread) WSAIsBlocking() bool {
	if e := t.version1(); e != 0 {
		t.setLastError(e)
		return false
	}
	return t.blocking
}

// WSACancelBlockingCall ends, from inside a hook, the blocking call that the
// hook runs for: it will give WSAEINTR. WSAEOPNOTSUPP (version 2), WSAEINVAL (no
// blocking call), and the errors of WSPCancelBlockingCall.
// Source: winsock2/nf-winsock2-wsacancelblockingcall.
func (t *Thread) WSACancelBlockingCall() error {
	if e := t.version1(); e != 0 {
		return t.fail(e)
	}
	if !t.blocking {
		return t.fail(spi.WSAEINVAL)
	}
	if t.cancelled {
		return nil
	}
	p := t.blockedIn.provider
	if err := p.start(t.blockedIn); err != nil {
		return t.failWith(err)
	}
	if e := p.WSPCancelBlockingCall(); e != 0 {
		return t.fail(e)
	}
	t.cancelled = true
	return nil
}

// version1 admits the calls that version 2 has abolished. WSANOTINITIALISED,
// WSAEOPNOTSUPP.
func (t *Thread) version1() spi.Errno {
	switch version := t.dll.effectiveVersion(); {
	case version == 0:
		return spi.WSANOTINITIALISED
	case version&0xff >= 2:
		return spi.WSAEOPNOTSUPP
	}
	return 0
}

// enterVersion1 is version1 for calls that must not be made inside a hook.
func (t *Thread) enterVersion1() spi.Errno {
	if e := t.version1(); e != 0 {
		return e
	}
	if t.blocking {
		return spi.WSAEINPROGRESS
	}
	return 0
}

// runHook is what a blocking provider calls through WPUQueryBlockingCallback:
// it runs the hook until it returns false, and reports whether to keep waiting.
func (t *Thread) runHook(e *entry) bool {
	t.blocking, t.cancelled, t.blockedIn = true, false, e
	defer func() { t.blocking, t.blockedIn = false, nil }()
	for t.hook != nil && t.hook() && !t.cancelled {
	}
	return !t.cancelled
}
