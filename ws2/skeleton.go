package ws2

import (
	"upcall.dev/spi"
)

const todo = "ws2: under construction"

type windowTable struct{}

func (w *windowTable) init() {}
func (w *windowTable) post(wnd spi.HWND, msg uint32, wParam, lParam uintptr) bool {
	panic(todo)
}
func (d *DLL) reachable(wnd spi.HWND) bool { return true }

type portTable struct{}

func (w *portTable) init() {}

type association struct{}

func (a *association) queue(ov *spi.Overlapped, status spi.Errno, transferred uint32) { panic(todo) }

// Message is MSG, one message of a window's queue.
type Message struct {
	Window         spi.HWND
	Message        uint32
	WParam, LParam uintptr
}

func (t *Thread) CreateWindow() (spi.HWND, error)                                    { panic(todo) }
func (t *Thread) DestroyWindow(wnd spi.HWND) error                                   { panic(todo) }
func (t *Thread) GetMessage(wnd spi.HWND, milliseconds uint32) (Message, error)      { panic(todo) }
func (t *Thread) PeekMessage(wnd spi.HWND) (Message, bool, error)                    { panic(todo) }
func (t *Thread) PostMessage(wnd spi.HWND, msg uint32, wParam, lParam uintptr) error { panic(todo) }

// PostRoutine posts a message in the client's way.
type PostRoutine func(wnd spi.HWND, msg uint32, wParam, lParam uintptr) bool

func (d *DLL) WSApSetPostRoutine(routine PostRoutine) (previous PostRoutine) { panic(todo) }

// Port is a completion port.
type Port uintptr

// Packet is one completion packet.
type Packet struct {
	Transferred uint32
	Key         uintptr
	Overlapped  *spi.Overlapped
	Status      spi.Errno
}

func (d *DLL) CreateIoCompletionPort(concurrency uint32) (Port, error)         { panic(todo) }
func (d *DLL) AssociateCompletionPort(s spi.Socket, p Port, key uintptr) error { panic(todo) }
func (d *DLL) PostQueuedCompletionStatus(p Port, packet Packet) error          { panic(todo) }
func (d *DLL) CloseCompletionPort(p Port) error                                { panic(todo) }
func (t *Thread) GetQueuedCompletionStatus(p Port, milliseconds uint32) (Packet, error) {
	panic(todo)
}
