//go:build linux

package kernel_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	_ "upcall.dev/layer/trace"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// chains are what sockets go from process to process through.
var chains = map[string][]catalog.Layer{
	"kernel":     nil,
	"kernel+ifs": {{Name: "trace", Options: spi.Options{"file": os.DevNull}}},
	"kernel+ifs+ifs": {
		{Name: "trace", Options: spi.Options{"file": os.DevNull}},
		{Name: "trace", Options: spi.Options{"file": os.DevNull}},
	},
	"kernel+nonifs": {{Name: "trace", Options: spi.Options{"data": "on", "file": os.DevNull}}},
}

func startChain(t testing.TB, chain string) *ws2.Thread {
	t.Helper()
	c, err := catalog.Compose(catalog.Default(), "kernel", chains[chain])
	ok(t, err)
	return startCatalog(t, c)
}

// target is a second process, which runs TestTargetProcess.
type target struct {
	t    testing.TB
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	pid  uint32
	done bool
}

const targetVariable = "UPCALL_TEST_TARGET"

// newTarget starts a process whose sockets go through a chain.
func newTarget(t testing.TB, chain string) *target {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestTargetProcess$", "-test.timeout=60s")
	// The race detector would wait a second at the end of each process.
	cmd.Env = append(os.Environ(), targetVariable+"="+chain, "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	ok(t, err)
	r, w, err := os.Pipe()
	ok(t, err)
	cmd.ExtraFiles = []*os.File{w}
	ok(t, cmd.Start())
	w.Close()
	p := &target{t: t, cmd: cmd, in: in, out: bufio.NewScanner(r), pid: uint32(cmd.Process.Pid)}
	t.Cleanup(func() {
		p.end()
		r.Close()
	})
	return p
}

// end lets the process go and waits for it.
func (p *target) end() {
	if p.done {
		return
	}
	p.done = true
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the second process: %v", err)
	}
}

// ask sends a command and returns the answer.
func (p *target) ask(format string, args ...any) string {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		p.t.Errorf("the second process does not listen: %v", err)
	}
	if !p.out.Scan() {
		p.t.Errorf("the second process ended: %v", p.out.Err())
		return ""
	}
	return p.out.Text()
}

func (p *target) want(answer, format string, args ...any) {
	p.t.Helper()
	if got := p.ask(format, args...); got != answer {
		p.t.Errorf("the second process answers %q to %q, want %q", got, fmt.Sprintf(format, args...), answer)
	}
}

func encode(info *spi.ProtocolInfo) string {
	return base64.StdEncoding.EncodeToString(unsafe.Slice((*byte)(unsafe.Pointer(info)), unsafe.Sizeof(*info)))
}

// open makes the process open what WSADuplicateSocket described.
func (p *target) open(info *spi.ProtocolInfo) string {
	p.t.Helper()
	return p.ask("open %s", encode(info))
}

// TestTargetProcess is the second process: it obeys the first.
func TestTargetProcess(t *testing.T) {
	chain, is := os.LookupEnv(targetVariable)
	if !is {
		t.Skip("only runs as the second process of other tests")
	}
	th := startChain(t, chain)
	out := os.NewFile(3, "answers")
	s := spi.InvalidSocket
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		command, rest, _ := strings.Cut(lines.Text(), " ")
		fmt.Fprintln(out, obey(t, th, &s, command, rest))
	}
	if s != spi.InvalidSocket {
		ok(t, th.CloseSocket(s))
	}
}

func name(err error) string {
	var e spi.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &e):
		return e.Name()
	}
	return err.Error()
}

func obey(t *testing.T, th *ws2.Thread, s *spi.Socket, command, rest string) string {
	switch command {
	case "open":
		var info spi.ProtocolInfo
		b, err := base64.StdEncoding.DecodeString(rest)
		ok(t, err)
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)), b)
		opened, err := th.WSASocket(spi.FROM_PROTOCOL_INFO, spi.FROM_PROTOCOL_INFO, spi.FROM_PROTOCOL_INFO, &info, 0, 0)
		if err == nil {
			*s = opened
		}
		return name(err)
	case "offer":
		pid, err := strconv.ParseUint(rest, 10, 32)
		ok(t, err)
		var info spi.ProtocolInfo
		if err := th.WSADuplicateSocket(*s, uint32(pid), &info); err != nil {
			return name(err)
		}
		return encode(&info)
	case "send":
		_, err := th.Send(*s, []byte(rest), 0)
		return name(err)
	case "receive":
		b := make([]byte, 64)
		n, err := th.Recv(*s, b, 0)
		if err != nil {
			return name(err)
		}
		return fmt.Sprintf("%q", b[:n])
	case "option":
		var option int32
		_, err := fmt.Sscan(rest, &option)
		ok(t, err)
		return fmt.Sprint(getInt(t, th, *s, spi.SOL_SOCKET, option))
	case "blocking":
		on := uint32(0)
		return name(th.IoctlSocket(*s, spi.FIONBIO, &on))
	case "overlapped":
		var n, flags uint32
		ov := new(spi.Overlapped)
		b := make([]byte, 64)
		err := th.WSARecv(*s, []spi.Buf{spi.NewBuf(b)}, &n, &flags, ov, nil)
		if errors.Is(err, spi.WSA_IO_PENDING) {
			err = th.WSAGetOverlappedResult(*s, ov, &n, true, &flags)
		}
		if err != nil {
			return name(err)
		}
		return fmt.Sprintf("%q", b[:n])
	case "accept":
		a, err := th.Accept(*s, nil, nil)
		if err == nil {
			ok(t, th.CloseSocket(*s))
			*s = a
		}
		return name(err)
	case "serve": // until a client says stop
		count := 0
		for {
			a, err := th.Accept(*s, nil, nil)
			if err != nil {
				return name(err)
			}
			count++
			send(t, th, a, "2")
			b := make([]byte, 4)
			n, _ := th.Recv(a, b, 0)
			ok(t, th.CloseSocket(a))
			if string(b[:n]) == "stop" {
				return fmt.Sprint(count)
			}
		}
	case "close":
		err := th.CloseSocket(*s)
		*s = spi.InvalidSocket
		return name(err)
	case "cleanup":
		err := th.WSACleanup()
		ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
		*s = spi.InvalidSocket
		return name(err)
	}
	return "unknown command " + command
}

func eachChain(t *testing.T, test func(t *testing.T, th *ws2.Thread, chain string)) {
	for chain := range chains {
		t.Run(chain, func(t *testing.T) { test(t, startChain(t, chain), chain) })
	}
}

func TestBehaviour111_DuplicateForAnotherProcess(t *testing.T) {
	eachChain(t, func(t *testing.T, th *ws2.Thread, chain string) {
		for _, f := range streams {
			t.Run(f.name, func(t *testing.T) {
				other := newTarget(t, chain)
				c, a := pair(t, th, f)
				send(t, th, a, "early")
				var info spi.ProtocolInfo
				ok(t, th.WSADuplicateSocket(c, other.pid, &info))
				ok(t, th.CloseSocket(c)) // what is offered lives on
				if got := other.open(&info); got != "ok" {
					t.Fatalf("the second process cannot open the duplicate: %s", got)
				}
				other.want(`"early"`, "receive")
				other.want("ok", "send from afar")
				receive(t, th, a, "from afar")
				send(t, th, a, "x")
				other.want(`"x"`, "overlapped")
				other.want("ok", "close")
				if n, err := th.Recv(a, make([]byte, 1), 0); n != 0 || err != nil {
					t.Errorf("after the last close: %d, %v", n, err)
				}
			})
		}
	})
}

// Closing one end of what two processes share, or cleaning up, leaves the other
// its connection, whatever SO_LINGER says.
func TestDuplicateSurvivesTheOtherProcess(t *testing.T) {
	for _, how := range []string{"close", "cleanup"} {
		t.Run(how, func(t *testing.T) {
			th := start(t)
			other := newTarget(t, "kernel")
			c, a := pair(t, th, ipv4)
			setLinger(t, th, c, spi.Linger{OnOff: 1, Linger: 5})
			var info spi.ProtocolInfo
			ok(t, th.WSADuplicateSocket(c, other.pid, &info))
			if got := other.open(&info); got != "ok" {
				t.Fatal(got)
			}
			other.want("ok", "%s", how)
			send(t, th, c, "still here")
			receive(t, th, a, "still here")
			send(t, th, a, "both ways")
			receive(t, th, c, "both ways")
		})
	}
	t.Run("the first", func(t *testing.T) {
		th := start(t)
		other := newTarget(t, "kernel")
		c, a := pair(t, th, ipv4)
		peer, err := unix.Dup(int(a)) // the provider's own ends with it
		ok(t, err)
		defer unix.Close(peer)
		var info spi.ProtocolInfo
		ok(t, th.WSADuplicateSocket(c, other.pid, &info))
		if got := other.open(&info); got != "ok" {
			t.Fatal(got)
		}
		ok(t, th.CloseSocket(a))
		ok(t, th.WSACleanup())
		other.want("ok", "send still here")
		b := make([]byte, 64)
		n, err := unix.Read(peer, b)
		if string(b[:max(n, 0)]) != "still here" {
			t.Errorf("received %q, %v", b[:max(n, 0)], err)
		}
		ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
	})
}

// What the provider knows beyond the kernel goes over too.
func TestDuplicateKeepsState(t *testing.T) {
	th := start(t)
	other := newTarget(t, "kernel")
	c, a := pair(t, th, ipv4)
	var info spi.ProtocolInfo
	setInt(t, th, c, spi.SOL_SOCKET, spi.SO_RCVTIMEO, 12345)
	nonblocking(t, th, c, 1)
	ok(t, th.Shutdown(c, spi.SD_SEND))
	ok(t, th.WSADuplicateSocket(c, other.pid, &info))
	if got := other.open(&info); got != "ok" {
		t.Fatal(got)
	}
	other.want("WSAEWOULDBLOCK", "receive")
	other.want("WSAESHUTDOWN", "send x")
	other.want("12345", "option %d", spi.SO_RCVTIMEO)
	other.want("ok", "blocking") // the mode is shared
	receiving := waiting(t, func() string {
		b := make([]byte, 1)
		_, err := th.Recv(c, b, 0)
		return name(err) + string(b)
	})
	send(t, th, a, "x")
	if got := <-receiving; got != "okx" {
		t.Errorf("received %q", got)
	}

	// Datagrams: SO_BROADCAST is the kernel's, SO_REUSEADDR the provider's.
	u, err := th.Socket(spi.AF_INET, spi.SOCK_DGRAM, 0)
	ok(t, err)
	setInt(t, th, u, spi.SOL_SOCKET, spi.SO_REUSEADDR, 1)
	setInt(t, th, u, spi.SOL_SOCKET, spi.SO_BROADCAST, 1)
	ok(t, th.WSADuplicateSocket(u, other.pid, &info))
	other.want("ok", "close")
	if got := other.open(&info); got != "ok" {
		t.Fatal(got)
	}
	other.want("1", "option %d", spi.SO_REUSEADDR)
	other.want("1", "option %d", spi.SO_BROADCAST)
	other.want("WSAEINVAL", "overlapped") // it has no local address to receive at
	_, err = th.SendTo(u, []byte("x"), 0, sockName(t, th, boundUDP(t, th)))
	ok(t, err)
}

func boundUDP(t testing.TB, th *ws2.Thread) spi.Socket {
	t.Helper()
	s, _ := udp(t, th, ipv4)
	return s
}

func TestBehaviour112_DuplicateOnceAcrossProcesses(t *testing.T) {
	eachChain(t, func(t *testing.T, th *ws2.Thread, chain string) {
		rightful, stranger := newTarget(t, chain), newTarget(t, chain)
		c, a := pair(t, th, ipv4)
		var info spi.ProtocolInfo
		ok(t, th.WSADuplicateSocket(c, rightful.pid, &info))
		for _, wrong := range []string{stranger.open(&info), stranger.open(&info)} {
			if wrong != "WSAEINVAL" {
				t.Errorf("a process that the duplicate is not for gets %s", wrong)
			}
		}
		_, err := th.WSASocket(0, 0, 0, &info, 0, 0)
		want(t, err, spi.WSAEINVAL) // this process is not the target either
		if got := rightful.open(&info); got != "ok" {
			t.Fatalf("the target gets %s", got)
		}
		if got := rightful.open(&info); got != "WSAEINVAL" {
			t.Errorf("the second time the target gets %s", got)
		}
		rightful.want("ok", "send once")
		receive(t, th, a, "once")
		bad := info
		bad.ProviderReserved ^= 0x5a5a5a5a
		if got := rightful.open(&bad); got != "WSAEINVAL" {
			t.Errorf("for a token that nobody made the target gets %s", got)
		}
		ok(t, th.WSADuplicateSocket(c, rightful.pid, &info))
		bad = info
		bad.ProviderReserved |= 1
		if got := rightful.open(&bad); got != "WSAEINVAL" {
			t.Errorf("for a token of its own that it never made the target gets %s", got)
		}
	})
}

// A process that is not there, or goes without having come, leaves nothing
// behind; start looks for descriptors.
func TestDuplicateForDeadProcess(t *testing.T) {
	th := start(t)
	c, a := pair(t, th, ipv4)
	var info spi.ProtocolInfo
	for _, none := range []uint32{0, 1 << 30, 1 << 31, ^uint32(0)} {
		want(t, th.WSADuplicateSocket(c, none, &info), spi.WSAEINVAL)
	}
	other := newTarget(t, "kernel")
	var offered [3]spi.ProtocolInfo
	for i := range offered {
		ok(t, th.WSADuplicateSocket(c, other.pid, &offered[i]))
	}
	ok(t, th.CloseSocket(c))
	other.end()
	// The last references to the connection go with the offers.
	if n, err := th.Recv(a, make([]byte, 1), 0); n != 0 || err != nil {
		t.Errorf("after the target's end: %d, %v", n, err)
	}
	want(t, th.WSADuplicateSocket(a, other.pid, &info), spi.WSAEINVAL)
}

// Offers are bounded, and the cleanup ends them.
func TestDuplicatesOffered(t *testing.T) {
	th := start(t)
	other := newTarget(t, "kernel")
	s := stream(t, th, ipv4)
	var first, info spi.ProtocolInfo
	ok(t, th.WSADuplicateSocket(s, other.pid, &first))
	made := 1
	var err error
	for err == nil && made < 10_000 {
		if err = th.WSADuplicateSocket(s, other.pid, &info); err == nil {
			made++
		}
	}
	want(t, err, spi.WSAENOBUFS)
	if got := other.open(&first); got != "ok" {
		t.Errorf("the target gets %s", got)
	}
	ok(t, th.WSADuplicateSocket(s, other.pid, &info))
	ok(t, th.WSACleanup())
	if got := other.open(&info); got != "WSAEINVAL" {
		t.Errorf("after the cleanup the target gets %s", got)
	}
	ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
}

// A socket that comes back is another descriptor of the one that went out, and
// shares its selection of events.
func TestDuplicateComesBack(t *testing.T) {
	th := start(t)
	other := newTarget(t, "kernel")
	c, a := pair(t, th, ipv4)
	ev := newEvent(t, th)
	ok(t, th.WSAEventSelect(c, ev, spi.FD_READ))
	var info spi.ProtocolInfo
	ok(t, th.WSADuplicateSocket(c, other.pid, &info))
	if got := other.open(&info); got != "ok" {
		t.Fatal(got)
	}
	back := other.ask("offer %d", os.Getpid())
	b, err := base64.StdEncoding.DecodeString(back)
	if err != nil {
		t.Fatal(back)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)), b)
	dup, err := th.WSASocket(0, 0, 0, &info, 0, 0)
	ok(t, err)
	ok(t, th.CloseSocket(c))
	send(t, th, a, "x")
	next(t, th, dup, ev, spi.FD_READ)
}

// Two processes wait in accept for the connections of one listening socket: each
// connection goes to one of them, and neither hangs when the other was faster.
func TestSharedListener(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		other := newTarget(t, "kernel")
		l, name := listen(t, th, f)
		var info spi.ProtocolInfo
		ok(t, th.WSADuplicateSocket(l, other.pid, &info))
		if got := other.open(&info); got != "ok" {
			t.Fatal(got)
		}
		served := make(chan string, 1)
		go func() { served <- other.ask("serve") }()
		mine := make(chan int, 1)
		accepting := waiting(t, func() error {
			count := 0
			for {
				a, err := th.Accept(l, nil, nil)
				if err != nil {
					mine <- count
					return err
				}
				count++
				_, _ = th.Send(a, []byte("1"), 0)
				_, _ = th.Recv(a, make([]byte, 4), 0)
				_ = th.CloseSocket(a)
			}
		})
		by := map[string]int{}
		client := func(text string) {
			c := stream(t, th, f)
			ok(t, th.Connect(c, name))
			b := make([]byte, 1)
			_, err := th.Recv(c, b, 0)
			ok(t, err)
			by[string(b)]++
			send(t, th, c, text)
			ok(t, th.CloseSocket(c))
		}
		for range 200 {
			client("next")
		}
		if flags, err := unix.FcntlInt(uintptr(l), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("accept4 may wait in the kernel: flags %#x, %v", flags, err)
		}
		ok(t, th.CloseSocket(l))
		if err := <-accepting; !errors.Is(err, spi.WSAEINTR) {
			want(t, err, spi.WSAENOTSOCK) // closed between two calls
		}
		client("stop") // to the one that is left
		theirs := <-served
		if own := <-mine; own != by["1"] || theirs != fmt.Sprint(by["2"]) || by["1"]+by["2"] != 201 {
			t.Errorf("%v were served, the first process counts %d and the second %s", by, own, theirs)
		}
	})
}

// The source does not answer: WSPSocket does not hang, and a cleanup ends it.
func TestDuplicateFromStoppedProcess(t *testing.T) {
	th := start(t)
	other := newTarget(t, "kernel")
	c, _ := pair(t, th, ipv4)
	var info spi.ProtocolInfo
	ok(t, th.WSADuplicateSocket(c, other.pid, &info))
	if got := other.open(&info); got != "ok" {
		t.Fatal(got)
	}
	b, err := base64.StdEncoding.DecodeString(other.ask("offer %d", os.Getpid()))
	ok(t, err)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)), b)
	process := other.cmd.Process
	ok(t, process.Signal(unix.SIGSTOP))
	defer func() { ok(t, process.Signal(unix.SIGCONT)) }()
	for stopped := false; !stopped; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", other.pid))
		ok(t, err)
		_, after, _ := strings.Cut(string(text), ") ")
		stopped = strings.HasPrefix(after, "T")
	}
	opening := waiting(t, func() error {
		_, err := th.WSASocket(0, 0, 0, &info, 0, 0)
		return err
	})
	ok(t, th.WSACleanup())
	want(t, <-opening, spi.WSAEINTR)
	ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
}
