package main

import (
	"fmt"
	"sync"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/internal/wait"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// asyncs are the rows of events and of completions that no system call is
// part of.
func asyncs() []row {
	return []row{
		{"wait-any over 64 signalled events", "ns", waitAny(0), atMost(50, "ns")},
		{"wait-any over 64 events, the last one signalled", "ns", waitAny(63), forInformation()},
		{"event wakes a goroutine and back, against channels", "ns", waiterWakes, ratioAtMost(1.5)},
		{"the same, by calls of the unbound thread", "ns", threadWakes, forInformation()},
		{"WPUCompleteOverlappedRequest to dequeue", "ns", completeToDequeue, atMost(500, "ns")},
	}
}

// bound returns a thread of a started DLL. The side that uses it must run where
// bound was called.
func bound(c *catalog.Catalog) (*ws2.Thread, func(), error) {
	th := ws2.New(ws2.Config{Catalog: c, Log: func(string) {}}).BindThread()
	if err := th.WSAStartup(spi.Version22, &ws2.WSAData{}); err != nil {
		th.Unbind()
		return nil, nil, err
	}
	return th, func() { _ = th.WSACleanup(); th.Unbind() }, nil
}

func newEvents(th *ws2.Thread) ([]spi.Event, error) {
	events := make([]spi.Event, spi.WSA_MAXIMUM_WAIT_EVENTS)
	for i := range events {
		ev, err := th.WSACreateEvent()
		if err != nil {
			return nil, err
		}
		events[i] = ev
	}
	return events, nil
}

// waitAny waits for 64 events of which those from first on are signalled.
func waitAny(first int) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		th, done, err := bound(catalog.Default())
		if err != nil {
			return nil, nil, nil, err
		}
		events, err := newEvents(th)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, ev := range events[first:] {
			if err := th.WSASetEvent(ev); err != nil {
				return nil, nil, nil, err
			}
		}
		return func(each time.Duration) (float64, error) {
			return perCall(each, 1000, func() error {
				for range 1000 {
					if i, err := th.WSAWaitForMultipleEvents(events, false, spi.WSA_INFINITE, true); err != nil || i != uint32(first) {
						return fmt.Errorf("the wait returned %d: %w", i, err)
					}
				}
				return nil
			})
		}, nil, done, nil
	}
}

// waiterWakes are round trips between two goroutines with a waiter each: two
// wakes.
func waiterWakes() (side, side, func(), error) {
	there, back := wait.NewEvent(), wait.NewEvent()
	waiting := func(e *wait.Event) (func() error, func()) {
		w, list := wait.NewWaiter(), []*wait.Event{e}
		return func() error {
			if r := w.Wait(list, false, wait.Infinite, false); r.Reason != wait.Signalled || !e.Reset() {
				return spi.WSA_INVALID_HANDLE
			}
			return nil
		}, w.Close
	}
	return wakes(waiting, there, back, func(e *wait.Event) error {
		if !e.Set() {
			return spi.WSA_INVALID_HANDLE
		}
		return nil
	}, func() { there.Close() })
}

// threadWakes are the same by the client's calls, on the thread that
// goroutines share.
func threadWakes() (side, side, func(), error) {
	th, done, err := started(catalog.Default())
	if err != nil {
		return nil, nil, nil, err
	}
	events, err := newEvents(th)
	if err != nil {
		return nil, nil, nil, err
	}
	waiting := func(e spi.Event) (func() error, func()) {
		list := []spi.Event{e}
		return func() error {
			if _, err := th.WSAWaitForMultipleEvents(list, false, spi.WSA_INFINITE, false); err != nil {
				return err
			}
			return th.WSAResetEvent(e)
		}, func() {}
	}
	return wakes(waiting, events[0], events[1], th.WSASetEvent, func() { _ = th.WSACloseEvent(events[0]); done() })
}

// wakes has a partner that answers there with back, and compares with two
// channels. waiting returns what waits for an event and clears it, and what ends
// its use; stop ends the wait for there.
func wakes[E any](waiting func(E) (func() error, func()), there, back E, set func(E) error, stop func()) (side, side, func(), error) {
	var partners sync.WaitGroup
	partners.Go(func() {
		wait, end := waiting(there)
		defer end()
		for wait() == nil {
			_ = set(back)
		}
	})
	ping, pong := make(chan struct{}), make(chan struct{})
	partners.Go(func() {
		for range ping {
			pong <- struct{}{}
		}
	})
	wait, end := waiting(back)
	subject := func(each time.Duration) (float64, error) {
		return perCall(each, 1000, func() error {
			for range 1000 {
				if err := set(there); err != nil {
					return err
				}
				if err := wait(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	comparator := func(each time.Duration) (float64, error) {
		return perCall(each, 1000, func() error {
			for range 1000 {
				ping <- struct{}{}
				<-pong
			}
			return nil
		})
	}
	return subject, comparator, func() {
		close(ping)
		stop()
		partners.Wait()
		end()
	}, nil
}

// completeToDequeue completes an operation and takes its packet, on one thread.
func completeToDequeue() (side, side, func(), error) {
	c := catalog.Default()
	th, done, err := bound(c)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := startCapture(th); err != nil {
		return nil, nil, nil, err
	}
	s, errno := captured.WPUCreateSocketHandle(c.Entries()[0].CatalogEntryID, 0)
	if errno != 0 {
		return nil, nil, nil, errno
	}
	port, err := th.DLL().CreateIoCompletionPort(1)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := th.DLL().AssociateCompletionPort(s, port, 7); err != nil {
		return nil, nil, nil, err
	}
	ov := new(spi.Overlapped)
	return func(each time.Duration) (float64, error) {
			return perCall(each, 1000, func() error {
				for range 1000 {
					ov.Start()
					if errno := captured.dll.WPUCompleteOverlappedRequest(s, ov, 0, 64); errno != 0 {
						return errno
					}
					if p, err := th.GetQueuedCompletionStatus(port, spi.WSA_INFINITE); err != nil || p.Overlapped != ov || p.Transferred != 64 {
						return fmt.Errorf("dequeued %+v: %w", p, err)
					}
				}
				return nil
			})
		}, nil, func() {
			captured.WPUCloseSocketHandle(s)
			_ = th.DLL().CloseCompletionPort(port)
			done()
		}, nil
}
