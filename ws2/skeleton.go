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
