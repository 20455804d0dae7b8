package ws2

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"upcall.dev/internal/port"
	"upcall.dev/internal/slot"
	"upcall.dev/internal/wait"
	"upcall.dev/internal/window"
	"upcall.dev/spi"
)

// Thread is the thread that a client calls from. A bound one, from
// [DLL.BindThread] or [DLL.AdoptThread], is used on its own operating-system
// thread only; the unbound one, from [DLL.Unbound], by any number of goroutines.
type Thread struct {
	dll   *DLL
	id    spi.ThreadID // what providers get as lpThreadId
	bound bool

	// What follows is the bound thread's own, and touched by it alone.
	osID         int
	binds        []bool // one per bind not undone yet: whether it locked the goroutine
	lastError    spi.Errno
	openType     int32        // SO_OPENTYPE
	waiter       *wait.Waiter // Queue may be called from anywhere
	waited       waited
	worker       *port.Worker  // nil before the first use of a completion port
	room         []port.Packet // for GetQueuedCompletionStatusEx
	hook         func() bool   // nil: the default
	blocking     bool          // inside the hook of a blocking call
	cancelled    bool
	blockedIn    *entry // whose call blocks
	scratch      scratch
	scratchInUse bool
	overlaps     bool // it has started an overlapped operation

	// Where its messages come, nil before the first window. Anybody may look.
	queue atomic.Pointer[window.Queue]

	// Its end, for the handles of OpenThread: nil before the first of them, and
	// the exit code. Anybody may look.
	ended    atomic.Pointer[wait.Event]
	exitCode atomic.Uint32
}

// threadTable knows the bound threads.
type threadTable struct {
	ids    *slot.Table[threadRef] // by ThreadID.ThreadHandle
	bound  sync.Map               // *Thread by operating-system thread id
	hooked atomic.Int32           // how many have a blocking hook
}

// threadRef is one id of a thread: its own, which providers get with every
// call, or one that WPUOpenCurrentThread or OpenThread made.
type threadRef struct {
	thread *Thread
	own    bool
}

// BindThread locks the calling goroutine to its operating-system thread and
// returns the [Thread] for it, which has a last error, a blocking hook, APCs
// and alertable waits of its own. Each call is undone by one [Thread.Unbind],
// without which the thread's state is never freed. A goroutine that is bound
// already gets the same Thread.
func (d *DLL) BindThread() *Thread {
	runtime.LockOSThread()
	return d.bindThread(true)
}

// AdoptThread is [DLL.BindThread] for a caller that is on one
// operating-system thread for as long as the bind lasts without its goroutine
// being locked to it: a call from C, whose goroutine lives for that call only.
// Later calls from C on that thread use the same Thread, and the last one,
// before the thread ends, makes the [Thread.Unbind]: a thread of the system
// that gets the id of one that was never unbound would be taken for it.
func (d *DLL) AdoptThread() *Thread { return d.bindThread(false) }

// bindThread returns the calling operating-system thread's Thread; locked says
// whether the caller has locked its goroutine to it for this.
func (d *DLL) bindThread(locked bool) *Thread {
	osID := osThreadID()
	if bound, ok := d.threads.bound.Load(osID); ok {
		t := bound.(*Thread)
		t.binds = append(t.binds, locked)
		return t
	}
	t := &Thread{dll: d, bound: true, binds: []bool{locked}, osID: osID, waiter: wait.NewThreadWaiter()}
	t.id.ThreadHandle, _ = d.threads.ids.Insert(&threadRef{thread: t, own: true}, 0)
	d.threads.bound.Store(osID, t)
	return t
}

// Unbind undoes the latest [DLL.BindThread] or [DLL.AdoptThread] that is not
// undone yet; the caller is the goroutine, or the thread of the system, that
// made it. The last one ends the thread: the overlapped operations that it
// started are cancelled, except on sockets with a completion port, its queued
// APCs are dropped, queueing more fails, and the Thread must not be used any
// more. On the unbound thread it does nothing.
func (t *Thread) Unbind() {
	last := len(t.binds) - 1
	if !t.bound || last < 0 {
		return
	}
	locked := t.binds[last]
	t.binds = t.binds[:last]
	if last == 0 {
		if t.overlaps {
			t.cancelAll()
		}
		t.dll.threads.bound.Delete(t.osID)
		t.dll.threads.ids.Remove(t.id.ThreadHandle)
		t.waiter.Close()
		t.LeavePort()
		if q := t.queue.Load(); q != nil {
			q.Close()
		}
		t.setHook(nil)
		if ended := t.ended.Load(); ended != nil {
			ended.Set()
		}
	}
	if locked {
		runtime.UnlockOSThread()
	}
}

// Unbound returns the thread for goroutines that wander between
// operating-system threads. It keeps no last error, has no blocking hook, runs
// no APCs (overlapped calls with a completion routine give WSAEOPNOTSUPP), and
// may be used by many goroutines at once.
func (d *DLL) Unbound() *Thread { return d.unbound }

// DLL returns the DLL that the thread calls.
func (t *Thread) DLL() *DLL { return t.dll }

// CallingThread returns the Thread of the calling goroutine, nil if it is not
// bound. It makes a system call.
func (d *DLL) CallingThread() *Thread {
	if t, ok := d.threads.bound.Load(osThreadID()); ok {
		return t.(*Thread)
	}
	return nil
}

// WSAGetLastError returns the error of the thread's latest call that failed; 0
// on the unbound thread. Success does not clear it, except WSAStartup's.
// Source: winsock/nf-winsock-wsagetlasterror.
func (t *Thread) WSAGetLastError() spi.Errno { return t.lastError }

// WSASetLastError sets what [Thread.WSAGetLastError] returns.
// Source: winsock/nf-winsock-wsasetlasterror.
func (t *Thread) WSASetLastError(e spi.Errno) { t.setLastError(e) }

func (t *Thread) setLastError(e spi.Errno) {
	if t.bound {
		t.lastError = e
	}
}

// SleepEx waits until the time has passed (0), or, if alertable, until APCs ran
// (WSA_WAIT_IO_COMPLETION). WSA_INFINITE never passes. It stands for the system
// call of that name.
func (t *Thread) SleepEx(milliseconds uint32, alertable bool) uint32 {
	if !t.bound {
		if milliseconds == spi.WSA_INFINITE {
			select {}
		}
		time.Sleep(timeoutOf(milliseconds))
		return 0
	}
	if t.waiter.Sleep(timeoutOf(milliseconds), alertable).Reason == wait.APC {
		return spi.WSA_WAIT_IO_COMPLETION
	}
	return 0
}

func timeoutOf(milliseconds uint32) time.Duration {
	if milliseconds == spi.WSA_INFINITE {
		return wait.Infinite
	}
	return time.Duration(milliseconds) * time.Millisecond
}
