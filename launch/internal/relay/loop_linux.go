package relay

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// loop is a thread that waits for the descriptors of many relays in one epoll set,
// edge-triggered, and copies what has come itself: nobody is woken for it.
type loop struct {
	epoll, wake int
	ended       chan struct{}

	mu      sync.Mutex // a leaf: guards what follows
	ready   map[int32]func(events uint32)
	next    int32
	due     []*joined // are to go on
	asleep  bool
	stopped bool
}

const wakeID = 0 // no descriptor's number

func startLoop() (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: wakeID})
	}
	if err != nil {
		_ = unix.Close(epoll)
		if wake >= 0 {
			_ = unix.Close(wake)
		}
		return nil, err
	}
	l := &loop{epoll: epoll, wake: wake, ended: make(chan struct{}), ready: map[int32]func(uint32){}}
	go l.run()
	return l, nil
}

// stop ends the thread, which has no relays any more, and waits for it.
func (l *loop) stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.callOut()
	<-l.ended
	l.mu.Lock()
	clear(l.ready)
	l.mu.Unlock()
	_ = unix.Close(l.epoll)
	_ = unix.Close(l.wake)
}

// watch has ready called on the thread after each change of a descriptor. It may be
// called with any lock held; so may unwatch.
func (l *loop) watch(fd int, ready func(events uint32)) (int32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return 0, unix.EBADF
	}
	for l.next++; l.next <= wakeID || l.ready[l.next] != nil; l.next++ {
	}
	id := l.next
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLET, Fd: id}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return 0, err
	}
	l.ready[id] = ready
	return id, nil
}

// unwatch ends a watch while the descriptor is open. A call of ready may still be running.
func (l *loop) unwatch(fd int, id int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ready[id] != nil {
		delete(l.ready, id)
		_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil)
	}
}

// proceed has a relay go on, on the thread. It may be called with any lock held.
func (l *loop) proceed(j *joined) {
	l.mu.Lock()
	if j.due {
		l.mu.Unlock()
		return
	}
	j.due = true
	l.due = append(l.due, j)
	asleep := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if asleep {
		l.callOut()
	}
}

func (l *loop) callOut() {
	one := [8]byte{1}
	_, _ = unix.Write(l.wake, one[:])
}

// goOn is how long the thread goes on without being scheduled anew: beyond 10 ms Go's
// runtime takes its processor away, and looks for others to take every 20 µs.
const goOn = 4 * time.Millisecond

func (l *loop) run() {
	defer close(l.ended)
	var events [128]unix.EpollEvent
	var due []*joined
	scheduled := time.Now()
	for {
		n, err := unix.EpollWait(l.epoll, events[:], l.patience())
		if err != nil && err != unix.EINTR {
			panic("relay: epoll_wait: " + err.Error()) // only a wrong argument
		}
		l.mu.Lock()
		l.asleep = false
		l.mu.Unlock()
		for _, event := range events[:max(n, 0)] {
			l.tell(event)
		}
		l.mu.Lock()
		due, l.due = l.due, due[:0]
		for _, j := range due {
			j.due = false
		}
		stopped := l.stopped
		l.mu.Unlock()
		for i, j := range due {
			j.proceed()
			due[i] = nil
		}
		if stopped {
			return
		}
		if now := time.Now(); now.Sub(scheduled) > goOn {
			runtime.Gosched()
			scheduled = now
		}
	}
}

// patience is how long to wait for descriptors, in epoll_wait's form.
func (l *loop) patience() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.due) > 0 || l.stopped {
		return 0
	}
	l.asleep = true
	return -1
}

func (l *loop) tell(event unix.EpollEvent) {
	l.mu.Lock()
	ready := l.ready[event.Fd]
	l.mu.Unlock()
	if ready != nil {
		ready(event.Events)
	}
}
