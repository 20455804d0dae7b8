package model

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"upcall.dev/catalog"
	"upcall.dev/conformance/internal/chains"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must happen.
const patience = time.Minute

func TestRandomCalls(t *testing.T) {
	for _, c := range chains.All {
		t.Run(c.Name, func(t *testing.T) {
			source, err := c.Compose()
			if err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(r *rapid.T) { run(r, source) })
		})
	}
}

func run(r *rapid.T, source catalog.Source) {
	dll := ws2.New(ws2.Config{Catalog: source, Log: func(line string) { r.Log(line) }})
	thread := dll.BindThread()
	defer thread.Unbind()
	if err := thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
		r.Fatal(err)
	}
	m := &machine{dll: dll, Thread: thread}
	defer func() {
		if err := thread.WSACleanup(); err != nil {
			r.Error(err)
		}
		m.afterCleanup(r)
	}()
	port, err := dll.CreateIoCompletionPort(1)
	if err != nil {
		r.Fatal(err)
	}
	m.port = port
	defer dll.CloseCompletionPort(port)
	r.Repeat(map[string]func(*rapid.T){
		"Accept":         m.accept,
		"Associate":      m.associate,
		"Bind":           m.bind,
		"CancelIoEx":     m.cancel,
		"CloseEvent":     m.closeEvent,
		"CloseSocket":    m.closeSocket,
		"Connect":        m.connect,
		"CreateEvent":    m.createEvent,
		"EventSelect":    m.eventSelect,
		"GetName":        m.names,
		"Listen":         m.listen,
		"OverlappedRecv": m.overlappedRecv,
		"OverlappedSend": m.overlappedSend,
		"Pair":           m.pair,
		"Post":           m.post,
		"Recv":           m.recv,
		"ResetEvent":     m.resetEvent,
		"Send":           m.send,
		"SetEvent":       m.setEvent,
		"Shutdown":       m.shutdown,
		"Socket":         m.newSocket,
		"StaleHandle":    m.stale,
		"WaitForEvents":  m.wait,
		"":               m.settle,
	})
}

// machine is the state that the calls are expected to have made.
type machine struct {
	*ws2.Thread
	dll  *ws2.DLL
	port ws2.Port

	sockets []*endpoint // open ones
	gone    []spi.Socket
	events  []*event
	started []*operation // every operation, for the end
	posted  []uintptr    // keys of packets that must come, in order
	nextKey uintptr
}

// endpoint is the model of a stream socket. Data that was sent to it and not yet
// received is in queue.
type endpoint struct {
	s spi.Socket

	bound, listening, connected bool
	sendShut, recvShut          bool
	ended                       bool // the peer sends no more
	peerGone                    bool // the peer is closed
	// broken means that the connection was reset or is about to be: what was
	// on its way may be lost, and calls fail.
	broken bool

	name    []byte
	peer    *endpoint
	queue   []byte
	early   []byte      // sent before the connection was accepted
	backlog []*endpoint // connected to it, not accepted

	reads  []*operation // overlapped receives that wait, in order
	onPort bool

	selected *event
	mask     int32
	enabled  int32 // events that would be recorded
	expected int32 // events that must be recorded
}

// operation is an overlapped receive or send.
type operation struct {
	ov     *spi.Overlapped
	buf    []byte
	bufs   []spi.Buf
	on     *endpoint
	event  *event
	packet bool // a packet is to come
	done   bool
}

type event struct {
	handle spi.Event
	set    bool
}

func must(r *rapid.T, what string, err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%s: %v", what, err)
	}
}

// is checks that a call ended as the model says.
func is(r *rapid.T, what string, err error, want ...spi.Errno) {
	r.Helper()
	var got spi.Errno
	errors.As(err, &got)
	if !slices.Contains(want, got) {
		r.Fatalf("%s: %v, want one of %v", what, err, want)
	}
}

func (e *endpoint) String() string {
	return fmt.Sprintf("socket %#x (bound %v listening %v connected %v shut %v/%v ended %v peer gone %v broken %v, %d bytes, %d reads)",
		e.s, e.bound, e.listening, e.connected, e.sendShut, e.recvShut, e.ended, e.peerGone, e.broken, len(e.queue), len(e.reads))
}

// pick draws a socket for which ok holds; it skips the action if there is none.
func (m *machine) pick(r *rapid.T, ok func(*endpoint) bool) *endpoint {
	var fit []*endpoint
	for _, e := range m.sockets {
		if ok(e) {
			fit = append(fit, e)
		}
	}
	if len(fit) == 0 {
		r.Skip("no such socket")
	}
	e := rapid.SampledFrom(fit).Draw(r, "socket")
	return e
}

func open(*endpoint) bool { return true }

// newEndpoint enters a handle that the API has made: nobody else has it.
func (m *machine) newEndpoint(r *rapid.T, s spi.Socket) *endpoint {
	for _, e := range m.sockets {
		if e.s == s {
			r.Fatalf("handle %#x is open already", s)
		}
	}
	m.gone = slices.DeleteFunc(m.gone, func(old spi.Socket) bool { return old == s })
	on := uint32(1)
	must(r, "FIONBIO", m.IoctlSocket(s, spi.FIONBIO, &on))
	e := &endpoint{s: s}
	m.sockets = append(m.sockets, e)
	return e
}

// ready waits until select finds the socket ready.
func (m *machine) ready(r *rapid.T, e *endpoint, write bool) {
	r.Helper()
	set := spi.NewFDSet(e.s)
	timeout := &spi.Timeval{Sec: int32(patience / time.Second)}
	var n int
	var err error
	if write {
		n, err = m.Select(nil, set, nil, timeout)
	} else {
		n, err = m.Select(set, nil, nil, timeout)
	}
	if err != nil || n != 1 {
		r.Fatalf("%v is not ready (write %v): %d %v", e, write, n, err)
	}
}
