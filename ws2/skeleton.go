// Package ws2 is the Windows Sockets DLL: the host of service providers.
package ws2

import (
	"time"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

const todo = "ws2: under construction"

// Config says how a DLL starts up.
type Config struct {
	Catalog      catalog.Source
	Application  string
	LoadLibrary  func(path string) (spi.StartupFunc, error)
	Log          func(message string)
	StartTimeout time.Duration
	CountUpcalls bool
}

// DLL is one process's Windows Sockets DLL.
type DLL struct{ config Config }

// Thread is a calling thread.
type Thread struct{ dll *DLL }

// New returns a DLL that is not started up.
func New(c Config) *DLL { return &DLL{config: c} }

type UpcallStat struct {
	Name, Status  string
	Calls, Errors uint64
}

type WSAData struct {
	Version, HighVersion uint16
	MaxSockets, MaxUDPDg uint16
	VendorInfo           uintptr
	Description          [257]byte
	SystemStatus         [129]byte
}

type ProviderError struct {
	Code     spi.Errno
	Provider string
	Err      error
}

func (e *ProviderError) Error() string   { panic(todo) }
func (e *ProviderError) Unwrap() []error { return []error{e.Code, e.Err} }

func (d *DLL) BindThread() *Thread       { panic(todo) }
func (t *Thread) Unbind()                { panic(todo) }
func (d *DLL) Unbound() *Thread          { panic(todo) }
func (d *DLL) UpcallStats() []UpcallStat { panic(todo) }
func (d *DLL) Exports() spi.DLL          { panic(todo) }

func (t *Thread) DLL() *DLL { return t.dll }

func (t *Thread) WSAStartup(version uint16, data *WSAData) error { panic(todo) }
func (t *Thread) WSACleanup() error                              { panic(todo) }
func (t *Thread) WSAGetLastError() spi.Errno                     { panic(todo) }
func (t *Thread) WSASetLastError(e spi.Errno)                    { panic(todo) }

func (t *Thread) Socket(af, typ, protocol int32) (spi.Socket, error) { panic(todo) }
func (t *Thread) WSASocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, error) {
	panic(todo)
}
func (t *Thread) Bind(s spi.Socket, name []byte) error     { panic(todo) }
func (t *Thread) Listen(s spi.Socket, backlog int32) error { panic(todo) }
func (t *Thread) Accept(s spi.Socket, addr []byte, addrLen *int32) (spi.Socket, error) {
	panic(todo)
}
func (t *Thread) WSAAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, data uintptr) (spi.Socket, error) {
	panic(todo)
}
func (t *Thread) Connect(s spi.Socket, name []byte) error { panic(todo) }
func (t *Thread) WSAConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) error {
	panic(todo)
}
func (t *Thread) WSAJoinLeaf(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS, flags uint32) (spi.Socket, error) {
	panic(todo)
}
func (t *Thread) Send(s spi.Socket, b []byte, flags int32) (int, error) { panic(todo) }
func (t *Thread) Recv(s spi.Socket, b []byte, flags int32) (int, error) { panic(todo) }
func (t *Thread) SendTo(s spi.Socket, b []byte, flags int32, to []byte) (int, error) {
	panic(todo)
}
func (t *Thread) RecvFrom(s spi.Socket, b []byte, flags int32, from []byte, fromLen *int32) (int, error) {
	panic(todo)
}
func (t *Thread) WSASend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	panic(todo)
}
func (t *Thread) WSASendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	panic(todo)
}
func (t *Thread) WSARecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	panic(todo)
}
func (t *Thread) WSARecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	panic(todo)
}
func (t *Thread) WSASendDisconnect(s spi.Socket, data *spi.Buf) error { panic(todo) }
func (t *Thread) WSARecvDisconnect(s spi.Socket, data *spi.Buf) error { panic(todo) }
func (t *Thread) Shutdown(s spi.Socket, how int32) error              { panic(todo) }
func (t *Thread) CloseSocket(s spi.Socket) error                      { panic(todo) }
func (t *Thread) GetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) error {
	panic(todo)
}
func (t *Thread) SetSockOpt(s spi.Socket, level, name int32, val []byte) error { panic(todo) }
func (t *Thread) IoctlSocket(s spi.Socket, cmd uint32, arg *uint32) error      { panic(todo) }
func (t *Thread) WSAIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	panic(todo)
}
func (t *Thread) GetSockName(s spi.Socket, name []byte, nameLen *int32) error { panic(todo) }
func (t *Thread) GetPeerName(s spi.Socket, name []byte, nameLen *int32) error { panic(todo) }
func (t *Thread) Select(read, write, except *spi.FDSet, timeout *spi.Timeval) (int, error) {
	panic(todo)
}
func (t *Thread) WSAEnumProtocols(filter []int32, buf []spi.ProtocolInfo, length *uint32) (int, error) {
	panic(todo)
}
func (t *Thread) WSADuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) error {
	panic(todo)
}
func (t *Thread) WSAGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) error {
	panic(todo)
}
func (t *Thread) WSAEventSelect(s spi.Socket, ev spi.Event, mask int32) error { panic(todo) }
func (t *Thread) WSAEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) error {
	panic(todo)
}
func (t *Thread) WSAAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, mask int32) error {
	panic(todo)
}
func (t *Thread) WSACreateEvent() (spi.Event, error) { panic(todo) }
func (t *Thread) WSACloseEvent(ev spi.Event) error   { panic(todo) }
func (t *Thread) WSASetEvent(ev spi.Event) error     { panic(todo) }
func (t *Thread) WSAResetEvent(ev spi.Event) error   { panic(todo) }
func (t *Thread) WSAWaitForMultipleEvents(events []spi.Event, all bool, milliseconds uint32, alertable bool) (uint32, error) {
	panic(todo)
}
func (t *Thread) SleepEx(milliseconds uint32, alertable bool) uint32                { panic(todo) }
func (t *Thread) WSASetBlockingHook(hook func() bool) (prev func() bool, err error) { panic(todo) }
func (t *Thread) WSAUnhookBlockingHook() error                                      { panic(todo) }
func (t *Thread) WSAIsBlocking() bool                                               { panic(todo) }
func (t *Thread) WSACancelBlockingCall() error                                      { panic(todo) }
func (t *Thread) WSAAddressToString(addr []byte, info *spi.ProtocolInfo, buf []uint16, length *uint32) error {
	panic(todo)
}
func (t *Thread) WSAStringToAddress(str []uint16, af int32, info *spi.ProtocolInfo, addr []byte, addrLen *int32) error {
	panic(todo)
}
func (t *Thread) WSAGetQOSByName(s spi.Socket, name *spi.Buf, qos *spi.QOS) error { panic(todo) }

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
